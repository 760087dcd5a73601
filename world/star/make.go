package star

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.starlark.net/starlark"

	"github.com/vitrine-sim/vitrine/world"
)

const maxPath = 1000 // bytes of the path of a fact

// actionName is what an action and its arguments can be called.
var actionName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)

// predeclared returns what a file finds there, besides what the language has.
func (r *Rules) predeclared() starlark.StringDict {
	all := guards()
	all[guardParams] = starlark.NewBuiltin(paramsName, r.setParams)
	for name, fn := range schemas() {
		all[name] = starlark.NewBuiltin(name, fn)
	}
	for name, fn := range map[string]builtin{
		"event": makeEvent, "refuse": makeRefusal, "observation": makeObservation, "action": makeAction, "act": makeAct, "metric": makeMetric,
		"floor": rounded(math.Floor), "ceil": rounded(math.Ceil), "sqrt": rounded(math.Sqrt), "print": noPrint,
	} {
		all[name] = starlark.NewBuiltin(name, fn)
	}
	return all
}

func noPrint(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
	return nil, &hintedError{"rules print nothing", "put what you want to see into the data of an event"}
}

// makeEvent is event(kind, agent = "", data = None, set = {}, delete = []).
func makeEvent(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var ev world.Event
	var data starlark.Value
	var set *starlark.Dict
	var del *starlark.List
	err := starlark.UnpackArgs(b.Name(), args, kwargs, "kind", &ev.Kind, "agent?", &ev.Agent, "data?", &data, "set?", &set, "delete?", &del)
	if err != nil {
		return nil, err
	}
	switch {
	case ev.Kind == "" || !utf8.ValidString(ev.Kind) || !utf8.ValidString(ev.Agent):
		return nil, errors.New("event: the kind and the agent must be texts in UTF-8, and the kind not empty")
	case ev.Kind == world.KindTurn:
		return nil, &hintedError{`event: no event of rules is a "turn"`, "the arena ends turns; an agent that is done is terminated in its observation"}
	case ev.Kind == world.KindRefusal:
		return nil, &hintedError{`event: no event of this function is a "refusal"`, "write refuse(action, reason)"}
	}
	if data != nil && data != starlark.None {
		if ev.Data, err = toJSON(thread, data); err != nil {
			return nil, fmt.Errorf("event: data: %w", err)
		}
	}
	if set != nil {
		ev.Set = make(map[string]json.RawMessage, set.Len())
		for _, item := range set.Items() {
			path, err := factPath(item[0])
			if err != nil {
				return nil, err
			}
			if ev.Set[path], err = toJSON(thread, item[1]); err != nil {
				return nil, fmt.Errorf("event: fact %q: %w", path, err)
			}
		}
	}
	if del != nil {
		for v := range starlark.Elements(del) {
			path, err := factPath(v)
			if err != nil {
				return nil, err
			}
			ev.Del = append(ev.Del, path)
		}
	}
	return newMade("event", ev), nil
}

// factPath returns the path of a fact that rules may change.
func factPath(v starlark.Value) (string, error) {
	path, ok := starlark.AsString(v)
	switch {
	case !ok || path == "" || len(path) > maxPath || !utf8.ValidString(path):
		return "", fmt.Errorf("event: the path of a fact is a text of 1 to %d bytes of UTF-8, not %.80s", maxPath, v.String())
	case strings.HasPrefix(path, world.RunFacts):
		return "", fmt.Errorf("event: the fact %q is not for rules to change, as are all that begin with %q", path, world.RunFacts)
	}
	return path, nil
}

// makeRefusal is refuse(action, reason).
func makeRefusal(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var action starlark.Value
	var reason string
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "action", &action, "reason", &reason); err != nil {
		return nil, err
	}
	given, _ := action.(*record)
	if given == nil {
		given = &record{}
	}
	asked, ok := given.value.(world.Action)
	if !ok {
		return nil, fmt.Errorf("refuse: the action must be one that step was given, not %s", article(action))
	}
	if reason == "" || !utf8.ValidString(reason) {
		return nil, errors.New("refuse: the reason must be a text in UTF-8 that is not empty")
	}
	return newMade("event", asked.Refuse(reason)), nil
}

// An observed value is what observe returned.
type observed struct {
	obs    world.Observation // without agent and turn
	offers []offer
}

