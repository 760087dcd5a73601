package world

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// refuseAll judges all saves, also those that are not over, and refuses those that differ from the facts for that reason. It leaves files alone
// that are gone: perhaps the whole folder is on its way.
func (x *exporter) refuseAll(ctx context.Context, reason error) error {
	set := x.set
	defer func() { x.set = set }()
	x.set = func(context.Context, string, json.RawMessage) error { return reason }
	for _, name := range slices.Sorted(maps.Keys(x.saves)) {
		if _, err := x.root.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := x.settle(ctx, name); err != nil && !errors.Is(err, ctx.Err()) {
			return err
		}
	}
	return nil
}

// earlier says which of two saves was over first.
func (x *exporter) earlier(a, b string) int {
	return cmp.Or(x.saves[a].over.Compare(x.saves[b].over), strings.Compare(a, b))
}

// isOver says whether a save is over, and if not, notes when it may be: there can be changes of which we have not heard yet.
func (x *exporter) isOver(name string) bool {
	now := time.Now() // of each save, since set may have taken a while to commit the one before it
	if x.saves[name].over.After(now) {
		return false
	}
	info, err := x.root.Lstat(name)
	switch {
	case err == nil && now.Sub(info.ModTime()).Abs() < rest:
		x.saves[name] = save{over: now.Add(rest)}
	case errors.Is(err, fs.ErrNotExist) && !x.saves[name].gone:
		x.saves[name] = save{over: now.Add(absence), gone: true}
	default:
		return true
	}
	return false
}

// settle judges what was saved in a file, or in one that was moved since.
func (x *exporter) settle(ctx context.Context, name string) error {
	delete(x.saves, name)
	var written time.Time
	if info, err := x.root.Lstat(name); err == nil { // before it is read: what is saved in between is judged again
		written = info.ModTime()
	}
	raw, err := x.read(name)
	if f, moved := x.moved[name]; moved {
		delete(x.moved, name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return x.root.Rename(name, f.name+refusedSuffix) // so that it is kept
		case bytes.Equal(raw, f.text):
			return x.root.Remove(name)
		}
		if f, err = x.judge(ctx, f, raw); err != nil && f.refused { // there is no room for the reason
			return errors.Join(err, x.root.Rename(name, f.name+refusedSuffix))
		}
		return errors.Join(err, x.root.Remove(name))
	}
	path, _ := pathOf(name)
	x.changed[path] = true
	f, known := x.files[name]
	f.name = name
	switch {
	case errors.Is(err, fs.ErrNotExist):
		delete(x.files, name)
		switch _, exists := x.fact(path); {
		case f.refused:
			return x.forgive(name)
		case known && exists:
			return x.remove(ctx, name, path)
		}
		return nil
	case err != nil:
		fact, _ := x.fact(path)
		x.files[name] = exported{name: name, fact: fact, refused: true}
		return x.refuse(name, err, nil)
	case known && bytes.Equal(raw, f.text) && (!f.refused || written.Equal(f.written)):
		return nil
	}
	f, err = x.judge(ctx, f, raw)
	f.written = written
	x.files[name] = f
	return err
}

// judge gives the text of a file to set, unless it is the fact already, and says beside the file why it was refused if it was.
func (x *exporter) judge(ctx context.Context, f exported, raw []byte) (exported, error) {
	path, ok := pathOf(f.name)
	fact, exists := x.fact(path)
	value, err := Canonical(raw)
	switch {
	case strings.HasPrefix(path, RunFacts):
		err = errors.New("facts under " + RunFacts + " belong to the episode")
	case !ok:
		name, _ := fileOf(path)
		err = fmt.Errorf("the file of the fact %q is %s", path, name)
	case !utf8.Valid(raw):
		err = errors.New("it is not UTF-8")
	case err != nil:
		err = notJSON(raw, err)
	case exists && bytes.Equal(value, fact) && !f.refused:
		return exported{name: f.name, text: raw, fact: fact}, nil
	case !exists || !bytes.Equal(value, fact):
		err = x.set(ctx, path, value)
	}
	if err != nil {
		return exported{name: f.name, text: raw, fact: fact, refused: true}, x.refuse(f.name, err, raw)
	}
	if err = x.forgive(f.name); err == nil {
		err = x.fold(ctx)
	}
	return exported{name: f.name, text: raw, fact: value}, err
}

// remove gives set that the fact shall go whose file was deleted, and says in the place of the file why it was refused if it was.
func (x *exporter) remove(ctx context.Context, name, path string) error {
	if err := x.set(ctx, path, nil); err != nil {
		return x.refuse(name, err, nil)
	}
	if err := x.forgive(name); err != nil {
		return err
	}
	return x.fold(ctx)
}
