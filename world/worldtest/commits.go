package worldtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/vitrine-sim/vitrine/world"
)

// game returns the commits of a small game.
func game() [][]world.Event {
	set := func(path string, v any) map[string]json.RawMessage {
		return map[string]json.RawMessage{path: world.JSON(v)}
	}
	return [][]world.Event{
		{{Kind: "begin", Set: map[string]json.RawMessage{"a": world.JSON(1), "b": world.JSON("two"), "c": world.JSON(nil)}}},
		{
			{Kind: "move", Agent: "ann", Data: world.JSON("<é\u2028\n>"), Set: set("a", 2)},
			{Kind: "move", Agent: "bob", Del: []string{"a", "none"}, Set: set("a", 3)},
			{Kind: world.KindTurn},
			{Kind: "gone", Del: []string{"a", "b"}},
		},
		// What a store fills in it fills in, whatever is there.
		{{Kind: "x", Seq: 99, Turn: 99, More: true, Set: set("d", 0.5)}, {Kind: world.KindTurn, Seq: 7}, {Kind: world.KindTurn, More: true}},
		{{Kind: "y", Set: map[string]json.RawMessage{}, Del: []string{}}},
	}
}

func checkCommit(f *folder) error {
	s, err := f.open()
	if err != nil {
		return err
	}
	if err := f.same(s); err != nil {
		return fmt.Errorf("a new store is not empty: %w", err)
	}
	for i, events := range game() {
		if err := f.commit(s, events...); err != nil {
			return fmt.Errorf("commit %d: %w", i+1, err)
		}
	}
	return nil
}

func checkGiven(f *folder) error {
	s, err := f.open()
	if err != nil {
		return err
	}
	for _, events := range game() {
		before := encode(events)
		if err := f.commit(s, events...); err != nil {
			return err
		}
		if err := sameBytes(before, encode(events)); err != nil {
			return fmt.Errorf("commit has changed the events that it was given: %w", err)
		}
	}
	return nil
}

func checkCanonical(f *folder) error {
	s, err := f.open()
	if err != nil {
		return err
	}
	raw := func(text string) json.RawMessage { return json.RawMessage(text) }
	if err := f.commit(s, world.Event{
		Kind: "x", Data: raw(` {"z":1.0, "a":"\u003c"} `), Proc: raw("[ 1 ]"),
		Set: map[string]json.RawMessage{"a": raw("[1, -0.0]"), "b": raw("1e2"), "c": raw(`{"k":1,"k":2}`), "d": raw("12345678901234567890")},
	}); err != nil {
		return err
	}
	for path, want := range map[string]string{"a": "[1,0]", "b": "100", "c": `{"k":2}`, "d": "12345678901234567890"} {
		if got, _ := s.State().Fact(path); string(got) != want {
			return fmt.Errorf("the fact %q is %s, not %s", path, got, want)
		}
	}
	return nil
}

func checkInvalid(f *folder) error {
	s, err := f.open()
	if err != nil {
		return err
	}
	if err := f.commit(s, game()[0]...); err != nil {
		return err
	}
	for name, bad := range map[string]world.Event{
		"data that is no JSON":        {Data: json.RawMessage("{")},
		"data with something behind":  {Data: json.RawMessage("{}}")},
		"data with too great a float": {Data: json.RawMessage("1e999")},
		"a fact that is nothing":      {Set: map[string]json.RawMessage{"p": nil}},
		"a fact that is no JSON":      {Set: map[string]json.RawMessage{"p": json.RawMessage("NaN")}},
		"process facts":               {Proc: json.RawMessage("nonsense")},
		"an agent that is not UTF-8":  {Agent: "\xff"},
		"a path that is not UTF-8":    {Del: []string{"\xff"}},
		"a kind that is not UTF-8":    {Kind: "\xff"},
	} {
		events := []world.Event{{Kind: "good", Set: map[string]json.RawMessage{"good": world.JSON(1)}}, bad}
		_, err := f.refused(context.Background(), s, func(world.State) ([]world.Event, error) { return events, nil })
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return f.commit(s, game()[1]...)
}

func checkNothing(f *folder) error {
	s, err := f.open()
	if err != nil {
		return err
	}
	if err := f.commit(s, game()[0]...); err != nil {
		return err
	}
	if err := f.commit(s); err != nil {
		return fmt.Errorf("without events: %w", err)
	}
	mine := errors.New("mine")
	reason, err := f.refused(context.Background(), s, func(world.State) ([]world.Event, error) { return game()[1], mine })
	if err == nil && reason != mine {
		err = fmt.Errorf("the error is %w, not as decide returned it", reason)
	}
	if err != nil {
		return fmt.Errorf("with an error of decide: %w", err)
	}
	return f.commit(s, game()[1]...)
}

func checkStates(f *folder) error {
	s, err := f.open()
	if err != nil {
		return err
	}
	var states []world.State
	var were [][]byte
	for _, events := range game() {
		if err := f.commit(s, events...); err != nil {
			return err
		}
		states, were = append(states, s.State()), append(were, encode(s.State()))
	}
	for i, st := range states {
		if err := sameBytes(were[i], encode(st)); err != nil {
			return fmt.Errorf("a later commit has changed the state of event %d: %w", st.Seq, err)
		}
	}
	return nil
}

// checkConcurrent has commits that each add 1 to a number, in two events that only together are right.
func checkConcurrent(f *folder) error {
	const writers, commits = 8, 10
	var stores []Store
	for range 2 {
		s, err := f.open()
		if err != nil {
			return err
		}
		stores = append(stores, s)
	}
	var group sync.WaitGroup
	seqs := make([][]int64, writers) // after the commits of each
	errs := make([]error, writers)
	for i := range writers {
		group.Go(func() {
			for range commits {
				st, err := stores[i%2].Commit(context.Background(), increment)
				errs[i] = errors.Join(errs[i], err)
				seqs[i] = append(seqs[i], st.Seq)
			}
		})
	}
	group.Wait()
	all := slices.Concat(seqs...)
	slices.Sort(all)
	if distinct := len(slices.Compact(slices.Clone(all))); distinct != writers*commits || all[len(all)-1] != 2*writers*commits {
		errs = append(errs, fmt.Errorf("%d commits of 2 events returned %d different states, the last after event %d", writers*commits, distinct, all[len(all)-1]))
	}
	for _, own := range seqs {
		if !slices.IsSorted(own) {
			errs = append(errs, fmt.Errorf("one writer's commits are not in its order: their events are %d", own))
		}
	}
	for range writers * commits {
		events, err := increment(f.want.st)
		errs = append(errs, err, f.want.add(events))
	}
	for _, s := range stores {
		errs = append(errs, f.commit(s))
	}
	return errors.Join(errs...)
}

func increment(st world.State) ([]world.Event, error) {
	var n, mirror int
	_ = st.Get("n", &n) // 0 before the first
	_ = st.Get("mirror", &mirror)
	if n != mirror || st.Seq != int64(2*n) {
		return nil, fmt.Errorf("decide sees half a commit: %s", encode(st))
	}
	set := func(path string) map[string]json.RawMessage {
		return map[string]json.RawMessage{path: world.JSON(n + 1)}
	}
	return []world.Event{{Kind: "n", Set: set("n")}, {Kind: "mirror", Set: set("mirror")}}, nil
}
