package worldtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/vitrine-sim/vitrine/world"
)

func checkShared(f *folder) error {
	first, err := f.open()
	if err != nil {
		return err
	}
	second, err := f.open()
	if err != nil {
		return err
	}
	stores := []Store{first, second}
	for i, events := range game() {
		if err := f.commit(stores[i%2], events...); err != nil { // decide sees what the other has committed
			return fmt.Errorf("commit %d: %w", i+1, err)
		}
	}
	for _, s := range stores {
		if err := f.commit(s); err != nil {
			return fmt.Errorf("after a commit without events: %w", err)
		}
	}
	return nil
}

func checkReopened(f *folder) error {
	for i, events := range game() {
		s, err := f.open()
		if err != nil {
			return err
		}
		if err := f.same(s); err != nil {
			return fmt.Errorf("after %d commits and as many closed stores: %w", i, err)
		}
		if err := f.commit(s, events...); err != nil {
			return err
		}
		if err := s.Close(); err != nil {
			return fmt.Errorf("close: %w", err)
		}
	}
	s, err := f.open()
	if err != nil {
		return err
	}
	return f.same(s)
}

// checkHash uses that the twin, too, counts only the world part of an event.
func checkHash(f *folder) error {
	s, err := f.open()
	if err != nil {
		return err
	}
	seen := map[string]bool{s.Hash(): true}
	for i, events := range game() {
		for j := range events {
			events[j].Proc = world.JSON(map[string]int{"pid": 100*i + j})
		}
		if err := f.commit(s, events...); err != nil {
			return err
		}
		if seen[s.Hash()] {
			return fmt.Errorf("commit %d has not changed the hash", i+1)
		}
		seen[s.Hash()] = true
	}
	return nil
}

// checkContext has a call wait, in the same store and in another one, while a commit is under way.
func checkContext(f *folder) error {
	first, err := f.open()
	if err != nil {
		return err
	}
	second, err := f.open()
	if err != nil {
		return err
	}
	deciding, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() { // ends when it is released
		_, err := first.Commit(context.Background(), func(world.State) ([]world.Event, error) {
			close(deciding)
			<-release
			return nil, nil
		})
		done <- err
	}()
	<-deciding
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	var errs []error
	for _, s := range []Store{first, second} {
		reason, err := f.refused(ended, s, func(world.State) ([]world.Event, error) { return nil, errors.New("decide was asked") })
		if err == nil && !errors.Is(reason, context.Canceled) {
			err = fmt.Errorf("the error is %w, not that of the context", reason)
		}
		errs = append(errs, err)
	}
	close(release)
	return errors.Join(append(errs, <-done, f.commit(first, game()[0]...))...)
}

// checkClosed closes one of two stores while a commit is under way in it.
func checkClosed(f *folder) error {
	other, err := f.open()
	if err != nil {
		return err
	}
	s, err := f.open()
	if err != nil {
		return err
	}
	closed := make(chan error, 1)
	set := map[string]json.RawMessage{"a": world.JSON(1)}
	events := []world.Event{{Kind: "last", Set: set}}
	_, err = s.Commit(context.Background(), func(world.State) ([]world.Event, error) {
		go func() { closed <- s.Close() }() // ends when the commit has
		return events, nil
	})
	if err := errors.Join(err, <-closed); err != nil {
		return fmt.Errorf("commit, and a close meanwhile: %w", err)
	}
	before := f.want.st
	if _, err := s.Commit(context.Background(), func(world.State) ([]world.Event, error) { return events, nil }); err == nil {
		return fmt.Errorf("it takes a commit after event %d", before.Seq)
	}
	if err := f.want.add(events); err != nil {
		return err
	}
	return f.commit(other, game()[1]...)
}
