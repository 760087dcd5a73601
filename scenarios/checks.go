package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// contradictions returns a mistake for each value that does not go together with the others.
func (s *Scenario) contradictions() Errors {
	var agents, phases []string
	for _, a := range s.Agents {
		agents = append(agents, a.Name)
	}
	for _, p := range s.Phases {
		phases = append(phases, p.Name)
	}
	return slices.Concat(
		s.duplicates("agent", agents), s.duplicates("phase", phases), s.strangers(), s.reserved(), s.programs(), s.servers(), s.unspent(), s.cramped(), s.thoughtless(),
		s.unphased(), s.unrotated(), s.unrestarted(), s.undefaulted(), s.unplayed(), s.unlayered(), s.unfounded())
}

// unlayered returns a mistake for each layer of the look that is not of one kind.
func (s *Scenario) unlayered() (errs Errors) {
	for i, l := range s.Look.Layers {
		kinds := 0
		for _, ref := range []string{l.Rows, l.Cells, l.Pieces, l.Things, l.Owners} {
			if ref != "" {
				kinds++
			}
		}
		if kinds != 1 {
			errs = append(errs, s.Error(fmt.Sprintf("look.layers.%d", i), "a layer has one of rows, cells, pieces, things and owners", "write a layer for each of them"))
		}
	}
	return errs
}

// unfounded returns a mistake for each path of files of facts that no fact can have.
func (s *Scenario) unfounded() (errs Errors) {
	look := func(at string, paths []string) {
		for i, path := range paths {
			hint := ""
			switch rest := strings.ReplaceAll(path, "{name}", ""); {
			case strings.HasPrefix(path, "/"):
				hint = "paths of facts begin without a slash"
			case slices.Contains(strings.Split(path, "/"), ".."), slices.Contains(strings.Split(path, "/"), "."):
				hint = "it is of facts and not of files"
			case strings.ContainsAny(rest, "{}"):
				hint = "only {name} is filled in"
			default:
				continue
			}
			errs = append(errs, s.Error(fmt.Sprintf("%s.%d", at, i), fmt.Sprintf("%q is no path of a fact", path), hint))
		}
	}
	look("facts", s.Facts)
	for i, a := range s.Agents {
		if s.agentNode(i).child("facts") != nil {
			look(fmt.Sprintf("agents.%d.facts", i), a.Facts)
		}
	}
	return errs
}

// duplicates returns a mistake for each thing of a list whose name another one has before it.
func (s *Scenario) duplicates(thing string, names []string) (errs Errors) {
	first := make(map[string]*node)
	for i, name := range names {
		n := s.doc.root.child(thing + "s").list[i].child("name")
		was, ok := first[name]
		switch {
		case name == "": // a mistake of its own
		case ok:
			msg := fmt.Sprintf("duplicate %s name %q, first %s", thing, name, s.doc.where(was))
			hint := "give it another name"
			if thing == "agent" {
				hint += "; agents that differ in nothing else are a group with a count"
			}
			errs = append(errs, s.doc.mistake(n, n.at, msg, hint))
		default:
			first[name] = n
		}
	}
	return errs
}

// programs returns a mistake for each agent that should have a program and has none, or the other way round.
func (s *Scenario) programs() (errs Errors) {
	for i, a := range s.Agents {
		at := fmt.Sprintf("agents.%d", i)
		switch {
		case a.IsProgram() && len(a.Command) == 0:
			errs = append(errs, s.Error(at+".kind", fmt.Sprintf("an agent of kind %q needs a command", a.Kind), `write it like command = ["python3", "./player.py"]`))
		case !a.IsProgram() && len(a.Command) > 0:
			errs = append(errs, s.Error(at+".command", "a command is for an agent of kind \"exec\" or \"plugin\"", `write kind = "exec"`))
		case len(a.Hosts) > 0 && !a.IsProcess():
			errs = append(errs, s.Error(at+".hosts", fmt.Sprintf("an agent of kind %q reaches no hosts", a.Kind), "it is no process"))
		case len(a.Facts) > 0 && !a.IsProcess():
			errs = append(errs, s.Error(at+".facts", fmt.Sprintf("an agent of kind %q reads no files", a.Kind), "it is no process"))
		case !a.IsProgram() && a.Gateway:
			errs = append(errs, s.Error(at+".gateway", "the gateway is for an agent of kind \"exec\" or \"plugin\"", "Claude Code has it anyway"))
		}
	}
	return errs
}

