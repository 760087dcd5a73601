package world

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A Store is the log of one run, open for writing. Any number of stores, in any number of processes, can be open on
// one log; [Store.Commit] puts their commits one after the other. All methods can be called at the same time.
type Store struct {
	dir  string
	path string
	now  func() time.Time

	queue  chan struct{} // holds a token while somebody decides or writes; first come, first served; guards all up to mu
	file   *os.File
	info   os.FileInfo
	broken error  // why the store refuses further commits
	last   place  // of the last keyframe of which this store knows
	open   *batch // of commits that are not written yet; nil: there are none

	lines, world []byte   // of the last batch, for the next to use again
	changes      []change // as well

	mu    sync.Mutex // guards the rest, for readers during a commit
	at    cursor     // behind the last commit that is folded into state
	state State
}

// Open opens the log in an existing folder, or creates it there, and reads it from the last keyframe to its end. It waits while
// another process commits. A torn tail, which is what a writer leaves that was killed in the middle of a commit, is cut off. Any other
// damage is a [*LogError].
func Open(dir string) (*Store, error) {
	s, err := open(dir)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	return s, nil
}

func open(dir string) (*Store, error) {
	lock, err := lockLog(context.Background(), dir)
	if err != nil {
		return nil, err
	}
	defer lock.Unlock()
	if isSealed(dir) {
		return nil, errSealed
	}
	path := filepath.Join(dir, logName)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, path: path, now: time.Now, queue: make(chan struct{}, 1), file: file}
	s.last = nearest(dir, plain{file}, anyTurn, func(keyframe) bool { return true })
	s.state, s.at = s.last.state, s.last.at
	if s.info, err = file.Stat(); err == nil {
		err = s.catchUp()
	}
	if err == nil {
		err = s.settle()
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return s, nil
}

// settle makes durable what is there before anybody hears of it: a new log's name, or what a killed writer did not sync.
func (s *Store) settle() error {
	if s.info.Size() > 0 {
		return datasync(s.file)
	}
	return syncDir(s.dir)
}

// Commit calls decide with the state after all commits of all processes so far, and appends the events it returns, all
// or none. It returns the state after them when they are on the disk, and only then can anybody else see them, apart from those who share
// the write with it. If decide returns no events, or an error, which Commit returns as it is, nothing is written. Nobody else decides in
// between, so decide must be quick, and must not call Commit.
//
// Calls decide in the order in which they come. Those that wait at the same time share one write and one sync: each is a commit of its
// own, decided on the state after the one before it, and all of them return when all are on the disk.
//
// Commit fills in Seq, Turn, More and Time of the events, whose JSON nobody may change from then on. It is an error if an event has
// JSON that is not valid. If ctx ends before
// it is the call's turn, the error is ctx.Err() wrapped. Events that the disk does not take are taken back, and so are all that were to
// share their write: all of these calls return the error. Where even that fails, and after a failed sync, which leaves nobody knowing what
// is on the disk, the store refuses all further commits. With every error the state returned is the one without the events.
func (s *Store) Commit(ctx context.Context, decide func(State) ([]Event, error)) (State, error) {
	select {
	case s.queue <- struct{}{}:
	case <-ctx.Done():
		return s.State(), fmt.Errorf("wait for a commit: %w", ctx.Err())
	}
	b, leads, err := s.open, s.open == nil, ctx.Err()
	if leads {
		b, err = s.begin(ctx)
	}
	if err != nil {
		<-s.queue
		return s.State(), err
	}
	st, err := s.join(b, leads, decide)
	<-b.done // what decide has seen may be no more durable than what it decided
	if b.err != nil {
		st, err = s.State(), cmp.Or(err, b.err)
	}
	return st, err
}

// join adds what is decided to a batch, and lets the next of the queue go on. Who leads the batch then stands behind all that are in the
// queue by now, so that they join it too, and writes it. Should decide panic, the others lose nothing.
func (s *Store) join(b *batch, leads bool, decide func(State) ([]Event, error)) (State, error) {
	if leads {
		defer func() {
			s.queue <- struct{}{}
			s.flush()
		}()
	}
	defer func() { <-s.queue }()
	events, err := decide(b.state)
	if err == nil && len(events) > 0 {
		err = b.add(events, s.now().UTC())
	}
	return b.state, err
}

// catchUp folds what other processes have committed since, and cuts off what the last of them left half written. The caller
// holds the lock of the log.
func (s *Store) catchUp() error {
	info, err := os.Stat(s.path)
	if err != nil && isSealed(s.dir) {
		return errSealed
	}
	if err != nil {
		return err
	}
	if !os.SameFile(info, s.info) {
		return fmt.Errorf("%s is not the file any more that was opened", s.path)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if info.Size() == s.at.size {
		return nil
	}
	load := func(off int64, n int) ([]byte, bool, error) { return readFrom(plain{s.file}, off, n) }
	for events, err := range s.at.commits(s.path, load) {
		if err != nil {
			return err
		}
		s.state = s.state.Apply(events...)
		s.last = s.last.keep(s.dir, s.state, s.at) // there may be none yet of what another process wrote
	}
	if s.at.torn {
		if err := s.file.Truncate(s.at.size); err != nil {
			return fmt.Errorf("mend log: %w", err)
		}
		s.at.torn = false
	}
	// Whoever wrote it may have been killed before it was durable.
	if err := datasync(s.file); err != nil {
		return s.breakDown(fmt.Errorf("sync log: %w", err))
	}
	return nil
}

// write makes the log longer, durably, or leaves it as it was.
func (s *Store) write(lines []byte) error {
	_, err := s.file.WriteAt(lines, s.at.size)
	if err != nil {
		if undo := s.file.Truncate(s.at.size); undo != nil {
			return s.breakDown(errors.Join(err, undo))
		}
		return err
	}
	if err := datasync(s.file); err != nil {
		return s.breakDown(errors.Join(err, s.file.Truncate(s.at.size)))
	}
	return nil
}

// breakDown makes the store refuse all further commits because of err.
func (s *Store) breakDown(err error) error {
	s.broken = fmt.Errorf("the store takes no more commits since one failed: %w", err)
	return err
}

// State returns the state after the last commit that this store made or has seen: what other processes commit reaches it
// with the next Commit.
func (s *Store) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Hash returns the hash of the run up to State, in hexadecimal digits.
func (s *Store) Hash() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return hex.EncodeToString(s.at.sum.Sum(nil))
}

// Close closes the log when no commit is under way any more. Commits after it are refused.
func (s *Store) Close() error {
	s.queue <- struct{}{}
	s.broken = fmt.Errorf("commit: %w", os.ErrClosed)
	s.flush()
	s.queue <- struct{}{}
	defer func() { <-s.queue }()
	return s.file.Close()
}
