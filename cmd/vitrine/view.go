package main

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/viewer"
	"github.com/vitrine-sim/vitrine/viewer/web"
	"github.com/vitrine-sim/vitrine/world"
)

// A viewing is what "view --json" prints when it begins.
type viewing struct {
	URL string `json:"url"`
}

func viewFlags(flags *flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	port := flags.Int("port", 0, "listen on port `N` of the loopback interface (default any that is free)")
	return func(ctx context.Context, a *app, args []string) (any, error) { return view(ctx, a, args[0], *port) }
}

// view shows a run to browsers until it is interrupted.
func view(ctx context.Context, a *app, dir string, port int) (any, error) {
	if port < 0 || port > 65535 {
		return nil, misuse("leave --port out to take any that is free", "--port: there is no port %d", port)
	}
	m, _, err := openRun(dir)
	if err != nil {
		return nil, err
	}
	s, err := reload(m)
	defer s.close()
	run, aboutErr := shownRun(dir, m, s, err)
	if aboutErr != nil {
		return nil, aboutErr
	}
	server, err := web.Open(run, port)
	if err != nil {
		return nil, err
	}
	if a.json {
		a.print(a.stdout, viewing{server.URL()})
	}
	fmt.Fprintf(a.out, "%s\n", server.URL())
	a.tell("showing %s at this address until Ctrl-C; whoever has it may look", dir)
	<-ctx.Done()
	return nil, server.Close()
}

// shownRun returns what a viewer needs of a run besides its log. Where the rules are not at hand, which is not for a viewer to fail of, it says why.
func shownRun(dir string, m arena.Manifest, s *setup, noRules error) (web.Run, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return web.Run{}, err
	}
	run := web.Run{Dir: abs, Held: arena.Held, Used: usesOf, Say: inWords}
	run.About = web.About{
		Name: filepath.Base(abs), Scenario: m.Scenario, Seed: m.Seed, Model: m.Model, Offline: m.Model == offlineModel,
		Metrics: []web.Metric{}, Phases: []string{}, Notes: []string{},
	}
	scenario, err := reparse(m)
	if err != nil {
		return run, fmt.Errorf("the scenario in the manifest: %w", err)
	}
	run.About.Schedule, run.About.Description = scenario.Schedule, scenario.Description
	for _, p := range scenario.Phases {
		run.About.Phases = append(run.About.Phases, p.Name)
	}
	run.About.Agents = castOf(m, scenario)
	if run.Look, err = lookOf(scenario); err != nil {
		return run, err
	}
	if noRules != nil {
		run.About.Notes = append(run.About.Notes, "The rules are not at hand, so there are neither observations nor rewards nor metrics: "+noRules.Error())
		return run, nil
	}
	games, err := s.games(m)
	if err != nil {
		return run, fmt.Errorf("the scenario in the manifest: %w", err)
	}
	run.Observe = func(st world.State, agent string) (world.Observation, error) {
		i := 0
		for i < len(m.Branches) && st.Turn >= m.Branches[i].Turn {
			i++
		}
		return games[i].Observe(st, agent)
	}
	for _, metric := range s.substrate.metrics {
		run.About.Metrics = append(run.About.Metrics, web.Metric(metric))
	}
	return run, nil
}

// castOf returns who sat in the seats of a run.
func castOf(m arena.Manifest, scenario *scenarios.Scenario) []web.Agent {
	groups := groupsOf(scenario)
	looks := viewer.Agents(names(scenario), func(name string) string { return groups[name] })
	cast := make([]web.Agent, len(looks))
	for i, look := range looks {
		a := scenario.Agents[i]
		cast[i] = web.Agent{Agent: look, Kind: a.Kind, Role: a.Role, Model: a.Model, Group: groups[a.Name]}
		if i < len(m.Agents) {
			cast[i].Kind, cast[i].Model = m.Agents[i].Kind, m.Agents[i].Model
		}
	}
	return cast
}

// usesOf returns what each agent had used of its model when a turn ended.
func usesOf(ev world.Event) map[string]web.Use {
	uses := make(map[string]web.Use)
	for agent, used := range arena.UsedBy(ev) { // order does not matter
		uses[agent] = web.Use{TokensIn: used.TokensIn, TokensOut: used.TokensOut, Dollars: used.Dollars, Requests: used.ModelRequests}
	}
	return uses
}

// inWords puts an event into words without the name of its agent.
func inWords(ev world.Event) string {
	ev.Agent = ""
	return strings.TrimSpace(tell(ev))
}

// groupsOf returns the names of the groups of a scenario by the names of their members, which follow each other, counted from 1.
func groupsOf(scenario *scenarios.Scenario) map[string]string {
	groups := make(map[string]string)
	for i := 0; i < len(scenario.Agents); i += max(1, scenario.Agents[i].Count) {
		first := scenario.Agents[i]
		for _, member := range scenario.Agents[i:min(i+first.Count, len(scenario.Agents))] {
			groups[member.Name] = strings.TrimSuffix(first.Name, "1")
		}
	}
	return groups
}