// unspent returns a mistake for each agent with a budget of its own and nothing that it could spend it on.
func (s *Scenario) unspent() (errs Errors) {
	for i, a := range s.Agents {
		if a.Budget != (Budget{}) && (a.Kind == Scripted || a.Kind == Human || a.IsProgram() && !a.Gateway) {
			errs = append(errs, s.Error(fmt.Sprintf("agents.%d.budget", i), "a budget is for an agent with a model", "this one has none"))
		}
	}
	return errs
}

// What Claude Code cannot do without.
const (
	leastMemory    Size = 512 << 20
	leastProcesses      = 24
	leastOpenFiles      = 64
)

// cramped returns a mistake for each agent whose limits it cannot live in, or that has no process which they could be for.
func (s *Scenario) cramped() (errs Errors) {
	for i, a := range s.Agents {
		own, at := s.agentNode(i).child("limits"), fmt.Sprintf("agents.%d.limits", i)
		if a.Kind == Scripted || a.Kind == Human {
			if own != nil {
				errs = append(errs, s.Error(at, "limits are for an agent that is a process", "this one is none"))
			}
			continue
		}
		l := a.Limits.or(s.Limits.Agent)
		for _, least := range []struct {
			key      string
			is, must int64
			text     string
		}{
			{"memory", int64(l.Memory), int64(leastMemory), leastMemory.String()},
			{"processes", int64(l.Processes), leastProcesses, strconv.Itoa(leastProcesses)},
			{"open_files", int64(l.OpenFiles), leastOpenFiles, strconv.Itoa(leastOpenFiles)},
		} {
			if a.Kind != Claude || least.is >= least.must || least.is == 0 { // 0: a mistake of its own
				continue
			}
			where := "limits.agent." + least.key
			if own != nil && own.child(least.key) != nil {
				where = at + "." + least.key
			}
			errs = append(errs, s.Error(where, fmt.Sprintf("%s must be at least %s for Claude Code", least.key, least.text), "an agent of another kind may have less"))
		}
	}
	return errs
}

// thoughtless returns a mistake for each agent that would have no tokens left to answer when it has thought.
func (s *Scenario) thoughtless() (errs Errors) {
	for i, a := range s.Agents {
		most, thinking := cmp.Or(a.MaxTokens, s.MaxTokens), a.Thinking
		if s.agentNode(i).child("thinking") == nil {
			thinking = s.Thinking
		}
		if most > 0 && thinking >= most {
			at := fmt.Sprintf("agents.%d.max_tokens", i)
			errs = append(errs, s.Error(at, fmt.Sprintf("max_tokens, %d, must be more than thinking, %d", most, thinking), "an answer holds its thoughts too"))
		}
	}
	return errs
}

// servers returns a mistake for each MCP server that has the name of another one or of the world's, or that nobody would start.
func (s *Scenario) servers() (errs Errors) {
	for i, a := range s.Agents {
		names := []string{worldServer}
		for k, server := range a.MCP {
			at := fmt.Sprintf("agents.%d.mcp.%d.name", i, k)
			if slices.Contains(names, server.Name) {
				errs = append(errs, s.Error(at, fmt.Sprintf("%q is the name of another MCP server of this agent", server.Name), "the world's own is called "+worldServer))
			}
			names = append(names, server.Name)
		}
		if len(a.MCP) > 0 && (a.IsProgram() || a.Kind == Human) {
			errs = append(errs, s.Error(fmt.Sprintf("agents.%d.mcp", i), fmt.Sprintf("an agent of kind %q starts no MCP servers", a.Kind), "Claude Code does"))
		}
	}
	return errs
}

// worldServer is the name of the MCP server through which Claude Code acts, as package claude has it.
const worldServer = "world"

// reserved returns a mistake for each agent that has a name which means somebody else in a log.
func (s *Scenario) reserved() (errs Errors) {
	for i, a := range s.Agents {
		if a.Name == operator {
			errs = append(errs, s.Error(fmt.Sprintf("agents.%d.name", i), fmt.Sprintf("no agent can be called %q", operator),
				"that is whoever intervenes in a run from outside"))
		}
	}
	return errs
}

