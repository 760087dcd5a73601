package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/agents/confine"
	"github.com/vitrine-sim/vitrine/agents/scripted"
	"github.com/vitrine-sim/vitrine/arena"
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

// locateCommands makes the paths whole in the commands of programs, and of what agents may read. What of it is not there is a mistake.
func (s *setup) locateCommands() error {
	agents := slices.Clone(s.Agents)
	for i := range agents {
		a := &agents[i]
		command, wrong := located(s.File, a.Command)
		read, wrongRead := located(s.File, a.Read)
		if wrong = errors.Join(wrong, wrongRead); wrong != nil {
			return wrong
		}
		a.Command, a.Read = command, read
	}
	err := s.absent(agents, nearBeside)
	s.Agents = agents
	return err
}

// absent returns a mistake for each program that is not there, and for all that an agent may read. The agents are those of the scenario with whole paths.
// What to do about a path is in the hint.
func (s *setup) absent(agents []scenarios.Agent, hint func(path string) string) (err error) {
	told := make(map[string]bool) // the members of a group have the same
	for i, a := range agents {
		at, words := fmt.Sprintf("agents.%d.", i), s.Agents[i]
		var mistakes []*scenarios.Error
		if a.IsProgram() && len(a.Command) > 0 {
			if _, missing := exec.LookPath(a.Command[0]); missing != nil {
				mistakes = append(mistakes, s.Error(at+"command", missing.Error(), commandHint))
			}
			mistakes = append(mistakes, s.missing(at+"command", words.Command[min(1, len(words.Command)):], a.Command[1:], hint)...)
		}
		if a.IsProcess() {
			mistakes = append(mistakes, s.missing(at+"read", words.Read, a.Read, hint)...)
		}
		for _, m := range mistakes {
			if !told[m.Error()] {
				err = scenarios.Join(err, m)
			}
			told[m.Error()] = true
		}
	}
	return err
}

// missing returns a mistake for each word of a list that is the path of something beside the scenario which is not there.
func (s *setup) missing(at string, words, located []string, hint func(path string) string) (mistakes []*scenarios.Error) {
	for i, path := range located {
		if _, err := os.Stat(path); err != nil && i < len(words) && path != words[i] { // a manifest may have more of them
			mistakes = append(mistakes, s.Error(at, fmt.Sprintf("there is no %s beside the scenario", words[i]), hint(path)))
		}
	}
	return mistakes
}

// nearBeside is the hint for a path of a scenario that is not there.
func nearBeside(path string) string {
	var there []string
	entries, _ := os.ReadDir(filepath.Dir(path)) // without it there is no hint
	for _, entry := range entries {
		there = append(there, entry.Name())
	}
	if near := scenarios.Nearest(filepath.Base(path), there); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "what begins with ./ begins in the scenario's folder"
}

// gone returns a mistake for all that the agents of a run need which is played on, or again, and that is not there any more.
func (r *runner) gone(m arena.Manifest) error {
	s, err := reparse(m)
	if err != nil {
		return err
	}
	return (&setup{Scenario: s}).absent(r.Agents, func(path string) string { return "the run was begun with " + path + ": put it back there" })
}

// aboutScripts says which program of an agent is a script that may only stand for another one, outside of what agents may read; empty: none.
func (r *runner) aboutScripts() string {
	for _, a := range r.Agents {
		if !a.IsProgram() || strings.Contains(a.Command[0], "/") {
			continue
		}
		path, _ := exec.LookPath(a.Command[0]) // it was there
		if begins, err := os.ReadFile(path); err == nil && bytes.HasPrefix(begins, []byte("#!")) && !confine.IsSystem(path) {
			return fmt.Sprintf("%s is the script %s here, and what that starts the agent may not be able to read: write the whole path of the program that it stands for, and let the agent read where that is installed, by read", a.Command[0], path)
		}
	}
	return ""
}

// played returns how many recorded actions were played.
func (r *runner) played() int {
	n := 0
	for _, p := range r.recorded {
		n += p.Played()
	}
	return n
}
