package world

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

const lockName = "events.lock"

// lockLog takes the lock of the log in dir in order to write. Every call takes it anew, also within one process.
func lockLog(ctx context.Context, dir string) (*flock.Flock, error) {
	l := flock.New(filepath.Join(dir, lockName))
	return l, await(ctx, l, l.TryLock, l.Lock)
}

// lockLogShared takes the lock of the log in dir in order to read. Where nobody ever wrote, or where the lock is not for us to
// take, it returns without it.
func lockLogShared(ctx context.Context, dir string) (*flock.Flock, error) {
	l := flock.New(filepath.Join(dir, lockName), flock.SetFlag(os.O_RDONLY))
	err := await(ctx, l, l.TryRLock, l.RLock)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		err = nil
	}
	return l, err
}

// await waits in the kernel until l is locked or ctx ends, in which case it returns ctx.Err().
func await(ctx context.Context, l *flock.Flock, try func() (bool, error), lock func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if ok, err := try(); ok || err != nil {
		return err
	}
	locked := make(chan error)
	go func() { // ends when the lock is ours; a wait for a file lock cannot be called off, so it can be after ctx ended
		err := lock()
		select {
		case locked <- err:
		case <-ctx.Done():
			_ = l.Unlock()
		}
	}()
	select {
	case err := <-locked:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
