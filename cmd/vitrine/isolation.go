package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/claude"
	"github.com/vitrine-sim/vitrine/agents/confine"
	"github.com/vitrine-sim/vitrine/scenarios"
)

// enclose finds what keeps agents apart here, and refuses to play with less than is asked for.
func (r *runner) enclose(ctx context.Context) error {
	n := r.processes()
	if n == 0 {
		return nil
	}
	r.boundary = confine.Find(ctx)
	if ctx.Err() != nil { // which may have kept it from finding all that there is
		return early()
	}
	level, least := r.boundary.Level(), confine.Level(r.Limits.MinLevel)
	if r.resumed != nil {
		least = confine.Level(r.resumed.Level)
		if r.least != "" {
			least = confine.Level(r.least)
		}
	}
	shell := func(a scenarios.Agent) bool { return a.Kind == scenarios.Claude && slices.Contains(a.Tools, "Bash") }
	switch {
	case least != "" && !slices.Contains(confine.Levels(), least):
		return misuse(scenarios.Suggest(string(least), levelNames()), "--min-level: there is no level %q", least)
	case level.Under(least):
		return misuse(r.boundary.Missing(), "this machine keeps agents apart at level %s only, and %s is asked for", level, least)
	case level == confine.None && n > 1:
		return misuse(r.boundary.Missing(), "nothing on this machine keeps the processes of %d agents apart; one alone can play", n)
	case level == confine.None && slices.ContainsFunc(r.Agents, shell):
		return misuse(r.boundary.Missing(), "nothing on this machine would keep an agent with the tool Bash in its folder")
	}
	if err := r.allowHosts(); err != nil {
		return err
	}
	err := r.boundary.Prove(ctx)
	switch {
	case ctx.Err() != nil:
		return early()
	case err != nil:
		return &failure{code: exitFailed, err: err, hint: self() + " doctor shows each attack"}
	}
	r.tell("agents are kept apart at %s", r.boundary)
	return r.tellBeyond()
}

// processes returns how many agents are processes.
func (r *runner) processes() int {
	n := 0
	for _, a := range r.Agents {
		if a.IsProcess() {
			n++
		}
	}
	return n
}

// limitsOf returns what the processes of an agent may use of the machine.
func limitsOf(l scenarios.OwnResources) agents.Limits {
	return agents.Limits{
		Memory: int64(l.Memory), CPU: l.CPU, Processes: int64(l.Processes), FileSize: int64(l.FileSize), OpenFiles: int64(l.OpenFiles), Disk: int64(l.Disk),
	}
}

// limitsText tells people of limits, as far as they are not those of others.
func limitsText(l, others agents.Limits) string {
	var parts []string
	tell := func(limit, other int64, format string, what any) {
		if limit > 0 && limit != other {
			parts = append(parts, fmt.Sprintf(format, what))
		}
	}
	tell(l.Memory, others.Memory, "%v of memory", scenarios.Size(l.Memory))
	tell(int64(l.CPU), int64(others.CPU), "%v of processor time", l.CPU)
	tell(l.Processes, others.Processes, "%v processes and threads", l.Processes)
	tell(l.FileSize, others.FileSize, "%v in a file", scenarios.Size(l.FileSize))
	tell(l.OpenFiles, others.OpenFiles, "%v open files in a process", l.OpenFiles)
	tell(l.Disk, others.Disk, "%v on the disk", scenarios.Size(l.Disk))
	return strings.Join(parts, ", ")
}

func levelNames() []string {
	var names []string
	for _, l := range confine.Levels() {
		names = append(names, string(l))
	}
	return names
}

// readable returns what an agent's process may read besides its own and the system's files: what its scenario says, the program that it is,
// with what lies beside it, and Claude Code, which a script by that name may lead to.
func (r *runner) readable(a scenarios.Agent) []string {
	paths := slices.Clone(a.Read)
	if isModelled(a) {
		paths = append(paths, r.binary.Path)
		if pinned := claude.CachePath(); pinned != r.binary.Path {
			if _, err := os.Stat(pinned); err == nil {
				paths = append(paths, pinned)
			}
		}
	}
	for _, word := range a.Command {
		if dir := filepath.Dir(word); filepath.IsAbs(word) && dir != "/" {
			paths = append(paths, dir)
		}
	}
	return paths
}
