package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

// A shown is what "show --json" prints.
type shown struct {
	Manifest arena.Manifest `json:"manifest"`
	Result   *arena.Result  `json:"result"` // null: the run is not over
	Events   []world.Event  `json:"events"`
}

// openRun reads the manifest of the run in dir, and its result if it is over.
func openRun(dir string) (arena.Manifest, *arena.Result, error) {
	m, err := arena.ReadManifest(dir)
	if unread := (*fs.PathError)(nil); errors.As(err, &unread) {
		return m, nil, misuse("a run is a folder that vitrine run has made, such as runs/...", "%s is not a run: %w", dir, err)
	}
	if err != nil {
		return m, nil, err
	}
	result, err := arena.ReadResult(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil, nil
	}
	return m, &result, err
}

// openSetup reads the manifest of the run in dir, and loads what it plays, which has to be closed.
func openSetup(dir string) (m arena.Manifest, s *setup, err error) {
	if m, _, err = openRun(dir); err != nil {
		return m, nil, err
	}
	if s, err = reload(m); err != nil {
		err = fmt.Errorf("the scenario in the manifest of %s: %w", dir, err)
	}
	return m, s, err
}

const allTurns = -1

func showFlags(flags *flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	only := allTurns
	flags.Func("turn", "tell turn `K` only, which takes no longer in a long run; turns count from 0", func(s string) error {
		turn, err := strconv.ParseUint(s, 10, 31)
		if err != nil {
			return errors.New("a turn is a whole number from 0")
		}
		only = int(turn)
		return nil
	})
	return func(_ context.Context, a *app, args []string) (any, error) { return show(a, args[0], only) }
}

// show tells a run turn by turn, or one turn of it.
func show(a *app, dir string, only int) (any, error) {
	m, result, err := openRun(dir)
	if err != nil {
		return nil, err
	}
	events := world.Events(dir)
	if only != allTurns {
		if _, err := world.StateAt(dir, only); err != nil { // there is no such turn
			if st, nowErr := world.Now(dir); nowErr == nil && st.Turn < only {
				err = misuse(fmt.Sprintf("its turns are 0 to %d", st.Turn), "there is no turn %d in %s", only, dir)
			}
			return nil, err
		}
		events = world.Turn(dir, only)
	}
	doc := shown{Manifest: m, Result: result, Events: []world.Event{}}
	fmt.Fprintf(a.out, "%s, seed %d, %s, started %s\n", printable(m.Scenario), m.Seed, plural(len(m.Agents), "agent"),
		m.Start.Local().Format(time.DateTime))
	before, err := usedBefore(dir, only)
	if err != nil {
		return nil, err
	}
	tampers := make(map[string]bool) // the kinds of them that are told
	turn, standing := -1, "not over: "+whoPlays(dir)
	if st, err := world.Now(dir); err == nil && arena.Held(st) {
		standing = "not over: paused by the operator; " + whoPlays(dir)
	}
	for ev, err := range events {
		if err != nil {
			return nil, err
		}
		if a.json {
			doc.Events = append(doc.Events, ev)
			continue
		}
		if ev.Kind == arena.KindEnd {
			var end arena.End
			_ = json.Unmarshal(ev.Data, &end) // an end that does not say how is one all the same
			standing = printable(end.Status + ": " + end.Reason)
			continue
		}
		if ev.Turn != turn {
			turn = ev.Turn
			fmt.Fprintf(a.out, "\nturn %d\n", turn)
		}
		line := tell(ev)
		if a, err := arena.AttemptOf(ev); err == nil && ev.Kind == arena.KindTamper {
			tampers[a.What] = true
		}
		if ev.Kind == world.KindTurn {
			used := usedBy(ev)
			line, before = usedSince(before, used), used
		}
		for _, line := range slices.Concat(started(ev), []string{line}, modelTroubles(ev)) {
			if line == "" {
				continue
			}
			fmt.Fprintf(a.out, "  %s\n", printable(line))
		}
	}
	a.printRemedies(slices.Sorted(maps.Keys(tampers)))
	if only != allTurns {
		return doc, nil
	}
	if result != nil { // an answer may have been counted after its turn
		if late := usedSince(before, result.Used); late != "" {
			fmt.Fprintf(a.out, "\nafter the last turn\n  %s\n", late)
		}
	}
	fmt.Fprintf(a.out, "\n%s\n", standing)
	if result != nil {
		width := 8
		for _, agent := range result.Agents {
			width = max(width, len(agent.Status))
		}
		for _, agent := range result.Agents {
			line := fmt.Sprintf("  %-12s %-*s reward %s", agent.Name, width, agent.Status, number(agent.Reward))
			if used := printedUse(agent.Metered); used != "" {
				line += "; " + used
			}
			fmt.Fprintln(a.out, printable(line))
			if agent.Caching != nil {
				fmt.Fprintf(a.out, "  %-12s %s\n", "", cacheLine(agent.Caching))
			}
		}
	}
	return doc, nil
}

// printRemedies says what can be done about kinds of attempts that were told.
func (a *app) printRemedies(kinds []string) {
	if len(kinds) == 0 {
		return
	}
	fmt.Fprintln(a.out, "\nwhat agents tried beside the game has not changed the world; what to do about it")
	for _, what := range kinds {
		fmt.Fprintf(a.out, "  %-12s %s\n", printable(what), cmp.Or(tamper.Means(what).Remedy, "this version does not know it"))
	}
}

// whoPlays says who supervises the run in dir.
func whoPlays(dir string) string {
	if held := world.Holder(dir); held != nil {
		return held.Error()
	}
	return fmt.Sprintf("nobody plays it any more; %s resume %s goes on", self(), dir)
}

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
	line := ev.Kind + ", so it " + follows(data)
	if turn, ok := arena.AgainAfter(ev); ok {
		line += fmt.Sprintf(" and is started again in turn %d", turn)
	}
	if arena.IsQuarantine(ev) {
		line += ", in quarantine"
	}
	line += ": " + proc.Reason
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

// printable returns a line without anything that a terminal would obey: agents write what they like.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}
