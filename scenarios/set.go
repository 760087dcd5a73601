package scenarios

import (
	"fmt"
	"strings"
)

// override puts one "dotted.path=value" into the tree.
func (d *document) override(set string) *Error {
	dotted, text, ok := strings.Cut(set, "=")
	if !ok {
		return &Error{File: "--set " + set, Msg: "no = in it", Hint: "write dotted.path=value"}
	}
	value := &node{set: set}
	value.fill(overrideValue(text))
	var msg, hint string
	if d.root, msg, hint = d.root.put(strings.Split(dotted, "."), "", value); msg != "" {
		return &Error{File: "--set " + set, Msg: msg, Hint: hint}
	}
	return nil
}

// overrideValue reads a value of an override: as TOML and, if it is none, as a string.
func overrideValue(text string) any {
	src := "value = " + text
	if scan(src).deep > 0 {
		return text
	}
	values, err := unmarshal([]byte(src))
	if v, ok := values["value"]; ok && err == nil && len(values) == 1 {
		return v
	}
	return text
}

// put returns n with a value at the keys below it; at is the path to n, for messages. It makes the tables that are missing.
// If there is no such place, n is returned as it was, and why.
func (n *node) put(keys []string, at string, value *node) (_ *node, msg, hint string) {
	if len(keys) == 0 {
		return value, "", ""
	}
	key := keys[0]
	child, index := n.child(key), n.index(key) // before the value changes the entry's name
	switch {
	case key == "":
		return n, "empty key in the path", "write dotted.path=value"
	case n.list != nil && child == nil:
		return n, fmt.Sprintf("%s has no entry %q", at, key), Suggest(key, n.names())
	case n.list == nil && n.table == nil:
		return n, at + " is no table", ""
	case child == nil:
		child = &node{set: value.set, table: map[string]*node{}}
	}
	child, msg, hint = child.put(keys[1:], path(at, key), value)
	switch {
	case msg != "":
	case n.list != nil:
		n.list[index] = child
	default:
		n.table[key] = child
	}
	return n, msg, hint
}
