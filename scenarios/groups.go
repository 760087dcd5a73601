package scenarios

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
)

// expand puts members in the place of each group of agents. A group that is not as it should be stays, for the decoder to say why.
func (d *document) expand() *Error {
	agents := d.root.child("agents")
	if agents == nil {
		return nil
	}
	total := 0
	for _, table := range agents.list {
		total += max(1, groupSize(table))
	}
	most := agentLimit()
	if total == len(agents.list) && !slices.ContainsFunc(agents.list, func(n *node) bool { return groupSize(n) > 0 }) {
		return nil
	}
	if total > most {
		return d.mistake(agents, agents.at, fmt.Sprintf("agents must have at most %d in it, not %d", most, total), "a group counts as many as its count")
	}
	all := *agents
	all.list, all.of = nil, nil
	for i, table := range agents.list {
		size := groupSize(table)
		if size == 0 {
			all.list, all.of = append(all.list, table), append(all.of, i)
			continue
		}
		for k := range size {
			member, name := *table, *table.table["name"]
			name.val = name.val.(string) + strconv.Itoa(k+1)
			member.table = maps.Clone(table.table)
			member.table["name"] = &name
			member.group = table.table["name"].val.(string)
			all.list, all.of = append(all.list, &member), append(all.of, i)
		}
	}
	d.root.table["agents"] = &all
	return nil
}

// groupSize returns how many agents a table of agents stands for if it is a group, and 0 if it is none or is not as it should be.
func groupSize(table *node) int {
	const manyKeys = 64 // more than an agent has: most of them are mistakes, which shall not become as many as there are members
	if len(table.table) > manyKeys || table.table["name"] == nil || table.table["count"] == nil {
		return 0
	}
	count, _ := table.table["count"].val.(int64)
	name, _ := table.table["name"].val.(string)
	if count < 1 || count > int64(agentLimit()) || !agentPattern().MatchString(name) {
		return 0
	}
	return int(count)
}

// agentLimit returns how many agents there may be.
func agentLimit() int {
	most, _ := bound(fieldSpec[Scenario]("Agents").max, strconv.Atoi)
	return most
}

// agentPattern returns what names of agents match.
func agentPattern() *regexp.Regexp { return regexp.MustCompile(fieldSpec[Agent]("Name").pattern) }

// fieldSpec returns what the tags of a field of T say.
func fieldSpec[T any](name string) spec {
	field, _ := reflect.TypeFor[T]().FieldByName(name)
	return specOf(field.Tag)
}

// members returns names of agents with those of its members in the place of each group.
func (s *Scenario) members(names []string) []string {
	var all []string
	for _, name := range names {
		found := false
		for i, a := range s.Agents {
			if s.agentNode(i).group == name {
				all, found = append(all, a.Name), true
			}
		}
		if !found {
			all = append(all, name)
		}
	}
	return all
}

// names returns the names of all agents, and of all groups behind them.
func (s *Scenario) names() []string {
	var agents, groups []string
	for i, a := range s.Agents {
		agents = append(agents, a.Name)
		if group := s.agentNode(i).group; group != "" && !slices.Contains(groups, group) {
			groups = append(groups, group)
		}
	}
	return append(agents, groups...)
}
