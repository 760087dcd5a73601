package world

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Names in a folder that [FactFiles] are in.
const (
	FactsLink   = "world" // leads to the files of the facts, whichever they are now
	FactsFolder = "facts" // has them
)

const (
	factsNow  = "now"  // in FactsFolder: the link to one of the two folders with files
	factsNext = "next" // what becomes factsNow
)

// FactFiles keep some facts of a state as files for others to read: a materialized view. The fact lake/tons is the file world/lake/tons.json; names and texts are
// those of [Export]. All files change at once: there are two folders of them, and while one is shown the other one is brought to the next
// state. So only what has changed is written, twice, and whoever stays in a folder has the same facts there for the whole of a state.
type FactFiles struct {
	root     *os.Root   // FactsFolder
	patterns [][]string // their parts
	holds    [2]glimpse // what is in each folder
	now      int        // which of them is shown
}

// A glimpse is what is seen of a state. The zero glimpse is nothing.
type glimpse struct {
	st     State
	hidden map[string]bool // paths of facts
}

// factsNames returns the names of the two folders.
func factsNames() [2]string { return [2]string{"a", "b"} }

// NewFactFiles makes them in a folder, where there are none yet; what earlier ones have left there goes. The facts are those whose paths match a
// pattern: its parts between slashes are those of a path, with * for any text and ? for any character, or ** for any parts. Facts under run/,
// and those whose names are too long, are never shown.
func NewFactFiles(dir string, patterns []string) (*FactFiles, error) {
	f := &FactFiles{}
	for _, pattern := range patterns {
		f.patterns = append(f.patterns, strings.Split(pattern, "/"))
	}
	if err := f.open(dir); err != nil {
		return nil, fmt.Errorf("make files of facts: %w", err)
	}
	return f, nil
}

func (f *FactFiles) open(dir string) error {
	folder := filepath.Join(dir, FactsFolder)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	var err error
	if f.root, err = os.OpenRoot(folder); err != nil {
		return err
	}
	if err := errors.Join(f.empty(0), f.empty(1), f.turn(0)); err != nil {
		return errors.Join(err, f.root.Close())
	}
	link := filepath.Join(dir, FactsLink)
	if to, err := os.Readlink(link); err == nil && to == path.Join(FactsFolder, factsNow) {
		return nil
	}
	if err := os.Symlink(path.Join(FactsFolder, factsNow), link); err != nil {
		return errors.Join(err, f.root.Close())
	}
	return nil
}

// Close lets go of the folder; the files stay.
func (f *FactFiles) Close() error { return f.root.Close() }

// Show makes the files those of a state, without the facts at hidden paths. After an error they are as they were. It costs what has changed, and
// hardly what there is.
func (f *FactFiles) Show(st State, hidden []string) error {
	want := glimpse{st, make(map[string]bool, len(hidden))}
	for _, path := range hidden {
		want.hidden[path] = true
	}
	if len(f.differences(f.holds[f.now], want)) == 0 {
		f.holds[f.now] = want
		return nil
	}
	next := 1 - f.now
	err := f.write(next, want)
	if err != nil { // somebody may have been there
		if err = f.empty(next); err == nil {
			err = f.write(next, want)
		}
	}
	if err == nil {
		err = f.turn(next)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("show the world: %w", err), f.empty(next))
	}
	return nil
}

// differences returns what there is to do in a folder for it to hold another glimpse: the facts whose files are written, and nil for those whose
// files go.
func (f *FactFiles) differences(from, to glimpse) map[string]json.RawMessage {
	changed, gone := to.st.Changes(from.st)
	paths := slices.Concat(gone, slices.Collect(maps.Keys(changed)), slices.Collect(maps.Keys(from.hidden)), slices.Collect(maps.Keys(to.hidden)))
	todo := make(map[string]json.RawMessage)
	for _, path := range paths {
		if !f.isShown(path) {
			continue
		}
		was, had := from.fact(path)
		is, has := to.fact(path)
		switch {
		case has && !(had && bytes.Equal(was, is)):
			todo[path] = is
		case had && !has:
			todo[path] = nil
		}
	}
	return todo
}