// makeObservation is observation(view, actions = [], reward = 0, terminated = False).
func makeObservation(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var o observed
	var view, reward starlark.Value
	var actions *starlark.List
	err := starlark.UnpackArgs(b.Name(), args, kwargs, "view", &view, "actions?", &actions, "reward?", &reward, "terminated?", &o.obs.Terminated)
	if err != nil {
		return nil, err
	}
	if actions != nil && actions.Len() > maxActions {
		return nil, &hintedError{fmt.Sprintf("observation: there are %d actions; the most are %d", actions.Len(), maxActions), "give an action arguments"}
	}
	if o.obs.View, err = toJSON(thread, view); err != nil {
		return nil, fmt.Errorf("observation: view: %w", err)
	}
	if reward != nil {
		var ok bool
		if o.obs.Reward, ok = starlark.AsFloat(reward); !ok || !finite(o.obs.Reward) {
			return nil, fmt.Errorf("observation: the reward must be a finite number, not %.80s", reward.String())
		}
	}
	if actions == nil {
		return newMade("observation", o), nil
	}
	seen := make(map[string]bool)
	for v := range starlark.Elements(actions) {
		m, _ := v.(made)
		offered, ok := m.value.(offer)
		switch {
		case !ok:
			return nil, &hintedError{fmt.Sprintf("observation: the actions are a list of actions, not with %s", article(v)), `write action("name", "what it does", {...})`}
		case seen[offered.spec.Name]:
			return nil, fmt.Errorf("observation: there are two actions %q", offered.spec.Name)
		}
		seen[offered.spec.Name] = true
		o.offers = append(o.offers, offered)
		o.obs.Actions = append(o.obs.Actions, offered.spec)
	}
	if o.obs.Terminated && len(o.offers) > 0 {
		return nil, errors.New("observation: who is terminated has no actions")
	}
	return newMade("observation", o), nil
}

// makeAction is action(name, description = "", args = {}).
func makeAction(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var name, description string
	var arguments *starlark.Dict
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "name", &name, "description?", &description, "args?", &arguments); err != nil {
		return nil, err
	}
	if !actionName.MatchString(name) || name == world.Pass {
		return nil, fmt.Errorf("action: the name must match %s and not be %q, which everybody may do anyway; it is %.80q", actionName, world.Pass, name)
	}
	if !utf8.ValidString(description) {
		return nil, errors.New("action: the description is not UTF-8")
	}
	all := make(map[string]schema)
	if arguments != nil {
		for _, item := range arguments.Items() {
			argument, _ := starlark.AsString(item[0])
			m, _ := item[1].(made)
			s, ok := m.value.(schema)
			if !ok || !actionName.MatchString(argument) {
				return nil, &hintedError{fmt.Sprintf("action: the arguments are schemas by name, not %s by %.80s", article(item[1]), item[0].String()), `write {"tons": integer(0, 100)}`}
			}
			all[argument] = s
		}
	}
	return newMade("action", newOffer(name, description, all)), nil
}

// makeAct is act(name, **args), what a policy does.
func makeAct(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	act := world.Action{}
	if err := starlark.UnpackArgs(b.Name(), args, nil, "name", &act.Name); err != nil {
		return nil, err
	}
	given := starlark.NewDict(len(kwargs))
	for _, kwarg := range kwargs {
		if err := given.SetKey(kwarg[0], kwarg[1]); err != nil {
			return nil, err
		}
	}
	if given.Len() > 0 {
		var err error
		if act.Args, err = toJSON(thread, given); err != nil {
			return nil, fmt.Errorf("act: %w", err)
		}
	}
	if !utf8.ValidString(act.Name) {
		return nil, errors.New("act: the name is not UTF-8")
	}
	return newMade("act", act), nil
}

// makeMetric is metric(name, unit, formula, source = "").
func makeMetric(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var m world.Metric
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "name", &m.Name, "unit", &m.Unit, "formula", &m.Formula, "source?", &m.Source); err != nil {
		return nil, err
	}
	if m.Name == "" {
		return nil, errors.New("metric: the name is empty")
	}
	for _, text := range []string{m.Name, m.Unit, m.Formula, m.Source} {
		if !utf8.ValidString(text) {
			return nil, fmt.Errorf("metric: %.40q is not UTF-8", text)
		}
	}
	return newMade("metric", m), nil
}

// A record is a value whose fields the file can read.
type record struct {
	opaque
	value  any // what it stands for
	fields func(name string) (starlark.Value, error)
	names  []string
}

// AttrNames implements [starlark.HasAttrs].
func (r *record) AttrNames() []string { return r.names }

// Attr implements [starlark.HasAttrs].
func (r *record) Attr(name string) (starlark.Value, error) { return r.fields(name) }
