package claude

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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
	found, err := filepath.Glob(filepath.Join(quoteGlob(dir), "home", ".claude", "projects", "*", "*.jsonl"))
	if err != nil {
		return "", err
	}
	var newest time.Time
	for _, file := range found {
		info, err := os.Stat(file)
		if err != nil {
			return "", err
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		if begun(raw) && !info.ModTime().Before(newest) {
			path, newest = file, info.ModTime()
		}
	}
	if path == "" {
		return "", fmt.Errorf("find a conversation in %s: %w", dir, fs.ErrNotExist)
	}
	return path, nil
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
	path, err := Transcript(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, TranscriptName), raw, 0o600)
}

// cutTornLine cuts off what a killed process left of a line at the end of a transcript. Claude Code passes over it, but writes on in
// that same line, so that its own next entry is lost.
func cutTornLine(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(raw, '\n') + 1
	if whole == len(raw) {
		return nil
	}
	return os.Truncate(path, int64(whole))
}

// quoteGlob returns a pattern that matches path and nothing else.
func quoteGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}
