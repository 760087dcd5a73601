package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/claude"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world"
)

// An explained is what "explain --json" prints.
type explained struct {
	Scenario    string           `json:"scenario"`
	Description string           `json:"description"`
	Rules       string           `json:"rules"`
	Params      map[string]any   `json:"params"` // of the rules, by name
	Seed        uint64           `json:"seed"`
	Schedule    string           `json:"schedule"` // of turns without phases
	Turns       [][]arena.Step   `json:"turns"`    // who acts when in the first turns; each is empty in a free schedule
	Limits      explainedLimits  `json:"limits"`
	Agents      []explainedAgent `json:"agents"`           // in seat order
	Likely      cost             `json:"likely"`           // one request for each act, up to the limit of turns
	Worst       cost             `json:"worst"`            // each act reminded once, every message said, every answer as long as it may be
	Budget      *arena.Budget    `json:"budget,omitempty"` // of all agents together; missing: there is none
	Memory      *admission       `json:"memory,omitempty"` // of agents with a model; missing: there are none
	Files       []string         `json:"files"`            // beside the scenario
}

type explainedLimits struct {
	Turns     int    `json:"turns"`
	Time      string `json:"time"`
	Act       string `json:"act"` // where neither an agent nor a phase has a clock of its own
	Overtime  string `json:"overtime"`
	OnTimeout string `json:"on_timeout"`
	OnInvalid string `json:"on_invalid"`
	OnError   string `json:"on_error"`
	Hung      int    `json:"hung"`
	Restart   string `json:"restart"` // in words: what follows a crash

	Phases []phaseClock  `json:"phases,omitempty"` // that have a clock of their own
	Agent  agents.Limits `json:"agent"`            // of the processes of each agent that has no limits of its own
}

// A phaseClock is how long an act may take in a phase.
type phaseClock struct {
	Name string `json:"name"`
	Act  string `json:"act"`
}

type explainedAgent struct {
	Name     string         `json:"name"`
	Kind     string         `json:"kind"`
	Model    string         `json:"model,omitempty"`
	Policy   string         `json:"policy,omitempty"` // that plays it, or in the place of its model when that is offline
	Tools    []string       `json:"tools"`            // built-in
	Servers  []string       `json:"mcp"`              // MCP servers besides the world's
	Workdir  string         `json:"workdir,omitempty"`
	Env      []string       `json:"env"`   // NAME=value
	Hosts    []string       `json:"hosts"` // that it may reach
	Facts    []string       `json:"facts"` // patterns of the facts that it can read as files
	Thinking int            `json:"thinking"`
	Clocks   string         `json:"clocks,omitempty"` // in words; missing: those of all
	Limits   *agents.Limits `json:"limits,omitempty"` // of its processes; missing: it has none
	Budget   *arena.Budget  `json:"budget,omitempty"` // of its model; missing: there is none of its own
	Shown    claude.Shown   `json:"shown"`            // the very text that it gets at first; a program or a person gets the observation alone
}

func explainFlags(flags *flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	var set []string
	flags.Func("set", "set a value of the scenario, as `path=value`; may be repeated", func(s string) error {
		set = append(set, s)
		return nil
	})
	turns := flags.Int("turns", 3, "of how many turns to print the order, `N`")
	agent := flags.String("agent", "", "print what the agent `NAME` gets, instead of the first one")
	return func(ctx context.Context, a *app, args []string) (any, error) {
		s, err := load(ctx, args[0], set)
		if err != nil {
			return nil, err
		}
		defer s.close()
		doc, err := s.explain(max(0, *turns))
		if err != nil {
			return nil, err
		}
		shown := 0
		if *agent != "" {
			if shown = slices.Index(s.names(), *agent); shown < 0 {
				return nil, misuse(scenarios.Suggest(*agent, s.names()), "--agent: no agent %q in the scenario", *agent)
			}
		}
		doc.print(a, shown)
		return doc, nil
	}
}