// fact returns a fact if it is seen.
func (g glimpse) fact(path string) (json.RawMessage, bool) {
	if g.hidden[path] {
		return nil, false
	}
	return g.st.Fact(path)
}

// isShown says whether there can be a file of a fact.
func (f *FactFiles) isShown(fact string) bool {
	parts := strings.Split(fact, "/")
	if !slices.ContainsFunc(f.patterns, func(pattern []string) bool { return matches(pattern, parts) }) {
		return false
	}
	_, named := fileOf(fact)
	return named
}

// matches says whether the parts of a path match those of a pattern.
func matches(pattern, parts []string) bool {
	switch {
	case len(pattern) == 0:
		return len(parts) == 0
	case pattern[0] == "**":
		return matches(pattern[1:], parts) || len(parts) > 0 && matches(pattern, parts[1:])
	case len(parts) == 0:
		return false
	}
	ok, err := path.Match(pattern[0], parts[0])
	return ok && err == nil && matches(pattern[1:], parts[1:])
}

// write brings the files of a folder to what shall be seen.
func (f *FactFiles) write(which int, want glimpse) error {
	dir := factsNames()[which]
	for fact, value := range f.differences(f.holds[which], want) { // in any order: nobody looks
		var err error
		if value == nil {
			err = f.remove(dir, fact)
		} else {
			err = f.put(dir, fact, value)
		}
		if err != nil {
			return err
		}
	}
	f.holds[which] = want
	return nil
}

// remove removes the file of a fact, and the folders that are empty then.
func (f *FactFiles) remove(dir, fact string) error {
	name, _ := fileOf(fact)
	name = path.Join(dir, name)
	if err := f.root.Remove(name); err != nil {
		return err
	}
	for name = path.Dir(name); name != dir && f.root.Remove(name) == nil; name = path.Dir(name) {
	}
	return nil
}

// put writes the file of a fact.
func (f *FactFiles) put(dir, fact string, value json.RawMessage) error {
	name, _ := fileOf(fact)
	name = path.Join(dir, name)
	file, err := f.root.OpenFile(name, os.O_WRONLY, 0) // to truncate it at first would cost a flush
	if errors.Is(err, fs.ErrNotExist) {
		if err = f.makeFolder(path.Dir(name)); err == nil {
			file, err = f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		}
		if err == nil {
			err = file.Chmod(0o644) // whatever our mask is
		}
	}
	if err == nil {
		text := factText(value)
		_, err = file.Write(text)
		err = errors.Join(err, file.Truncate(int64(len(text))))
	}
	if file != nil {
		err = errors.Join(err, file.Close())
	}
	return err
}

// makeFolder makes a folder, and those that it is in, if they are not there.
func (f *FactFiles) makeFolder(name string) error {
	if info, err := f.root.Lstat(name); err == nil && info.IsDir() {
		return nil
	}
	if err := f.makeFolder(path.Dir(name)); err != nil {
		return err
	}
	return errors.Join(f.root.Mkdir(name, 0o755), f.root.Chmod(name, 0o755))
}

// factText is what a file says of a fact: in one line if it would otherwise be too much to be saved again.
func factText(fact json.RawMessage) []byte {
	var text bytes.Buffer
	_ = json.Indent(&text, fact, "", "  ") // it is valid
	if text.Len() >= maxSave {
		return append(bytes.Clone(fact), '\n')
	}
	text.WriteByte('\n')
	return text.Bytes()
}

// empty makes a folder that holds nothing, whatever is there.
func (f *FactFiles) empty(which int) error {
	dir := factsNames()[which]
	_ = fs.WalkDir(f.root.FS(), dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = f.root.Chmod(name, 0o755) // what stays closed cannot be removed, which is an error
		}
		return nil
	})
	err := f.root.RemoveAll(dir)
	if err == nil {
		err = f.makeFolder(dir)
	}
	f.holds[which] = glimpse{}
	return err
}

// turn makes a folder the one that is shown.
func (f *FactFiles) turn(which int) error {
	if err := f.root.RemoveAll(factsNext); err != nil { // of somebody who was killed
		return err
	}
	if err := f.root.Symlink(factsNames()[which], factsNext); err != nil {
		return err
	}
	if err := f.root.Rename(factsNext, factsNow); err != nil {
		return err
	}
	f.now = which
	return nil
}
