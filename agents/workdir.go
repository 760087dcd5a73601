package agents

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
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

// Settle makes a command live in an agent's folder dir, absolute, which is made if it is not there: it runs in work/, and home/ and tmp/ are its
// HOME and TMPDIR. Its environment is these, PATH, and env (as NAME=value), and nothing of this process's.
func Settle(cmd *exec.Cmd, dir string, env []string) error {
	work, home, tmp := filepath.Join(dir, "work"), filepath.Join(dir, "home"), filepath.Join(dir, "tmp")
	for _, dir := range []string{work, home, tmp} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	cmd.Dir = work
	cmd.Env = append([]string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + home, "TMPDIR=" + tmp}, env...)
	return nil
}
