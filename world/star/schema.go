package star

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"go.starlark.net/starlark"

	"github.com/vitrine-sim/vitrine/world"
)

// A schema is what an argument may be, as JSON Schema and as the check of it.
type schema struct {
	json  map[string]any
	check func(v any) string // says what is wrong with what encoding/json made of JSON; empty if nothing is
}

// schemas returns the functions with which the file says what an argument may be.
func schemas() map[string]builtin {
	return map[string]builtin{
		"integer": numbers("integer", "a whole number", isWhole),
		"number":  numbers("number", "a number", func(json.Number) bool { return true }),
		"boolean": booleans, "string": strs, "enum": enums, "array": arrays,
	}
}

func newSchema(kind, description string, fields map[string]any, check func(any) string) starlark.Value {
	if fields["type"] = kind; kind == "" {
		delete(fields, "type")
	}
	if description != "" {
		fields["description"] = description
	}
	return newMade("schema", schema{fields, check})
}

// isWhole says whether a canonical number is whole.
func isWhole(n json.Number) bool { return !strings.ContainsAny(string(n), ".e") }

// numbers returns the function of a kind of numbers.
func numbers(kind, want string, is func(json.Number) bool) builtin {
	return func(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		var low, high starlark.Value
		var description string
		if err := starlark.UnpackArgs(b.Name(), args, kwargs, "minimum", &low, "maximum", &high, "description?", &description); err != nil {
			return nil, err
		}
		fields := make(map[string]any)
		bounds := make(map[string]float64)
		for name, v := range map[string]starlark.Value{"minimum": low, "maximum": high} { // order does not matter: an error is the same
			raw, err := toJSON(thread, v)
			if err == nil {
				bounds[name], err = json.Number(raw).Float64()
			}
			if err != nil || !is(json.Number(raw)) {
				return nil, fmt.Errorf("%s: the bounds must be %ss", kind, want[2:])
			}
			fields[name] = raw
		}
		least, most := bounds["minimum"], bounds["maximum"]
		if least > most {
			return nil, fmt.Errorf("%s: the minimum, %v, is above the maximum, %v", kind, low, high)
		}
		return newSchema(kind, description, fields, func(v any) string {
			n, ok := v.(json.Number)
			if !ok || !is(n) {
				return "it must be " + want
			}
			if f, err := n.Float64(); err != nil || f < least || f > most {
				return fmt.Sprintf("it must be from %s to %s", fields["minimum"], fields["maximum"])
			}
			return ""
		}), nil
	}
}

func booleans(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var description string
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "description?", &description); err != nil {
		return nil, err
	}
	return newSchema("boolean", description, make(map[string]any), func(v any) string {
		if _, ok := v.(bool); !ok {
			return "it must be true or false"
		}
		return ""
	}), nil
}

func strs(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var least, most int
	var description string
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "maxLength", &most, "minLength?", &least, "description?", &description); err != nil {
		return nil, err
	}
	if least < 0 || most < least || most > maxText {
		return nil, fmt.Errorf("string: from %d to %d characters is not possible, the most is %d", least, most, maxText)
	}
	fields := map[string]any{"minLength": least, "maxLength": most}
	return newSchema("string", description, fields, func(v any) string {
		text, ok := v.(string)
		if n := utf8.RuneCountInString(text); !ok || n < least || n > most {
			return fmt.Sprintf("it must be a text of %d to %d characters", least, most)
		}
		return ""
	}), nil
}

func enums(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var values *starlark.List
	var description string
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "values", &values, "description?", &description); err != nil {
		return nil, err
	}
	all, err := toJSON(thread, values)
	if err != nil {
		return nil, err
	}
	var entries []json.RawMessage
	if err := json.Unmarshal(all, &entries); err != nil || len(entries) == 0 {
		return nil, fmt.Errorf("enum: there must be at least one value")
	}
	return newSchema("", description, map[string]any{"enum": entries}, func(v any) string {
		raw := world.JSON(v)
		for _, entry := range entries {
			if string(entry) == string(raw) {
				return ""
			}
		}
		return fmt.Sprintf("it must be one of %s", all)
	}), nil
}

func arrays(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var items starlark.Value
	var least, most int
	var description string
	err := starlark.UnpackArgs(b.Name(), args, kwargs, "items", &items, "maxItems", &most, "minItems?", &least, "description?", &description)
	if err != nil {
		return nil, err
	}
	m, _ := items.(made)
	item, ok := m.value.(schema)
	if !ok {
		return nil, &hintedError{"array: the items are a schema, not " + article(items), "write array(integer(0, 9), 5)"}
	}
	if least < 0 || most < least || most > maxRange {
		return nil, fmt.Errorf("array: from %d to %d items is not possible", least, most)
	}
	fields := map[string]any{"items": item.json, "minItems": least, "maxItems": most}
	return newSchema("array", description, fields, func(v any) string {
		list, ok := v.([]any)
		if !ok || len(list) < least || len(list) > most {
			return fmt.Sprintf("it must be a list of %d to %d", least, most)
		}
		for i, entry := range list {
			if wrong := item.check(entry); wrong != "" {
				return fmt.Sprintf("of its entry %d: %s", i, wrong)
			}
		}
		return ""
	}), nil
}

// An offer is an action that the rules offer, with the check of its arguments.
type offer struct {
	spec world.ActionSpec
	args map[string]schema
}

// newOffer returns an action with the arguments args, all of which it must have.
func newOffer(name, description string, args map[string]schema) offer {
	properties := make(map[string]any)
	for name, s := range args {
		properties[name] = s.json
	}
	return offer{world.ActionSpec{Name: name, Description: description, Schema: world.JSON(map[string]any{
		"type": "object", "properties": properties, "required": slices.AppendSeq([]string{}, slices.Values(slices.Sorted(maps.Keys(args)))),
		"additionalProperties": false,
	})}, args}
}

// refuses says why the arguments of an action are not those that are offered; empty if they are.
func (o offer) refuses(raw json.RawMessage) string {
	names := slices.Sorted(maps.Keys(o.args))
	want := "want no arguments"
	if len(names) > 0 {
		want = "want " + strings.Join(names, ", ")
	}
	if len(raw) == 0 {
		raw = json.RawMessage("{}")
	}
	args, err := readArgs(raw)
	if err != nil {
		return "the arguments are no JSON object; " + want
	}
	for _, name := range slices.Sorted(maps.Keys(args)) {
		s, ok := o.args[name]
		if !ok {
			return fmt.Sprintf("unknown argument %.40q; %s", name, want)
		}
		if wrong := s.check(args[name]); wrong != "" {
			return fmt.Sprintf("%s is %.40s; %s", name, world.JSON(args[name]), wrong)
		}
	}
	for _, name := range names {
		if _, ok := args[name]; !ok {
			return fmt.Sprintf("%s is missing; %s", name, want)
		}
	}
	return ""
}

// readArgs reads a JSON object. Its numbers are canonical.
func readArgs(raw json.RawMessage) (map[string]any, error) {
	raw, err := world.Canonical(raw)
	if err != nil {
		return nil, err
	}
	var args map[string]any
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	if err := dec.Decode(&args); err != nil {
		return nil, err
	}
	if args == nil {
		return nil, fmt.Errorf("null is no object")
	}
	return args, nil
}

// finite says whether f is a number that JSON has.
func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
