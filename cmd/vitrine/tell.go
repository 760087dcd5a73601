package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

// tell puts an event into words; empty if the turn's heading says it all.
func tell(ev world.Event) string {
	var data map[string]json.RawMessage
	_ = json.Unmarshal(ev.Data, &data) // data that is no object has no fields to tell
	agent := ""
	if ev.Agent != "" {
		agent = fmt.Sprintf("%-12s ", ev.Agent)
	}
	switch ev.Kind {
	case world.KindTurn:
		return ""
	case arena.KindAction:
		var args map[string]json.RawMessage
		_ = json.Unmarshal(data["args"], &args)
		if word(data["name"]) == world.Pass {
			return agent + "passes"
		}
		return agent + "asks for " + strings.TrimSpace(word(data["name"])+" "+fields(args))
	case arena.KindMessage:
		to := "says"
		if _, private := data["to"]; private {
			var names []string
			_ = json.Unmarshal(data["to"], &names)
			to = "tells " + strings.Join(names, ", ")
		}
		return agent + to + ": " + word(data["text"])
	case arena.KindFenced:
		line := agent + "is fenced off " + word(data["action"]) + ": " + word(data["reason"])
		if times := string(data["times"]); times != "1" {
			line += " (" + times + " times)"
		}
		return line
	case arena.KindTamper:
		a, _ := arena.AttemptOf(ev) // one that cannot be read says nothing
		line := agent + "tampers, " + a.What + ": " + tamper.Means(a.What).Tried
		if a.Times > 1 {
			line += fmt.Sprintf(", %d times, first", a.Times)
		}
		return line + ": " + a.Sample
	case arena.KindOperator:
		return agent + commanded(data)
	case arena.KindHeld:
		return "paused"
	case arena.KindResume:
		return "resumed"
	case arena.KindBranch:
		return "a branch begins " + fields(data)
	case world.KindRefusal:
		return agent + "is refused " + word(data["action"]) + ": " + word(data["reason"])
	case arena.KindCrash:
		return agent + crashed(ev, data)
	case arena.KindBackoff:
		return agent + "waits to be started again, so it " + follows(data)
	case arena.KindTimeout, arena.KindInvalid, arena.KindError, arena.KindBudget:
		var proc struct{ Reason, Detail string }
		_ = json.Unmarshal(ev.Proc, &proc)
		line := []string{agent + ev.Kind + ", so it " + follows(data)}
		for _, more := range []string{proc.Reason, proc.Detail} {
			if more != "" {
				line = append(line, more)
			}
		}
		return strings.Join(line, ": ")
	}
	return agent + strings.TrimSpace(ev.Kind+" "+fields(data))
}

// crashed says how and why the process of an agent has ended, and what follows.
func crashed(ev world.Event, data map[string]json.RawMessage) string {
	var proc struct {
		Reason, Detail string
		Crash          *arena.Crash
	}
	_ = json.Unmarshal(ev.Proc, &proc) // it may not say why
	line := ev.Kind + ", so it " + followsCrash(ev, data) + ": " + proc.Reason
	if c := proc.Crash; c != nil {
		if c.Exit != "" && !strings.Contains(proc.Reason, c.Exit) {
			line += "; " + c.Exit
		}
		if c.LivedMS > 0 {
			line += fmt.Sprintf("; it lived %.1f s", float64(c.LivedMS)/1000)
		}
		if c.Memory > 0 {
			line += fmt.Sprintf("; it had %d MiB", c.Memory>>20)
		}
		if c.PeakMemory > 0 {
			line += fmt.Sprintf("; at most %d MiB", c.PeakMemory>>20)
		}
		if c.LastAction != "" {
			line += fmt.Sprintf("; the last that it did was %s in turn %d", c.LastAction, c.LastTurn)
		}
	}
	if proc.Detail != "" {
		line += ": " + proc.Detail
	}
	return line
}

// followsCrash says what an agent does that has crashed, and when it is started again.
func followsCrash(ev world.Event, data map[string]json.RawMessage) string {
	line := follows(data)
	if turn, ok := arena.AgainAfter(ev); ok {
		line += fmt.Sprintf(" and is started again in turn %d", turn)
	}
	if arena.IsQuarantine(ev) {
		line += ", in quarantine"
	}
	return line
}

// started says that whoever acted was started again before.
func started(ev world.Event) []string {
	var proc struct{ Started *arena.Started }
	if json.Unmarshal(ev.Proc, &proc) != nil || proc.Started == nil {
		return nil
	}
	return []string{fmt.Sprintf("%-12s was started again, in %.1f s", ev.Agent, float64(proc.Started.MS)/1000)}
}

// modelTroubles says what troubles there were with the model of whoever acted.
func modelTroubles(ev world.Event) []string {
	var proc struct{ Troubles []arena.Trouble }
	if json.Unmarshal(ev.Proc, &proc) != nil {
		return nil // no process has acted
	}
	var lines []string
	for _, trouble := range proc.Troubles {
		line := fmt.Sprintf("%-12s had trouble: %s", ev.Agent, trouble.What)
		if trouble.Times > 1 {
			line += fmt.Sprintf(" (%d times)", trouble.Times)
		}
		lines = append(lines, line)
	}
	return lines
}

// commanded says what an operator did.
func commanded(data map[string]json.RawMessage) string {
	path := word(data["path"])
	switch what := word(data["do"]); what {
	case arena.DoSet, arena.DoAdd:
		return "sets " + path + " to " + string(data["value"])
	case arena.DoDelete:
		return "deletes " + path
	case arena.DoTell:
		return "tells " + word(data["to"]) + ": " + word(data["text"])
	case arena.DoPause:
		return "pauses the game"
	case arena.DoStep:
		return "lets one step be played"
	case arena.DoTurn:
		return "lets the turn be played"
	case arena.DoContinue:
		return "lets the game go on"
	case arena.DoStop:
		return "ends the episode"
	case arena.DoRevise:
		source := word(data["source"])
		return fmt.Sprintf("changes the rules: %s, sha256 %.12s", plural(strings.Count(source, "\n"), "line"), sum([]byte(source)))
	default:
		return what
	}
}

// follows says what an agent that did not act as it should does instead.
func follows(data map[string]json.RawMessage) string {
	switch arena.Consequence(word(data["consequence"])) {
	case arena.ConsequenceOut:
		return "is out"
	case arena.ConsequenceEnd:
		return "ends the episode"
	case arena.ConsequenceDefault:
		var args map[string]json.RawMessage
		_ = json.Unmarshal(data["args"], &args)
		return "does " + strings.TrimSpace(word(data["name"])+" "+fields(args)) + " instead"
	}
	return "passes"
}

// fields prints a JSON object as key=value, sorted.
func fields(data map[string]json.RawMessage) string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(data)) {
		out = append(out, key+"="+string(data[key]))
	}
	return strings.Join(out, " ")
}

// word prints a JSON string without its quotes.
func word(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return string(raw)
	}
	return s
}