// explain says what a run of the scenario will be like.
func (s *setup) explain(turns int) (*explained, error) {
	game := s.game()
	preview, err := game.Preview(turns)
	if err != nil {
		return nil, err
	}
	l := s.Limits
	doc := &explained{
		Scenario: s.Name, Description: s.Description, Rules: s.Rules.Name, Params: s.Params, Seed: s.Seed, Schedule: s.Schedule, Turns: preview.Turns,
		Limits: explainedLimits{l.Turns, l.Time.String(), l.Act.String(), l.Overtime.String(), l.OnTimeout, l.OnInvalid, l.OnError, l.Hung, restartText(s.Restart), s.phaseClocks(), limitsOf(scenarios.OwnResources(l.Agent))},
		Files:  []string{}, Budget: told(allOf(s.Budget)),
	}
	for _, file := range keepFiles(s.Files) {
		doc.Files = append(doc.Files, file.Path)
	}
	for i, a := range s.Agents {
		shown := claude.Show(a.Prompt, preview.Seen[i])
		agent := explainedAgent{
			Name: a.Name, Kind: a.Kind, Policy: a.Policy, Tools: append([]string{}, a.Tools...), Thinking: a.Thinking, Shown: shown,
			Workdir: a.Workdir, Env: append([]string{}, variables(a)...), Servers: []string{}, Hosts: []string{}, Facts: []string{},
		}
		if a.IsProgram() || a.Kind == scenarios.Human { // they have none of it
			agent.Tools, agent.Thinking, agent.Shown = []string{}, 0, claude.Shown{Observation: string(world.JSON(preview.Seen[i]))}
			if !a.Gateway {
				agent.Policy = ""
			}
		}
		if own := s.clocks(a); own != nil {
			agent.Clocks = clocksText(own)
		}
		if a.IsProcess() {
			agent.Hosts, agent.Facts = append(agent.Hosts, a.Hosts...), append(agent.Facts, a.Facts...)
			agent.Limits = new(limitsOf(a.Limits))
		}
		for _, server := range a.MCP {
			agent.Servers = append(agent.Servers, server.Name)
		}
		if isModelled(a) {
			agent.Model, agent.Budget = modelOf(a), told(eachOf(a.Budget))
			acts := s.actsIn(a.Name)
			doc.Likely = doc.Likely.add(s.likely(shown, acts))
			doc.Worst = doc.Worst.add(s.worst(shown, acts, a))
		}
		doc.Agents = append(doc.Agents, agent)
	}
	if n := modelled(s.Agents); n > 0 {
		memory, err := admissionOf("/", n)
		if err != nil {
			return nil, err
		}
		doc.Memory = &memory
	}
	return doc, nil
}

// phaseClocks returns the clocks of the phases that have one of their own.
func (s *setup) phaseClocks() (clocks []phaseClock) {
	for _, p := range s.Phases {
		if p.Act != s.Limits.Act {
			clocks = append(clocks, phaseClock{p.Name, p.Act.String()})
		}
	}
	return clocks
}

// budgets says what there are of budgets.
func (e *explained) budgets() []string {
	var all []string
	tell := func(who string, b *arena.Budget) {
		if b == nil {
			return
		}
		var parts []string
		if b.Requests > 0 {
			parts = append(parts, plural(int(b.Requests), "request"))
		}
		if b.Tokens > 0 {
			parts = append(parts, thousands(b.Tokens)+" tokens")
		}
		if b.Dollars > 0 {
			parts = append(parts, fmt.Sprintf("%v dollars", b.Dollars))
		}
		all = append(all, who+" "+strings.Join(parts, ", "))
	}
	if e.Memory != nil { // else there is no model
		tell("all agents together", e.Budget)
	}
	for _, agent := range e.Agents {
		tell(agent.Name, agent.Budget)
	}
	return all
}

