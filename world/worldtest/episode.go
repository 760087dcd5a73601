package worldtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// turns is how long an episode is played at most, some of them after its end.
const turns = 30

// An episode is rules at play, in memory.
type episode struct {
	rules  world.Rules
	seed   uint64
	agents []string
	st     world.State
	log    bytes.Buffer            // what the agents saw, and the events
	asked  map[string]world.Action // the last legal action of each name
}

// play plays an episode with random legal actions. Before each step it calls look, if that is not nil, with actions of its own.
func play(rules world.Rules, seed uint64, agents []string, look func(e *episode, actions []world.Action) error) error {
	_, err := run(rules, seed, agents, look)
	return err
}

// record plays an episode and returns what the agents saw, and its events.
func record(rules world.Rules, seed uint64, agents []string) ([]byte, error) {
	e, err := run(rules, seed, agents, nil)
	if err != nil {
		return nil, err
	}
	return e.log.Bytes(), nil
}

func run(rules world.Rules, seed uint64, agents []string, look func(*episode, []world.Action) error) (*episode, error) {
	e := &episode{rules: rules, seed: seed, agents: agents, asked: make(map[string]world.Action)}
	first, err := rules.Reset(seed, slices.Clone(agents))
	if err != nil {
		return nil, fmt.Errorf("reset: %w", err)
	}
	set := map[string]json.RawMessage{world.SeedFact: world.JSON(seed)}
	if err := e.commit(append([]world.Event{{Kind: "seed", Set: set}}, first...)); err != nil {
		return nil, fmt.Errorf("reset: %w", err)
	}
	for range turns {
		if err := e.turn(look); err != nil {
			return nil, fmt.Errorf("turn %d: %w", e.st.Turn, err)
		}
	}
	return e, nil
}

// turn plays one turn: one step of all agents.
func (e *episode) turn(look func(*episode, []world.Action) error) error {
	actions, err := e.draw()
	if err != nil {
		return err
	}
	if look != nil {
		if err := look(e, slices.Clone(actions)); err != nil {
			return err
		}
	}
	events, err := e.rules.Step(e.st, actions)
	if err != nil {
		return fmt.Errorf("step: %w", err)
	}
	if !slices.ContainsFunc(events, func(ev world.Event) bool { return ev.Kind == world.KindTurn }) {
		events = append(slices.Clip(events), world.Event{Kind: world.KindTurn})
	}
	return e.commit(events)
}

// draw returns a random legal action of each agent.
func (e *episode) draw() ([]world.Action, error) {
	all, err := e.observe()
	var actions []world.Action
	e.log.Write(append(encode(all), '\n'))
	for _, obs := range all {
		action := world.RandomAction(obs, world.NewRand(e.seed, e.st.Turn, "worldtest/"+obs.Agent))
		if action.Name != world.Pass {
			e.asked[action.Name] = action
		}
		actions = append(actions, action)
	}
	return actions, err
}

// commit folds events as a store does. It is an error if one of them cannot be written.
func (e *episode) commit(events []world.Event) error {
	events, err := e.st.Stamp(events)
	if err != nil {
		return err
	}
	for _, ev := range events {
		if ev.Kind == "" {
			return fmt.Errorf("event %d has no kind", ev.Seq)
		}
		e.log.Write(append(encode(ev), '\n'))
	}
	e.st = e.st.Apply(events...)
	return nil
}

// observe returns what all agents see, in their order. It is an error if one of them says what no observation can say.
func (e *episode) observe() ([]world.Observation, error) {
	var all []world.Observation
	for _, agent := range e.agents {
		obs, err := e.rules.Observe(e.st, agent)
		if err == nil {
			err = e.sound(agent, obs)
		}
		if err != nil {
			return nil, fmt.Errorf("observe for agent %q: %w", agent, err)
		}
		all = append(all, obs)
	}
	return all, nil
}

// sound returns nil if obs can be an observation of agent.
func (e *episode) sound(agent string, obs world.Observation) error {
	if obs.Agent != agent || obs.Turn != e.st.Turn {
		return fmt.Errorf("it is for agent %q in turn %d, not for %q in turn %d", obs.Agent, obs.Turn, agent, e.st.Turn)
	}
	if _, err := world.Canonical(obs.View); err != nil {
		return fmt.Errorf("view: %w", err)
	}
	if len(obs.Messages) > 0 {
		return errors.New("it has messages, which are not the rules' to give")
	}
	if obs.Terminated && len(obs.Actions) > 0 {
		return fmt.Errorf("the agent is terminated and may still do %q", obs.Actions[0].Name)
	}
	if math.IsNaN(obs.Reward) || math.IsInf(obs.Reward, 0) {
		return fmt.Errorf("reward is %v", obs.Reward)
	}
	seen := map[string]bool{"": true, world.Pass: true}
	for _, spec := range obs.Actions {
		if seen[spec.Name] {
			return fmt.Errorf("action name %q is empty, the pass, or there twice", spec.Name)
		}
		seen[spec.Name] = true
		if len(spec.Schema) > 0 {
			if s, err := readSchema(spec.Schema); err != nil || s.Type != "object" {
				return fmt.Errorf("schema of action %q is not that of an object: %s", spec.Name, spec.Schema)
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

// touched returns the paths of the facts that ev sets or deletes.
func touched(ev world.Event) []string {
	return append(slices.Sorted(maps.Keys(ev.Set)), ev.Del...)
}

// A forgetful value of rules is a new one for each call.
type forgetful struct{ newRules func() world.Rules }

func (f forgetful) Reset(seed uint64, agents []string) ([]world.Event, error) {
	return f.newRules().Reset(seed, agents)
}

func (f forgetful) Observe(st world.State, agent string) (world.Observation, error) {
	return f.newRules().Observe(st, agent)
}

func (f forgetful) Step(st world.State, actions []world.Action) ([]world.Event, error) {
	return f.newRules().Step(st, actions)
}

// A distracted value of rules begins and plays another episode before each call.
type distracted struct{ world.Rules }

func (d distracted) distract() {
	agents := []string{"stranger"}
	events, err := d.Rules.Reset(99, agents)
	if err != nil {
		return // rules for more agents than one
	}
	st := world.State{}.Apply(events...)
	if obs, err := d.Rules.Observe(st, agents[0]); err == nil {
		_, _ = d.Rules.Step(st, []world.Action{world.RandomAction(obs, world.NewRand(99, 0, ""))})
	}
}

func (d distracted) Observe(st world.State, agent string) (world.Observation, error) {
	d.distract()
	return d.Rules.Observe(st, agent)
}

func (d distracted) Step(st world.State, actions []world.Action) ([]world.Event, error) {
	d.distract()
	return d.Rules.Step(st, actions)
}
