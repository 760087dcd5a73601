package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/viewer"
	"github.com/vitrine-sim/vitrine/viewer/web"
	"github.com/vitrine-sim/vitrine/world"
)

// shownRun returns what a viewer needs of a run besides its log. Where the rules are not at hand, which is not for a viewer to fail of, it says why.
func shownRun(ctx context.Context, dir string, m arena.Manifest, s *setup, noRules error) (web.Run, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return web.Run{}, err
	}
	run := web.Run{Dir: abs, Held: arena.Held, Used: usesOf, Total: totals(abs), Say: inWords, Transcript: newTranscripts(abs, m).of, Memory: peaks(abs)}
	run.About = web.About{
		Name: filepath.Base(abs), Path: relative(dir), Scenario: m.Scenario, Seed: m.Seed, Model: m.Model, Offline: m.Model == offlineModel,
		Metrics: []world.Metric{}, Phases: []string{}, Notes: []string{},
	}
	run.Left = func() bool { return repeats(abs, m) != "" }
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
	games, err := s.games(ctx, m)
	if err != nil {
		return run, fmt.Errorf("the scenario in the manifest: %w", err)
	}
	at := func(st world.State) *arena.Game {
		i := 0
		for i < len(m.Branches) && st.Turn >= m.Branches[i].Turn {
			i++
		}
		return &games[i]
	}
	run.Observe = func(st world.State, agent string) (world.Observation, error) { return at(st).Observe(st, agent) }
	run.Asked = func(begin, now world.State, events []world.Event) ([]string, error) {
		return at(now).Asked(begin, now, events)
	}
	run.About.Metrics = append(run.About.Metrics, s.substrate.metrics...)
	run.Measure = func(ctx context.Context, turns []int) (map[string][]float64, error) { return s.series(ctx, abs, turns) }
	run.MetricsCSV = func(ctx context.Context, turns []int) ([]byte, error) { return s.metricsCSV(ctx, m, abs, turns) }
	return run, nil
}

// lookOf returns what a scenario says that its world looks like; nil if it says nothing.
func lookOf(s *scenarios.Scenario) (*viewer.Look, error) {
	if s.Look.Kind == "" {
		return nil, nil
	}
	raw, err := json.Marshal(s.Look)
	if err != nil {
		return nil, err
	}
	look := &viewer.Look{}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields() // the two have the same fields
	return look, d.Decode(look)
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
		uses[agent] = useOf(used)
	}
	return uses
}

func useOf(used arena.Metered) web.Use {
	use := web.Use{TokensIn: used.TokensIn, TokensOut: used.TokensOut, Dollars: used.Dollars, Requests: used.ModelRequests, Cut: used.Cut}
	if used.Assumed != nil {
		use.Assumed = used.Assumed.Tokens
	}
	return use
}

// totals returns what waits for the result of the run in dir, and says what each agent has used of its model: nothing where nobody will write one.
func totals(dir string) func(context.Context) map[string]web.Use {
	return func(ctx context.Context) map[string]web.Use {
		for {
			played := world.Holder(dir) != nil
			result, err := arena.ReadResult(dir)
			if err == nil || !played {
				uses := make(map[string]web.Use)
				for _, agent := range result.Agents {
					if printedUse(agent.Metered) != "" {
						uses[agent.Name] = useOf(agent.Metered)
					}
				}
				return uses
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(20 * time.Millisecond): // nothing tells of it but the file
			}
		}
	}
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
