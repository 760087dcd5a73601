package conform

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/vitrine-sim/vitrine/world"
)

// maxPath is how long the path of a fact may be, in bytes.
const maxPath = 1000

func (b *bench) checkEvents() (string, error) {
	return "", b.play(func(e *episode, s step) error {
		if err := e.lawful("reset", e.first); err != nil {
			return err
		}
		events, err := e.rules.Step(e.st, slices.Clone(s.actions))
		if err != nil {
			return err
		}
		return e.lawful("step", events)
	})
}

// lawful returns nil if the events can be those of rules, which returned them from a call.
func (e *episode) lawful(call string, events []world.Event) error {
	wrong := func(format string, args ...any) error {
		f := e.fault("", "", format, args...)
		f.Call = call
		return f
	}
	for _, ev := range events {
		if ev.Kind == world.KindTurn {
			return wrong("the event %q is not the rules' to make: turns end by themselves", ev.Kind)
		}
		for _, path := range append(slices.Sorted(maps.Keys(ev.Set)), ev.Del...) {
			switch {
			case strings.HasPrefix(path, world.RunFacts):
				return wrong("the event %q touches the fact %q, which is the episode's", ev.Kind, path)
			case path == "" || len(path) > maxPath || !utf8.ValidString(path):
				return wrong("the event %q touches the fact %.80q; a path is a text of 1 to %d bytes of UTF-8", ev.Kind, path, maxPath)
			}
		}
	}
	return nil
}

func (b *bench) checkBytes() (string, error) {
	seeds := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(b.Seeds), 0, 1<<63))))
	for i, seed := range seeds {
		want, err := b.record(b.first, seed, seed)
		if err != nil {
			return "", err
		}
		got, err := b.record([]ruled{b.first, b.twin}[i%2], seed, seed)
		if err != nil {
			return "", err
		}
		if err := sameRecord(want, got, seed, "two episodes with this seed differ"); err != nil {
			return "", err
		}
	}
	return "", nil
}

func (b *bench) checkMemory() (string, error) {
	for _, seed := range b.Seeds {
		want, err := b.record(b.first, seed, seed)
		if err != nil {
			return "", err
		}
		backwards := b.newEpisode(b.first, seed, seed)
		backwards.backwards = true
		for _, other := range []struct {
			name string
			e    *episode
		}{
			{"asked for the agents' observations in another order, twice each", backwards},
			{"two values of the rules, each asked some of the calls", b.newEpisode(alternating{b.first, b.fresh, new(int)}, seed, seed)},
			{"another episode played on the same value of the rules", b.newEpisode(distracted{b.first}, seed, seed)},
		} {
			err := other.e.run(nil)
			if f := (*Finding)(nil); err != nil && !errors.As(err, &f) {
				return "", fmt.Errorf("%s: %w", other.name, err)
			}
			if err != nil {
				return "", err
			}
			if err := sameRecord(want, other.e.log.Bytes(), seed, "with %s the episode differs", other.name); err != nil {
				return "", err
			}
		}
	}
	return "", nil
}

// checkSeed uses that a state without a seed has the randomness of one with seed 0. Whether the rules use chance at all is seen when everybody does the
// same with other seeds.
func (b *bench) checkSeed() (string, error) {
	bare := b.newEpisode(b.first, 0, 0)
	err := bare.run(func(e *episode, s step) error {
		without := e.st.Apply(world.Event{Del: []string{world.SeedFact}, Seq: e.st.Seq})
		want, err := e.rules.Step(e.st, slices.Clone(s.actions))
		if err != nil {
			return err
		}
		got, err := e.rules.Step(without, slices.Clone(s.actions))
		if err != nil {
			return fmt.Errorf("without the fact %q, which is not the rules' to read: %w", world.SeedFact, err)
		}
		return e.differ("", "", encode(want), encode(got), "the step differs without the fact %q, which is not the rules' to read", world.SeedFact)
	})
	if err != nil {
		return "", err
	}
	episodes := make(map[string]bool)
	seeds := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(b.Seeds), 0, 1, 2, 1<<63))))
	for _, seed := range seeds {
		log, err := b.record(b.first, seed, b.Seeds[0])
		if err != nil {
			return "", err
		}
		episodes[string(log)] = true
	}
	if len(episodes) == 1 {
		return "the rules use no chance", nil
	}
	return fmt.Sprintf("%d seeds give %d episodes where everybody does the same", len(seeds), len(episodes)), nil
}

