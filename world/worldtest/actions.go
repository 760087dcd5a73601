package worldtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/world"
)

func checkLegal(newRules func() world.Rules, agents []string) error {
	acted := false
	err := play(newRules(), 1, agents, func(e *episode, actions []world.Action) error {
		acted = acted || slices.ContainsFunc(actions, func(a world.Action) bool { return a.Name != world.Pass })
		steps := append(slices.Collect(slices.Chunk(actions, 1)), actions)
		for _, actions := range steps {
			if err := e.accepted(actions); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && !acted {
		return errors.New("nobody ever had a legal action")
	}
	return err
}

// checkEdges puts the least and the greatest that a schema allows into actions, one argument at a time.
func checkEdges(newRules func() world.Rules, agents []string) error {
	return play(newRules(), 1, agents, func(e *episode, actions []world.Action) error {
		all, err := e.observe()
		if err != nil {
			return err
		}
		for i, obs := range all {
			for _, action := range edges(obs, actions[i]) {
				if err := e.accepted([]world.Action{action}); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// edges returns actions like the legal one, with one argument at an edge of what the schema allows.
func edges(obs world.Observation, legal world.Action) []world.Action {
	var actions []world.Action
	i := slices.IndexFunc(obs.Actions, func(spec world.ActionSpec) bool { return spec.Name == legal.Name })
	if i < 0 {
		return nil
	}
	s, err := readSchema(obs.Actions[i].Schema)
	args := make(map[string]json.RawMessage)
	if err != nil || json.Unmarshal(legal.Args, &args) != nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		other := maps.Clone(args)
		for _, value := range s.Properties[name].ends() {
			other[name] = value
			actions = append(actions, world.Action{Agent: obs.Agent, Name: legal.Name, Args: encode(other)})
		}
	}
	return actions
}

// accepted returns nil if a step with the actions gives no refusal.
func (e *episode) accepted(actions []world.Action) error {
	events, err := e.rules.Step(e.st, slices.Clone(actions))
	if err != nil {
		return fmt.Errorf("step with %s: %w", encode(actions), err)
	}
	for _, ev := range events {
		if ev.Kind == world.KindRefusal {
			return fmt.Errorf("step with %s: agent %q is refused: %s", encode(actions), ev.Agent, ev.Data)
		}
	}
	return nil
}

func checkIllegal(newRules func() world.Rules, agents []string) error {
	return play(newRules(), 1, agents, func(e *episode, actions []world.Action) error {
		all, err := e.observe()
		if err != nil {
			return err
		}
		for i, obs := range all {
			for _, bad := range append(illegal(obs, actions[i]), e.untimely(obs)...) {
				with := slices.Clone(actions)
				with[i] = bad
				passed := slices.Clone(actions)
				passed[i] = world.Action{Agent: obs.Agent, Name: world.Pass}
				without := slices.Delete(slices.Clone(actions), i, i+1)
				if err := e.refused(bad, with, passed, without); err != nil {
					return err
				}
			}
		}
		stranger := actions[0]
		stranger.Agent = "no such agent"
		if stranger.Name == world.Pass {
			stranger.Name = "no such action"
		}
		return e.refused(stranger, append(slices.Clone(actions), stranger), actions)
	})
}

// refused returns nil if a step with the actions with refuses the bad one among them, with a reason, and is for the rest like
// one of the others.
func (e *episode) refused(bad world.Action, with []world.Action, others ...[]world.Action) error {
	who := fmt.Sprintf("%q of agent %q with args %q", bad.Name, bad.Agent, bad.Args)
	events, err := e.rules.Step(e.st, slices.Clone(with))
	if err != nil {
		return fmt.Errorf("%s is an error, not a refusal: %w", who, err)
	}
	var rest []world.Event
	refusals := 0
	for _, ev := range events {
		if ev.Kind != world.KindRefusal || ev.Agent != bad.Agent {
			rest = append(rest, ev)
			continue
		}
		refusals++
		var data struct{ Action, Reason string }
		if err := json.Unmarshal(ev.Data, &data); err != nil || data.Reason == "" || data.Action != bad.Name {
			return fmt.Errorf("%s has a refusal without its action and a reason: %s", who, ev.Data)
		}
	}
	if refusals != 1 {
		return fmt.Errorf("%s is refused %d times instead of once", who, refusals)
	}
	var differs error
	for _, actions := range others {
		want, err := e.rules.Step(e.st, slices.Clone(actions))
		if err != nil {
			return err
		}
		if differs = sameBytes(encode(want), encode(rest)); differs == nil {
			return nil
		}
	}
	return fmt.Errorf("%s, refused, has an effect: %w", who, differs)
}

// untimely returns actions that were legal once, or for another agent, and that obs does not have.
func (e *episode) untimely(obs world.Observation) []world.Action {
	var bad []world.Action
	for _, name := range slices.Sorted(maps.Keys(e.asked)) {
		if !slices.ContainsFunc(obs.Actions, func(spec world.ActionSpec) bool { return spec.Name == name }) {
			bad = append(bad, world.Action{Agent: obs.Agent, Name: name, Args: e.asked[name].Args})
		}
	}
	return bad
}

// illegal returns actions that obs does not allow. Where it allows the legal one, some of them are almost like it.
func illegal(obs world.Observation, legal world.Action) []world.Action {
	bad := []world.Action{{Agent: obs.Agent, Name: "no such action"}, {Agent: obs.Agent}}
	i := slices.IndexFunc(obs.Actions, func(spec world.ActionSpec) bool { return spec.Name == legal.Name })
	if i < 0 {
		return bad
	}
	s, err := readSchema(obs.Actions[i].Schema)
	if err != nil || len(s.Required) == 0 {
		return bad // without arguments it must have, anything may do
	}
	add := func(args string) {
		bad = append(bad, world.Action{Agent: obs.Agent, Name: legal.Name, Args: []byte(args)})
	}
	for _, args := range []string{"", "{}", "null", "[]", "7", `"word"`, "{", "\x00\xff", "nonsense", string(legal.Args) + "}"} {
		add(args)
	}
	args := make(map[string]json.RawMessage)
	_ = json.Unmarshal(legal.Args, &args)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		other := maps.Clone(args)
		for _, value := range s.Properties[name].outside() {
			other[name] = json.RawMessage(value)
			add(string(encode(other)))
		}
		if delete(other, name); slices.Contains(s.Required, name) {
			add(string(encode(other)))
		}
	}
	return bad
}

// A schema is the part of JSON Schema for which there are illegal actions.
type schema struct {
	Type       string            `json:"type"`
	Enum       []json.RawMessage `json:"enum"`
	Properties map[string]schema `json:"properties"`
	Required   []string          `json:"required"`

	Minimum, Maximum     *float64
	MinLength, MaxLength *int
}

func readSchema(raw []byte) (schema, error) {
	var s schema
	if len(raw) == 0 {
		return s, nil
	}
	return s, json.Unmarshal(raw, &s)
}

// ends returns the first and the last values that the schema allows, as JSON: all of an enum, both bounds of a number.
func (s schema) ends() []json.RawMessage {
	if len(s.Enum) > 0 {
		return s.Enum
	}
	var values []json.RawMessage
	for _, bound := range []*float64{s.Minimum, s.Maximum} {
		if bound != nil && (s.Type == "integer" || s.Type == "number") {
			values = append(values, world.JSON(*bound))
		}
	}
	for _, length := range []*int{s.MinLength, s.MaxLength} {
		if length != nil && s.Type == "string" {
			values = append(values, world.JSON(strings.Repeat("a", *length)))
		}
	}
	return values
}

// outside returns values that the schema does not allow, as JSON.
func (s schema) outside() []string {
	values := []string{"null", "{}"}
	switch s.Type {
	case "integer":
		values = append(values, "0.5", `"7"`, "true", "[1]")
	case "number":
		values = append(values, `"7"`, "true", "[1]")
	case "boolean":
		values = append(values, `"true"`, "1")
	case "string":
		values = append(values, "7", "true", `["word"]`)
	case "array":
		values = append(values, "7", `"word"`)
	case "object":
		values = []string{"null", "7", `"word"`}
	}
	if len(s.Enum) > 0 {
		values = append(values, `"no such value"`)
	}
	if s.Minimum != nil {
		values = append(values, string(world.JSON(*s.Minimum-1)), "-123456789012345678901234567890")
	}
	if s.Maximum != nil {
		values = append(values, string(world.JSON(*s.Maximum+1)), "123456789012345678901234567890")
	}
	if s.MinLength != nil && *s.MinLength > 0 {
		values = append(values, `"`+strings.Repeat("a", *s.MinLength-1)+`"`)
	}
	if s.MaxLength != nil {
		values = append(values, `"`+strings.Repeat("a", *s.MaxLength+1)+`"`)
	}
	return values
}
