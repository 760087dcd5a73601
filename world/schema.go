package world

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Schema is what is known here of JSON Schema: the part of it that says which arguments an action takes. Whatever else stands in one counts for
// nothing. The zero Schema allows everything.
type Schema struct {
	Type       string            `json:"type"` // object, array, string, integer, number, boolean or null; empty: any
	Enum       []json.RawMessage `json:"enum"`
	Properties map[string]Schema `json:"properties"`
	Required   []string          `json:"required"`
	Additional json.RawMessage   `json:"additionalProperties"`
	Items      *Schema           `json:"items"` // nil: anything

	// Bounds, each of them in; nil: there is none. Lengths are characters of a string.
	Minimum, Maximum     *float64
	MinLength, MaxLength *float64
	MinItems, MaxItems   *float64
}

// Closed says whether an object has only the properties that are named.
func (s Schema) Closed() bool { return string(s.Additional) == "false" }

// ReadSchema reads the schema of the arguments of an action; none at all is the zero Schema.
func ReadSchema(raw json.RawMessage) (s Schema, err error) {
	if len(raw) > 0 {
		err = json.Unmarshal(raw, &s)
	}
	return s, err
}

// Disallows says why arguments are none that the schema of an action allows; empty if they are. None at all are an empty object.
func (s Schema) Disallows(args json.RawMessage) string {
	if len(args) == 0 {
		args = json.RawMessage("{}")
	}
	raw, err := Canonical(args)
	if err != nil || !bytes.HasPrefix(raw, []byte("{")) {
		return "the arguments are no JSON object"
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var object any
	if err := dec.Decode(&object); err != nil {
		return "the arguments are no JSON object"
	}
	return disallowed(s, "", object)
}

// disallowed says why a value, which is at a path, is none that the schema allows; empty if it is.
func disallowed(s Schema, at string, v any) string {
	what := fmt.Sprintf("%s is %.40s", strings.TrimPrefix(at, "."), JSON(v))
	if s.Enum != nil && !slices.ContainsFunc(s.Enum, func(raw json.RawMessage) bool { return bytes.Equal(raw, JSON(v)) }) {
		return fmt.Sprintf("%s; it must be one of %s", what, JSON(s.Enum))
	}
	if s.Type != "" && !isOf(s.Type, v) {
		return fmt.Sprintf("%s; it must be of type %s", what, s.Type)
	}
	switch v := v.(type) {
	case map[string]any:
		return disallowedObject(s, at, v)
	case []any:
		if outside(float64(len(v)), s.MinItems, s.MaxItems) {
			return fmt.Sprintf("%s; it must have %s entries", what, between(s.MinItems, s.MaxItems))
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
			return fmt.Sprintf("%s; it must be %s", what, between(s.Minimum, s.Maximum))
		}
	case string:
		if outside(float64(utf8.RuneCountInString(v)), s.MinLength, s.MaxLength) {
			return fmt.Sprintf("%s; it must have %s characters", what, between(s.MinLength, s.MaxLength))
		}
	}
	return ""
}

func disallowedObject(s Schema, at string, v map[string]any) string {
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

// between says bounds in words.
func between(low, high *float64) string {
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
