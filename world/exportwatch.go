package world

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// wait notes what happens in the folder, until the log has changed or a save may be over.
func (x *exporter) wait(ctx context.Context) error {
	var over <-chan time.Time
	for {
		if over == nil && len(x.saves) > 0 {
			first := slices.MinFunc(slices.Collect(maps.Keys(x.saves)), x.earlier)
			over = time.After(min(rest, time.Until(x.saves[first].over))) // one that comes now may be over before it
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over:
			return nil
		case ev := <-x.watcher.Events:
			if logged, err := x.heed(ev); logged || err != nil {
				return err
			}
		case err := <-x.watcher.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return err
			}
			return x.rescan() // too many changes to list; the log may be among them
		}
	}
}

// heed notes what happened, and says whether it happened to the log.
func (x *exporter) heed(ev fsnotify.Event) (logged bool, err error) {
	gone := ev.Has(fsnotify.Remove | fsnotify.Rename)
	name, inside := strings.CutPrefix(ev.Name, x.folder+string(filepath.Separator))
	name = filepath.ToSlash(name)
	switch _, moved := x.moved[name]; {
	case ev.Name == x.log.path:
		return true, nil
	case gone && (ev.Name == x.log.dir || ev.Name == x.folder || name == exportMark):
		return false, fmt.Errorf("%s: %w", ev.Name, fs.ErrNotExist)
	case !inside || ev.Op == fsnotify.Chmod:
		return false, nil
	case gone && x.folders[name]:
		return true, x.rescan() // to the log too, perhaps
	case gone && isFactFile(name):
		x.saves[name] = save{over: time.Now().Add(absence), gone: true}
	case moved && ev.Has(fsnotify.Write) || isFactFile(name):
		x.saves[name] = save{over: time.Now().Add(rest)}
	}
	if info, err := x.root.Lstat(name); ev.Has(fsnotify.Create) && err == nil && info.IsDir() {
		return false, x.scan(name)
	}
	return false, nil
}

// watch begins to watch, for now only the run.
func (x *exporter) watch() error {
	watcher, err := newWatcher()
	if err != nil {
		return err
	}
	x.watcher = watcher
	if err := watcher.Add(x.log.dir); err != nil {
		watcher.Close()
		return fmt.Errorf("watch %s: %w", x.log.dir, err)
	}
	return nil
}

// rescan takes all files for saved that there are or were. It watches anew, since a watcher calls what is in a folder that was moved by the
// name that it had before.
func (x *exporter) rescan() error {
	x.watcher.Close()
	if err := x.watch(); err != nil {
		return err
	}
	lost := save{over: time.Now().Add(absence), gone: true} // one time for all, so that they go in the order of their names
	for name := range x.files {                             // scan finds those that are not gone
		x.saves[name] = lost
	}
	clear(x.folders)
	if err := x.scan("."); err != nil {
		return err
	}
	_, err := os.Stat(filepath.Join(x.folder, exportMark)) // it may have gone while nobody watched
	return err
}

// scan watches a folder and all in it, and takes the files there for saved.
func (x *exporter) scan(from string) error {
	return fs.WalkDir(x.root.FS(), from, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err == nil && d.IsDir() && name != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case err == nil && d.IsDir(): // watched before it is read, so that no change falls in between
			x.folders[name] = true
			err = x.watcher.Add(filepath.Join(x.folder, name))
		case err == nil && isFactFile(name):
			x.saves[name] = save{over: time.Now().Add(rest)}
		}
		if isGone(err) { // again
			return nil
		}
		return err
	})
}
