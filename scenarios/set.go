package scenarios

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// spellOut puts a table in the place of rules = "name".
func (d *document) spellOut() {
	if rules := d.root.table["rules"]; rules != nil {
		if _, ok := rules.val.(string); ok {
			d.root.table["rules"] = &node{key: rules.key, at: rules.at, set: rules.set, table: map[string]*node{"name": rules}}
		}
	}
}

// overrideAll puts overrides into the tree, and members in the place of each group of agents. What is about a member comes after what is
// about its group.
func (d *document) overrideAll(sets []string) (errs Errors) {
	defer d.spellOut()
	var late []string
	for _, set := range sets {
		if list, name := d.root.child("agents"), agentOf(set); name != "" && list != nil && list.list != nil && list.child(name) == nil {
			late = append(late, set)
		} else if mistake := d.override(set); mistake != nil {
			errs = append(errs, mistake)
		}
	}
	groups := d.root.child("agents").names()
	if mistake := d.expand(); mistake != nil {
		errs = append(errs, mistake)
	}
	for _, set := range late {
		name, members := agentOf(set), d.root.child("agents").names()
		mistake := &Error{File: "--set " + set}
		switch {
		case !slices.Contains(members, name):
			mistake.Msg = fmt.Sprintf("agents has no entry %q", name)
			mistake.Hint = Suggest(name, slices.Compact(slices.Sorted(slices.Values(slices.Concat(groups, members)))))
		case strings.HasPrefix(set, "agents."+name+".count="):
			mistake.Msg, mistake.Hint = fmt.Sprintf("agents.%s is one member of a group", name), "set the count of the group"
		default:
			mistake = d.override(set)
		}
		if mistake != nil {
			errs = append(errs, mistake)
		}
	}
	return errs
}

// agentOf returns the name or the index of the agent that an override is about, empty if it is about none.
func agentOf(set string) string {
	dotted, _, _ := strings.Cut(set, "=")
	keys := strings.Split(dotted, ".")
	if len(keys) < 2 || keys[0] != "agents" {
		return ""
	}
	return keys[1]
}

// override puts one "dotted.path=value" into the tree.
func (d *document) override(set string) *Error {
	dotted, text, ok := strings.Cut(set, "=")
	if !ok {
		return &Error{File: "--set " + set, Msg: "no = in it", Hint: "write dotted.path=value"}
	}
	value := &node{set: set}
	value.fill(overrideValue(text))
	d.spellOut()
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

// put returns n with a value at the keys below it; at is the path to n, for messages. It makes the tables that are missing. n itself stays as
// it is, for it may be in several places. If there is no such place, n is returned, and why.
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
		return n, msg, hint
	case n.list != nil:
		changed := *n
		changed.list = slices.Clone(n.list)
		changed.list[index] = child
		return &changed, "", ""
	}
	changed := *n
	changed.table = maps.Clone(n.table)
	changed.table[key] = child
	return &changed, "", ""
}
