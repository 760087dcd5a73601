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

// isolation is what keeps agents apart, as the manifest says it.
const isolation = "private folders and sockets under one user; built-in tools only in the agent's own folder, by Claude Code's permissions"

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
	case r.count(scenarios.Claude) == 0:
		return ""
	case r.offline:
		return offlineModel
	}
	var names []string
	for _, a := range r.Agents {
		if a.Kind == scenarios.Claude && !slices.Contains(names, a.Model) {
			names = append(names, a.Model)
		}
	}
	return strings.Join(names, ",")
}

func (r *runner) manifest(start time.Time) arena.Manifest {
	sum := sha256.Sum256(r.Source)
	m := arena.Manifest{
		Vitrine: version, Scenario: r.Name, File: filepath.Base(r.File), Source: string(r.Source), SHA256: hex.EncodeToString(sum[:]),
		Set: append([]string{}, r.Set...), Seed: r.Seed, Model: r.modelName(), Agents: r.names(), Isolation: "no processes",
		Supervisor: os.Getpid(), Start: start.UTC(),
	}
	for _, a := range r.Agents {
		m.Kinds = append(m.Kinds, a.Kind)
	}
	if r.count(scenarios.Claude) > 0 {
		m.Claude = r.binary.Version
		m.Transport = "model: a unix socket for each agent; tools: MCP over the process's standard input and output"
		m.Isolation = isolation
	}
	return m
}

// result returns the result of the run but for its wall time. What the agents did is counted in the log.
func (r *runner) result(outcome arena.Outcome, hash string) (arena.Result, error) {
	result := arena.Result{
		Scenario: r.Name, Run: r.dir, Seed: r.Seed, Model: r.modelName(), Status: outcome.Status, Reason: outcome.Reason,
		Turns: outcome.State.Turn, Events: outcome.State.Seq, Hash: hash,
	}
	var err error
	if result.Metrics, err = r.substrate.metrics(world.Events(r.dir)); err != nil {
		return result, fmt.Errorf("metrics: %w", err)
	}
	tally, err := arena.Count(world.Events(r.dir))
	if err != nil {
		return result, fmt.Errorf("count actions: %w", err)
	}
	for i, a := range r.Agents {
		agent := arena.AgentResult{Name: a.Name, Kind: a.Kind, Actions: tally[a.Name].Actions, Refusals: tally[a.Name].Refusals}
		if endpoint := r.endpoints[a.Name]; endpoint != nil {
			used := endpoint.Usage()
			agent.ModelRequests, agent.TokensIn, agent.TokensOut = used.Requests, used.TokensIn, used.TokensOut
		}
		if i < len(outcome.Seats) {
			seat := outcome.Seats[i]
			agent.Status, agent.Reward = seat.Status, seat.Reward
			agent.WallMS, agent.PeakMemory = seat.Waiting.Milliseconds(), seat.Usage.PeakMemory
		}
		result.Agents = append(result.Agents, agent)
	}
	return result, nil
}

// summarize prints a result for people.
func (r *runner) summarize(result arena.Result) {
	dir := result.Run
	if here, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(here, dir); err == nil && filepath.IsLocal(rel) {
			dir = rel
		}
	}
	model := "no model"
	if result.Model != "" {
		model = "model " + result.Model
	}
	fmt.Fprintf(r.out, "%s, seed %d, %s: %s after %d turns (%s) in %.1f s\n\n", result.Scenario, result.Seed, model,
		result.Status, result.Turns, result.Reason, float64(result.WallMS)/1000)
	table := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "agent\tkind\tstatus\treward\tactions\trefusals\trequests\ttokens in\ttokens out\twaited\tpeak memory\t")
	for _, a := range result.Agents {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%.1f s\t%d MiB\t\n", a.Name, a.Kind, a.Status, number(a.Reward),
			a.Actions, a.Refusals, a.ModelRequests, a.TokensIn, a.TokensOut, float64(a.WallMS)/1000, a.PeakMemory>>20)
	}
	_ = table.Flush() // to a standard output that is gone, nothing can be said anyway
	fmt.Fprintln(r.out)
	for _, name := range slices.Sorted(maps.Keys(result.Metrics)) {
		fmt.Fprintf(r.out, "  %-16s %s\n", name, number(result.Metrics[name]))
	}
	fmt.Fprintf(r.out, "\n  hash %s\n  vitrine show %s\n  vitrine verify %s\n", result.Hash, dir, dir)
}

// number prints a figure with at most two decimals.
func number(f float64) string {
	s := strconv.FormatFloat(f, 'f', 2, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
