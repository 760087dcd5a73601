package conform

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/world"
)

// A schema is the part of JSON Schema for which there are illegal actions.
type schema struct {
	Type       string            `json:"type"`
	Enum       []json.RawMessage `json:"enum"`
	Properties map[string]schema `json:"properties"`
	Required   []string          `json:"required"`
	Items      *schema           `json:"items"`

	Minimum, Maximum     *float64
	MinLength, MaxLength *int
	MinItems, MaxItems   *int
	AdditionalProperties *bool `json:"additionalProperties"`
}

func readSchema(raw []byte) (schema, error) {
	var s schema
	if len(raw) == 0 {
		return s, nil
	}
	return s, json.Unmarshal(raw, &s)
}

// ends returns the first and the last values that the schema allows, as JSON: all of an enum, both bounds of a number, the shortest and
// the longest text and list. The legal one is a value that it allows.
func (s schema) ends(legal json.RawMessage) []json.RawMessage {
	if len(s.Enum) > 0 {
		return s.Enum
	}
	var values []json.RawMessage
	switch s.Type {
	case "integer", "number":
		for _, bound := range []*float64{s.Minimum, s.Maximum} {
			if bound != nil {
				values = append(values, world.JSON(*bound))
			}
		}
	case "string":
		for _, length := range []*int{s.MinLength, s.MaxLength} {
			if length != nil {
				values = append(values, world.JSON(strings.Repeat("a", *length)))
			}
		}
	}
	return values
}

// outside returns values that the schema does not allow, as JSON. The legal one is a value that it allows.
func (s schema) outside(legal json.RawMessage) []string {
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
		values = append(values, s.outsideLists(legal)...)
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

// outsideLists returns lists that the schema does not allow: with an entry that it does not, one entry too few, and one too many.
func (s schema) outsideLists(legal json.RawMessage) []string {
	var entries []json.RawMessage
	if json.Unmarshal(legal, &entries) != nil || len(entries) == 0 {
		return nil
	}
	var lists []string
	if s.Items != nil {
		for _, value := range s.Items.outside(entries[0]) {
			other := slices.Clone(entries)
			other[0] = json.RawMessage(value)
			lists = append(lists, string(encode(other)))
		}
	}
	if s.MinItems != nil && *s.MinItems > 0 && *s.MinItems <= len(entries) {
		lists = append(lists, string(encode(entries[:*s.MinItems-1])))
	}
	if s.MaxItems != nil {
		lists = append(lists, string(encode(slices.Repeat(entries[:1], *s.MaxItems+1))))
	}
	return lists
}

// notIn returns the values that another schema lists, and this one, which lists some as well, does not.
func (s schema) notIn(other schema) []string {
	if len(s.Enum) == 0 {
		return nil
	}
	var values []string
	for _, value := range other.Enum {
		if !slices.ContainsFunc(s.Enum, func(own json.RawMessage) bool { return bytes.Equal(own, value) }) {
			values = append(values, string(value))
		}
	}
	return values
}
