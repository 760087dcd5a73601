package scenarios

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// tell gives each agent its prompt: the scenario's, a blank line and its own, with what is in braces filled in. It returns a mistake for each
// agent that is told its role and has none.
func (s *Scenario) tell() (errs Errors) {
	for i := range s.Agents {
		a := &s.Agents[i]
		prompt := strings.TrimSpace(strings.TrimSpace(s.Prompt) + "\n\n" + strings.TrimSpace(a.Prompt))
		if a.Role == "" && strings.Contains(prompt, "{role}") {
			errs = append(errs, s.Error(fmt.Sprintf("agents.%d", i), "the prompt says {role}, and this agent has none", `write role = "..."`))
		}
		a.Prompt = strings.NewReplacer("{name}", a.Name, "{role}", a.Role, "{agents}", strconv.Itoa(len(s.Agents))).Replace(prompt)
	}
	return errs
}

var word = regexp.MustCompile(`\{([A-Za-z_]+)(\.[^{}\s]*)?\}`)

// misnamed returns a mistake for each word in braces in a prompt that is nearly one that is filled in.
func (s *Scenario) misnamed() (errs Errors) {
	for _, table := range s.tellers() {
		text, mistake := s.prompt(table)
		for _, found := range word.FindAllStringSubmatchIndex(text, -1) {
			known, name, rest := []string{"agents", "name", "role"}, text[found[2]:found[3]], ""
			if found[4] >= 0 {
				known, rest = []string{"rules"}, text[found[4]:found[5]]
			}
			if meant := Nearest(name, known); meant != "" && meant != name {
				written := text[found[0]:found[1]]
				hint := fmt.Sprintf("did you mean {%s}? With a space after the brace it is text", meant+rest)
				errs = append(errs, mistake(found[0], fmt.Sprintf("prompt says %s, which is not filled in", written), hint))
			}
		}
	}
	return errs
}

var placeholder = regexp.MustCompile(`\{rules\.([^{}\s]*)\}`)

// TellRules puts the parameters of the rules, which [Scenario.DecodeRules] has read, into the agents' prompts, each for its {rules.key}. A key that is none
// of them is a mistake. An error is [Errors].
func (s *Scenario) TellRules() error {
	var errs Errors
	params := maps.Clone(s.Params)
	maps.DeleteFunc(params, func(_ string, param any) bool { return !isScalar(param) })
	known := slices.Sorted(maps.Keys(params))
	for _, table := range s.tellers() {
		text, mistake := s.prompt(table)
		for _, found := range placeholder.FindAllStringSubmatchIndex(text, -1) {
			key := text[found[2]:found[3]]
			if _, ok := params[key]; !ok {
				msg := fmt.Sprintf("prompt says %s, but the rules have no %q", text[found[0]:found[1]], key)
				errs = append(errs, mistake(found[0], msg, Suggest(key, known)))
			}
		}
	}
	for i := range s.Agents {
		a := &s.Agents[i]
		a.Prompt = placeholder.ReplaceAllStringFunc(a.Prompt, func(found string) string {
			return fmt.Sprint(params[placeholder.FindStringSubmatch(found)[1]])
		})
	}
	return errs.sorted()
}

// tellers returns the tables that may have a prompt.
func (s *Scenario) tellers() []*node {
	tables := []*node{s.doc.root}
	if agents := s.doc.root.child("agents"); agents != nil {
		tables = append(tables, agents.list...)
	}
	return tables
}

// prompt returns the prompt of a table as it is written, empty if there is none, and what makes a mistake at an offset in it.
func (s *Scenario) prompt(table *node) (text string, mistake func(offset int, msg, hint string) *Error) {
	if n := table.table["prompt_file"]; n != nil {
		name, _ := n.val.(string)
		file := &document{file: s.Beside(name), src: s.Files[name]}
		return string(file.src), file.mistakeAt
	}
	n := table.table["prompt"]
	if n == nil {
		return "", nil
	}
	text, _ = n.val.(string)
	return text, func(offset int, msg, hint string) *Error {
		at := n.at
		written, _, _ := strings.Cut(text[offset:], "}")
		if ahead := bytes.Index(s.doc.src[min(at, len(s.doc.src)):], []byte(written+"}")); ahead > 0 {
			at += ahead
		}
		return s.doc.mistake(n, at, msg, hint)
	}
}

// parameters returns the values of the struct behind v by their TOML keys.
func parameters(v any) map[string]any {
	params := make(map[string]any)
	for field, value := range reflect.ValueOf(v).Elem().Fields() {
		if key := field.Tag.Get("toml"); key != "" {
			params[key] = value.Interface()
		}
	}
	return params
}

// isScalar says whether a parameter is one that a prompt can say.
func isScalar(param any) bool {
	switch reflect.TypeOf(param).Kind() {
	case reflect.Struct, reflect.Slice, reflect.Map:
		return false
	}
	return true
}
