package main

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/bazaar"
	"github.com/vitrine-sim/vitrine/world/commons"
	"github.com/vitrine-sim/vitrine/world/diplomacy"
	"github.com/vitrine-sim/vitrine/world/fishery"
	"github.com/vitrine-sim/vitrine/world/life"
	"github.com/vitrine-sim/vitrine/world/segregation"
	"github.com/vitrine-sim/vitrine/world/werewolf"
)

// A substrate is a world without its players: rules that a scenario can name, and what belongs to them.
type substrate struct {
	params   any                                            // what its parameters are by default, in a struct with the tags of a scenario; nil for those of a file or a program
	rules    func(*scenarios.Scenario) (world.Rules, error) // with the scenario's parameters
	policies map[string]world.Policy
	metrics  []world.Metric
	measure  func(iter.Seq2[world.Event, error]) (map[string]float64, error) // the metrics of an episode, from its log alone

	// Of rules that are a program; else nil.
	keep  func(path string) error // makes a file of what it says on its standard error
	close func() error
}

// substrates are all that there are, by name.
func substrates() map[string]substrate {
	return map[string]substrate{
		"bazaar":      {params: bazaar.Default(), rules: bazaarRules, policies: bazaar.Policies(), metrics: bazaar.Metrics(), measure: bazaar.Measure},
		"cleanup":     {params: commons.Cleanup(), rules: commonsRules(commons.Cleanup()), policies: commons.Policies(), metrics: commons.Metrics(), measure: commons.Measure},
		"diplomacy":   {params: diplomacy.Default(), rules: diplomacyRules, policies: diplomacy.Policies(), metrics: diplomacy.Metrics(), measure: diplomacy.Measure},
		"fishery":     {params: fishery.Default(), rules: fisheryRules, policies: fishery.Policies(), metrics: fishery.Metrics(), measure: fishery.Measure},
		"harvest":     {params: commons.Harvest(), rules: commonsRules(commons.Harvest()), policies: commons.Policies(), metrics: commons.Metrics(), measure: commons.Measure},
		"life":        {params: life.Default(), rules: lifeRules, policies: life.Policies(), metrics: life.Metrics(), measure: life.Measure},
		"segregation": {params: segregation.Default(), rules: segregationRules, policies: segregation.Policies(), metrics: segregation.Metrics(), measure: segregation.Measure},
		"werewolf":    {params: werewolf.Default(), rules: werewolfRules, policies: werewolf.Policies(), metrics: werewolf.Metrics(), measure: werewolf.Measure},
	}
}

// schemaText returns the JSON Schema of scenario files.
func schemaText() []byte {
	rules := make(map[string]any)
	for name, sub := range substrates() {
		rules[name] = sub.params
	}
	return scenarios.Schema(rules)
}

func fisheryRules(s *scenarios.Scenario) (world.Rules, error) {
	config := fishery.Default()
	if err := s.DecodeRules(&config); err != nil {
		return nil, err
	}
	rules, err := fishery.New(config)
	if err != nil {
		return nil, s.Error("rules", err.Error(), "")
	}
	return rules, nil
}

func lifeRules(s *scenarios.Scenario) (world.Rules, error) {
	config := life.Default()
	if err := s.DecodeRules(&config); err != nil {
		return nil, err
	}
	if n := len(s.Agents); n%config.Columns != 0 {
		msg := fmt.Sprintf("%s do not fill rows of %s", plural(n, "agent"), plural(config.Columns, "column"))
		return nil, s.Error("rules.columns", msg, "each agent has a tile of the board; its columns must divide their number")
	}
	rules, err := life.New(config)
	if err != nil {
		return nil, s.Error("rules", err.Error(), "")
	}
	return rules, nil
}

func werewolfRules(s *scenarios.Scenario) (world.Rules, error) {
	config := werewolf.Default()
	if err := s.DecodeRules(&config); err != nil {
		return nil, err
	}
	rules, err := werewolf.New(config)
	if err != nil {
		return nil, s.Error("rules", err.Error(), "")
	}
	if _, err := rules.Reset(s.Seed, names(s)); err != nil {
		return nil, s.Error("rules.wolves", err.Error(), "have more agents, or fewer wolves")
	}
	isBallot := func(p scenarios.Phase) bool { return p.Name == werewolf.PhaseVote || p.Name == werewolf.PhaseNight }
	return rules, atOnce(s, isBallot, "the votes of one step are the ballot, so all must vote in the same one")
}

