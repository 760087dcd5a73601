package world

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

const leaseName = "supervisor.lock"

// A Lease is the right to supervise a run. It ends with Release or with the process, however that dies; processes that
// it starts do not inherit it.
type Lease struct {
	lock *flock.Flock
}

// A HeldError says who supervises a run. PID is 0 if that is not known.
type HeldError struct {
	PID   int       `json:"pid"`
	Start time.Time `json:"start"` // when it acquired the lease
}

func (e *HeldError) Error() string {
	if e.PID == 0 {
		return "run is held by another process"
	}
	return fmt.Sprintf("run is held by process %d since %s", e.PID, e.Start.Local().Format(time.DateTime))
}

// Acquire takes the lease of the run in dir, an existing folder. If somebody has it the error is a [*HeldError].
func Acquire(dir string) (*Lease, error) {
	entry, err := lockLog(context.Background(), dir) // so that nobody reads a holder's name before it is written
	if err != nil {
		return nil, fmt.Errorf("acquire run: %w", err)
	}
	defer entry.Unlock()
	path := filepath.Join(dir, leaseName)
	l := &Lease{lock: flock.New(path)}
	ok, err := l.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("acquire run: %w", err)
	}
	if !ok {
		return nil, holder(path)
	}
	me := HeldError{PID: os.Getpid(), Start: time.Now().Round(time.Millisecond)}
	if err := os.WriteFile(path, append(JSON(me), '\n'), 0o600); err != nil {
		l.lock.Unlock()
		return nil, fmt.Errorf("acquire run: %w", err)
	}
	return l, nil
}

// Holder returns who supervises the run in dir, or nil if nobody does. It changes nothing.
func Holder(dir string) *HeldError {
	path := filepath.Join(dir, leaseName)
	if _, err := os.Stat(path); err != nil { // first: where there is one, the lock of the log is there too
		return nil
	}
	entry, err := lockLogShared(context.Background(), dir) // so that nobody acquires the run while it is asked for
	if err != nil {
		return new(HeldError)
	}
	defer entry.Unlock()
	l := flock.New(path, flock.SetFlag(os.O_RDONLY))
	free, err := l.TryRLock()
	if err != nil {
		return new(HeldError)
	}
	if !free {
		return holder(path)
	}
	l.Unlock()
	return nil
}

// holder returns the name that the holder of a lease wrote into its file.
func holder(path string) *HeldError {
	raw, err := os.ReadFile(path)
	held := new(HeldError)
	if err == nil {
		err = json.Unmarshal(raw, held)
	}
	if err != nil {
		return new(HeldError)
	}
	return held
}

// Release gives the lease back.
func (l *Lease) Release() error {
	if err := l.lock.Unlock(); err != nil {
		return fmt.Errorf("release run: %w", err)
	}
	return nil
}
