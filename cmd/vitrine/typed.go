package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/world"
)

// arguments says what the arguments of an action are, from their JSON Schema.
func arguments(schema json.RawMessage) string {
	s, err := world.ReadSchema(schema)
	if err != nil {
		return ""
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		what := p.Type
		if p.Minimum != nil && p.Maximum != nil {
			what += fmt.Sprintf(" %s to %s", number(*p.Minimum), number(*p.Maximum))
		}
		if len(p.Enum) > 0 {
			what = strings.Trim(string(world.JSON(p.Enum)), "[]")
		}
		if !slices.Contains(s.Required, name) {
			what += ", if you like"
		}
		fmt.Fprintf(&text, " %s=(%s)", name, what)
	}
	return text.String()
}

// parseAction reads one of some actions, or a pass, as people type it: its name, and then its arguments as a JSON object or as key=value, where a value
// is JSON or one plain word.
func parseAction(typed string, actions []world.ActionSpec) (world.Action, error) {
	name, rest, _ := strings.Cut(strings.TrimSpace(typed), " ")
	i := slices.IndexFunc(actions, func(spec world.ActionSpec) bool { return spec.Name == name })
	switch {
	case name == "":
		return world.Action{}, errors.New("type what you do, or help")
	case i < 0 && name != world.Pass:
		return world.Action{}, fmt.Errorf("there is no action %q now; help prints what there is", name)
	}
	args, err := parseArguments(strings.TrimSpace(rest))
	if err == nil && i >= 0 {
		err = disallowed(actions[i], args)
	}
	if err != nil && i >= 0 {
		err = fmt.Errorf("%w; type it like: %s", err, example(actions[i]))
	}
	return world.Action{Name: name, Args: args}, err
}

// disallowed says why arguments are none that an action has.
func disallowed(spec world.ActionSpec, args json.RawMessage) error {
	if len(spec.Schema) == 0 {
		return nil
	}
	raw, err := world.Canonical(spec.Schema)
	if err != nil {
		return nil // the rules will say what they take
	}
	if s, err := world.ReadSchema(raw); err == nil {
		if reason := s.Disallows(args); reason != "" {
			return errors.New(reason)
		}
	}
	return nil
}

// example returns how one types an action.
func example(spec world.ActionSpec) string {
	var text strings.Builder
	text.WriteString(spec.Name)
	if s, err := world.ReadSchema(spec.Schema); err == nil {
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			fmt.Fprintf(&text, " %s=%s", name, world.JSON(instance(s.Properties[name])))
		}
	}
	return text.String()
}

// instance returns a value that a schema allows, or nearly so.
func instance(s world.Schema) any {
	if len(s.Enum) > 0 {
		return s.Enum[0]
	}
	switch s.Type {
	case "integer", "number":
		some := 5.0
		if s.Maximum != nil {
			some = min(some, *s.Maximum)
		}
		if s.Minimum != nil {
			some = max(some, *s.Minimum)
		}
		return some
	case "boolean":
		return true
	case "array":
		if s.Items != nil {
			return []any{instance(*s.Items)}
		}
		return []any{}
	case "object":
		object := make(map[string]any)
		for name, property := range s.Properties {
			object[name] = instance(property)
		}
		return object
	}
	return "words"
}

// parseArguments reads the arguments of an action.
func parseArguments(rest string) (json.RawMessage, error) {
	if strings.HasPrefix(rest, "{") {
		if !json.Valid([]byte(rest)) {
			return nil, fmt.Errorf("%s is not JSON", rest)
		}
		return json.RawMessage(rest), nil
	}
	args := make(map[string]json.RawMessage)
	for rest != "" {
		key, value, ok := strings.Cut(rest, "=")
		if !ok || key == "" || strings.ContainsAny(key, " \t") {
			return nil, fmt.Errorf("%q is no key=value", rest)
		}
		dec := json.NewDecoder(strings.NewReader(value))
		var raw json.RawMessage
		if err := dec.Decode(&raw); err == nil {
			rest = strings.TrimSpace(value[dec.InputOffset():])
		} else {
			var word string
			word, rest, _ = strings.Cut(value, " ")
			raw, rest = world.JSON(word), strings.TrimSpace(rest)
		}
		if _, twice := args[key]; twice {
			return nil, fmt.Errorf("%s is there twice", key)
		}
		args[key] = raw
	}
	if len(args) == 0 {
		return nil, nil
	}
	return world.JSON(args), nil
}