func (b *bench) checkArguments() (string, error) {
	names := slices.Clone(b.Agents)
	if _, err := b.first.Reset(b.Seeds[0], names); err != nil {
		return "", err
	}
	if !slices.Equal(names, b.Agents) {
		return "", fmt.Errorf("it has changed the agents from %q to %q", b.Agents, names)
	}
	return "", b.play(func(e *episode, s step) error {
		slices.Reverse(s.actions) // so that who sorts them is seen
		state, asked := encode(e.st), encode(s.actions)
		if _, err := e.observe(e.b.Agents); err != nil {
			return err
		}
		if err := e.differ("", "", state, encode(e.st), "observe has changed the state"); err != nil {
			return err
		}
		if _, err := e.rules.Step(e.st, s.actions); err != nil {
			return err
		}
		if err := e.differ("", "", state, encode(e.st), "step has changed the state"); err != nil {
			return err
		}
		return e.differ("", "", asked, encode(s.actions), "step has changed the actions")
	})
}

func (b *bench) checkObserve() (string, error) {
	return "", b.play(func(e *episode, _ step) error {
		first, err := e.observe(e.b.Agents)
		if err != nil {
			return err
		}
		second, err := e.observe(e.b.Agents)
		for i := range second {
			if err == nil {
				err = e.differ(first[i].Agent, "", encode(first[i]), encode(second[i]), "two observations of one state differ")
			}
		}
		return err
	})
}

func (b *bench) checkTermination() (string, error) {
	ended, last := 0, -1
	for _, seed := range b.Seeds {
		over := make(map[string]int) // turn in which each was first seen to be terminated
		e := b.newEpisode(b.first, seed, seed)
		err := e.run(func(e *episode, _ step) error {
			all, err := e.observe(e.b.Agents)
			for _, obs := range all {
				turn, ok := over[obs.Agent]
				if ok && !obs.Terminated {
					return e.fault(obs.Agent, "", "terminated in turn %d, and plays again", turn)
				}
				if !ok && obs.Terminated {
					over[obs.Agent] = e.st.Turn
				}
			}
			return err
		})
		if err != nil {
			return "", err
		}
		if e.over > 0 {
			ended++
			last = max(last, slices.Max(slices.Collect(maps.Values(over))))
		}
	}
	if ended == 0 {
		return fmt.Sprintf("of %d episodes the rules ended none in %d turns", len(b.Seeds), b.Turns), nil
	}
	return fmt.Sprintf("of %d episodes the rules ended %d, the longest in turn %d", len(b.Seeds), ended, last), nil
}

// checkOtherWorlds takes away one fact at a time, or replaces it, as an operator can, whom a [world.Checker] stops where it knows better.
// The rules may go on or return an error. There are so many that it looks at every fifth turn only.
func (b *bench) checkOtherWorlds() (string, error) {
	return "", b.play(func(e *episode, s step) error {
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
				err := e.survives(e.st.Apply(ev), s.actions)
				if err == nil { // a program must not die of it
					_, err = e.rules.Observe(e.st, b.Agents[0])
				}
				if err != nil {
					if raw, set := ev.Set[path]; set {
						return fmt.Errorf("with %s in place of the fact %q: %w", raw, path, err)
					}
					return fmt.Errorf("without the fact %q: %w", path, err)
				}
			}
		}
		return nil
	})
}

// survives returns an error if the rules panic in the state.
func (e *episode) survives(st world.State, actions []world.Action) error {
	var panicked *panicError
	if err := e.rules.Check(st); errors.As(err, &panicked) {
		return err
	} else if err != nil {
		return nil
	}
	for _, agent := range e.b.Agents {
		if _, err := e.rules.Observe(st, agent); errors.As(err, &panicked) {
			return err
		}
	}
	if _, err := e.rules.Step(st, slices.Clone(actions)); errors.As(err, &panicked) {
		return err
	}
	return nil
}

func (b *bench) checkElsewhere() (string, error) {
	want, err := b.recordAll(b.first)
	if err != nil {
		return "", err
	}
	got, err := b.Elsewhere()
	if err != nil {
		return "", err
	}
	return "", sameRecord(want, got, b.Seeds[0], "in another process, with another environment, the episode differs")
}
