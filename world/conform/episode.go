package conform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

// after is for how many turns an episode goes on when everybody is terminated.
const after = 5

// An episode is rules at play, in memory.
type episode struct {
	b         *bench
	rules     ruled
	seed      uint64
	luck      uint64 // the seed of what agents do
	backwards bool   // the last agent observes first, and everybody twice
	st        world.State
	over      int                     // turns since everybody was terminated
	log       bytes.Buffer            // what the agents saw, and the events
	first     []world.Event           // those of the beginning
	events    []world.Event           // all of them
	asked     map[string]world.Action // the last legal action of each name
}

// A step is the agents who act at once, before they do.
type step struct {
	seen    []world.Observation
	actions []world.Action // a random legal one of each
}

// play plays the episodes of all seeds. Before each step it calls look.
func (b *bench) play(look func(e *episode, s step) error) error {
	for _, seed := range b.Seeds {
		if b.cut != "" {
			return nil
		}
		if err := b.newEpisode(b.first, seed, seed).run(look); err != nil {
			return err
		}
	}
	return nil
}

// record plays an episode and returns what the agents saw, and its events, as lines.
func (b *bench) record(rules ruled, seed, luck uint64) ([]byte, error) {
	e := b.newEpisode(rules, seed, luck)
	err := e.run(nil)
	return e.log.Bytes(), err
}

func (b *bench) newEpisode(rules ruled, seed, luck uint64) *episode {
	return &episode{b: b, rules: rules, seed: seed, luck: luck, asked: make(map[string]world.Action)}
}

func (e *episode) run(look func(*episode, step) error) error {
	e.b.episodes.Add(1)
	if err := e.reset(); err != nil {
		return err
	}
	for range e.b.Turns {
		if e.over > after {
			return nil
		}
		if look != nil && time.Since(e.b.begun) > e.b.Time/2 { // those who look at nothing are compared, and must go as far
			e.b.cut = fmt.Sprintf("for lack of time it stopped before turn %d of seed %d", e.st.Turn, e.seed)
			return nil
		}
		if err := e.turn(look); err != nil {
			return err
		}
		e.b.turns.Add(1)
	}
	return nil
}

func (e *episode) reset() error {
	first, err := e.rules.Reset(e.seed, slices.Clone(e.b.Agents))
	if err != nil {
		return err
	}
	if err := e.set("seed", world.SeedFact, e.seed); err != nil {
		return err
	}
	e.log.Reset() // it holds what the rules make of a seed, and not which one it is
	e.first = first
	return e.commit(first)
}

// set commits an event that sets one fact of the episode.
func (e *episode) set(kind, path string, value any) error {
	return e.commit([]world.Event{{Kind: kind, Set: map[string]json.RawMessage{path: world.JSON(value)}}})
}

// turn plays one turn: in each phase a step of all agents, or one of each.
func (e *episode) turn(look func(*episode, step) error) error {
	phases := e.b.Phases
	if len(phases) == 0 {
		phases = []Phase{{}}
	}
	terminated := true
	for _, phase := range phases {
		if phase.Name != "" {
			if err := e.set("phase", world.PhaseFact, phase.Name); err != nil {
				return err
			}
		}
		groups := [][]string{e.b.Agents}
		if phase.Alone {
			groups = slices.Collect(slices.Chunk(e.b.Agents, 1))
		}
		for _, agents := range groups {
			over, err := e.step(agents, look)
			if err != nil {
				return err
			}
			terminated = terminated && over
		}
	}
	if terminated {
		e.over++
	}
	return e.commit([]world.Event{{Kind: world.KindTurn}})
}

