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
func (a *app) tellAwaited(ctx context.Context, dir string) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var telling sync.WaitGroup
	telling.Go(func() {
		select {
		case <-time.After(time.Second):
			a.tell("waiting until the step is over%s", longest(dir))
		case <-ctx.Done():
		}
	})
	return func() {
		cancel()
		telling.Wait()
	}
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
