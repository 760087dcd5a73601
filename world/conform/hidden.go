package conform

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/world"
)

// checkHidden gives facts that are hidden from an agent other values, and wants it to observe the same, and to be refused for the same reasons. It
// looks at every third turn.
func (b *bench) checkHidden() (string, error) {
	changes := 0
	views := make(map[string]bool) // of each kind of facts of agents, whether others than its agent see it
	err := b.play(func(e *episode, s step) error {
		if e.st.Turn%3 != 0 {
			return nil
		}
		for _, agent := range b.Agents {
			hidden, err := e.rules.Hidden(e.st, agent)
			if err != nil {
				return err
			}
			n, err := e.conceals(agent, hidden, s)
			if err != nil {
				return err
			}
			changes += n
		}
		return e.viewers(views)
	})
	var notes []string
	if changes > 0 {
		notes = append(notes, fmt.Sprintf("%d other values of hidden facts change nothing for it", changes))
	} else {
		notes = append(notes, "the rules do not say that anything is hidden")
	}
	for _, others := range []bool{false, true} {
		var kinds []string
		for _, kind := range slices.Sorted(maps.Keys(views)) {
			if views[kind] == others {
				kinds = append(kinds, kind)
			}
		}
		if len(kinds) > 0 {
			notes = append(notes, map[bool]string{false: "seen by nobody but its agent: ", true: "seen by other agents: "}[others]+strings.Join(kinds, ", "))
		}
	}
	return strings.Join(notes, "; "), err
}

// conceals returns nil if an agent can tell nothing of the hidden facts, and how many other values they were given.
func (e *episode) conceals(agent string, hidden []string, s step) (changes int, err error) {
	if len(hidden) == 0 {
		return 0, nil
	}
	seen, told, err := e.toldTo(e.st, agent, s)
	if err != nil {
		return 0, err
	}
	for _, path := range hidden {
		raw, ok := e.st.Fact(path)
		if !ok {
			continue
		}
		for _, value := range e.values(path, raw) {
			other := e.st.Apply(world.Event{Seq: e.st.Seq, Set: map[string]json.RawMessage{path: value}})
			if e.rules.Check(other) != nil {
				continue // it cannot be
			}
			nowSeen, nowTold, err := e.toldTo(other, agent, s)
			if err != nil {
				continue // for such a state the rules have no answer
			}
			changes++
			const tells = "it can tell the hidden fact %q: with %s in place of %s it "
			err = e.differ(agent, "", seen, nowSeen, tells+"observes something else", path, value, raw)
			if f := (*Finding)(nil); errors.As(err, &f) {
				f.Call = "observe"
				return changes, f
			}
			if err := e.differ(agent, "", told, nowTold, tells+"is told another reason", path, value, raw); err != nil {
				return changes, err
			}
		}
	}
	return changes, nil
}

// toldTo returns what an agent observes in a state, and why it may not do what it may not. It tries its action of the step, too.
func (e *episode) toldTo(st world.State, agent string, s step) (seen, told []byte, err error) {
	obs, err := e.rules.Observe(st, agent)
	if err != nil {
		return nil, nil, err
	}
	own := slices.DeleteFunc(slices.Clone(s.actions), func(a world.Action) bool { return a.Agent != agent })
	for _, action := range append(own, e.illegal(obs, world.Action{Name: world.Pass}, nil)...) {
		events, err := e.rules.Step(st, []world.Action{action})
		if err != nil {
			return nil, nil, err
		}
		for _, ev := range events {
			if isRefusal(ev) && ev.Agent == agent {
				told = append(told, encode(ev)...)
			}
		}
	}
	return encode(obs), told, nil
}

// values returns other values that a fact may have: those that the same facts of other agents have, and one of the same type.
func (e *episode) values(path string, raw json.RawMessage) []json.RawMessage {
	var values []json.RawMessage
	seen := map[string]bool{string(raw): true}
	add := func(value json.RawMessage) {
		if !seen[string(value)] && len(values) < 4 {
			seen[string(value)] = true
			values = append(values, value)
		}
	}
	if kind := e.kind(path); kind != path {
		prefix, _, _ := strings.Cut(kind, "*")
		for _, other := range e.st.Paths(prefix) {
			if e.kind(other) == kind {
				value, _ := e.st.Fact(other)
				add(value)
			}
		}
	}
	var v any
	_ = json.Unmarshal(raw, &v) // what the log holds is JSON
	switch v := v.(type) {
	case bool:
		add(world.JSON(!v))
	case float64:
		add(world.JSON(v + 1))
	case []any:
		slices.Reverse(v)
		add(world.JSON(v))
	}
	return values
}

// kind returns the path of a fact with a star in place of the agent whose it is; the path itself if it is nobody's.
func (e *episode) kind(path string) string {
	parts := strings.Split(path, "/")
	if parts[0] == "run" {
		return path
	}
	for i, part := range parts {
		if slices.Contains(e.b.Agents, part) {
			parts[i] = "*"
			return strings.Join(parts, "/")
		}
	}
	return path
}

// owner returns the agent whose fact is at a path of a kind.
func owner(path, kind string) string {
	prefix, suffix, _ := strings.Cut(kind, "*")
	return strings.TrimSuffix(strings.TrimPrefix(path, prefix), suffix)
}

// viewers adds to views who sees another value of a fact of an agent, for one fact of each kind.
func (e *episode) viewers(views map[string]bool) error {
	before, err := e.observe(e.b.Agents)
	if err != nil {
		return err
	}
	looked := make(map[string]bool)
	for _, path := range e.st.Paths("") {
		kind := e.kind(path)
		if kind == path || looked[kind] {
			continue
		}
		raw, _ := e.st.Fact(path)
		for _, value := range e.values(path, raw) {
			other := e.st.Apply(world.Event{Seq: e.st.Seq, Set: map[string]json.RawMessage{path: value}})
			if e.rules.Check(other) != nil {
				continue
			}
			looked[kind] = true
			for _, obs := range before {
				now, err := e.rules.Observe(other, obs.Agent)
				if err == nil && string(encode(now)) != string(encode(obs)) {
					views[kind] = views[kind] || obs.Agent != owner(path, kind)
				}
			}
		}
	}
	return nil
}
