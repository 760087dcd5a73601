// Package worldtest holds what all [world.Rules] and all stores must keep, as tests that their packages call.
//
// [TestRules] plays short episodes with random legal actions, each agent acting once in every turn, and looks at every state on the
// way: what the rules are asked there, they must answer as the comments of [world.Rules] say. [TestStore] commits a small game, and looks
// at every state and hash on the way: they must be those of a twin in memory.
package worldtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/vitrine-sim/vitrine/world"
)

// A check is one thing that rules must keep. It returns nil if these do.
type check struct {
	name string
	run  func(newRules func() world.Rules, agents []string) error
}

// TestRules fails unless the rules that newRules returns keep what [world.Rules] asks for, one subtest for each part of it.
// Every call of newRules must return a new value of the same rules. The agents are those of the episodes it plays.
func TestRules(t *testing.T, newRules func() world.Rules, agents []string) {
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			if err := c.run(newRules, slices.Clone(agents)); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("rules look at no clock", func(t *testing.T) {
		if err := checkClock(t, newRules, agents); err != nil {
			t.Error(err)
		}
	})
}

func checks() []check {
	return []check{
		{"the same seed and actions give the same bytes", checkBytes},
		{"rules remember nothing", checkMemory},
		{"the seed matters only through State.Rand", checkSeed},
		{"what rules are given they leave as it is", checkArguments},
		{"observing is pure and works for everyone", checkObserve},
		{"legal actions are accepted", checkLegal},
		{"the first and the last of what a schema allows is legal", checkEdges},
		{"illegal actions are refused and do nothing", checkIllegal},
		{"everyone may pass and nobody need act", checkPass},
		{"facts of the episode are not the rules'", checkFacts},
		{"who is terminated stays so", checkTermination},
		{"a state of another world is no panic", checkOtherWorlds},
	}
}

func checkBytes(newRules func() world.Rules, agents []string) error {
	for _, seed := range []uint64{0, 1, 1 << 63} {
		first, err := record(newRules(), seed, agents)
		if err != nil {
			return err
		}
		second, err := record(newRules(), seed, agents)
		if err != nil {
			return err
		}
		if err := sameBytes(first, second); err != nil {
			return fmt.Errorf("two episodes with seed %d differ: %w", seed, err)
		}
	}
	return nil
}

func checkMemory(newRules func() world.Rules, agents []string) error {
	const seed = 1
	want, err := record(newRules(), seed, agents)
	if err != nil {
		return err
	}
	got, err := record(forgetful{newRules}, seed, agents)
	if err != nil {
		return fmt.Errorf("with a new value of the rules for each call: %w", err)
	}
	if err := sameBytes(want, got); err != nil {
		return fmt.Errorf("with a new value of the rules for each call: %w", err)
	}
	got, err = record(distracted{newRules()}, seed, agents)
	if err != nil {
		return fmt.Errorf("with another episode played on the same value of the rules: %w", err)
	}
	if err := sameBytes(want, got); err != nil {
		return fmt.Errorf("with another episode played on the same value of the rules: %w", err)
	}
	return nil
}

// checkClock plays one episode today and one in the year 2000.
func checkClock(t *testing.T, newRules func() world.Rules, agents []string) error {
	today, err := record(newRules(), 1, agents)
	if err != nil {
		return err
	}
	var then []byte
	synctest.Test(t, func(*testing.T) { then, err = record(newRules(), 1, agents) })
	if err != nil {
		return fmt.Errorf("in the year 2000: %w", err)
	}
	if err := sameBytes(today, then); err != nil {
		return fmt.Errorf("in the year 2000: %w", err)
	}
	return nil
}

// checkSeed uses that a state without a seed has the randomness of one with seed 0.
func checkSeed(newRules func() world.Rules, agents []string) error {
	return play(newRules(), 0, agents, func(e *episode, actions []world.Action) error {
		bare := e.st.Apply(world.Event{Del: []string{world.SeedFact}, Seq: e.st.Seq})
		want, err := e.rules.Step(e.st, actions)
		if err != nil {
			return err
		}
		got, err := e.rules.Step(bare, actions)
		if err != nil {
			return fmt.Errorf("without the fact %q: %w", world.SeedFact, err)
		}
		if err := sameBytes(encode(want), encode(got)); err != nil {
			return fmt.Errorf("without the fact %q, which is not the rules' to read: %w", world.SeedFact, err)
		}
		return nil
	})
}

