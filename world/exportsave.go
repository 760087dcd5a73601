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
	"os"
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
	for range 2 { // files that were moved are looked at once more
		for _, name := range slices.Sorted(maps.Keys(x.saves)) {
			delete(x.saves, name)
			seen := x.look(name)
			if seen.gone {
				continue
			}
			if err := x.take(ctx, name, seen); err != nil && !errors.Is(err, ctx.Err()) {
				return err
			}
		}
	}
	return nil
}

// earlier says which of two saves was over first.
func (x *exporter) earlier(a, b string) int {
	return cmp.Or(x.saves[a].over.Compare(x.saves[b].over), strings.Compare(a, b))
}

// settleAll judges the saves that are over, in the order in which they came to rest.
func (x *exporter) settleAll(ctx context.Context) error {
	for _, name := range slices.SortedFunc(maps.Keys(x.saves), x.earlier) {
		if x.saves[name].over.After(time.Now()) { // and so are all that follow, though time goes by
			break
		}
		if err := x.settle(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// A look is what was seen of a file.
type look struct {
	raw     []byte
	err     error     // why it cannot be read
	gone    bool      // there was none
	written time.Time // if there was one
	whole   bool      // it was the same before it was read, and at rest, and afterwards
}

// look reads a file.
func (x *exporter) look(name string) look {
	begun := time.Now() // of each file, since set may have taken a while to commit the one before it
	before, errBefore := x.stat(name)
	raw, err := x.read(name)
	after, errAfter := x.stat(name)
	seen := look{raw: raw, err: err, gone: isGone(err)}
	if errBefore != nil || errAfter != nil {
		seen.whole = isGone(errBefore) == seen.gone && isGone(errAfter) == seen.gone
		return seen
	}
	seen.written = after.ModTime()
	seen.whole = !seen.gone && os.SameFile(before, after) && atRest(begun, seen.written, time.Now())
	return seen
}

func isGone(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// atRest says whether nothing was written for a while in a file before it was read, and while it was, between two times. One that was written long
// after that, by somebody's clock, is not waited for.
func atRest(begun, written, ended time.Time) bool {
	return begun.Sub(written) >= rest || written.Sub(ended) >= rest
}

// settle judges what was saved in a file, or notes when that may be over: there can be changes of which we have not heard yet, and what is read can be
// half of a save that has just begun.
func (x *exporter) settle(ctx context.Context, name string) error {
	noted := x.saves[name]
	delete(x.saves, name)
	seen := x.look(name)
	switch {
	case seen.gone && !(seen.whole && noted.gone):
		x.saves[name] = save{over: time.Now().Add(absence), gone: true}
		return nil
	case !seen.whole:
		x.saves[name] = save{over: time.Now().Add(rest)}
		return nil
	}
	return x.take(ctx, name, seen)
}

// take judges what was seen in a file, or in one that was moved since.
func (x *exporter) take(ctx context.Context, name string, seen look) error {
	raw, err := seen.raw, seen.err
	if f, moved := x.moved[name]; moved {
		delete(x.moved, name)
		switch {
		case seen.gone:
			return nil
		case err != nil:
			return x.root.Rename(name, f.name+refusedSuffix) // so that it is kept
		case bytes.Equal(raw, f.text):
			return x.drop(name)
		}
		if f, err = x.judge(ctx, f, raw); err != nil && f.refused { // there is no room for the reason
			return errors.Join(err, x.root.Rename(name, f.name+refusedSuffix))
		}
		x.moved[name], x.saves[name] = f, save{over: time.Now().Add(rest)} // to set it may have taken a while: there can be more in it by then
		return err
	}
	path, _ := pathOf(name)
	x.changed[path] = true
	f, known := x.files[name]
	f.name = name
	switch {
	case seen.gone:
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
	case known && bytes.Equal(raw, f.text) && (!f.refused || seen.written.Equal(f.written)):
		return nil
	}
	f, err = x.judge(ctx, f, raw)
	f.written = seen.written
	x.files[name] = f
	return err
}

// drop removes a file that was moved, unless somebody has done it.
func (x *exporter) drop(name string) error {
	if err := x.root.Remove(name); !isGone(err) {
		return err
	}
	return nil
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
