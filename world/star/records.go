package star

import (
	"encoding/json"
	"slices"

	"go.starlark.net/starlark"

	"github.com/vitrine-sim/vitrine/world"
)

// newRecord returns a record. Its fields, in the order of their names, are made when they are asked for.
func newRecord(kind string, value any, names []string, field func(name string) (starlark.Value, error)) *record {
	fields := func(name string) (starlark.Value, error) {
		if slices.Contains(names, name) {
			return field(name)
		}
		return nil, nil // the interpreter says what it means
	}
	return &record{opaque{kind}, value, fields, names}
}

// optional returns JSON that may be missing as a value for the file.
func optional(raw json.RawMessage) (starlark.Value, error) {
	if len(raw) == 0 {
		return starlark.None, nil
	}
	return fromJSON(raw)
}

// newActed returns an action for step: a.agent, a.name, a.args.
func newActed(a world.Action) (starlark.Value, error) {
	raw := a.Args
	if len(raw) == 0 {
		raw = json.RawMessage("{}")
	}
	raw, err := world.Canonical(raw)
	if err != nil {
		return nil, err
	}
	args, err := fromJSON(raw)
	if err != nil {
		return nil, err
	}
	return newRecord("action", a, []string{"agent", "args", "name"}, func(name string) (starlark.Value, error) {
		switch name {
		case "agent":
			return starlark.String(a.Agent), nil
		case "args":
			return args, nil
		}
		return starlark.String(a.Name), nil
	}), nil
}

// newSeen returns an observation for a policy.
func newSeen(obs world.Observation) (starlark.Value, error) {
	view, err := optional(obs.View)
	if err != nil {
		return nil, err
	}
	names := []string{"actions", "agent", "messages", "refused", "reward", "terminated", "turn", "view"}
	return newRecord("observation", nil, names, func(name string) (starlark.Value, error) {
		switch name {
		case "actions":
			var all []starlark.Value
			for _, spec := range obs.Actions {
				all = append(all, starlark.String(spec.Name))
			}
			return frozen(starlark.NewList(all)), nil
		case "agent":
			return starlark.String(obs.Agent), nil
		case "messages":
			messages := obs.Messages
			if messages == nil {
				messages = []world.Message{}
			}
			return fromJSON(world.JSON(messages))
		case "refused":
			return starlark.String(obs.Refused), nil
		case "reward":
			return starlark.Float(obs.Reward), nil
		case "terminated":
			return starlark.Bool(obs.Terminated), nil
		case "turn":
			return starlark.MakeInt(obs.Turn), nil
		}
		return view, nil
	}), nil
}

// newHappened returns an event for measure. Most events interest no metric, so its fields are read when they are asked for.
func newHappened(ev world.Event) starlark.Value {
	return newRecord("event", nil, []string{"agent", "data", "delete", "kind", "set", "turn"}, func(name string) (starlark.Value, error) {
		switch name {
		case "agent":
			return starlark.String(ev.Agent), nil
		case "data":
			return optional(ev.Data)
		case "delete":
			var paths []starlark.Value
			for _, path := range ev.Del {
				paths = append(paths, starlark.String(path))
			}
			return frozen(starlark.NewList(paths)), nil
		case "kind":
			return starlark.String(ev.Kind), nil
		case "set":
			set := ev.Set
			if set == nil {
				set = map[string]json.RawMessage{}
			}
			return fromJSON(world.JSON(set))
		}
		return starlark.MakeInt(ev.Turn), nil
	})
}

func frozen(v starlark.Value) starlark.Value {
	v.Freeze()
	return v
}
