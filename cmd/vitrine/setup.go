package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world"
)

// A setup is a scenario with the rules that it names, checked as a whole.
type setup struct {
	*scenarios.Scenario
	substrate substrate
	rules     world.Rules
	earlier   []*setup // of a branch: of what it is one
	revision  string   // as in app
}

// load reads the scenario file at path, with every mistake in it.
func load(ctx context.Context, path string, set []string) (*setup, error) {
	s, err := scenarios.Load(path, set)
	if s != nil {
		located, locateErr := located(s.File, s.Rules.Plugin)
		if locateErr != nil {
			return nil, locateErr
		}
		s.Rules.Plugin = located
	}
	if unread := (*fs.PathError)(nil); errors.As(err, &unread) {
		return nil, misuse("the shipped scenarios are in the folder scenarios", "%w", err)
	}
	whole, err := assemble(ctx, s, err)
	if whole != nil {
		err = whole.misspelt(err)
	}
	return whole.sound(ctx, err)
}

// early is the failure of a command that was interrupted before it began.
func early() error {
	return &failure{code: exitInterrupted, err: errors.New("interrupted before the start")}
}

// reload reads a run's scenario again, from its manifest: in a branch, that by which it goes on. Rules that are a program are started only if that is
// trusted: the manifest may name any, and nothing in a run's folder proves who made it. Rules in a file reach nothing but the world.
func (a *app) reload(ctx context.Context, m arena.Manifest) (*setup, error) {
	if program := rulesProgram(m); program != nil && !a.trusts {
		return nil, misuse("--trust starts it: if the run is yours, or of somebody you trust",
			"the rules are a program, %q, which is started only with --trust", strings.Join(program, " "))
	}
	s, err := restore(ctx, m)
	if err == nil {
		s.revision = a.revision
	}
	return s, err
}

// restore is reload for a run that reload has let pass.
func restore(ctx context.Context, m arena.Manifest) (*setup, error) {
	s, err := reparse(m)
	whole, err := assemble(ctx, s, err)
	return whole.sound(ctx, err)
}

// reparse is reload without the rules.
func reparse(m arena.Manifest) (*scenarios.Scenario, error) {
	set := slices.Clone(m.Set)
	for _, branch := range m.Branches {
		set = append(set, branch.Set...)
	}
	s, err := scenarios.Parse(m.File, []byte(m.Source), set, manifestFiles(m))
	if s != nil && s.Rules.InPlugin() {
		s.Rules.Plugin = m.Plugin
	}
	return s, err
}

// rulesProgram returns the program that has the rules of a run, in any of its branches; nil: none has. Nothing is started.
func rulesProgram(m arena.Manifest) []string {
	for i := range len(m.Branches) + 1 {
		until := m
		until.Branches = m.Branches[:i]
		if s, _ := reparse(until); s != nil && s.Rules.InPlugin() { // with mistakes in it there are no rules
			return s.Rules.Plugin
		}
	}
	return nil
}

// games returns the games that a run is played by, one after another: in a branch first those of what it is a branch of, and last that of s, which is
// reloaded from the run's manifest. They can be played until s is closed.
func (s *setup) games(ctx context.Context, m arena.Manifest) ([]arena.Game, error) {
	var games []arena.Game
	for i := range m.Branches {
		until := m
		until.Branches = m.Branches[:i]
		earlier, err := restore(ctx, until)
		if err != nil {
			return nil, err
		}
		s.earlier = append(s.earlier, earlier)
		games = append(games, earlier.game())
	}
	return append(games, s.game()), nil
}

