package world

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// claim makes the folder that of the run, and keeps other exports away from it until the lock is released.
func (x *exporter) claim() (*flock.Flock, error) {
	entries, err := os.ReadDir(x.folder)
	if err != nil {
		return nil, err
	}
	switch _, err := x.read(exportMark); {
	case isGone(err) && len(entries) > 0:
		return nil, fmt.Errorf("%s is neither empty nor the folder of an export", x.folder)
	case err != nil && len(entries) > 0:
		return nil, fmt.Errorf("%s is neither empty nor the folder of an export: %w", x.folder, err)
	}
	lock := flock.New(filepath.Join(x.folder, exportMark), flock.SetFlag(os.O_RDWR|os.O_CREATE))
	if ok, err := lock.TryLock(); err != nil || !ok {
		return nil, cmp.Or(err, fmt.Errorf("somebody exports to %s already", x.folder))
	}
	run, err := x.read(exportMark)
	if err == nil && len(run) == 0 {
		run = []byte(x.log.dir)
		err = x.root.WriteFile(exportMark, run, 0o644)
	}
	if err == nil && string(run) != x.log.dir {
		err = fmt.Errorf("%s is the folder of another run, %s", x.folder, run)
	}
	if err != nil {
		lock.Unlock()
		return nil, err
	}
	return lock, nil
}

// replace moves a file that was judged out of the way and puts a new one there that holds the fact, if there is one. It never overwrites what
// somebody has saved meanwhile: that is either moved, and judged later, or an error.
func (x *exporter) replace(name string, fact json.RawMessage) error {
	var text []byte
	var fresh string
	if fact != nil {
		text = factText(fact)
		if err := x.enter(name, true); err != nil {
			return err
		}
		var err error
		if fresh, err = x.write(name, text); err != nil {
			return err
		}
		defer x.root.Remove(fresh)
	}
	if f, known := x.files[name]; known {
		spare := x.spare()
		if err := x.root.Rename(name, spare); err != nil {
			return err
		}
		x.moved[spare] = f
		x.saves[spare] = save{over: time.Now().Add(rest)}
		if f.refused { // perhaps it is only half written
			x.saves[spare] = save{over: time.Now().Add(half)}
		}
		delete(x.files, name)
	}
	if fact == nil {
		return nil
	}
	if err := x.root.Link(fresh, name); err != nil { // a rename would overwrite
		return err
	}
	x.files[name] = exported{name: name, text: text, fact: fact}
	return nil
}

// refuse puts the reason and the text beside a file, and tells the reason.
func (x *exporter) refuse(name string, reason error, text []byte) error {
	x.refused(name, reason)
	if err := x.enter(name, true); err != nil {
		return err
	}
	fresh, err := x.write(name+refusedSuffix, fmt.Appendf(nil, "%v\n\n%s", reason, text))
	if err != nil {
		return err
	}
	return x.root.Rename(fresh, name+refusedSuffix)
}

// forgive removes what refuse has put there.
func (x *exporter) forgive(name string) error {
	err := x.enter(name, false)
	if err == nil {
		err = x.root.Remove(name + refusedSuffix)
	}
	if isGone(err) {
		return nil
	}
	return err
}

// spare returns a name that was never used.
func (x *exporter) spare() string {
	x.spares++
	return fmt.Sprint(exportSpare, x.spares)
}

// write writes what shall be in a file, under a spare name.
func (x *exporter) write(name string, text []byte) (spare string, err error) {
	spare = x.spare()
	if err := x.root.WriteFile(spare, text, 0o644); err != nil {
		return "", errors.Join(fmt.Errorf("write %s: %w", name, err), x.root.Remove(spare))
	}
	return spare, nil
}

// read returns what is in a plain file that is not too large.
func (x *exporter) read(name string) ([]byte, error) {
	if err := x.enter(name, false); err != nil {
		return nil, err
	}
	for {
		info, err := x.root.Lstat(name)
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() || info.Size() > maxSave {
			return nil, fmt.Errorf("%s is not a plain file of at most %d bytes", name, maxSave)
		}
		file, err := x.root.Open(name)
		if err != nil {
			return nil, err
		}
		opened, err := file.Stat()
		if err == nil && !os.SameFile(info, opened) { // it was replaced in between, perhaps by a link
			file.Close()
			continue
		}
		raw, readErr := io.ReadAll(file)
		return raw, errors.Join(err, readErr, file.Close())
	}
}

// stat says what a file is, if it is there and all on the way to it are folders and no links.
func (x *exporter) stat(name string) (fs.FileInfo, error) {
	if err := x.enter(name, false); err != nil {
		return nil, err
	}
	return x.root.Lstat(name)
}

// enter is an error unless all on the way to a file are folders and no links. It can make those that are missing; then it also sees to it that
// all are watched before there is anything new in them, so that nothing that happens to it is missed.
func (x *exporter) enter(name string, create bool) error {
	for i, c := range name {
		if c != '/' {
			continue
		}
		dir := name[:i]
		if create {
			if err := x.root.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
		info, err := x.root.Lstat(dir)
		if err == nil && !info.IsDir() {
			err = fs.ErrNotExist
			if create {
				err = fmt.Errorf("%s is not a folder", dir)
			}
		}
		if err == nil && create && !x.folders[dir] {
			err = x.scan(dir)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