// print tells people.
func (e *explained) print(a *app, shown int) {
	fmt.Fprintf(a.out, "%s: %s\nrules %s, seed %d, %s\n", e.Scenario, e.Description, e.Rules, e.Seed, plural(len(e.Agents), "agent"))
	for _, name := range slices.Sorted(maps.Keys(e.Params)) {
		fmt.Fprintf(a.out, "  rules.%s = %.80s\n", name, world.JSON(e.Params[name]))
	}
	for _, agent := range e.Agents {
		fmt.Fprintf(a.out, "  %s\n", agent.line(e.Limits.Agent))
	}
	fmt.Fprintln(a.out, "\nOrder of turns, while nobody is out:")
	for turn, steps := range e.Turns {
		var line []string
		for _, step := range steps {
			who := strings.Join(step.Agents, " + ")
			if step.Phase != "" {
				who = step.Phase + ": " + who
			}
			line = append(line, who)
		}
		if len(steps) == 0 {
			line = []string{"each whenever it is ready"}
		}
		fmt.Fprintf(a.out, "  turn %d: %s\n", turn, strings.Join(line, "; then "))
	}
	agent := e.Agents[shown]
	fmt.Fprintf(a.out, "\nWhat %s gets; --agent NAME prints that of another one, and --json that of all.\n\n", agent.Name)
	if agent.Shown.System != "" {
		fmt.Fprintf(a.out, "system prompt:\n%s\n\n", indent(agent.Shown.System))
		fmt.Fprintf(a.out, "tool %s: %s\n%s\n\n", agent.Shown.Tool.Name, agent.Shown.Tool.Description, indent(string(agent.Shown.Tool.Schema)))
	}
	fmt.Fprintf(a.out, "first observation:\n%s\n\n", indent(agent.Shown.Observation))
	l := e.Limits
	clocks := []string{l.Act + " for an act"}
	for _, p := range l.Phases {
		clocks = append(clocks, p.Act+" in the phase "+p.Name)
	}
	fmt.Fprintf(a.out, "At most %s and %s in all; %s, and %s of overtime for each agent. When an agent is late: %s; does nothing, or nothing legal: %s; fails this once: %s. When its process crashes: %s.\n",
		plural(l.Turns, "turn"), l.Time, strings.Join(clocks, ", "), l.Overtime, l.OnTimeout, l.OnInvalid, l.OnError, l.Restart)
	if slices.ContainsFunc(e.Agents, func(a explainedAgent) bool { return a.Limits != nil }) {
		fmt.Fprintf(a.out, "The processes of an agent may use at most %s, if nothing else is said above. One that uses more is ended.\n", limitsText(l.Agent, agents.Limits{}))
		fmt.Fprintln(a.out, "What they try beside the game (files, hosts and tools that are not theirs, names of others, floods) is refused and counts as tampers: show says who tried what, and what to do.")
	}
	fmt.Fprintf(a.out, "\nUp to the limit of turns, one request for each act: %s\nAt worst:  %s\n", e.Likely, e.Worst)
	if budgets := e.budgets(); len(budgets) > 0 {
		fmt.Fprintf(a.out, "But no request goes out for which a budget has no room: %s.\n", strings.Join(budgets, "; "))
	}
	programs := 0 // of which nobody knows what they need
	for _, agent := range e.Agents {
		if agent.Limits != nil && agent.Model == "" {
			programs++
		}
	}
	if programs > 0 {
		fmt.Fprintf(a.out, "Memory of %s comes on top: how much that is only the run shows, up to the limits above.\n", plural(programs, "program"))
	}
	fmt.Fprintln(a.out, estimate)
	if e.Memory != nil {
		fmt.Fprintf(a.out, "Memory of %s.\n", e.Memory)
	}
}

// restartText says what follows a crash.
func restartText(r scenarios.Restart) string {
	if r.Max == 0 {
		return "out"
	}
	return fmt.Sprintf("started again after %s, twice as many each time up to %d, at most %s in %s, then out",
		plural(r.Backoff, "turn"), r.MaxBackoff, plural(r.Max, "time"), plural(r.Window, "turn"))
}

// line says who sits in a seat; ofAll are the limits of whoever has none of its own.
func (a explainedAgent) line(ofAll agents.Limits) string {
	parts := []string{a.Name, a.Kind}
	if a.Model != "" {
		parts = append(parts, "model "+a.Model)
	}
	if a.Policy != "" {
		parts = append(parts, "policy "+a.Policy)
	}
	if len(a.Tools) > 0 {
		parts = append(parts, "tools "+strings.Join(a.Tools, ", "))
	}
	if len(a.Servers) > 0 {
		parts = append(parts, "MCP servers "+strings.Join(a.Servers, ", "))
	}
	if len(a.Hosts) > 0 {
		parts = append(parts, "hosts "+strings.Join(a.Hosts, ", "))
	}
	if len(a.Facts) > 0 {
		parts = append(parts, "facts "+strings.Join(a.Facts, ", "))
	}
	if a.Workdir != "" {
		parts = append(parts, "files of "+a.Workdir)
	}
	if len(a.Env) > 0 {
		parts = append(parts, strings.Join(a.Env, " "))
	}
	if a.Thinking > 0 {
		parts = append(parts, fmt.Sprintf("thinking %d", a.Thinking))
	}
	if a.Clocks != "" {
		parts = append(parts, a.Clocks)
	}
	if a.Limits != nil && *a.Limits != ofAll {
		parts = append(parts, "at most "+limitsText(*a.Limits, ofAll))
	}
	return strings.Join(parts, "; ")
}

// indent moves the lines of a text to the right.
func indent(text string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, strings.TrimRight("    "+printable(line), " "))
	}
	return strings.Join(lines, "\n")
}