func checkArguments(newRules func() world.Rules, agents []string) error {
	names := slices.Clone(agents)
	if _, err := newRules().Reset(1, names); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	if !slices.Equal(names, agents) {
		return fmt.Errorf("reset has changed the agents from %q to %q", agents, names)
	}
	return play(newRules(), 1, agents, func(e *episode, actions []world.Action) error {
		slices.Reverse(actions) // so that who sorts them is seen
		state, asked := encode(e.st), encode(actions)
		for _, agent := range agents {
			if _, err := e.rules.Observe(e.st, agent); err != nil {
				return err
			}
		}
		if err := sameBytes(state, encode(e.st)); err != nil {
			return fmt.Errorf("observe has changed the state: %w", err)
		}
		if _, err := e.rules.Step(e.st, actions); err != nil {
			return err
		}
		if err := sameBytes(state, encode(e.st)); err != nil {
			return fmt.Errorf("step has changed the state: %w", err)
		}
		if err := sameBytes(asked, encode(actions)); err != nil {
			return fmt.Errorf("step has changed the actions: %w", err)
		}
		return nil
	})
}

func checkObserve(newRules func() world.Rules, agents []string) error {
	return play(newRules(), 1, agents, func(e *episode, _ []world.Action) error {
		first, err := e.observe()
		if err != nil {
			return err
		}
		second, err := e.observe()
		if err != nil {
			return err
		}
		if err := sameBytes(encode(first), encode(second)); err != nil {
			return fmt.Errorf("two observations of one state differ: %w", err)
		}
		return nil
	})
}

func checkPass(newRules func() world.Rules, agents []string) error {
	return play(newRules(), 1, agents, func(e *episode, _ []world.Action) error {
		var all []world.Action
		for _, agent := range agents {
			all = append(all, world.Action{Agent: agent, Name: world.Pass})
		}
		steps := append(slices.Collect(slices.Chunk(all, 1)), all, nil)
		for _, actions := range steps {
			if err := e.accepted(actions); err != nil {
				return err
			}
		}
		return nil
	})
}

func checkFacts(newRules func() world.Rules, agents []string) error {
	look := func(events []world.Event) error {
		for _, ev := range events {
			for _, path := range touched(ev) {
				if strings.HasPrefix(path, "run/") {
					return fmt.Errorf("the rules' event %q touches the fact %q", ev.Kind, path)
				}
			}
		}
		return nil
	}
	events, err := newRules().Reset(1, agents)
	if err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	return errors.Join(look(events), play(newRules(), 1, agents, func(e *episode, actions []world.Action) error {
		events, err := e.rules.Step(e.st, actions)
		return errors.Join(err, look(events))
	}))
}

func checkTermination(newRules func() world.Rules, agents []string) error {
	over := make(map[string]int) // turn in which each was first seen to be terminated
	return play(newRules(), 1, agents, func(e *episode, _ []world.Action) error {
		all, err := e.observe()
		for _, obs := range all {
			turn, ok := over[obs.Agent]
			if ok && !obs.Terminated {
				return fmt.Errorf("agent %q, terminated in turn %d, plays again", obs.Agent, turn)
			}
			if !ok && obs.Terminated {
				over[obs.Agent] = e.st.Turn
			}
		}
		return err
	})
}

// checkOtherWorlds takes away one fact at a time, or replaces it, as an operator can, whom a [world.Checker] stops where it knows better.
// The rules may go on or return an error. There are so many that it looks at every fifth turn only.
func checkOtherWorlds(newRules func() world.Rules, agents []string) error {
	return play(newRules(), 1, agents, func(e *episode, actions []world.Action) error {
		if e.st.Turn%5 != 0 {
			return nil
		}
		for _, path := range e.st.Paths("") {
			events := []world.Event{{Del: []string{path}}}
			for _, raw := range []string{"null", `"word"`, "[]", "{}", "-1", "true"} {
				events = append(events, world.Event{Set: map[string]json.RawMessage{path: json.RawMessage(raw)}})
			}
			for _, ev := range events {
				ev.Seq = e.st.Seq
				if err := e.survives(e.st.Apply(ev), actions); err != nil {
					return fmt.Errorf("with %s in place of the fact %q: %w", encode(ev.Set[path]), path, err)
				}
			}
		}
		return nil
	})
}

// survives returns an error if the rules panic in the state.
func (e *episode) survives(st world.State, actions []world.Action) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("the rules panic: %v", panicked)
		}
	}()
	if rules, ok := e.rules.(world.Checker); ok && rules.Check(st) != nil {
		return nil
	}
	for _, agent := range e.agents {
		_, _ = e.rules.Observe(st, agent)
	}
	_, _ = e.rules.Step(st, slices.Clone(actions))
	return nil
}

// sameBytes says where two recordings begin to differ.
func sameBytes(want, got []byte) error {
	if bytes.Equal(want, got) {
		return nil
	}
	i := 0
	for i < min(len(want), len(got)) && want[i] == got[i] {
		i++
	}
	cut := func(b []byte) []byte { return b[max(0, i-80):min(len(b), i+40)] }
	return fmt.Errorf("around byte %d there is %s instead of %s", i, cut(got), cut(want))
}
