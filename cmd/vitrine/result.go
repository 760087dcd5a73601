package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/vitrine-sim/vitrine/agents/claude"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world"
)

// A versionInfo is what "version --json" prints.
type versionInfo struct {
	Vitrine string   `json:"vitrine"`
	Go      string   `json:"go"`
	Claude  []string `json:"claude_code_tested"`
}

func versions() versionInfo {
	return versionInfo{Vitrine: version, Go: runtime.Version(), Claude: claude.Tested()}
}

// modelName returns the name of the model in the manifest and the result.
func (r *runner) modelName() string {
	switch {
	case r.modelled() == 0:
		return ""
	case r.offline:
		return offlineModel
	}
	var names []string
	for _, a := range r.Agents {
		if isModelled(a) && !slices.Contains(names, a.Model) {
			names = append(names, a.Model)
		}
	}
	return strings.Join(names, ",")
}

func (r *runner) manifest(start time.Time) (arena.Manifest, error) {
	m := arena.Manifest{
		Vitrine: version, Scenario: r.Name, File: filepath.Base(r.File), Source: string(r.Source), SHA256: sum(r.Source),
		Set: append([]string{}, r.Set...), Files: keepFiles(r.Files), Seed: r.Seed, Model: r.modelName(), Isolation: "no processes",
		Supervisor: os.Getpid(), Start: start.UTC(), Plugin: r.Rules.Plugin,
	}
	commands := [][]string{r.Rules.Plugin}
	for _, a := range r.Agents {
		p := arena.AgentManifest{Name: a.Name, Kind: a.Kind, Policy: a.Policy}
		switch {
		case isModelled(a):
			p.Model, p.Command, p.Read = a.Model, a.Command, a.Read
			if !r.offline {
				p.Policy = ""
			}
		case a.Kind != scenarios.Scripted:
			p.Policy, p.Command, p.Read = "", a.Command, a.Read
		}
		if a.IsProcess() {
			p.Hosts, p.Limits = a.Hosts, new(limitsOf(a.Limits))
		}
		m.Agents = append(m.Agents, p)
		commands = append(commands, p.Command)
	}
	if r.recording != nil {
		m.Actions, m.ActionsSHA256 = r.actions, sum(r.actionsRaw)
	}
	if r.again != nil {
		r.again.declare(&m)
	}
	if r.modelled() > 0 {
		if !r.offline {
			m.Endpoint = r.baseURL
		}
		m.Cassette = !r.silent
		m.Prices = r.keptPrices
		m.Fault = r.fault
		m.Claude = r.binary.Version
		m.Transport = "model: a unix socket for each agent; tools: MCP over the process's standard input and output"
	}
	if r.processes() > 0 {
		m.Isolation, m.Level = r.boundary.String(), string(r.boundary.Level())
	}
	var err error
	m.Programs, err = programsOf(commands...)
	return m, err
}

// sum returns the SHA-256 of raw in hexadecimal.
func sum(raw []byte) string {
	s := sha256.Sum256(raw)
	return hex.EncodeToString(s[:])
}

// result returns the result of the run but for its wall time.
func (r *runner) result(outcome arena.Outcome, hash string) (arena.Result, error) {
	result := arena.Result{
		Scenario: r.Name, Run: r.dir, Seed: r.Seed, Model: r.modelName(), Status: outcome.Status, Reason: outcome.Reason,
	}
	result.Budget, result.Equal, result.Used = told(allOf(r.Budget)), r.equalTerms(), arena.Metered{Dollars: new(float64)}
	for i, a := range r.Agents {
		agent := arena.AgentResult{Name: a.Name, Kind: a.Kind, Budget: told(eachOf(a.Budget))}
		if own := r.clocks(a); own != nil {
			agent.Clocks = &arena.OwnClocks{ActMS: own.Act.Milliseconds(), OvertimeMS: own.Overtime.Milliseconds()}
		}
		if i < len(outcome.Seats) {
			agent.Metered, agent.PeakMemory = outcome.Seats[i].Metered, outcome.Seats[i].Usage.PeakMemory
		}
		if endpoint := r.endpoints[a.Name]; endpoint != nil { // what was cut as the agent ended is counted as the endpoint is closed
			agent.Metered = meter(endpoint)()
		}
		result.Used = result.Used.Add(agent.Metered)
		agent.Caching, agent.Hosts = caching(r.endpoints[a.Name]), r.hosts.used(a.Name)
		result.Agents = append(result.Agents, agent)
	}
	return result, r.score(&result, r.dir, outcome.State, hash)
}

