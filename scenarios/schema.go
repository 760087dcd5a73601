package scenarios

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// Schema returns the JSON Schema (draft 2020-12) of a scenario file, so that editors can complete and check one. It says what the tags of [Scenario]
// say, and those of the parameters of rules, which are structs by the names of the rules, with the values that parameters have by default. Of rules that are
// not among them it knows no parameters, nor does it know what contradicts what.
func Schema(rules map[string]any) []byte {
	schema := schemaOf(reflect.TypeFor[Scenario](), spec{})
	addRules(schema["properties"].(map[string]any)["rules"].(map[string]any), rules)
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "vitrine scenario"
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(schema); err != nil {
		panic("internal error: " + err.Error())
	}
	return text.Bytes()
}

// durationPattern matches what time.ParseDuration reads, without signs.
const durationPattern = `^(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))+)$`

// schemaOf returns the schema of a value of a type whose field has a spec.
func schemaOf(t reflect.Type, spec spec) map[string]any {
	schema := make(map[string]any)
	if spec.doc != "" {
		schema["description"] = spec.doc
	}
	if spec.def != "" {
		schema["default"] = overrideValue(spec.def)
	}
	if t == reflect.TypeFor[time.Duration]() {
		schema["type"], schema["pattern"] = "string", durationPattern
		return schema
	}
	if t == reflect.TypeFor[Size]() {
		schema["type"], schema["pattern"] = "string", sizePattern
		return schema
	}
	switch t.Kind() {
	case reflect.String:
		schema["type"] = "string"
		if spec.enum != nil {
			schema["enum"] = spec.enum
		}
		if spec.pattern != "" {
			schema["pattern"] = spec.pattern
		}
	case reflect.Bool:
		schema["type"] = "boolean"
	case reflect.Int, reflect.Uint64:
		schema["type"] = "integer"
		spec.number(schema)
	case reflect.Float64:
		schema["type"] = "number"
		spec.number(schema)
	case reflect.Slice:
		schema["type"] = "array"
		limit(schema, "minItems", spec.min)
		limit(schema, "maxItems", spec.max)
		schema["items"] = schemaOf(t.Elem(), specOfEntries(spec))
	case reflect.Map:
		schema["type"] = "object"
		if t == reflect.TypeFor[Env]() {
			envSchema(schema, spec)
		}
	case reflect.Struct:
		table := schema
		if spec.short != "" {
			table = make(map[string]any)
			schema["anyOf"] = []any{map[string]any{"type": "string"}, table}
		}
		tableSchema(table, t, spec.open)
	default:
		panic(fmt.Sprintf("internal error: no schema of %s", t))
	}
	return schema
}

// tableSchema adds the keys of a struct to a schema.
func tableSchema(schema map[string]any, t reflect.Type, open bool) {
	properties := make(map[string]any)
	for field := range t.Fields() {
		if key, ok := field.Tag.Lookup("toml"); ok {
			properties[key] = schemaOf(field.Type, specOf(field.Tag))
		}
	}
	schema["type"] = "object"
	schema["properties"] = properties
	schema["additionalProperties"] = open
	if required := requiredKeys(t); len(required) > 0 {
		schema["required"] = required
	}
}

// addRules adds the parameters of rules to the schema of the table [rules].
func addRules(schema map[string]any, rules map[string]any) {
	var all []any
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		params := reflect.ValueOf(rules[name])
		properties := map[string]any{"name": true}
		for field, value := range params.Fields() {
			if key, ok := field.Tag.Lookup("toml"); ok {
				param := schemaOf(field.Type, specOf(field.Tag))
				param["default"] = value.Interface()
				properties[key] = param
			}
		}
		all = append(all, map[string]any{
			"if": map[string]any{
				"properties": map[string]any{"name": map[string]any{"const": name}}, "required": []string{"name"},
				"not": map[string]any{"required": []string{"plugin"}}, // whose name may be any
			},
			"then": map[string]any{"properties": properties, "additionalProperties": false},
		})
	}
	if len(all) > 0 {
		table := schema["anyOf"].([]any)[1] // the first one is the short form
		table.(map[string]any)["allOf"] = all
	}
}

// requiredKeys returns the keys that a struct must have, one that holds such a key among them, in alphabetical order.
func requiredKeys(t reflect.Type) []string {
	required := make(map[string]bool)
	for field := range t.Fields() {
		key, ok := field.Tag.Lookup("toml")
		spec := specOf(field.Tag)
		if ok && (spec.required || !spec.optional && field.Type.Kind() == reflect.Struct && len(requiredKeys(field.Type)) > 0) {
			required[key] = true
		}
	}
	return slices.Sorted(maps.Keys(required))
}

// specOfEntries returns the spec of a list's entries.
func specOfEntries(list spec) spec {
	return spec{enum: list.enum, pattern: list.pattern}
}

// number adds the bounds of a number to its schema.
func (s spec) number(schema map[string]any) {
	bounds := schema
	if s.or != "" {
		bounds = make(map[string]any)
		schema["anyOf"] = []any{map[string]any{"const": json.Number(s.or)}, bounds}
	}
	limit(bounds, "minimum", s.min)
	limit(bounds, "maximum", s.max)
}

// limit adds a bound to a schema, if there is one.
func limit(schema map[string]any, key, value string) {
	if value == "" {
		return
	}
	if _, err := strconv.ParseFloat(value, 64); err != nil {
		panic(fmt.Sprintf("internal error: the tag %q is no number", value))
	}
	schema[key] = json.Number(value)
}
