package plugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vitrine-sim/vitrine/world"
)

// actionName is what an action can be called.
var actionName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)

// An observation is what an agent sees by a plugin's rules, with what it may do.
type observation struct {
	world.Observation
	plays   bool
	schemas []world.Schema // of the arguments of its actions
}

// readObservation reads what a plugin says that an agent sees, who does not play if it says nothing.
func readObservation(raw []byte) (observation, error) {
	var o observation
	if len(raw) == 0 {
		return o, nil
	}
	var said struct {
		View       json.RawMessage    `json:"view"`
		Actions    []world.ActionSpec `json:"actions"`
		Reward     float64            `json:"reward"`
		Terminated bool               `json:"terminated"`
	}
	err := read(raw, &said)
	if err == nil && len(said.View) == 0 {
		err = errors.New("it has no view")
	}
	if err == nil {
		o.View, err = world.Canonical(said.View)
	}
	if err != nil {
		return o, fmt.Errorf("what it answers is no observation: %w", err)
	}
	o.plays, o.Reward, o.Terminated = true, said.Reward, said.Terminated
	if said.Terminated && len(said.Actions) > 0 {
		return o, fmt.Errorf("who is terminated may still do %q", said.Actions[0].Name)
	}
	for _, spec := range said.Actions {
		if !actionName.MatchString(spec.Name) || spec.Name == world.Pass {
			return o, fmt.Errorf("an action is called %.80q, which must match %s and not be %q", spec.Name, actionName, world.Pass)
		}
		if o.offer(spec.Name) >= 0 {
			return o, fmt.Errorf("there are two actions %q", spec.Name)
		}
		var s world.Schema
		if len(spec.Schema) > 0 {
			if spec.Schema, err = world.Canonical(spec.Schema); err == nil {
				s, err = world.ReadSchema(spec.Schema)
			}
			if err == nil && s.Type != "object" {
				err = errors.New("it must be that of an object")
			}
			if err != nil {
				return o, fmt.Errorf("schema of the action %q: %w", spec.Name, err)
			}
		}
		o.Actions, o.schemas = append(o.Actions, spec), append(o.schemas, s)
	}
	return o, nil
}

// offer returns the index of the action of that name, or -1.
func (o *observation) offer(name string) int {
	return slices.IndexFunc(o.Actions, func(spec world.ActionSpec) bool { return spec.Name == name })
}

// refuses says why an action is none of those that are offered; empty if it is.
func (o *observation) refuses(a world.Action) string {
	if !o.plays {
		return fmt.Sprintf("no agent %.40q in this world", a.Agent)
	}
	i := o.offer(a.Name)
	switch {
	case len(o.Actions) == 0:
		return "there is nothing that you may do now"
	case i < 0:
		var names []string
		for _, spec := range o.Actions {
			names = append(names, spec.Name)
		}
		return fmt.Sprintf("there is no action %.40q now; there is %s", a.Name, strings.Join(names, ", "))
	}
	raw := a.Args
	if len(raw) == 0 {
		raw = json.RawMessage("{}")
	}
	raw, err := world.Canonical(raw)
	if err != nil || !bytes.HasPrefix(raw, []byte("{")) {
		return "the arguments are no JSON object"
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var args any
	if err := dec.Decode(&args); err != nil {
		return "the arguments are no JSON object"
	}
	return disallowed(o.schemas[i], "", args)
}

// disallowed says why a value, which is at a path, is none that the schema allows; empty if it is.
func disallowed(s world.Schema, at string, v any) string {
	what := fmt.Sprintf("%s is %.40s", strings.TrimPrefix(at, "."), world.JSON(v))
	if s.Enum != nil && !slices.ContainsFunc(s.Enum, func(raw json.RawMessage) bool { return bytes.Equal(raw, world.JSON(v)) }) {
		return fmt.Sprintf("%s; it must be one of %s", what, world.JSON(s.Enum))
	}
	if s.Type != "" && !isOf(s.Type, v) {
		return fmt.Sprintf("%s; it must be of type %s", what, s.Type)
	}
	switch v := v.(type) {
	case map[string]any:
		return disallowedObject(s, at, v)
	case []any:
		if outside(float64(len(v)), s.MinItems, s.MaxItems) {
			return fmt.Sprintf("%s; it must have %s entries", what, span(s.MinItems, s.MaxItems))
		}
		for i, entry := range v {
			if s.Items == nil {
				break // they may be anything
			}
			if reason := disallowed(*s.Items, fmt.Sprintf("%s.%d", at, i), entry); reason != "" {
				return reason
			}
		}
	case json.Number:
		if f, err := v.Float64(); err != nil || outside(f, s.Minimum, s.Maximum) {
			return fmt.Sprintf("%s; it must be %s", what, span(s.Minimum, s.Maximum))
		}
	case string:
		if outside(float64(utf8.RuneCountInString(v)), s.MinLength, s.MaxLength) {
			return fmt.Sprintf("%s; it must have %s characters", what, span(s.MinLength, s.MaxLength))
		}
	}
	return ""
}

func disallowedObject(s world.Schema, at string, v map[string]any) string {
	names := slices.Sorted(maps.Keys(s.Properties))
	want := "want " + strings.Join(names, ", ")
	if len(names) == 0 {
		want = "want none"
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		property, ok := s.Properties[name]
		if !ok && !s.Closed() {
			continue
		}
		if !ok {
			return fmt.Sprintf("unknown argument %.40q; %s", strings.TrimPrefix(at+"."+name, "."), want)
		}
		if reason := disallowed(property, at+"."+name, v[name]); reason != "" {
			return reason
		}
	}
	for _, name := range s.Required {
		if _, ok := v[name]; !ok {
			return fmt.Sprintf("%s is missing; %s", strings.TrimPrefix(at+"."+name, "."), want)
		}
	}
	return ""
}

// isOf says whether a value, whose numbers are canonical, is of a type of JSON Schema.
func isOf(kind string, v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return kind == "object"
	case []any:
		return kind == "array"
	case string:
		return kind == "string"
	case bool:
		return kind == "boolean"
	case json.Number:
		return kind == "number" || kind == "integer" && !strings.ContainsAny(v.String(), ".e")
	}
	return kind == "null"
}

// outside says whether f is outside of bounds, of which each may be missing.
func outside(f float64, low, high *float64) bool {
	return low != nil && f < *low || high != nil && f > *high
}

// span says bounds in words.
func span(low, high *float64) string {
	text := func(f *float64) string { return strconv.FormatFloat(*f, 'f', -1, 64) }
	switch {
	case low != nil && high != nil:
		return "from " + text(low) + " to " + text(high)
	case low != nil:
		return "at least " + text(low)
	case high != nil:
		return "at most " + text(high)
	}
	return "a number that is less great"
}
