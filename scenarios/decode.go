package scenarios

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A decoder copies a tree into Go values and collects the mistakes that it finds.
type decoder struct {
	doc  *document
	errs Errors
}

// decode copies the table n, which is at a path, into the struct that v points to. The skipped keys are somebody else's.
func (d *document) decode(n *node, at string, v any, skip ...string) Errors {
	dec := &decoder{doc: d}
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("internal error: %T is no pointer to a struct", v))
	}
	dec.table(n, at, p.Elem(), false, skip)
	return dec.errs
}

// table copies a table into a struct. Unless it is open, other keys than those of the struct and the skipped ones are mistakes.
func (d *decoder) table(n *node, at string, v reflect.Value, open bool, skip []string) {
	if n.table == nil {
		d.wrongType(n, at, "a table")
		return
	}
	known := slices.Clone(skip)
	for field, value := range v.Fields() {
		key, ok := field.Tag.Lookup("toml")
		if !ok {
			continue
		}
		known = append(known, key)
		child, spec := n.table[key], specOf(field.Tag)
		switch {
		case child != nil:
			d.value(child, path(at, key), value, spec)
		case spec.optional:
		case spec.def != "":
			d.value(&node{val: overrideValue(spec.def)}, path(at, key), value, spec)
		case field.Type.Kind() == reflect.Struct:
			d.value(emptyTable(n), path(at, key), value, spec) // so that what it must have is missed
		case spec.required:
			d.fail(n, n.at, fmt.Sprintf("missing key %q", path(at, key)), spec.hint)
		}
	}
	if open {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(n.table)) {
		if !slices.Contains(known, key) {
			child := n.table[key]
			d.fail(child, child.key, fmt.Sprintf("unknown key %q", key), cmp.Or(elsewhere(v.Type(), at, key, child), Suggest(key, known)))
		}
	}
}

// elsewhere returns a hint if a key that a table at a path does not have is one of a table in it, where n could stand.
func elsewhere(t reflect.Type, at, key string, n *node) string {
	for field := range t.Fields() {
		inner, list := field.Type, field.Type.Kind() == reflect.Slice
		if list {
			inner = inner.Elem()
		}
		table := field.Tag.Get("toml")
		if inner.Kind() != reflect.Struct || table == "" {
			continue
		}
		for f := range inner.Fields() {
			switch {
			case f.Tag.Get("toml") != key, n.list != nil && f.Type.Kind() != reflect.Slice:
			case list:
				return fmt.Sprintf("it is a key of [[%s]]", path(at, table))
			default:
				return fmt.Sprintf("it is a key of [%s]", path(at, table))
			}
		}
	}
	return ""
}

// value copies a value into a variable of any type that a field may have.
func (d *decoder) value(n *node, at string, v reflect.Value, spec spec) {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		d.duration(n, at, v, spec)
		return
	}
	if v.Type() == reflect.TypeFor[Size]() {
		d.size(n, at, v, spec)
		return
	}
	switch v.Kind() {
	case reflect.String:
		d.text(n, at, v, spec)
	case reflect.Bool:
		if x, ok := n.val.(bool); ok {
			v.SetBool(x)
		} else {
			d.wrongType(n, at, "true or false")
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		d.integer(n, at, v, spec)
	case reflect.Float32, reflect.Float64:
		d.float(n, at, v, spec)
	case reflect.Slice:
		d.list(n, at, v, spec)
	case reflect.Struct:
		d.table(n, at, v, spec.open, nil)
	case reflect.Map:
		if n.table == nil {
			d.wrongType(n, at, "a table")
			return
		}
		if v.Type() == reflect.TypeFor[Env]() {
			v.Set(reflect.ValueOf(d.env(n, at, spec)))
			return
		}
		v.Set(reflect.ValueOf(d.plain(n, at)))
	default:
		panic(fmt.Sprintf("internal error: no %s can be read from a scenario (%s)", v.Type(), at))
	}
}

func (d *decoder) text(n *node, at string, v reflect.Value, spec spec) {
	s, ok := n.val.(string)
	switch {
	case !ok:
		d.wrongType(n, at, "a string")
		return
	case strings.ContainsRune(s, 0):
		d.fail(n, n.at, at+" must not hold a NUL character", "")
	case spec.enum != nil && !slices.Contains(spec.enum, s):
		msg := fmt.Sprintf("%s must be %s, not %q", at, list(spec.enum, "or"), s)
		hint := Suggest(s, spec.enum)
		if !strings.HasPrefix(hint, "did") {
			hint = spec.hint // the message lists them already
		}
		d.fail(n, n.at, msg, hint)
	case spec.pattern != "" && !regexp.MustCompile(spec.pattern).MatchString(s):
		d.fail(n, n.at, fmt.Sprintf("%s must match %s, not be %q", at, spec.pattern, s), spec.hint)
	}
	v.SetString(s)
}

func (d *decoder) duration(n *node, at string, v reflect.Value, spec spec) {
	s, ok := n.val.(string)
	if !ok {
		d.wrongType(n, at, "a duration")
		return
	}
	x, err := time.ParseDuration(s)
	if err != nil {
		d.fail(n, n.at, fmt.Sprintf("%s must be a duration, not %q", at, s), durationHint)
		return
	}
	if want := outside(x, spec, time.ParseDuration); want != "" {
		d.fail(n, n.at, fmt.Sprintf("%s must be %s, not %s", at, want, s), spec.help(v))
	}
	v.SetInt(int64(x))
}