// step plays one step of these agents. It says whether they were all terminated before.
func (e *episode) step(agents []string, look func(*episode, step) error) (over bool, err error) {
	all, err := e.observe(agents)
	if err != nil {
		return false, err
	}
	over = true
	var s step
	var played []world.Action
	for _, obs := range all {
		over = over && obs.Terminated
		e.log.Write(append(encode(obs), '\n'))
		action := world.RandomAction(obs, world.NewRand(e.luck, e.st.Turn, "conform/"+obs.Agent))
		if action.Name != world.Pass {
			e.asked[action.Name] = action
		}
		s.seen, s.actions = append(s.seen, obs), append(s.actions, action)
		played = append(played, e.plays(obs, action))
	}
	if look != nil {
		if err := look(e, s); err != nil {
			return over, err
		}
	}
	events, err := e.rules.Step(e.st, played)
	if err != nil {
		return over, err
	}
	return over, e.commit(events)
}

// plays returns what an agent does: that random action, or what its policy says.
func (e *episode) plays(obs world.Observation, random world.Action) world.Action {
	policies := e.b.first.subject.Policies
	if i := e.luck % uint64(len(policies)+1); i > 0 {
		return policies[i-1](obs, world.NewRand(e.luck, e.st.Turn, "policy/"+obs.Agent))
	}
	return random
}

// commit folds events as a store does. It is a finding if one of them cannot be written.
func (e *episode) commit(events []world.Event) error {
	events, err := e.st.Stamp(events)
	if err != nil {
		return e.fault("", "", "%v", err)
	}
	for _, ev := range events {
		if ev.Kind == "" {
			return e.fault(ev.Agent, "", "an event has no kind")
		}
		e.log.Write(append(encode(ev), '\n'))
	}
	e.events = append(e.events, events...)
	e.st = e.st.Apply(events...)
	return nil
}

// observe returns what agents see, in their order. It is a finding if one of them says what no observation can say.
func (e *episode) observe(agents []string) ([]world.Observation, error) {
	all := make([]world.Observation, len(agents))
	for i := range agents {
		if e.backwards {
			i = len(all) - 1 - i
			if _, err := e.rules.Observe(e.st, agents[i]); err != nil {
				return nil, err
			}
		}
		obs, err := e.rules.Observe(e.st, agents[i])
		if err != nil {
			return nil, err
		}
		if err := e.sound(agents[i], obs); err != nil {
			return nil, e.fault(agents[i], "", "the observation cannot be: %v", err)
		}
		all[i] = obs
	}
	return all, nil
}

// sound returns nil if obs can be an observation of agent.
func (e *episode) sound(agent string, obs world.Observation) error {
	if obs.Agent != agent || obs.Turn != e.st.Turn {
		return fmt.Errorf("it is for agent %q in turn %d, not for %q in turn %d", obs.Agent, obs.Turn, agent, e.st.Turn)
	}
	if _, err := world.Canonical(obs.View); err != nil {
		return fmt.Errorf("the view is not JSON: %w", err)
	}
	if len(obs.Messages) > 0 {
		return fmt.Errorf("it has messages, which are not the rules' to give")
	}
	if obs.Terminated && len(obs.Actions) > 0 {
		return fmt.Errorf("the agent is terminated and may still do %q", obs.Actions[0].Name)
	}
	if math.IsNaN(obs.Reward) || math.IsInf(obs.Reward, 0) {
		return fmt.Errorf("the reward is %v", obs.Reward)
	}
	seen := map[string]bool{"": true, world.Pass: true}
	for _, spec := range obs.Actions {
		if seen[spec.Name] {
			return fmt.Errorf("the name of the action %q is empty, that of a pass, or there twice", spec.Name)
		}
		seen[spec.Name] = true
		if len(spec.Schema) > 0 {
			if s, err := world.ReadSchema(spec.Schema); err != nil || s.Type != "object" {
				return fmt.Errorf("the schema of the action %q is not that of an object: %s", spec.Name, spec.Schema)
			}
		}
	}
	return nil
}

// encode returns v as JSON as it is, without putting it in canonical form.
func encode(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		return []byte(err.Error()) // JSON that rules got wrong: commit says so
	}
	return raw
}
