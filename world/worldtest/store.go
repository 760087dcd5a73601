package worldtest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
)

// A Store is what keeps the log of a run, as [world.Store] does: the comments there say what each method must do.
type Store interface {
	Commit(ctx context.Context, decide func(world.State) ([]world.Event, error)) (world.State, error)
	State() world.State
	Hash() string
	Close() error
}

// TestStore fails unless the stores that open returns keep what [world.Store] promises, one subtest for each part of it. Every call of
// open must return a new store on the log in a folder, which is empty at first and can have several stores open at once.
func TestStore(t *testing.T, open func(dir string) (Store, error)) {
	for _, c := range storeChecks() {
		t.Run(c.name, func(t *testing.T) {
			if err := c.on(open, t.TempDir()); err != nil {
				t.Error(err)
			}
		})
	}
}

// A storeCheck is one thing that stores must keep. It returns nil if these do.
type storeCheck struct {
	name string
	run  func(f *folder) error
}

// on runs the check in an empty folder.
func (c storeCheck) on(open func(dir string) (Store, error), dir string) error {
	f := &folder{dir: dir, opener: open, want: newTwin()}
	err := c.run(f)
	for _, s := range f.opened {
		_ = s.Close() // some are closed already
	}
	return err
}

func storeChecks() []storeCheck {
	return []storeCheck{
		{"a commit is all of its events in their order", checkCommit},
		{"what is given stays as it is", checkGiven},
		{"JSON becomes canonical", checkCanonical},
		{"what cannot be written is refused whole", checkInvalid},
		{"no events and an error change nothing", checkNothing},
		{"states that were handed out stay as they are", checkStates},
		{"concurrent commits lose nothing", checkConcurrent},
		{"every open store has the commits of all", checkShared},
		{"a store that is opened again is the same", checkReopened},
		{"processes and times are not in the hash", checkHash},
		{"a call whose context has ended does nothing", checkContext},
		{"a closed store takes nothing more", checkClosed},
	}
}

// A folder is where a log is, with the stores that are open on it and what they must hold.
type folder struct {
	dir    string
	opener func(dir string) (Store, error)
	opened []Store
	want   *twin
}

func (f *folder) open() (Store, error) {
	s, err := f.opener(f.dir)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	f.opened = append(f.opened, s)
	return s, nil
}

// commit commits events, and looks at what decide gets to see, at the answer, and at the store.
func (f *folder) commit(s Store, events ...world.Event) error {
	var seen world.State
	before := f.want.st
	if err := f.want.add(events); err != nil {
		return err
	}
	st, err := s.Commit(context.Background(), func(st world.State) ([]world.Event, error) {
		seen = st
		return events, nil
	})
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if err := sameBytes(encode(before), encode(seen)); err != nil {
		return fmt.Errorf("decide sees another state than the last one: %w", err)
	}
	if err := sameBytes(encode(f.want.st), encode(st)); err != nil {
		return fmt.Errorf("commit returns another state than the one after it: %w", err)
	}
	return f.same(s)
}

// same returns nil if the store holds what it must.
func (f *folder) same(s Store) error {
	if err := sameBytes(encode(f.want.st), encode(s.State())); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if got, want := s.Hash(), hex.EncodeToString(f.want.sum.Sum(nil)); got != want {
		return fmt.Errorf("the hash is %s after event %d, and not that of the world parts of all events, %s", got, f.want.st.Seq, want)
	}
	return nil
}

// refused returns the error with which the store refuses what decide gives, and nil if it then is as it was.
func (f *folder) refused(ctx context.Context, s Store, decide func(world.State) ([]world.Event, error)) (reason, err error) {
	st, reason := s.Commit(ctx, decide)
	if reason == nil {
		return nil, errors.New("there is no error")
	}
	if err := sameBytes(encode(f.want.st), encode(st)); err != nil {
		return reason, fmt.Errorf("with the error %q comes another state than the last one: %w", reason, err)
	}
	return reason, f.same(s)
}