func bazaarRules(s *scenarios.Scenario) (world.Rules, error) {
	config := bazaar.Default()
	if err := s.DecodeRules(&config); err != nil {
		return nil, err
	}
	if n := len(s.Agents); n <= config.Buyers {
		msg := fmt.Sprintf("%s, of which %d are buyers", plural(n, "agent"), config.Buyers)
		return nil, s.Error("rules.buyers", msg, "the first agents buy and all others sell; somebody must be left to sell")
	}
	rules, err := bazaar.New(config)
	if err != nil {
		return nil, s.Error("rules", err.Error(), "")
	}
	return rules, nil
}

// commonsRules returns what makes rules of a commons, which has the values of config where a scenario says nothing.
func commonsRules(config commons.Config) func(*scenarios.Scenario) (world.Rules, error) {
	return func(s *scenarios.Scenario) (world.Rules, error) {
		config := config
		if err := s.DecodeRules(&config); err != nil {
			return nil, err
		}
		rules, err := commons.New(config)
		if err != nil {
			return nil, s.Error("rules", err.Error(), "")
		}
		if _, err := rules.Reset(s.Seed, names(s)); err != nil {
			return nil, s.Error("rules.map", err.Error(), "a spawn point of the map is a P")
		}
		return rules, nil
	}
}

func segregationRules(s *scenarios.Scenario) (world.Rules, error) {
	config := segregation.Default()
	if err := s.DecodeRules(&config); err != nil {
		return nil, err
	}
	if len(s.Agents) < 2 {
		return nil, s.Error("agents", "there is only one", "the agents are red and green by turns: have at least two")
	}
	rules, err := segregation.New(config)
	if err != nil {
		return nil, s.Error("rules", err.Error(), "")
	}
	return rules, nil
}

func diplomacyRules(s *scenarios.Scenario) (world.Rules, error) {
	config := diplomacy.Default()
	if err := s.DecodeRules(&config); err != nil {
		return nil, err
	}
	if n := len(s.Agents); n < 2 || n > 7 {
		return nil, s.Error("agents", plural(n, "agent"), "there are from two to seven powers")
	}
	rules, err := diplomacy.New(config)
	if err != nil {
		return nil, s.Error("rules", err.Error(), "")
	}
	isOrders := func(p scenarios.Phase) bool { return len(p.Actions) == 0 || slices.Contains(p.Actions, "order") }
	return rules, atOnce(s, isOrders, "all orders are carried out at once, so all must be given in one step")
}

// atOnce returns a mistake for each phase in which all must act at once, as is says, and do not; the hint says why they must. In a game without
// phases it is the turn.
func atOnce(s *scenarios.Scenario, is func(scenarios.Phase) bool, hint string) (err error) {
	if len(s.Phases) == 0 && s.Schedule != scenarios.Parallel {
		return s.Error("schedule", fmt.Sprintf("%s needs the schedule %q or phases", s.Rules.Name, scenarios.Parallel), hint)
	}
	for i, p := range s.Phases {
		if is(p) && p.Schedule != scenarios.Parallel {
			msg := fmt.Sprintf("the phase %q of %s needs the schedule %q", p.Name, s.Rules.Name, scenarios.Parallel)
			err = scenarios.Join(err, s.Error(fmt.Sprintf("phases.%d.schedule", i), msg, hint))
		}
	}
	return err
}

// randomPolicy is a policy that every substrate has, and what is played when nobody says what. A substrate may know a better
// chance than that of any legal action.
const randomPolicy = "random"

// policy returns the policy of that name.
func (s substrate) policy(name string) (world.Policy, bool) {
	p, ok := s.policies[name]
	if !ok && name == randomPolicy {
		return world.RandomAction, true
	}
	return p, ok
}

// policyNames returns the names of all policies, sorted.
func (s substrate) policyNames() []string {
	names := append(slices.Collect(maps.Keys(s.policies)), randomPolicy)
	slices.Sort(names)
	return slices.Compact(names)
}
