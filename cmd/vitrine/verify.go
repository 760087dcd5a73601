package main

import (
	"context"
	"fmt"

	"github.com/vitrine-sim/vitrine/arena"
)

// verify proves that a run's log is whole, follows from its actions by the rules, and is the one that the result speaks of.
func verify(_ context.Context, a *app, args []string) (any, error) {
	dir := args[0]
	m, result, err := openRun(dir)
	if err != nil {
		return nil, err
	}
	s, err := reload(m)
	if err != nil {
		return nil, fmt.Errorf("the scenario in the manifest: %w", err)
	}
	v, err := arena.Verify(dir, s.game())
	if err != nil {
		return nil, err
	}
	if result != nil {
		if err := v.Matches(*result, dir); err != nil {
			return nil, err
		}
	}
	over := "the episode is over"
	if !v.Over {
		over = "the episode is not over"
	}
	if v.TornLine > 0 {
		over += fmt.Sprintf("; line %d and what follows is half a commit, which does not count", v.TornLine)
	}
	fmt.Fprintf(a.out, "%s: ok: %d events, %d turns, %s\nhash %s\n", dir, v.Events, v.Turns, over, v.Hash)
	return struct {
		OK bool `json:"ok"`
		arena.Verified
	}{true, v}, nil
}
