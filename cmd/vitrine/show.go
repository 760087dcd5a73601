package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strconv"
	"time"

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
func (a *app) openSetup(ctx context.Context, dir string) (m arena.Manifest, s *setup, err error) {
	if m, _, err = openRun(dir); err != nil {
		return m, nil, err
	}
	if s, err = a.reload(ctx, m); err != nil {
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
	events, err := eventsOf(dir, only)
	if err != nil {
		return nil, err
	}
	doc := shown{Manifest: m, Result: result, Events: []world.Event{}}
	fmt.Fprintf(a.out, "%s, seed %d, %s, started %s\n", printable(m.Scenario), m.Seed, plural(len(m.Agents), "agent"), m.Start.Local().Format(time.DateTime))
	before, err := usedBefore(dir, only)
	if err != nil {
		return nil, err
	}
	tampers := make(map[string]bool) // the kinds of them that are told
	turn, last, standing := -1, int64(0), notOver(dir)
	for ev, err := range events {
		if err != nil {
			return nil, err
		}
		last = ev.Seq
		if a.json {
			doc.Events = append(doc.Events, ev)
			continue
		}
		if ev.Kind == arena.KindEnd {
			standing = printable(ended(ev))
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
	short := result != nil && last < result.Events
	if result != nil && !short { // an answer may have been counted after its turn
		if late := usedSince(before, result.Used); late != "" {
			fmt.Fprintf(a.out, "\nafter the last turn\n  %s\n", late)
		}
	}
	fmt.Fprintf(a.out, "\n%s\n", standing)
	switch {
	case short:
		fmt.Fprintf(a.out, "the result speaks of %s, and the log has %d: %s verify %s\n", plural(int(result.Events), "event"), last, self(), relative(dir))
	case result != nil:
		if result.Status == arena.Failed && last == result.Events {
			fmt.Fprintf(a.out, "it failed: %s\n", printable(result.Reason))
		}
		a.printAgents(result.Agents)
	}
	return doc, nil
}

// eventsOf returns the events of a turn of the run in dir, or of all of them.
func eventsOf(dir string, only int) (iter.Seq2[world.Event, error], error) {
	if only == allTurns {
		return world.Events(dir), nil
	}
	_, err := world.StateAt(dir, only)
	if st, nowErr := world.Now(dir); err != nil && nowErr == nil && st.Turn < only {
		err = misuse(fmt.Sprintf("its turns are 0 to %d", st.Turn), "there is no turn %d in %s", only, dir)
	}
	return world.Turn(dir, only), err
}

// printAgents says how agents stand at the end.
func (a *app) printAgents(agents []arena.AgentResult) {
	width := 8
	for _, agent := range agents {
		width = max(width, len(agent.Status))
	}
	for _, agent := range agents {
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

// ended says how an episode has ended, from its last event.
func ended(ev world.Event) string {
	var end arena.End
	_ = json.Unmarshal(ev.Data, &end) // one that does not say how is an end all the same
	return end.Status + ": " + end.Reason
}