// sound returns the setup if there is no mistake in it. If there is one it ends what runs for the rules, and so it does if ctx has ended.
func (s *setup) sound(ctx context.Context, err error) (*setup, error) {
	if ctx.Err() != nil {
		err = early()
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// assemble adds what the scenario's own package cannot know: whether the rules it names exist, with these parameters, and
// the policies too. Mistakes found so far are in err. Where there are rules the setup comes with the mistakes, so that the caller can look for more.
// Rules that are a program are not waited for any more when ctx ends.
func assemble(ctx context.Context, s *scenarios.Scenario, err error) (*setup, error) {
	if s == nil {
		return nil, err
	}
	sub, mistake := findRules(ctx, s)
	if err = scenarios.Join(err, mistake); sub.rules == nil {
		return nil, err
	}
	rules, mistake := sub.rules(s)
	err = scenarios.Join(err, mistake, s.TellRules())
	for i := range s.Agents {
		a := &s.Agents[i]
		if a.Policy == "" {
			a.Policy = randomPolicy
		}
		if _, ok := sub.policy(a.Policy); !ok {
			path := fmt.Sprintf("agents.%d.policy", i)
			hint := scenarios.Suggest(a.Policy, sub.policyNames())
			err = scenarios.Join(err, s.Error(path, fmt.Sprintf("unknown policy %q", a.Policy), hint))
		}
	}
	if err == nil {
		err = wrongHosts(s)
	}
	set := &setup{Scenario: s, substrate: sub, rules: rules}
	if err == nil && (s.Rules.InFile() || s.Rules.InPlugin()) { // nobody has tested them
		game := set.game()
		if _, failed := game.Preview(0); failed != nil {
			err = rulesFailed(s, failed)
		}
	}
	return set, err
}

// misspelt adds to the mistakes found so far one for each action in the scenario that nobody could do at first, where it is likely that another one was
// meant: it has nearly the name of one that somebody could do, and that no phase has. It may be an action that the rules offer later. A default action that
// somebody could do at first must also be one that the rules accept then.
func (s *setup) misspelt(err error) error {
	if s.rules == nil {
		return err
	}
	game := s.game()
	first, failed := game.Preview(0)
	var refused string
	if failed == nil {
		refused, failed = game.DefaultRefused()
	}
	if failed != nil {
		return cmp.Or(err, rulesFailed(s.Scenario, failed)) // of a scenario with mistakes in it the rules need know nothing
	}
	look := func(path, name string, known []string) {
		msg := fmt.Sprintf("nobody is offered an action %q at first", name)
		meant := scenarios.Nearest(name, known)
		switch {
		case slices.Contains(first.Actions, name):
		case meant != "":
			err = scenarios.Join(err, s.Error(path, msg, fmt.Sprintf("did you mean %q?", meant)))
		case name == arena.Say && s.Messages == (scenarios.Messages{}):
			err = scenarios.Join(err, s.Error(path, msg, "agents can talk if there is a table [messages]"))
		}
	}
	var named []string
	for _, p := range s.Phases {
		named = append(named, p.Actions...)
	}
	unnamed := slices.DeleteFunc(slices.Clone(first.Actions), func(name string) bool { return slices.Contains(named, name) })
	for i, p := range s.Phases {
		for k, name := range p.Actions {
			look(fmt.Sprintf("phases.%d.actions.%d", i, k), name, unnamed)
		}
	}
	if name := s.Limits.Default.Action; name != "" && name != world.Pass {
		look("limits.default.action", name, first.Actions)
	}
	if refused != "" {
		msg := "the default action is refused at first, whoever does it: " + refused
		err = scenarios.Join(err, s.Error("limits.default.args", msg, "write other args, or action = \"pass\", which does nothing"))
	}
	return err
}

// close ends what runs for the rules. There may be no setup.
func (s *setup) close() {
	if s == nil {
		return
	}
	for _, earlier := range s.earlier {
		earlier.close()
	}
	if s.substrate.close != nil {
		_ = s.substrate.close() // what they have said counts
	}
}

// findRules returns the substrate that the scenario names; if there is none, it has no rules.
func findRules(ctx context.Context, s *scenarios.Scenario) (substrate, error) {
	switch {
	case s.Rules.InPlugin():
		return pluginRules(ctx, s)
	case s.Rules.InFile():
		return fileRules(s)
	}
	known := substrates()
	sub, ok := known[s.Rules.Name]
	if !ok && s.Rules.Name != "" {
		hint := scenarios.Suggest(s.Rules.Name, slices.Sorted(maps.Keys(known)))
		return sub, s.Error("rules.name", fmt.Sprintf("unknown rules %q", s.Rules.Name), hint)
	}
	return sub, nil
}

// names returns the agents' names in seat order.
func (s *setup) names() []string { return names(s.Scenario) }

// names returns the names of a scenario's agents in seat order.
func names(s *scenarios.Scenario) []string {
	all := make([]string, len(s.Agents))
	for i, a := range s.Agents {
		all[i] = a.Name
	}
	return all
}

// game returns the scenario as a game.
func (s *setup) game() arena.Game {
	g := arena.Game{
		Rules:     s.rules,
		Revisions: s.revisions(),
		Schedule:  s.schedule(s.Schedule, ""),
		Free:      s.Schedule == scenarios.Free,
		Seed:      s.Seed,
		Agents:    s.names(),
		Turns:     s.Limits.Turns,
		Talk:      arena.Talk{Turn: s.Messages.Turn, Length: s.Messages.Length},
		Restart:   arena.Restart{Max: s.Restart.Max, Window: s.Restart.Window, Backoff: s.Restart.Backoff, MaxBackoff: s.Restart.MaxBackoff},
		Default:   world.Action{Name: s.Limits.Default.Action},
		Consequences: arena.Consequences{
			Timeout: arena.Consequence(s.Limits.OnTimeout),
			Invalid: arena.Consequence(s.Limits.OnInvalid),
			Error:   arena.Consequence(s.Limits.OnError),
			Budget:  arena.Consequence(s.Limits.OnBudget),
		},
	}
	if args := s.Limits.Default.Args; args != nil {
		g.Default.Args = world.JSON(args)
	}
	for _, p := range s.Phases {
		g.Phases = append(g.Phases, arena.Phase{
			Name: p.Name, Schedule: s.schedule(p.Schedule, p.Name), Actions: p.Actions, Agents: p.Agents, Act: p.Act,
		})
	}
	return g
}

// schedule returns the schedule of that name for a phase, or for a turn without phases.
func (s *setup) schedule(name, phase string) arena.Schedule {
	switch name {
	case scenarios.Sequential:
		if s.Rotate {
			return arena.Rotated(s.Seed)
		}
		return arena.Sequential
	case scenarios.Shuffled:
		return arena.Shuffled(s.Seed, phase)
	}
	return arena.Parallel
}
