package conform

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/world"
)

// ends returns the first and the last values that the schema allows, as JSON: all of an enum, both bounds of a number, the shortest and
// the longest text and list.
func ends(s world.Schema) []json.RawMessage {
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
		for _, length := range []*float64{s.MinLength, s.MaxLength} {
			if n, ok := count(length); ok {
				values = append(values, world.JSON(strings.Repeat("a", n)))
			}
		}
	}
	return values
}

// outside returns values that the schema does not allow, as JSON. The legal one is a value that it allows.
func outside(s world.Schema, legal json.RawMessage) []string {
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
		values = append(values, outsideLists(s, legal)...)
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
	if n, ok := count(s.MinLength); ok && n > 0 {
		values = append(values, `"`+strings.Repeat("a", n-1)+`"`)
	}
	if n, ok := count(s.MaxLength); ok {
		values = append(values, `"`+strings.Repeat("a", n+1)+`"`)
	}
	return values
}

// outsideLists returns lists that the schema does not allow: with an entry that it does not, one entry too few, and one too many.
func outsideLists(s world.Schema, legal json.RawMessage) []string {
	var entries []json.RawMessage
	if json.Unmarshal(legal, &entries) != nil || len(entries) == 0 {
		return nil
	}
	var lists []string
	if s.Items != nil {
		for _, value := range outside(*s.Items, entries[0]) {
			other := slices.Clone(entries)
			other[0] = json.RawMessage(value)
			lists = append(lists, string(encode(other)))
		}
	}
	if n, ok := count(s.MinItems); ok && n > 0 && n <= len(entries) {
		lists = append(lists, string(encode(entries[:n-1])))
	}
	if n, ok := count(s.MaxItems); ok {
		lists = append(lists, string(encode(slices.Repeat(entries[:1], n+1))))
	}
	return lists
}

// count returns a bound of characters or entries; false if there is none, or so great a one that no value is made for it.
func count(bound *float64) (n int, ok bool) {
	const most = 1 << 20
	if bound == nil || *bound < 0 || *bound > most {
		return 0, false
	}
	return int(*bound), true
}

// notIn returns the values that another schema lists, and this one, which lists some as well, does not.
func notIn(s, other world.Schema) []string {
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
