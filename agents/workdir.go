package agents

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// MakeWork makes the working directory of an agent, "work" in its folder dir, with files by their paths, with slashes. One that is there
// already stays as the agent has left it. It is there whole or not at all.
func MakeWork(dir string, files map[string][]byte) error {
	work := filepath.Join(dir, "work")
	if _, err := os.Lstat(work); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	begun := work + ".new"
	if err := os.RemoveAll(begun); err != nil { // of somebody who was killed
		return err
	}
	if err := os.MkdirAll(begun, 0o700); err != nil {
		return err
	}
	for path, raw := range files { // order does not matter
		file := filepath.Join(begun, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			return err
		}
	}
	return os.Rename(begun, work)
}