// score fills in what the log alone decides: the same for a run that has just ended and for one that is verified.
func (s *setup) score(result *arena.Result, dir string, st world.State, hash string) error {
	result.Turns, result.Events, result.Hash = st.Turn, st.Seq, hash
	if st.Seq == 0 {
		return nil // it has not begun
	}
	var err error
	if result.Metrics, err = s.substrate.measure(world.Events(dir)); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	tallies, err := arena.Count(world.Events(dir))
	if err != nil {
		return fmt.Errorf("count actions: %w", err)
	}
	game := s.game()
	for i := range result.Agents {
		agent := &result.Agents[i]
		agent.Tally = tallies[agent.Name]
		agent.Status, agent.Reward, err = game.Standing(st, agent.Name)
		if err != nil && result.Status != arena.Failed { // of rules that have failed there may be no reward
			return err
		}
	}
	return nil
}

// summarize prints a result for people.
func (r *runner) summarize(result arena.Result) {
	model := "no model"
	if result.Model != "" {
		model = "model " + result.Model
	}
	fmt.Fprintf(r.out, "%s, seed %d, %s: %s after %s (%s) in %.1f s\n\n", result.Scenario, result.Seed, model,
		result.Status, plural(result.Turns, "turn"), result.Reason, float64(result.WallMS)/1000)
	table := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "agent\tkind\tstatus\treward\tactions\trequests\ttokens in\ttokens out\twaited\tpeak memory\t")
	for _, a := range result.Agents {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%.1f s\t%d MiB\t\n", a.Name, a.Kind, a.Status, number(a.Reward),
			a.Actions, a.ModelRequests, a.TokensIn, a.TokensOut, a.WallMS/1000, a.PeakMemory>>20)
	}
	_ = table.Flush() // to a standard output that is gone, nothing can be said anyway
	fmt.Fprintln(r.out)
	var troubled []string
	for _, a := range result.Agents {
		if trouble := troubles(a.Tally); trouble != "" {
			troubled = append(troubled, "  "+a.Name+": "+trouble+"\n")
		}
	}
	for _, a := range r.Agents {
		if own := r.clocks(a); own != nil {
			troubled = append(troubled, "  "+a.Name+" had "+clocksText(own)+"\n")
		}
	}
	if len(troubled) > 0 {
		fmt.Fprintln(r.out, strings.Join(troubled, ""))
	}
	if used := printedUse(result.Used); used != "" {
		fmt.Fprintf(r.out, "  all agents: %s\n\n", used)
	}
	for _, warning := range cacheWarnings(result) {
		r.tell("%s", warning)
	}
	for _, name := range slices.Sorted(maps.Keys(result.Metrics)) {
		fmt.Fprintf(r.out, "  %-16s %s\n", name, number(result.Metrics[name]))
	}
	dir, trust := relative(result.Run), ""
	if r.Rules.InPlugin() {
		trust = " --trust"
	}
	fmt.Fprintf(r.out, "\n  hash %s\n  %s show %s\n  %s verify %s%s\n", result.Hash, self(), dir, self(), dir, trust)
}

// clocksText says what clocks of its own an agent has.
func clocksText(own *arena.Clocks) string {
	text := "clocks of its own: "
	if own.Act > 0 {
		text += fmt.Sprintf("%v for an act, ", own.Act)
	}
	return text + fmt.Sprintf("%v of overtime", own.Overtime)
}

// troubles says what an agent did besides acting; empty if nothing.
func troubles(t arena.Tally) string {
	var all []string
	for _, what := range []struct {
		n    int
		name string
	}{
		{t.Refusals, "refusal"},
		{t.Messages, "message"},
		{t.Passes, "pass"},
		{t.Timeouts, "timeout"},
		{t.Invalids, "invalid act"},
		{t.Errors, "error"},
		{t.Crashes, "crash"},
		{t.Restarts, "restart"},
		{t.Backoffs, "back-off"},
		{t.Budgets, "budget refusal"},
		{t.Defaults, "default action"},
		{t.Fenced, "fenced act"},
		{t.Tampers, "tampering attempt"},
		{t.Troubles, "model trouble"},
		{t.Breaches, "broken limit"},
	} {
		if what.n > 0 {
			all = append(all, plural(what.n, what.name))
		}
	}
	return strings.Join(all, ", ")
}

// self returns how whoever started this program can start it again.
func self() string {
	if strings.Contains(os.Args[0], "/go-build") {
		return "go run ./cmd/vitrine"
	}
	return os.Args[0]
}

// relative returns a path as one would type it here.
func relative(path string) string {
	if here, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(rel) {
			path = rel
		}
	}
	if strings.ContainsAny(path, " '\"\\$&;|<>()*?[]#~`!") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}

// plural counts things.
func plural(n int, thing string) string {
	switch {
	case n == 1:
		return "1 " + thing
	case strings.HasSuffix(thing, "s"), strings.HasSuffix(thing, "sh"):
		return strconv.Itoa(n) + " " + thing + "es"
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

// number prints a figure with at most two decimals.
func number(f float64) string {
	s := strconv.FormatFloat(f, 'f', 2, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
