package world

import (
	"context"
	"syscall"
)

// mutants returns stores that break one promise each, made of ones that keep it.
func mutants() map[string]func(*Store) committer {
	return map[string]func(*Store) committer{
		"decides without the lock":       func(s *Store) committer { return unlocked{s} },
		"answers from memory":            func(s *Store) committer { return remembering{s} },
		"commits twice":                  func(s *Store) committer { return twice{s} },
		"commits event by event":         func(s *Store) committer { return piecemeal{s} },
		"says that a good commit failed": func(s *Store) committer { return denying{s} },
		"answers and forgets to write":   func(s *Store) committer { return forgetting{s} },
		"shows the events of a failure":  func(s *Store) committer { return dirty{s} },
	}
}

type decider = func(State) ([]Event, error)

func decided(events []Event, err error) decider {
	return func(State) ([]Event, error) { return events, err }
}

type unlocked struct{ *Store }

func (s unlocked) Commit(ctx context.Context, decide decider) (State, error) {
	return s.Store.Commit(ctx, decided(decide(s.State())))
}

type remembering struct{ *Store }

func (s remembering) Commit(ctx context.Context, decide decider) (State, error) {
	if events, err := decide(s.State()); len(events) == 0 {
		return s.State(), err
	}
	return s.Store.Commit(ctx, decide)
}

type twice struct{ *Store }

func (s twice) Commit(ctx context.Context, decide decider) (State, error) {
	if st, err := s.Store.Commit(ctx, decide); err != nil {
		return st, err
	}
	return s.Store.Commit(ctx, decide)
}

type piecemeal struct{ *Store }

func (s piecemeal) Commit(ctx context.Context, decide decider) (st State, err error) {
	var rest []Event
	st, err = s.Store.Commit(ctx, func(st State) ([]Event, error) {
		events, err := decide(st)
		if len(events) < 2 || err != nil {
			return events, err
		}
		rest = events[1:]
		return events[:1], nil
	})
	if len(rest) == 0 || err != nil {
		return st, err
	}
	return s.Store.Commit(ctx, decided(rest, nil))
}

type denying struct{ *Store }

func (s denying) Commit(ctx context.Context, decide decider) (State, error) {
	var before State
	wrote := false
	st, err := s.Store.Commit(ctx, func(st State) ([]Event, error) {
		before = st
		events, err := decide(st)
		wrote = len(events) > 0
		return events, err
	})
	if wrote && err == nil && st.Turn%10 == 0 {
		return before, syscall.EFBIG
	}
	return st, err
}

type forgetting struct{ *Store }

func (s forgetting) Commit(ctx context.Context, decide decider) (State, error) {
	var answer State
	forgot := false
	st, err := s.Store.Commit(ctx, func(st State) ([]Event, error) {
		events, err := decide(st)
		if len(events) == 0 || err != nil || st.Turn%10 != 0 {
			return events, err
		}
		events, err = st.Stamp(events)
		answer, forgot = st.Apply(events...), true
		return nil, err
	})
	if forgot {
		return answer, err
	}
	return st, err
}

// dirty shows the events of a commit that has failed.
type dirty struct{ *Store }

func (s dirty) Commit(ctx context.Context, decide decider) (State, error) {
	failed := false
	var answer State
	st, err := s.Store.Commit(ctx, func(st State) ([]Event, error) {
		events, err := decide(st)
		if len(events) == 0 || err != nil || st.Turn%10 != 0 {
			return events, err
		}
		events, err = st.Stamp(events)
		answer, failed = st.Apply(events...), true
		if err == nil {
			err = syscall.EFBIG
		}
		return nil, err
	})
	if failed {
		return answer, err
	}
	return st, err
}
