package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/vitrine-sim/vitrine/agents/claude"
	"github.com/vitrine-sim/vitrine/agents/confine"
)

// A finding is what doctor says of one thing: what is there, and what follows.
type finding struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Found   string `json:"found"`
	Follows string `json:"follows"`
}

// A diagnosis is what "doctor --json" prints. OK says that Claude Code can play here.
type diagnosis struct {
	OK       bool      `json:"ok"`
	Findings []finding `json:"findings"`

	Attacks []confine.Outcome `json:"attacks"` // of the canary
}

// doctor says what this machine has, by trying it.
func doctor(ctx context.Context, a *app, _ []string) (any, error) {
	npm := findTool(ctx, "npm", "fetches Claude Code where there is none", "--version")
	bin := findClaude(ctx, npm.OK)
	memory := findMemory()
	doc := diagnosis{OK: bin.OK && memory.OK, Findings: []finding{
		findTool(ctx, "go", "only builds vitrine; playing does not need it", "version"),
		npm, bin, memory,
		{"cores", true, fmt.Sprint(runtime.GOMAXPROCS(0)), "as many agents start at once, and as many requests to the offline model run at once"},
	}}
	isolation, outcomes := findBoundary(ctx)
	if ctx.Err() != nil { // which may be why something was not found
		return nil, ctx.Err()
	}
	doc.Findings, doc.Attacks = append(doc.Findings, isolation...), outcomes
	doc.OK = doc.OK && isolation[len(isolation)-1].OK
	for _, f := range doc.Findings {
		mark := "ok"
		if !f.OK {
			mark = "--"
		}
		fmt.Fprintf(a.out, "%s  %-16s %s\n    %-16s %s\n", mark, f.Name, f.Found, "", f.Follows)
	}
	if !doc.OK {
		return doc, errors.New("no Claude Code can play here; scripted agents can: --agents scripted --policy steady")
	}
	return doc, nil
}

func findTool(ctx context.Context, name, follows string, args ...string) finding {
	path, err := exec.LookPath(name)
	if err != nil {
		return finding{name, false, "not on PATH", follows}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).Output()
	if err != nil {
		return finding{name, false, fmt.Sprintf("%s: %v", path, err), follows}
	}
	return finding{name, true, strings.TrimSpace(string(out)) + " at " + path, follows}
}

func findClaude(ctx context.Context, npm bool) finding {
	f := finding{Name: "claude code"}
	path, cached := claude.Cached()
	onPath, err := exec.LookPath("claude")
	if err == nil {
		bin, err := claude.Inspect(ctx, onPath)
		switch {
		case err == nil && bin.Tested:
			return finding{f.Name, true, bin.Version + " at " + onPath, "a tested version, used as it is"}
		case err != nil:
			f.Found = err.Error() + "; "
		default:
			f.Found = bin.Version + " at " + onPath + " is not a tested version; "
		}
	}
	pinned := claude.Tested()[0]
	switch {
	case cached:
		f.OK, f.Found, f.Follows = true, f.Found+pinned+" at "+path, "the pinned version, used as it is"
	case npm:
		f.OK, f.Found, f.Follows = true, f.Found+"none yet", "the first run fetches "+pinned+" through npm into "+path
	default:
		f.Found, f.Follows = f.Found+"none", "install npm, or name an executable with --claude; scripted agents play without it"
	}
	return f
}

func findMemory() finding {
	a, err := admissionOf("/", 1)
	if err != nil {
		return finding{"memory", false, err.Error(), "how many agents fit is not known, so none is started"}
	}
	return finding{
		"memory", a.Fit > 0, fmt.Sprintf("%d MiB available to %s", a.Available>>20, a.Of),
		fmt.Sprintf("at most %d Claude Code agents: each needs %d MiB at start and %d MiB once grown", a.Fit, startMemory>>20, grownMemory>>20),
	}
}

// findBoundary says what keeps agents apart: each mechanism that was tried, the level, and what two dummy agents could do to each other.
func findBoundary(ctx context.Context) ([]finding, []confine.Outcome) {
	b := confine.Find(ctx)
	var all []finding
	for _, t := range b.Tried {
		f := finding{t.Name, t.Err == nil, "tried, works", t.What}
		if t.Err != nil {
			f.Found, f.Follows = t.Err.Error(), t.What+"; to have it: "+t.Raise
		}
		all = append(all, f)
	}
	all = append(all, finding{
		"isolation", b.Level() != confine.None, "level " + string(b.Level()),
		"how well agents are kept apart, from A+ to F; limits.min_level or --min-level say what a run needs",
	})
	hosts := finding{"hosts", true, "tried, works", "agents can reach the hosts that a scenario names, through a proxy that logs, and no others"}
	if _, err := b.WithProxy(); err != nil {
		hosts.OK, hosts.Found, hosts.Follows = false, err.Error(), "a scenario with hosts is refused"
	}
	all = append(all, hosts)
	outcomes, err := b.Canary(ctx)
	if err != nil {
		return append(all, finding{"canary", false, err.Error(), "no agent that is a process plays here"}), outcomes
	}
	var worked []string
	for _, o := range outcomes {
		if o.Worked {
			worked = append(worked, o.Attack)
		}
	}
	left := "nothing of the list works at this level"
	if len(worked) > 0 {
		left = "at this level an agent can still " + strings.Join(worked, ", ")
	}
	found := fmt.Sprintf("of %d attacks of one dummy agent on another %d fail", len(outcomes), len(outcomes)-len(worked))
	return append(all, finding{"canary", true, found, left}), outcomes
}
