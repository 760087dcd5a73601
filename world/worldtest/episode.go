package worldtest

import (
	"encoding/json"
	"iter"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
)

// An Episode is rules at play in memory, step by step as a test says. Where the rules fail the test does.
type Episode struct {
	Agents []string
	State  world.State
	Log    []world.Event // that made the state

	t     testing.TB
	rules world.Rules
}

// Begin begins an episode with the fact of its seed.
func Begin(t testing.TB, rules world.Rules, seed uint64, agents ...string) *Episode {
	t.Helper()
	e := &Episode{Agents: agents, t: t, rules: rules}
	events, err := rules.Reset(seed, agents)
	if err != nil {
		t.Fatal(err)
	}
	start := world.Event{Kind: "start", Set: map[string]json.RawMessage{world.SeedFact: world.JSON(seed)}}
	e.Commit(append([]world.Event{start}, events...)...)
	return e
}

// Commit makes events happen, whatever the rules say.
func (e *Episode) Commit(events ...world.Event) {
	e.t.Helper()
	events, err := e.State.Stamp(events)
	if err != nil {
		e.t.Fatal(err)
	}
	e.State = e.State.Apply(events...)
	e.Log = append(e.Log, events...)
}

// Observe returns what an agent sees.
func (e *Episode) Observe(agent string) world.Observation {
	e.t.Helper()
	obs, err := e.rules.Observe(e.State, agent)
	if err != nil {
		e.t.Fatal(err)
	}
	return obs
}

// Step commits what follows from actions, and returns it.
func (e *Episode) Step(actions ...world.Action) []world.Event {
	e.t.Helper()
	events, err := e.rules.Step(e.State, actions)
	if err != nil {
		e.t.Fatal(err)
	}
	e.Commit(events...)
	return events
}

// EndTurn ends the turn.
func (e *Episode) EndTurn() {
	e.t.Helper()
	e.Commit(world.Event{Kind: world.KindTurn})
}

// Sequence returns events as metrics read them.
func Sequence(events ...world.Event) iter.Seq2[world.Event, error] {
	return func(yield func(world.Event, error) bool) {
		for _, ev := range events {
			if !yield(ev, nil) {
				return
			}
		}
	}
}
