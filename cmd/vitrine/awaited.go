package main

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/vitrine-sim/vitrine/arena"
)

// tellAwaited says what a command waits for that halts the run in dir, if that takes more than a moment. What it returns ends that.
func (a *app) tellAwaited(ctx context.Context, dir, command string) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var telling sync.WaitGroup
	telling.Go(func() {
		select {
		case <-time.After(time.Second):
			a.tell("waiting until %s", awaited(dir, command))
		case <-ctx.Done():
		}
	})
	return func() {
		cancel()
		telling.Wait()
	}
}

// awaited says until when a command waits that halts the run in dir.
func awaited(dir, command string) string {
	switch command {
	case arena.DoStop: // what agents are thinking about is lost
		return "the episode is over"
	case arena.DoTurn:
		return "the turn is over" + longest(dir)
	}
	return "the step is over" + longest(dir)
}

// longest says how long an act of the run in dir may take at most; empty: nobody knows.
func longest(dir string) string {
	m, err := arena.ReadManifest(dir)
	if err != nil {
		return ""
	}
	s, err := reparse(m)
	if err != nil {
		return ""
	}
	act, most := s.Limits.Act, time.Duration(0)
	for _, phase := range s.Phases {
		act = max(act, phase.Act)
	}
	for _, agent := range s.Agents {
		most = max(most, cmp.Or(agent.Act, act)+agent.Overtime)
	}
	return fmt.Sprintf(": an act may take up to %v", most)
}
