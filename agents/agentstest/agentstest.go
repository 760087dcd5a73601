// Package agentstest holds what every [agents.Agent] must keep, as a test that their packages call.
package agentstest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/world"
)

const (
	patience   = 2 * time.Minute // for an action
	promptness = time.Minute     // from the end of a context to the return of Act, on any machine
)

// A check is one thing that agents must keep. It returns nil if this one does.
type check struct {
	name string
	run  func(ctx context.Context, a agents.Agent, obs world.Observation) error
}

// TestAgent fails unless the agents that start returns keep what [agents.Agent] asks for, one subtest for each part of it. Every
// call of start must return a new agent. They are shown obs as the observation of one turn after the other.
func TestAgent(t *testing.T, obs world.Observation, start func() agents.Agent) {
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			if err := c.of(t.Context(), start(), obs); err != nil {
				t.Error(err)
			}
		})
	}
}

func checks() []check {
	return []check{
		{"it acts turn after turn", checkActs},
		{"when its context has ended it says so, and acts later", checkEnded},
		{"when its context ends it says so, and acts later", checkEnding},
		{"called in line it acts turn after turn, if it says so", checkImmediate},
		{"it can be closed without having acted", func(context.Context, agents.Agent, world.Observation) error { return nil }},
	}
}

// of runs the check on an agent and closes that.
func (c check) of(ctx context.Context, a agents.Agent, obs world.Observation) error {
	err := c.run(ctx, a, obs)
	usage, closeErr := a.Close()
	switch {
	case closeErr != nil:
		err = errors.Join(err, fmt.Errorf("close: %w", closeErr))
	case usage.PeakMemory < 0:
		err = errors.Join(err, fmt.Errorf("close: it used %d bytes", usage.PeakMemory))
	}
	return err
}

func checkActs(ctx context.Context, a agents.Agent, obs world.Observation) error {
	for obs.Turn = range 3 {
		if err := acts(ctx, a, obs); err != nil {
			return err
		}
	}
	return nil
}

func checkImmediate(_ context.Context, a agents.Agent, obs world.Observation) error {
	now, ok := a.(agents.Immediate)
	if !ok {
		return nil
	}
	for obs.Turn = range 3 {
		action, err := now.ActNow(obs)
		if err := fits(obs, action, err); err != nil {
			return err
		}
	}
	return nil
}

func checkEnded(ctx context.Context, a agents.Agent, obs world.Observation) error {
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	expired, cancel := context.WithDeadline(ctx, time.Now())
	defer cancel()
	for obs.Turn = range 2 {
		for _, ended := range []context.Context{canceled, expired} {
			began := time.Now()
			action, err := a.Act(ended, obs)
			if !errors.Is(err, ended.Err()) {
				return fmt.Errorf("act in turn %d gives %+v, %v; the context has ended: %w", obs.Turn, action, err, ended.Err())
			}
			if took := time.Since(began); took > promptness {
				return fmt.Errorf("act in turn %d takes %v; the context has ended", obs.Turn, took)
			}
		}
		if err := acts(ctx, a, obs); err != nil {
			return err
		}
	}
	return nil
}

func checkEnding(ctx context.Context, a agents.Agent, obs world.Observation) error {
	for obs.Turn = range 3 {
		const limit = 10 * time.Millisecond // an agent may be quicker
		short, cancel := context.WithTimeout(ctx, limit)
		began := time.Now()
		_, err := a.Act(short, obs)
		took := time.Since(began)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("act in turn %d within %v: %w", obs.Turn, limit, err)
		}
		if took > limit+promptness {
			return fmt.Errorf("act in turn %d takes %v; the context ended after %v", obs.Turn, took, limit)
		}
	}
	return acts(ctx, a, obs)
}

// acts returns nil if the agent answers obs with an action that is allowed there, or with none.
func acts(ctx context.Context, a agents.Agent, obs world.Observation) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	action, err := a.Act(ctx, obs)
	return fits(obs, action, err)
}

// fits returns nil if what came of an act is an action that is allowed in obs, or none.
func fits(obs world.Observation, action world.Action, err error) error {
	if err != nil {
		return fmt.Errorf("act in turn %d: %w", obs.Turn, err)
	}
	legal := slices.ContainsFunc(obs.Actions, func(spec world.ActionSpec) bool { return spec.Name == action.Name })
	if !legal && action.Name != world.Pass {
		return fmt.Errorf("act in turn %d: there is no action %q", obs.Turn, action.Name)
	}
	if len(action.Args) > 0 && !json.Valid(action.Args) {
		return fmt.Errorf("act in turn %d: the arguments %q are not JSON", obs.Turn, action.Args)
	}
	return nil
}
