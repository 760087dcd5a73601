package main

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/star"
)

// fileRules returns the substrate of a scenario whose rules are in a file beside it. Mistakes in that file are like those in the scenario.
func fileRules(s *scenarios.Scenario) (substrate, error) {
	source, ok := s.Files[s.Rules.Name]
	if !ok {
		return substrate{}, nil // which is a mistake that was found already
	}
	rules, err := star.Load(s.Rules.Name, source, nil)
	if err != nil {
		return substrate{}, rulesMistakes(s, err)
	}
	params, err := readParams(s, rules.Params())
	if err != nil { // mistakes in policies can be found all the same
		return substrate{rules: func(*scenarios.Scenario) (world.Rules, error) { return nil, nil }, policies: rules.Policies()}, err
	}
	if rules, err = star.Load(s.Rules.Name, source, params); err != nil {
		return substrate{}, rulesMistakes(s, err)
	}
	return substrate{
		rules:    func(s *scenarios.Scenario) (world.Rules, error) { return rules, together(s, rules.Simultaneous()) },
		policies: rules.Policies(), metrics: rules.Metrics(), measure: rules.Measure,
	}, nil
}

// together returns the mistakes of a scenario in which agents would not act together, in one step of each turn, if the rules need that they do.
func together(s *scenarios.Scenario, simultaneous bool) error {
	if !simultaneous {
		return nil
	}
	hint := s.Rules.Name + " says that it is simultaneous: it needs all that is done in a turn in one step"
	err := atOnce(s, acts, hint)
	for i, p := range s.Phases {
		for _, before := range s.Phases[:i] {
			if sharesActs(before, p) {
				msg := fmt.Sprintf("the phases %q and %q of %s have the same actions", before.Name, p.Name, s.Rules.Name)
				err = scenarios.Join(err, s.Error(fmt.Sprintf("phases.%d.actions", i), msg, hint+"; let each phase name actions of its own"))
				break
			}
		}
	}
	return err
}

// acts says whether agents can do more than talk in a phase.
func acts(p scenarios.Phase) bool {
	return len(p.Actions) == 0 || slices.ContainsFunc(p.Actions, func(action string) bool { return action != arena.Say })
}

// sharesActs says whether there is more than talk that agents can do in both phases.
func sharesActs(a, b scenarios.Phase) bool {
	if len(a.Actions) == 0 || len(b.Actions) == 0 {
		return acts(a) && acts(b)
	}
	return slices.ContainsFunc(a.Actions, func(action string) bool { return action != arena.Say && slices.Contains(b.Actions, action) })
}

// rulesMistakes returns the mistakes of a scenario's file of rules as mistakes of the scenario.
func rulesMistakes(s *scenarios.Scenario, err error) error {
	var many star.Errors
	var one *star.Error
	if errors.As(err, &one) {
		many = star.Errors{one}
	} else if !errors.As(err, &many) {
		return err
	}
	var all scenarios.Errors
	for _, e := range many {
		all = append(all, &scenarios.Error{File: s.Beside(e.File), Line: e.Line, Col: e.Col, Msg: e.Msg, Hint: e.Hint})
	}
	return all
}

// readParams returns the parameters of the rules as the scenario has them, which are by default what the file of the rules says. They are read into
// a struct that is made for them, so that a scenario's mistakes in them are found, and its prompts filled in, as with any other rules.
func readParams(s *scenarios.Scenario, defaults map[string]any) (map[string]any, error) {
	names := slices.Sorted(maps.Keys(defaults))
	fields := make([]reflect.StructField, len(names))
	for i, name := range names {
		fields[i] = reflect.StructField{
			Name: "Param" + strconv.Itoa(i), Type: reflect.TypeOf(defaults[name]),
			Tag: reflect.StructTag(fmt.Sprintf("toml:%q", name)),
		}
	}
	config := reflect.New(reflect.StructOf(fields))
	for i, name := range names {
		config.Elem().Field(i).Set(reflect.ValueOf(defaults[name]))
	}
	if err := s.DecodeRules(config.Interface()); err != nil {
		return nil, err
	}
	params := make(map[string]any)
	for i, name := range names {
		params[name] = config.Elem().Field(i).Interface()
	}
	return params, nil
}
