package conform

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// checkLegal wants each action accepted that is one of those that its agent may do. Of those who act at once one may be in another's way.
func (b *bench) checkLegal() (string, error) {
	acted, clashes := false, 0
	err := b.play(func(e *episode, s step) error {
		acted = acted || slices.ContainsFunc(s.actions, func(a world.Action) bool { return a.Name != world.Pass })
		for _, action := range s.actions {
			if err := e.accepted(action); err != nil {
				return err
			}
		}
		events, err := e.rules.Step(e.st, slices.Clone(s.actions))
		clashes += len(events) - len(slices.DeleteFunc(slices.Clone(events), isRefusal))
		return err
	})
	switch {
	case err != nil:
		return "", err
	case !acted:
		return "", &Finding{What: "nobody ever had a legal action", Call: "observe", Seed: b.Seeds[0], Turn: -1}
	case clashes > 0:
		return fmt.Sprintf("%d of them were refused for what others did at the same time", clashes), nil
	}
	return "", nil
}

func isRefusal(ev world.Event) bool { return ev.Kind == world.KindRefusal }

// checkEdges puts the least and the greatest that a schema allows into actions, one argument at a time.
func (b *bench) checkEdges() (string, error) {
	return "", b.play(func(e *episode, s step) error {
		for i, obs := range s.seen {
			for _, action := range edges(obs, s.actions[i]) {
				if err := e.accepted(action); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// edges returns actions like the legal one, with one argument at an edge of what the schema allows, or without one that may be missing.
func edges(obs world.Observation, legal world.Action) []world.Action {
	s, args, ok := schemaOf(obs, legal)
	if !ok {
		return nil
	}
	var actions []world.Action
	add := func(args map[string]json.RawMessage) {
		actions = append(actions, world.Action{Agent: obs.Agent, Name: legal.Name, Args: encode(args)})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		other := maps.Clone(args)
		for _, value := range ends(s.Properties[name]) {
			other[name] = value
			add(other)
		}
		if delete(other, name); !slices.Contains(s.Required, name) {
			add(other)
		}
	}
	return actions
}

// schemaOf returns the schema of a legal action, and its arguments; false if it has none.
func schemaOf(obs world.Observation, legal world.Action) (s world.Schema, args map[string]json.RawMessage, ok bool) {
	i := slices.IndexFunc(obs.Actions, func(spec world.ActionSpec) bool { return spec.Name == legal.Name })
	if i < 0 {
		return s, nil, false
	}
	s, err := world.ReadSchema(obs.Actions[i].Schema)
	if err != nil || json.Unmarshal(legal.Args, &args) != nil || args == nil {
		return s, nil, false
	}
	return s, args, true
}

// accepted returns nil if a step with nothing but the action gives no refusal.
func (e *episode) accepted(action world.Action) error {
	events, err := e.rules.Step(e.st, []world.Action{action})
	if err != nil {
		return err
	}
	for _, ev := range events {
		if ev.Kind == world.KindRefusal {
			return e.fault(action.Agent, describe(action), "it is legal, and refused though nobody else acts: %s", ev.Data)
		}
	}
	return nil
}

func (b *bench) checkPass() (string, error) {
	return "", b.play(func(e *episode, _ step) error {
		var all []world.Action
		for _, agent := range b.Agents {
			all = append(all, world.Action{Agent: agent, Name: world.Pass})
		}
		for _, actions := range append(slices.Collect(slices.Chunk(all, 1)), all, nil) {
			events, err := e.rules.Step(e.st, slices.Clone(actions))
			if err != nil {
				return err
			}
			if i := slices.IndexFunc(events, isRefusal); i >= 0 {
				return e.fault(events[i].Agent, world.Pass, "a pass is refused: %s", events[i].Data)
			}
		}
		return nil
	})
}

// checkIllegal tries what nobody may do, in the place of the action of one agent: of each in the first turns, of one in each turn after that.
func (b *bench) checkIllegal() (string, error) {
	return "", b.play(func(e *episode, s step) error {
		for i, obs := range s.seen {
			if e.st.Turn > 1 && (e.st.Turn+i)%len(s.seen) != 0 {
				continue
			}
			passed := slices.Clone(s.actions)
			passed[i] = world.Action{Agent: obs.Agent, Name: world.Pass}
			wants, err := e.steps(passed, slices.Delete(slices.Clone(s.actions), i, i+1))
			if err != nil {
				return err
			}
			for _, bad := range e.illegal(obs, s.actions[i], s.seen) {
				with := slices.Clone(s.actions)
				with[i] = bad
				if err := e.refused(bad, with, wants); err != nil {
					return err
				}
			}
		}
		stranger := s.actions[0]
		stranger.Agent = "no such agent"
		if stranger.Name == world.Pass {
			stranger.Name = "no such action"
		}
		wants, err := e.steps(s.actions)
		if err != nil {
			return err
		}
		return e.refused(stranger, append(slices.Clone(s.actions), stranger), wants)
	})
}

// steps returns what comes of steps with other actions, as JSON.
func (e *episode) steps(others ...[]world.Action) ([][]byte, error) {
	var all [][]byte
	for _, actions := range others {
		events, err := e.rules.Step(e.st, slices.Clone(actions))
		if err != nil {
			return nil, err
		}
		all = append(all, encode(events))
	}
	return all, nil
}

// refused returns nil if a step with the actions with refuses the bad one among them, with a reason, and is for the rest one of those that
// are wanted.
func (e *episode) refused(bad world.Action, with []world.Action, wants [][]byte) error {
	events, err := e.rules.Step(e.st, slices.Clone(with))
	if f := (*Finding)(nil); err != nil && !errors.As(err, &f) {
		f = e.fault(bad.Agent, describe(bad), "it is illegal, and no refusal but an error: %v", err)
		f.Err = err
		return f
	}
	var rest []world.Event
	refusals := 0
	for _, ev := range events {
		if !isRefusal(ev) || ev.Agent != bad.Agent {
			rest = append(rest, ev)
			continue
		}
		refusals++
		var data struct{ Action, Reason string }
		if err := json.Unmarshal(ev.Data, &data); err != nil || data.Reason == "" || data.Action != bad.Name {
			return e.fault(bad.Agent, describe(bad), "the refusal has not the action and a reason: %s", ev.Data)
		}
	}
	switch refusals {
	case 0:
		return e.fault(bad.Agent, describe(bad), "it is illegal, and not refused")
	case 1:
	default:
		return e.fault(bad.Agent, describe(bad), "it is refused %d times", refusals)
	}
	var differs error
	for _, want := range wants {
		if differs = e.differ(bad.Agent, describe(bad), want, encode(rest), "it is refused, and has an effect"); differs == nil {
			return nil
		}
	}
	return differs
}

// illegal returns actions that obs does not allow: unknown ones, those that were legal once or are for others, and some that are almost like the legal one.
func (e *episode) illegal(obs world.Observation, legal world.Action, seen []world.Observation) []world.Action {
	bad := []world.Action{{Agent: obs.Agent, Name: "no such action"}, {Agent: obs.Agent}}
	for _, name := range slices.Sorted(maps.Keys(e.asked)) {
		if !slices.ContainsFunc(obs.Actions, func(spec world.ActionSpec) bool { return spec.Name == name }) {
			bad = append(bad, world.Action{Agent: obs.Agent, Name: name, Args: e.asked[name].Args})
		}
	}
	s, args, ok := schemaOf(obs, legal)
	if !ok {
		return bad
	}
	add := func(args string) {
		bad = append(bad, world.Action{Agent: obs.Agent, Name: legal.Name, Args: []byte(args)})
	}
	if s.Closed() {
		other := maps.Clone(args)
		other["no such argument"] = json.RawMessage("1")
		add(string(encode(other)))
	}
	if len(s.Required) == 0 {
		return bad // without arguments it must have, anything else may do
	}
	for _, args := range []string{"", "{}", "null", "[]", "7", `"word"`, "{", "\x00\xff", "nonsense", string(legal.Args) + "}"} {
		add(args)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		values := outside(s.Properties[name], args[name])
		for _, other := range seen {
			if theirs, _, ok := schemaOf(other, legal); ok {
				values = append(values, notIn(s.Properties[name], theirs.Properties[name])...)
			}
		}
		other := maps.Clone(args)
		for _, value := range values {
			other[name] = json.RawMessage(value)
			add(string(encode(other)))
		}
		if delete(other, name); slices.Contains(s.Required, name) {
			add(string(encode(other)))
		}
	}
	return bad
}
