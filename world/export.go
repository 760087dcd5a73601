package world

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	exportMark    = ".vitrine-export" // holds the path of the run, and is locked while it is exported
	exportSpare   = ".vitrine-"       // and a number: a file on its way into the folder or out of it
	refusedSuffix = ".refused"
	noFact        = "?" // is no JSON, so that no fact equals it

	maxSave  = 16 << 20 // bytes of a file that is read
	maxPiece = 200      // bytes of a name between two slashes, so that every file system takes it with its suffixes
	maxName  = 2000     // bytes of a whole name

	// A save has come to rest when nothing was written for so long: an editor writes a file within milliseconds, and nobody sees the delay.
	rest = 100 * time.Millisecond
	// A file is deleted that is gone for so long: an editor that first moves the old one away puts the new one there within that.
	absence = time.Second
	// A file that was refused, and made room for another one, is kept for so long: a slow writer may still have it open.
	half = 10 * time.Second
	// At the end the log is read once more, unless somebody keeps its lock for so long.
	patience = time.Second
)

var (
	errBefore = errors.New("it was saved while nobody exported, or the fact has changed since")
	errEnded  = errors.New("the export has ended before it was committed")
)

// Export keeps the facts of the run in dir as files in folder, and gives what is saved in them to set, which commits it or says why not.
// It ends without an error when ctx ends, and when the log is sealed; the files stay. The folder is made if it is missing. It is an error if
// it holds anything but an earlier export of the same run, or if somebody exports to it already. All other errors are of the log, or name
// the file that could not be written.
//
// The fact lake/tons is the file lake/tons.json. In names a to z, 0 to 9, - and _ stand for themselves; any other byte is % and two hex
// digits in lower case, an empty part is %, and a part longer than 200 bytes goes on behind "%/". Facts under run/, those of 16 MiB or more,
// and those whose names would be longer than 2000 bytes, have no file. No link is followed.
//
// A file is written anew as soon as its fact changes, and goes when that goes; there is a short moment without it. A save is over when nothing
// was written for a tenth of a second; then set gets its value once, in canonical form. It does so also when the fact has changed meanwhile:
// the last one wins, and the log has both. A file without a fact is a new fact; a value equal to the fact is no save. Where a file is gone for
// a second, set gets the path with a nil value: the fact shall go. Names that begin with a dot or do not end in .json are left alone.
//
// What is refused stays in its file. Beside it, tons.json.refused holds the reason, an empty line and the text, until a later save is accepted
// or the file is put back as it was, and refused is given the file's name in folder and the reason. When the fact changes, its file shows it
// again, and only tons.json.refused has the text; what somebody who has the old file open writes there within ten seconds is a save all the
// same. So it is also with files that differ from the facts when an export begins. A save that was not over when the export ended is refused.
// A file that was deleted is put back if that is refused, if what was in it had been refused, and when the next export begins.
func Export(ctx context.Context, dir, folder string, set func(ctx context.Context, path string, value json.RawMessage) error,
	refused func(file string, reason error),
) error {
	if err := export(ctx, dir, folder, set, refused); err != nil {
		return fmt.Errorf("export facts: %w", err)
	}
	return nil
}

// An exporter keeps files and facts the same. Names of files are relative to the folder. One goroutine does all: it reads the log before it
// judges a save and after each that was committed, so it never takes an old fact for the present one.
type exporter struct {
	folder  string
	root    *os.Root
	watcher *fsnotify.Watcher // of the folder, all folders in it, and the run
	set     func(ctx context.Context, path string, value json.RawMessage) error
	refused func(file string, reason error)
	log     *Log
	state   State

	files   map[string]exported // by name
	moved   map[string]exported // files that made room for newer ones, by spare name; somebody may still be writing into them
	saves   map[string]save     // by name of a file in which something has happened
	changed map[string]bool     // paths of facts that their files may not show
	folders map[string]bool     // that are watched
	spares  int                 // names given so far
}

// A save is what has happened in a file.
type save struct {
	over time.Time // unless more happens
	gone bool      // the file was, when we last heard of it
}

// An exported file is one that was written or judged.
type exported struct {
	name    string          // where it stands, or stood
	text    []byte          // what was written there, or judged
	fact    json.RawMessage // what the fact was then; nil: there was none
	refused bool
	written time.Time // if it was refused: saved again it is judged again, but not because one heard of the save twice
}

