package scenarios

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// tell gives each agent its prompt: the scenario's, a blank line and its own, with the placeholders replaced.
func (s *Scenario) tell() {
	var values []string
	params := s.doc.parameters()
	for _, key := range slices.Sorted(maps.Keys(params)) {
		values = append(values, "{rules."+key+"}", params[key])
	}
	for i := range s.Agents {
		a := &s.Agents[i]
		prompt := strings.TrimSpace(s.Prompt) + "\n\n" + strings.TrimSpace(a.Prompt)
		a.Prompt = strings.NewReplacer(append(values, "{name}", a.Name)...).Replace(strings.TrimSpace(prompt))
	}
}

// checkPlaceholders returns a mistake for each {rules.key} in a prompt that is no parameter in the file.
func (s *Scenario) checkPlaceholders() (errs Errors) {
	params := s.doc.parameters()
	known := slices.Sorted(maps.Keys(params))
	tables := []*node{s.doc.root}
	if agents := s.doc.root.child("agents"); agents != nil {
		tables = append(tables, agents.list...)
	}
	placeholder := regexp.MustCompile(`\{rules\.([^{}\s]*)\}`)
	for _, table := range tables {
		prompt := table.table["prompt"]
		if prompt == nil {
			continue
		}
		text, _ := prompt.val.(string)
		for _, found := range placeholder.FindAllStringSubmatch(text, -1) {
			if _, ok := params[found[1]]; !ok {
				msg := fmt.Sprintf("prompt says %s, but [rules] has no %q", found[0], found[1])
				errs = append(errs, s.doc.mistake(prompt, prompt.at, msg, Suggest(found[1], known)))
			}
		}
	}
	return errs
}

// parameters returns the keys of [rules] and their values, as a prompt says them. Tables and lists are left out.
func (d *document) parameters() map[string]string {
	params := make(map[string]string)
	rules := d.root.child("rules")
	if rules == nil {
		return params
	}
	for key, n := range rules.table { // order does not matter: each goes to a place of its own
		if n.val != nil {
			params[key] = fmt.Sprint(n.val)
		}
	}
	return params
}
