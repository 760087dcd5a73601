package world

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

const lockName = "events.lock"

// A fileLock is a lock on a file, of flock(2). It ends with the process, however that dies; processes that it starts do not inherit it. The nil
// fileLock is none.
type fileLock struct{ fd int }

// lockFile opens a file, with flags of open(2), and locks it: how is syscall.LOCK_EX or LOCK_SH. With LOCK_NB the error is
// syscall.EWOULDBLOCK if somebody else, also in this process, has it in his way.
func lockFile(path string, flags, how int) (*fileLock, error) {
	l := new(fileLock)
	err := again(func() (err error) {
		l.fd, err = syscall.Open(path, flags|syscall.O_CLOEXEC, 0o600)
		return err
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	if err := l.flock(how); err != nil {
		return nil, errors.Join(err, l.unlock())
	}
	return l, nil
}

func (l *fileLock) flock(how int) error {
	return os.NewSyscallError("flock", again(func() error { return syscall.Flock(l.fd, how) }))
}

func (l *fileLock) unlock() error {
	if l == nil {
		return nil
	}
	err := l.flock(syscall.LOCK_UN) // to close it is not enough while a process is being started, which has it open too
	return errors.Join(err, os.NewSyscallError("close", syscall.Close(l.fd)))
}

// again calls a system call until no signal interrupts it.
func again(call func() error) error {
	for {
		if err := call(); err != syscall.EINTR {
			return err
		}
	}
}

// lockLog takes the lock of the log in dir in order to write. Every call takes it anew, also within one process.
func lockLog(ctx context.Context, dir string) (*fileLock, error) {
	return await(ctx, dir, os.O_RDONLY|os.O_CREATE, syscall.LOCK_EX)
}

// lockLogShared takes the lock of the log in dir in order to read. Where nobody ever wrote, or where the lock is not for us to
// take, it returns without it.
func lockLogShared(ctx context.Context, dir string) (*fileLock, error) {
	l, err := await(ctx, dir, os.O_RDONLY, syscall.LOCK_SH)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		err = nil
	}
	return l, err
}

// await waits in the kernel until the lock of the log in dir is taken or ctx ends, in which case it returns ctx.Err().
func await(ctx context.Context, dir string, flags, how int) (*fileLock, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, lockName)
	l, err := lockFile(path, flags, how|syscall.LOCK_NB)
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return l, err
	}
	locked := make(chan error)
	go func() { // ends when the lock is ours; a wait for a file lock cannot be called off, so it can be after ctx ended
		l, err = lockFile(path, flags, how)
		select {
		case locked <- err:
		case <-ctx.Done():
			_ = l.unlock()
		}
	}()
	select {
	case err := <-locked:
		return l, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
