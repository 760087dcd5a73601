package world

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// A Log reads the log of a run without touching it. One goroutine at a time can use it.
type Log struct {
	dir  string
	path string
	at   cursor

	sealed *sealedSource // kept open while it is read, for it does not change; nil: not opened, or not sealed
}

// ReadLog returns a reader of the log in dir, which is opened when its events are asked for.
func ReadLog(dir string) *Log {
	return &Log{dir: dir, path: filepath.Join(dir, logName), at: newCursor()}
}

// Events returns the events of the log from its first to its last whole commit. The line of an event in the file is its Seq.
// A torn tail, which is what a writer leaves that was killed, ends it like the end of the file; see [Log.Torn]. An error is
// the last thing that comes: a [*LogError] for damage, else that of reading, such as [fs.ErrNotExist].
func (l *Log) Events() iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		l.at = newCursor()
		defer l.close()
		for events, err := range l.commits(context.Background()) {
			if err != nil {
				yield(Event{}, err)
				return
			}
			for _, ev := range events {
				if !yield(ev, nil) {
					return
				}
			}
		}
	}
}

// Hash returns the hash of the run, in hexadecimal digits, up to the last commit of which Events gave an event.
func (l *Log) Hash() string {
	return hex.EncodeToString(l.at.sum.Sum(nil))
}

// Torn returns the line with which a torn tail begins, or 0 if there is none. It is known when Events has come to its end.
func (l *Log) Torn() int {
	if !l.at.torn {
		return 0
	}
	return int(l.at.seq) + 1
}

// commits yields the whole commits that the log has now, from where the last call ended.
func (l *Log) commits(ctx context.Context) iter.Seq2[[]Event, error] {
	return l.at.commits(l.path, func(off int64, n int) ([]byte, bool, error) { return l.load(ctx, off, n) })
}

// load reads a chunk of the log in a moment in which nobody writes. What is there then is durable (unless its writer was killed
// before it could sync it), and nobody mends a torn tail while it is read.
func (l *Log) load(ctx context.Context, off int64, n int) (b []byte, end bool, err error) {
	lock, err := lockLogShared(ctx, l.dir)
	if err != nil {
		return nil, false, fmt.Errorf("lock log: %w", err)
	}
	defer lock.Unlock()
	src, err := l.open()
	if err != nil {
		return nil, false, fmt.Errorf("read log: %w", err)
	}
	defer src.Close()
	return readFrom(src, off, n)
}

// open opens the log, sealed or not. Whoever calls it closes what it returns, and in the end the log.
func (l *Log) open() (source, error) {
	if l.sealed != nil {
		return kept{l.sealed}, nil
	}
	src, err := openSource(l.path)
	if sealed, ok := src.(*sealedSource); ok {
		l.sealed = sealed
		return kept{sealed}, err
	}
	return src, err
}

// close closes what open has kept open.
func (l *Log) close() {
	if l.sealed != nil {
		l.sealed.Close()
		l.sealed = nil
	}
}

// Events returns the events of the log in dir as [Log.Events] does.
func Events(dir string) iter.Seq2[Event, error] {
	return ReadLog(dir).Events()
}

// Follow returns the events of the log in dir with a Seq greater than after, and goes on with those that any process commits
// from now on, each when its whole commit is durable. It ends without an error when ctx ends, and after the last event of a
// log that is sealed. The folder must exist; the log may come into being later. Errors are those of [Log.Events].
func Follow(ctx context.Context, dir string, after int64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		if err := follow(ctx, dir, after, yield); err != nil && ctx.Err() == nil {
			yield(Event{}, fmt.Errorf("follow log: %w", err))
		}
	}
}

// follow yields until ctx ends, or there is an error, or yield returns false.
func follow(ctx context.Context, dir string, after int64, yield func(Event, error) bool) error {
	watcher, err := newWatcher() // before the first read, so that no change falls in between
	if err != nil {
		return err
	}
	defer watcher.Close()
	if err := watcher.Add(dir); err != nil {
		return err
	}
	log := ReadLog(dir)
	defer log.close()
	if src, err := log.open(); err == nil { // else it may come into being
		log.at = nearest(dir, src, anyTurn, func(k keyframe) bool { return k.Seq <= after }).at
		src.Close()
	}
	for {
		sealed := isSealed(dir)
		for events, err := range log.commits(ctx) {
			if err != nil && (log.at.seq > 0 || !errors.Is(err, fs.ErrNotExist)) {
				return err
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			for _, ev := range events {
				if ev.Seq > after && !yield(ev, nil) {
					return nil
				}
			}
		}
		if sealed {
			return nil
		}
		if err := changed(ctx, watcher, dir); err != nil {
			return err
		}
	}
}

// changed waits until something has happened to the log in dir.
func changed(ctx context.Context, watcher *fsnotify.Watcher, dir string) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case ev := <-watcher.Events:
			switch filepath.Base(ev.Name) {
			case logName, logName + sealedSuffix:
				return nil
			}
			if err := gone(ev, dir); err != nil {
				return err
			}
		case err := <-watcher.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) { // too many changes to list are changes
				return err
			}
			return nil
		}
	}
}
