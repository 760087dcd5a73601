package world

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Saves yields what the file at path holds, first as it is and then each time that somebody has saved something else in it, until ctx ends.
// A save is over when nothing was written for a tenth of a second. A file that is gone, as it is for a moment when some editors save, is no
// save; one whose folder is gone will never be seen again, which is an error. The error is the last that it yields.
func Saves(ctx context.Context, path string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if err := saves(ctx, path, yield); err != nil && ctx.Err() == nil {
			yield(nil, fmt.Errorf("watch %s: %w", path, err))
		}
	}
}

func saves(ctx context.Context, path string, yield func([]byte, error) bool) error {
	watcher, err := newWatcher() // of the folder, since many editors replace the file; before the first read, so that no change falls in between
	if err != nil {
		return err
	}
	defer watcher.Close()
	if err := watcher.Add(filepath.Dir(path)); err != nil {
		return err
	}
	var last []byte
	for begun := false; ; begun = true {
		raw, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err == nil && !(begun && bytes.Equal(raw, last)) {
			last = raw
			if !yield(raw, nil) {
				return nil
			}
		}
		if err := saved(ctx, watcher, path); err != nil {
			return err
		}
	}
}

// saved waits until something was written in the file, and then nothing for a while.
func saved(ctx context.Context, watcher *fsnotify.Watcher, path string) error {
	var over <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over:
			return nil
		case ev := <-watcher.Events:
			if filepath.Base(ev.Name) == filepath.Base(path) && ev.Op != fsnotify.Chmod {
				over = time.After(rest)
			}
			if err := gone(ev, filepath.Dir(path)); err != nil {
				return err
			}
		case err := <-watcher.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) { // too many changes to list are changes
				return err
			}
			over = time.After(rest)
		}
	}
}