func (d *decoder) size(n *node, at string, v reflect.Value, spec spec) {
	s, ok := n.val.(string)
	if !ok {
		d.wrongType(n, at, "a size")
		return
	}
	x, err := ParseSize(s)
	if err != nil {
		d.fail(n, n.at, fmt.Sprintf("%s must be a size, not %q", at, s), sizeHint)
		return
	}
	if want := outside(x, spec, ParseSize); want != "" {
		d.fail(n, n.at, fmt.Sprintf("%s must be %s, not %s", at, want, s), spec.help(v))
	}
	v.SetInt(int64(x))
}

const durationHint = `write it like "90s", "2m" or "1h30m"`

func (d *decoder) integer(n *node, at string, v reflect.Value, spec spec) {
	x, ok := n.val.(int64)
	if !ok {
		d.wrongType(n, at, "a whole number")
		return
	}
	if v.CanUint() {
		spec.min = cmp.Or(spec.min, "0")
	}
	parse := func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }
	want := outside(x, spec, parse)
	switch {
	case want != "":
		d.fail(n, n.at, fmt.Sprintf("%s must be %s, not %d", at, want, x), spec.help(v))
	case v.CanUint() && !v.OverflowUint(uint64(x)):
		v.SetUint(uint64(x))
	case v.CanInt() && !v.OverflowInt(x):
		v.SetInt(x)
	default:
		d.fail(n, n.at, fmt.Sprintf("%s must be a smaller number than %d", at, x), spec.hint)
	}
}

func (d *decoder) float(n *node, at string, v reflect.Value, spec spec) {
	x, ok := n.val.(float64)
	if whole, isWhole := n.val.(int64); isWhole {
		x, ok = float64(whole), true
	}
	if !ok || math.IsNaN(x) || math.IsInf(x, 0) {
		d.wrongType(n, at, "a finite number")
		return
	}
	parse := func(s string) (float64, error) { return strconv.ParseFloat(s, 64) }
	if want := outside(x, spec, parse); want != "" {
		d.fail(n, n.at, fmt.Sprintf("%s must be %s, not %v", at, want, x), spec.hint)
	}
	v.SetFloat(x)
}

func (d *decoder) list(n *node, at string, v reflect.Value, spec spec) {
	if n.list == nil {
		d.wrongType(n, at, "a list")
		return
	}
	if want := outside(len(n.list), spec, strconv.Atoi); want != "" {
		d.fail(n, n.at, fmt.Sprintf("%s must have %s in it, not %d", at, want, len(n.list)), spec.hint)
		return
	}
	spec.min, spec.max = "", "" // they count the entries
	v.Set(reflect.MakeSlice(v.Type(), len(n.list), len(n.list)))
	for i, entry := range n.list {
		d.value(entry, path(at, strconv.Itoa(n.written(i))), v.Index(i), spec)
	}
}

// plain returns a value that means nothing here as the maps, slices and scalars that it is made of.
func (d *decoder) plain(n *node, at string) any {
	switch {
	case n.table != nil:
		table := make(map[string]any, len(n.table))
		for _, key := range slices.Sorted(maps.Keys(n.table)) {
			table[key] = d.plain(n.table[key], path(at, key))
		}
		return table
	case n.list != nil:
		list := make([]any, len(n.list))
		for i, entry := range n.list {
			list[i] = d.plain(entry, path(at, strconv.Itoa(i)))
		}
		return list
	}
	switch x := n.val.(type) {
	case time.Time:
		d.wrongType(n, at, "a string, a number, true or false, a list or a table")
		return nil
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			d.wrongType(n, at, "a finite number")
			return nil
		}
	}
	return n.val
}

func (d *decoder) wrongType(n *node, at, want string) {
	d.fail(n, n.at, fmt.Sprintf("%s must be %s, not %s", at, want, n.describe()), typeHint(n, at, want))
}

// typeHint says how to write what a value should have been.
func typeHint(n *node, at, want string) string {
	text, isText := n.val.(string)
	_, isFraction := n.val.(float64)
	switch {
	case want == "a duration":
		return durationHint
	case want == "a size":
		return sizeHint
	case want == "a string" && n.table == nil && n.list == nil:
		return "write it in quotes"
	case want == "a list" && n.table != nil:
		return fmt.Sprintf("write [[%s]], with two brackets", at)
	case want == "a list":
		return `write it in brackets, like ["a", "b"]`
	case want == "a table" && !strings.Contains(at, "."):
		return fmt.Sprintf("write [%s], and its keys below it", at)
	case isText && reflect.TypeOf(overrideValue(text)) != reflect.TypeFor[string]():
		return "write it without quotes"
	case want == "true or false":
		return "write true or false, without quotes"
	case want == "a whole number" && isFraction:
		return "write it without a point"
	case want == "a whole number":
		return "write it in digits, such as 20"
	case want == "a finite number":
		return "write it in digits, such as 0.5"
	}
	return ""
}

func (d *decoder) fail(n *node, offset int, msg, hint string) {
	d.errs = append(d.errs, d.doc.mistake(n, offset, msg, hint))
}

// describe says what kind of value a node is.
func (n *node) describe() string {
	switch v := n.val.(type) {
	case string:
		if len(v) > 40 {
			return "a string"
		}
		return fmt.Sprintf("the string %q", v)
	case bool:
		return strconv.FormatBool(v)
	case int64, float64:
		return fmt.Sprintf("the number %v", v)
	case time.Time:
		return "a date or a time"
	}
	if n.table != nil {
		return "a table"
	}
	return "a list"
}
