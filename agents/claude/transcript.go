package claude

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// TranscriptName is the file in an agent's folder that holds its conversation, once the agent is closed.
const TranscriptName = "transcript.jsonl"

// Transcript returns the path of the newest conversation that a process left in the agent's folder dir, whether it was closed or
// killed. The error is [fs.ErrNotExist] if there is none that Claude Code could go on with.
func Transcript(dir string) (path string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	name, err := newest(root)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, name), nil
}

// newest returns the name of the newest conversation in an agent's folder. The agent has made what is there: a link leads no further than its
// folder, and what is no file is passed over.
func newest(root *os.Root) (name string, err error) {
	found, err := fs.Glob(root.FS(), "home/.claude/projects/*/*.jsonl")
	if err != nil {
		return "", err
	}
	var last time.Time
	for _, file := range found {
		info, err := root.Lstat(file)
		if err != nil {
			return "", err
		}
		if !info.Mode().IsRegular() {
			continue
		}
		raw, err := root.ReadFile(file)
		if err != nil {
			return "", err
		}
		if begun(raw) && !info.ModTime().Before(last) {
			name, last = file, info.ModTime()
		}
	}
	if name == "" {
		return "", fmt.Errorf("find a conversation in %s: %w", root.Name(), fs.ErrNotExist)
	}
	return name, nil
}

// begun says whether a transcript holds a whole message to the model. Claude Code writes other lines ahead of the first one, and does
// not resume a conversation that has only those.
func begun(raw []byte) bool {
	for line := range bytes.Lines(raw) {
		var entry struct{ Type string }
		if bytes.HasSuffix(line, []byte("\n")) && json.Unmarshal(line, &entry) == nil && entry.Type == "user" {
			return true
		}
	}
	return false
}

// keepTranscript gives the conversation a name that does not depend on where the folder stands. An agent that never got as far
// as a conversation has none.
func keepTranscript(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	name, err := newest(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	raw, err := root.ReadFile(name)
	if err != nil {
		return err
	}
	return root.WriteFile(TranscriptName, raw, 0o600)
}

// cutTornLine cuts off what a killed process left of a line at the end of a transcript in an agent's folder. Claude Code passes over it, but writes on in
// that same line, so that its own next entry is lost.
func cutTornLine(dir, path string) error {
	name, err := filepath.Rel(dir, path)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	f, err := root.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	raw, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(raw, '\n') + 1
	if whole == len(raw) {
		return nil
	}
	return f.Truncate(int64(whole))
}

// quoteGlob returns a pattern that matches path and nothing else.
func quoteGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}
