package world

import "encoding/json"

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
