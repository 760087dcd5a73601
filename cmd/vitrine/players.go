package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"

	"github.com/vitrine-sim/vitrine/agents/scripted"
	"github.com/vitrine-sim/vitrine/scenarios"
)

// cast makes the agents what the flags want.
func (r *runner) cast() error {
	if r.kind != "" && r.kind != scenarios.Claude && r.kind != scenarios.Scripted {
		return misuse(scenarios.Suggest(r.kind, []string{scenarios.Claude, scenarios.Scripted}), "--agents: unknown kind %q", r.kind)
	}
	for i := range r.Agents {
		a := &r.Agents[i]
		if r.kind != "" {
			a.Kind = r.kind
		}
		if r.model != "" {
			a.Model = r.model
		}
		a.Model = modelOf(*a)
	}
	if err := r.locateCommands(); err != nil {
		return err
	}
	switch {
	case r.actions != "" && r.policy != replayPolicy:
		return misuse("add --agents scripted --policy replay", "--actions: nobody plays it")
	case r.policy == "":
		return nil
	case r.count(scenarios.Claude) > 0 && !r.offline:
		return misuse("add --offline or --agents scripted", "--policy %s: a real model follows no policy", r.policy)
	case r.policy == replayPolicy:
		return r.readActions()
	}
	if _, ok := r.substrate.policy(r.policy); !ok {
		names := append(r.substrate.policyNames(), replayPolicy)
		return misuse(scenarios.Suggest(r.policy, names), "--policy: unknown policy %q", r.policy)
	}
	r.everyPolicy()
	return nil
}

// everyPolicy makes the policy that was asked for everybody's.
func (r *runner) everyPolicy() {
	for i := range r.Agents {
		r.Agents[i].Policy = r.policy
	}
}

// readActions reads what --policy replay plays.
func (r *runner) readActions() error {
	if r.count(scenarios.Claude) > 0 {
		return misuse("add --agents scripted", "--policy replay: the offline model decides from what it is asked, and nothing else")
	}
	if r.actions == "" {
		return misuse("name the file with --actions FILE", "--policy replay: nothing to replay")
	}
	const line = `a line is {"turn":0,"agent":"a","action":"fish","args":{"tons":10}}`
	raw, err := os.ReadFile(r.actions)
	if err != nil {
		return misuse("", "--actions: %w", err)
	}
	if r.recording, err = scripted.ReadRecording(r.actions, bytes.NewReader(raw)); err != nil {
		return misuse(line, "%w", err)
	}
	if len(r.recording) == 0 {
		return misuse(line, "%s: no actions", r.actions)
	}
	r.actionsRaw = raw
	for _, name := range r.recording.Agents() {
		if !slices.Contains(r.names(), name) {
			return misuse(scenarios.Suggest(name, r.names()), "%s: no agent %q in the scenario", r.actions, name)
		}
	}
	r.everyPolicy()
	return nil
}

// count returns how many agents are of a kind.
func (r *runner) count(kind string) int {
	n := 0
	for _, a := range r.Agents {
		if a.Kind == kind {
			n++
		}
	}
	return n
}

// isModelled says whether an agent has a model.
func isModelled(a scenarios.Agent) bool {
	return a.Kind == scenarios.Claude || a.IsProgram() && a.Gateway
}

// modelled returns how many agents have a model.
func (r *runner) modelled() int { return modelled(r.Agents) }

// modelled returns how many of some agents have a model.
func modelled(all []scenarios.Agent) int {
	n := 0
	for _, a := range all {
		if isModelled(a) {
			n++
		}
	}
	return n
}

// locateCommands makes the paths whole in the commands of programs, and of what agents may read.
func (r *runner) locateCommands() error {
	for i := range r.Agents {
		command, err := located(r.File, r.Agents[i].Command)
		if err == nil {
			r.Agents[i].Read, err = located(r.File, r.Agents[i].Read)
		}
		if err != nil {
			return err
		}
		if len(command) > 0 && r.Agents[i].IsProgram() {
			if _, err := exec.LookPath(command[0]); err != nil {
				return r.Error(fmt.Sprintf("agents.%d.command", i), err.Error(), commandHint)
			}
		}
		r.Agents[i].Command = command
	}
	return nil
}

// played returns how many recorded actions were played.
func (r *runner) played() int {
	n := 0
	for _, p := range r.recorded {
		n += p.Played()
	}
	return n
}