func export(ctx context.Context, dir, folder string, set func(context.Context, string, json.RawMessage) error, refused func(string, error)) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	x := &exporter{
		set: func(ctx context.Context, path string, value json.RawMessage) error {
			err := set(ctx, path, value)
			if err != nil && ctx.Err() != nil {
				return errEnded
			}
			return err
		},
		refused: refused,
		log:     ReadLog(dir),
		files:   make(map[string]exported),
		moved:   make(map[string]exported),
		saves:   make(map[string]save),
		changed: make(map[string]bool),
		folders: make(map[string]bool),
	}
	defer x.log.close()
	if x.folder, err = filepath.Abs(folder); err != nil {
		return err
	}
	if err := x.watch(); err != nil { // before the first read, so that no change falls in between
		return err
	}
	defer func() { x.watcher.Close() }()
	if err := os.MkdirAll(x.folder, 0o755); err != nil {
		return err
	}
	if x.root, err = os.OpenRoot(x.folder); err != nil {
		return err
	}
	defer x.root.Close()
	lock, err := x.claim()
	if err != nil {
		return err
	}
	defer lock.Unlock()
	if err = x.begin(ctx); err == nil {
		err = x.run(ctx)
	}
	if ctx.Err() != nil { // perhaps it ended between a commit and its folding
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		if ctx, err = last, x.fold(last); errors.Is(err, last.Err()) {
			err = nil
		}
	}
	return errors.Join(err, x.refuseAll(ctx, errEnded))
}

// begin makes the files show the facts as they are now.
func (x *exporter) begin(ctx context.Context) error {
	left, err := fs.Glob(x.root.FS(), exportSpare+"[0-9]*") // by an export that was killed
	for _, name := range left {
		err = errors.Join(err, x.root.Remove(name))
	}
	if err != nil {
		return err
	}
	if x.state, err = x.log.before(anyTurn); err != nil && !errors.Is(err, fs.ErrNotExist) { // else it may come into being
		return err
	}
	x.log.at.sum = nil // quick
	if err := x.fold(ctx); err != nil {
		return err
	}
	for _, path := range x.state.Paths("") {
		x.changed[path] = true
	}
	if err := x.scan("."); err != nil {
		return err
	}
	if err := x.refuseAll(ctx, errBefore); err != nil {
		return err
	}
	for name, f := range x.files {
		if _, ok := pathOf(name); ok && f.refused {
			x.files[name] = exported{name: name, text: f.text, fact: json.RawMessage(noFact)}
		}
	}
	return nil
}

// run follows the log and the folder until ctx ends, or the log is sealed and all saves are judged.
func (x *exporter) run(ctx context.Context) error {
	for {
		sealed := isSealed(x.log.dir)
		if err := x.fold(ctx); err != nil {
			return err
		}
		if err := x.settleAll(ctx); err != nil {
			return err
		}
		if err := x.show(); err != nil {
			return err
		}
		if sealed && len(x.saves) == 0 {
			return nil
		}
		if err := x.wait(ctx); err != nil {
			return err
		}
	}
}

// fold folds what is new in the log.
func (x *exporter) fold(ctx context.Context) error {
	for events, err := range x.log.commits(ctx) {
		if err != nil && (x.log.at.seq > 0 || !errors.Is(err, fs.ErrNotExist)) {
			return err
		}
		for _, ev := range events {
			x.state.fold(ev)
			for _, path := range ev.Del {
				x.changed[path] = true
			}
			for path := range ev.Set {
				x.changed[path] = true
			}
		}
	}
	return nil
}

// fact returns the fact at path, and whether there is one that is not too large for a file.
func (x *exporter) fact(path string) (json.RawMessage, bool) {
	fact, ok := x.state.Fact(path)
	if len(fact) >= maxSave {
		return nil, false
	}
	return fact, ok
}

// show makes the files of the facts that have changed hold them, except where somebody is saving.
func (x *exporter) show() error {
	defer clear(x.changed)
	for _, path := range slices.Sorted(maps.Keys(x.changed)) {
		name, ok := fileOf(path)
		fact, exists := x.fact(path)
		f, known := x.files[name]
		if !ok || (known || !exists) && bytes.Equal(f.fact, fact) {
			continue
		}
		raw, err := x.read(name)
		free := !known && isGone(err)
		judged := known && err == nil && bytes.Equal(raw, f.text)
		if free || judged {
			if err = x.replace(name, fact); err == nil {
				continue
			}
			if !errors.Is(err, fs.ErrExist) && !isGone(err) { // else somebody has just saved there
				return err
			}
		}
		if _, noted := x.saves[name]; !noted {
			x.saves[name] = save{over: time.Now().Add(rest)}
		}
	}
	return nil
}
