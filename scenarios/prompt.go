package scenarios

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// tell gives each agent its prompt: the scenario's, a blank line and its own, with its name in it.
func (s *Scenario) tell() {
	for i := range s.Agents {
		a := &s.Agents[i]
		prompt := strings.TrimSpace(s.Prompt) + "\n\n" + strings.TrimSpace(a.Prompt)
		a.Prompt = strings.ReplaceAll(strings.TrimSpace(prompt), "{name}", a.Name)
	}
}

// tellRules puts the parameters that the struct behind v holds into the prompts, each for its {rules.key}. It returns a mistake for
// each key that is none of them.
func (s *Scenario) tellRules(v any) (errs Errors) {
	params := parameters(v)
	known := slices.Sorted(maps.Keys(params))
	placeholder := regexp.MustCompile(`\{rules\.([^{}\s]*)\}`)
	for _, prompt := range s.prompts() {
		text, _ := prompt.val.(string)
		for _, found := range placeholder.FindAllStringSubmatch(text, -1) {
			if _, ok := params[found[1]]; !ok {
				at := prompt.at
				if ahead := bytes.Index(s.doc.src[min(at, len(s.doc.src)):], []byte(found[0])); ahead > 0 {
					at += ahead
				}
				msg := fmt.Sprintf("prompt says %s, but the rules have no %q", found[0], found[1])
				errs = append(errs, s.doc.mistake(prompt, at, msg, Suggest(found[1], known)))
			}
		}
	}
	for i := range s.Agents {
		a := &s.Agents[i]
		a.Prompt = placeholder.ReplaceAllStringFunc(a.Prompt, func(found string) string {
			return params[placeholder.FindStringSubmatch(found)[1]]
		})
	}
	return errs
}

// prompts returns the prompts that the document says.
func (s *Scenario) prompts() []*node {
	tables := []*node{s.doc.root}
	if agents := s.doc.root.child("agents"); agents != nil {
		tables = append(tables, agents.list...)
	}
	var prompts []*node
	for _, table := range tables {
		if prompt := table.table["prompt"]; prompt != nil {
			prompts = append(prompts, prompt)
		}
	}
	return prompts
}

// parameters returns the scalars of the struct behind v by their TOML keys, as a prompt says them.
func parameters(v any) map[string]string {
	params := make(map[string]string)
	fields := reflect.ValueOf(v).Elem()
	for i := range fields.NumField() {
		key := fields.Type().Field(i).Tag.Get("toml")
		switch fields.Field(i).Kind() {
		case reflect.Struct, reflect.Slice, reflect.Map:
		default:
			if key != "" {
				params[key] = fmt.Sprint(fields.Field(i).Interface())
			}
		}
	}
	return params
}
