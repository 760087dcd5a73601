package main

import (
	"context"
	"fmt"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

// A sealed is what "seal --json" prints: bytes of the log and its keyframes.
type sealed struct {
	Before int64 `json:"before"`
	After  int64 `json:"after"`
}

// seal makes the log of a run small that is over.
func seal(_ context.Context, a *app, args []string) (any, error) {
	dir := args[0]
	if _, _, err := openRun(dir); err != nil {
		return nil, err
	}
	lease, err := world.Acquire(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	defer func() { _ = lease.Release() }() // the end of the process releases it as well
	_, result, err := openRun(dir)         // again: its end may have come in between
	if err != nil {
		return nil, err
	}
	if result == nil && isOver(dir) {
		return nil, misuse(unscored(dir), "%s is over, and has no result", dir)
	}
	if result == nil || result.Status != arena.Terminated && result.Status != arena.Truncated {
		return nil, misuse("only a run whose episode has ended can be sealed", "%s is not over", dir)
	}
	var s sealed
	if s.Before, s.After, err = world.Seal(dir); err != nil {
		return nil, err
	}
	fmt.Fprintf(a.out, "%s: sealed: %d bytes became %d\n", dir, s.Before, s.After)
	return s, nil
}
