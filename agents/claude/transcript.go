package claude

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// An agent may make of its conversation what it likes, so no more of it is read than this.
const (
	maxLooked     = 10      // conversations, the newest, of which one may have begun
	maxHead       = 4 << 20 // bytes of one, in which it must have begun
	maxTranscript = 1 << 30 // bytes of one that are kept
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

// OpenTranscript opens the newest conversation in the agent's folder dir to be read, or else the one that was kept. The agent may be making of its
// files what it likes meanwhile. The error is [fs.ErrNotExist] if there is none.
func OpenTranscript(dir string) (*os.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	name, err := newest(root)
	if errors.Is(err, fs.ErrNotExist) {
		name, err = TranscriptName, nil
	}
	if err != nil {
		return nil, err
	}
	return openRegular(root, name, os.O_RDONLY)
}

// newest returns the name of the newest conversation in an agent's folder. The agent has made what is there: a link leads no further than its
// folder, and what is no file is passed over.
func newest(root *os.Root) (name string, err error) {
	found, err := fs.Glob(root.FS(), "home/.claude/projects/*/*.jsonl")
	if err != nil {
		return "", err
	}
	times := make(map[string]time.Time)
	for _, file := range found {
		if info, err := root.Lstat(file); err == nil && info.Mode().IsRegular() {
			times[file] = info.ModTime()
		}
	}
	newer := func(a, b string) int { return cmp.Or(times[b].Compare(times[a]), cmp.Compare(b, a)) }
	for i, file := range slices.SortedFunc(maps.Keys(times), newer) {
		if i == maxLooked {
			break
		}
		conversation, err := begun(root, file)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) { // the agent has done that
			continue
		}
		if err != nil {
			return "", err
		}
		if conversation {
			return file, nil
		}
	}
	return "", fmt.Errorf("find a conversation in %s: %w", root.Name(), fs.ErrNotExist)
}

// begun says whether a transcript holds a whole message to the model. Claude Code writes other lines ahead of the first one, and does
// not resume a conversation that has only those.
func begun(root *os.Root, file string) (bool, error) {
	f, err := openRegular(root, file, os.O_RDONLY)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, maxHead))
	if err != nil {
		return false, err
	}
	for line := range bytes.Lines(head) {
		var entry struct{ Type string }
		if bytes.HasSuffix(line, []byte("\n")) && json.Unmarshal(line, &entry) == nil && entry.Type == "user" {
			return true, nil
		}
	}
	return false, nil
}

// openRegular opens a file in an agent's folder, which the agent may have put there: it waits for nobody at what is none.
func openRegular(root *os.Root, file string, flag int) (*os.File, error) {
	f, err := root.OpenFile(file, flag|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: file, Err: fs.ErrPermission} // it is no file
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
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
	from, err := openRegular(root, name, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := root.OpenFile(TranscriptName, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, io.LimitReader(from, maxTranscript))
	return errors.Join(err, to.Close())
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
	f, err := openRegular(root, name, os.O_RDWR)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	whole, err := wholeLines(f, info.Size())
	if err != nil || whole == info.Size() {
		return err
	}
	return f.Truncate(whole)
}

// wholeLines returns how many of the first bytes of a file are whole lines.
func wholeLines(f io.ReaderAt, size int64) (int64, error) {
	piece := make([]byte, 64<<10)
	for end := size; end > 0; {
		from := max(0, end-int64(len(piece)))
		n, err := f.ReadAt(piece[:end-from], from)
		if err != nil && err != io.EOF {
			return 0, err
		}
		if i := bytes.LastIndexByte(piece[:n], '\n'); i >= 0 {
			return from + int64(i) + 1, nil
		}
		end = from
	}
	return 0, nil
}

// quoteGlob returns a pattern that matches path and nothing else.
func quoteGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}
