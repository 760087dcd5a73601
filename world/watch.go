package world

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/fsnotify/fsnotify"
)

// newWatcher returns a watcher whose errors wait for nobody: as long as it tells one, all its methods would wait, Close too. It does not tell
// that a folder which it forgets, since that was moved, is gone.
func newWatcher() (*fsnotify.Watcher, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	told, errs := w.Errors, make(chan error, 1)
	w.Errors = errs
	go func() { // ends when the watcher is closed
		for err := range told {
			if errors.Is(err, syscall.EINVAL) {
				continue
			}
			select {
			case errs <- err:
			default: // there is one to be read
			}
		}
	}()
	return w, nil
}

// gone is an error if what happened is that a folder that is watched is not there any more.
func gone(ev fsnotify.Event, dir string) error {
	if filepath.Clean(ev.Name) == filepath.Clean(dir) && ev.Has(fsnotify.Remove|fsnotify.Rename) {
		return fmt.Errorf("%s: %w", dir, fs.ErrNotExist)
	}
	return nil
}