// operator is the name of whoever intervenes in a run from outside, as package world has it.
const operator = "operator"

// strangers returns a mistake for each name in a phase, or in the offline model's script, that neither an agent nor a group has.
func (s *Scenario) strangers() (errs Errors) {
	for i, p := range s.Phases {
		errs = append(errs, s.unknown(fmt.Sprintf("phases.%d.agents", i), p.Agents)...)
	}
	for i, line := range s.Offline.Script {
		errs = append(errs, s.unknown(fmt.Sprintf("offline.script.%d.agents", i), line.Agents)...)
	}
	return errs
}

// unknown returns a mistake for each name in the list at a path that neither an agent nor a group has.
func (s *Scenario) unknown(at string, names []string) (errs Errors) {
	agents := s.names()
	for k, name := range names {
		if name != "" && !slices.Contains(agents, name) {
			errs = append(errs, s.Error(fmt.Sprintf("%s.%d", at, k), fmt.Sprintf("no agent %q in the scenario", name), Suggest(name, agents)))
		}
	}
	return errs
}

// unplayed returns a mistake for each entry of the offline model's script that says something which never comes to be played.
func (s *Scenario) unplayed() (errs Errors) {
	for i, line := range s.Offline.Script {
		at := fmt.Sprintf("offline.script.%d", i)
		for k, turn := range line.Turns {
			if turn < 0 {
				errs = append(errs, s.Error(fmt.Sprintf("%s.turns.%d", at, k), fmt.Sprintf("there is no turn %d", turn), "turns count from 0"))
			}
		}
		if line.Args != nil && line.Action == "" {
			errs = append(errs, s.Error(at+".args", "arguments without an action", `write action = "fish" beside them`))
		}
	}
	return errs
}

// unphased returns a mistake if there are phases in which everybody would have to be at a different one.
func (s *Scenario) unphased() Errors {
	if s.Schedule != Free || len(s.Phases) == 0 {
		return nil
	}
	return Errors{s.Error("schedule", "a free schedule has no phases", "write parallel, sequential or shuffled, or leave [[phases]] out")}
}

// unrotated returns a mistake if seats are to be rotated, and nobody acts in the order of seats.
func (s *Scenario) unrotated() Errors {
	sequential := len(s.Phases) == 0 && s.Schedule == Sequential ||
		slices.ContainsFunc(s.Phases, func(p Phase) bool { return p.Schedule == Sequential })
	if !s.Rotate || sequential {
		return nil
	}
	return Errors{s.Error("rotate", "rotate is for a sequential schedule, and there is none", `write schedule = "sequential"`)}
}

// unrestarted returns a mistake for each value that does not go together with that agents are started again.
func (s *Scenario) unrestarted() (errs Errors) {
	if s.Restart.Max == 0 {
		return nil
	}
	if s.Limits.OnError == Out {
		errs = append(errs, s.Error("limits.on_error", "who crashes is out, and nobody is left to be started again by [restart]", `write on_error = "pass", or leave [restart] out`))
	}
	if s.Restart.MaxBackoff < s.Restart.Backoff {
		msg := fmt.Sprintf("restart.max_backoff, %d, is less than restart.backoff, %d", s.Restart.MaxBackoff, s.Restart.Backoff)
		errs = append(errs, s.Error("restart.max_backoff", msg, "it is the most that it may become"))
	}
	return errs
}

// undefaulted returns a mistake for each consequence that asks for a default action when there is none.
func (s *Scenario) undefaulted() (errs Errors) {
	if s.Limits.Default.Action != "" {
		return nil
	}
	if limits := s.doc.root.child("limits"); limits != nil && limits.child("default") != nil {
		return Errors{s.Error("limits.default", `missing key "limits.default.action"`, defaultHint)}
	}
	for _, on := range []struct{ key, consequence string }{
		{"on_timeout", s.Limits.OnTimeout},
		{"on_invalid", s.Limits.OnInvalid},
		{"on_error", s.Limits.OnError},
		{"on_budget", s.Limits.OnBudget},
	} {
		if on.consequence == ByDefault {
			errs = append(errs, s.Error("limits."+on.key, fmt.Sprintf("limits.%s asks for a default action, and there is none", on.key), defaultHint))
		}
	}
	return errs
}

const defaultHint = `write it like default = { action = "move", args = { steps = 0 } } in [limits]`
