package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

// A comparison is what "compare --json" prints. A is the first run, b the second.
type comparison struct {
	Same     bool                  `json:"same"`     // nothing parts them but times and facts of processes, and where branches begin
	Part     *parting              `json:"parting"`  // null: they are the same
	Branches [2][]json.RawMessage  `json:"branches"` // the events with which branches begin, without their numbers: they part nobody
	Turns    []turnOfBoth          `json:"turns"`    // in which they differ
	Ends     [2]string             `json:"ends"`     // how they ended, or that they have not
	Rewards  map[string][2]float64 `json:"rewards"`  // by agent, at the end of the log
	Metrics  map[string][2]float64 `json:"metrics"`  // by name
}

// comparedTurns is how many turns people are told of in which two runs differ.
const comparedTurns = 10

// A parting is the first event in which two runs differ. What says that a branch begins is no such event.
type parting struct {
	Turn  int             `json:"turn"`
	Event int64           `json:"event"` // its number, in the second run if the first one ends before it
	A     json.RawMessage `json:"a"`     // the event in the world; null: the run ends before it
	B     json.RawMessage `json:"b"`
}

// A turnOfBoth is what agents did and earned in a turn of two runs.
type turnOfBoth struct {
	Turn   int           `json:"turn"`
	Agents []agentOfBoth `json:"agents"` // who did or earned something else
}

type agentOfBoth struct {
	Name    string     `json:"name"`
	Acts    [2]string  `json:"acts"`    // in words
	Rewards [2]float64 `json:"rewards"` // when the turn was over, or was left
}

// A compared is a run as it is compared with another.
type compared struct {
	setup    *setup
	dir      string
	events   []world.Event     // without those that say that a branch begins
	branches []json.RawMessage // those, without their numbers
	turns    []map[string]*agentInTurn
	rewards  map[string]float64 // at last
	end      string
}

type agentInTurn struct {
	acts   []string
	reward float64
}

// compare says where two runs part.
func compare(ctx context.Context, a *app, args []string) (any, error) {
	var runs [2]compared
	for i, dir := range args {
		var err error
		runs[i], err = a.readCompared(ctx, dir)
		defer runs[i].setup.close()
		if err != nil {
			return nil, err
		}
	}
	c := comparison{Part: part(runs[0], runs[1]), Turns: turnsOfBoth(runs)}
	c.Same = c.Part == nil
	var metrics [2]map[string]float64
	for i, r := range runs {
		c.Ends[i], c.Branches[i] = r.end, r.branches
		var err error
		if metrics[i], err = r.setup.substrate.measure(world.Events(r.dir)); err != nil {
			return nil, fmt.Errorf("%s: metrics: %w", r.dir, err)
		}
	}
	c.Metrics, c.Rewards = inBoth(metrics[0], metrics[1]), inBoth(runs[0].rewards, runs[1].rewards)
	c.print(a, args)
	return c, nil
}

// readCompared reads the run in a folder.
func (a *app) readCompared(ctx context.Context, dir string) (compared, error) {
	_, s, err := a.openSetup(ctx, dir)
	if err != nil {
		return compared{}, err
	}
	t := compared{setup: s, dir: dir, branches: []json.RawMessage{}, end: "not over", rewards: make(map[string]float64)}
	game := s.game()
	var st world.State
	for ev, err := range world.Events(dir) {
		if err != nil {
			return t, err
		}
		st = st.Apply(ev)
		t.add(ev)
		if ev.Kind == world.KindTurn {
			if err := t.score(&game, st, ev.Turn); err != nil {
				return t, err
			}
		}
	}
	if st.Seq == 0 {
		return t, nil
	}
	return t, t.score(&game, st, st.Turn) // which nobody may have played, or not to its end
}

// score takes how agents stand in a state of a turn, or after it.
func (t *compared) score(game *arena.Game, st world.State, turn int) error {
	for _, name := range t.setup.names() {
		_, reward, err := game.Standing(st, name)
		if err != nil {
			return fmt.Errorf("%s: %w", t.dir, err)
		}
		t.rewards[name] = reward
		if turn < max(st.Turn, len(t.turns)) {
			t.agent(turn, name).reward = reward
		}
	}
	return nil
}

// add takes the next event.
func (t *compared) add(ev world.Event) {
	switch {
	case ev.Kind == arena.KindBranch:
		t.branches = append(t.branches, unnumbered(ev))
		return
	case ev.Kind == arena.KindEnd:
		t.end = ended(ev)
	case arena.IsAct(ev):
		in := t.agent(ev.Turn, ev.Agent)
		in.acts = append(in.acts, strings.TrimSpace(strings.TrimPrefix(tell(ev), ev.Agent)))
	}
	t.events = append(t.events, ev)
}

// agent returns what is known of an agent in a turn.
func (t *compared) agent(turn int, name string) *agentInTurn {
	for len(t.turns) <= turn {
		t.turns = append(t.turns, make(map[string]*agentInTurn))
	}
	if t.turns[turn][name] == nil {
		t.turns[turn][name] = new(agentInTurn)
	}
	return t.turns[turn][name]
}

// inBoth returns the values of two runs that both have, by name.
func inBoth(a, b map[string]float64) map[string][2]float64 {
	both := make(map[string][2]float64)
	for name, value := range a {
		if other, ok := b[name]; ok {
			both[name] = [2]float64{value, other}
		}
	}
	return both
}

// part returns the first event in which two runs differ; nil if there is none.
func part(a, b compared) *parting {
	inWorld := unnumbered
	if len(a.branches)+len(b.branches) > 0 { // which move the numbers of what follows
		inWorld = unmoved
	}
	for i := range max(len(a.events), len(b.events)) {
		if i < len(a.events) && i < len(b.events) && bytes.Equal(inWorld(a.events[i]), inWorld(b.events[i])) {
			continue
		}
		p := &parting{}
		if i < len(b.events) {
			p.Turn, p.Event, p.B = b.events[i].Turn, b.events[i].Seq, b.events[i].World()
		}
		if i < len(a.events) {
			p.Turn, p.Event, p.A = a.events[i].Turn, a.events[i].Seq, a.events[i].World()
		}
		return p
	}
	return nil
}

// unnumbered returns an event in the world without its number.
func unnumbered(ev world.Event) json.RawMessage {
	ev.Seq = 0
	return ev.World()
}

// unmoved returns an event without its number and without facts that are such numbers.
func unmoved(ev world.Event) json.RawMessage {
	ev.Set = maps.Clone(ev.Set)
	maps.DeleteFunc(ev.Set, func(path string, _ json.RawMessage) bool { return arena.IsPost(path) })
	ev.Del = slices.DeleteFunc(slices.Clone(ev.Del), arena.IsPost)
	return unnumbered(ev)
}

// turnsOfBoth returns the turns in which agents did or earned something else in two runs.
func turnsOfBoth(runs [2]compared) []turnOfBoth {
	turns := []turnOfBoth{}
	names := runs[0].setup.names()
	for _, name := range runs[1].setup.names() {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for turn := range max(len(runs[0].turns), len(runs[1].turns)) {
		both := turnOfBoth{Turn: turn}
		for _, name := range names {
			of := agentOfBoth{Name: name}
			for i, run := range runs {
				of.Rewards[i] = run.rewards[name]
				if turn < len(run.turns) {
					in := run.agent(turn, name)
					of.Acts[i], of.Rewards[i] = strings.Join(in.acts, "; "), in.reward
				}
			}
			if of.Acts[0] != of.Acts[1] || of.Rewards[0] != of.Rewards[1] {
				both.Agents = append(both.Agents, of)
			}
		}
		if len(both.Agents) > 0 {
			turns = append(turns, both)
		}
	}
	return turns
}

// print tells people.
func (c comparison) print(a *app, dirs []string) {
	if c.Same {
		but := ""
		if !slices.EqualFunc(c.Branches[0], c.Branches[1], slices.Equal) {
			but = ", but for the events with which branches begin"
		}
		fmt.Fprintf(a.out, "%s and %s are the same, event by event%s\n", dirs[0], dirs[1], but)
		return
	}
	fmt.Fprintf(a.out, "they part in turn %d, with event %d:\n", c.Part.Turn, c.Part.Event)
	for i, raw := range []json.RawMessage{c.Part.A, c.Part.B} {
		var ev world.Event
		line := "it ends"
		if json.Unmarshal(raw, &ev) == nil {
			line = tell(ev)
			if ev.Kind == world.KindTurn {
				line = "the turn ends"
			}
			if ev.Seq != c.Part.Event {
				line += fmt.Sprintf(" (event %d)", ev.Seq)
			}
		}
		fmt.Fprintf(a.out, "  %s  %s\n", dirs[i], printable(line))
	}
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "\nturn\tagent\t%s\treward\t%s\treward\n", dirs[0], dirs[1])
	shown := min(len(c.Turns), comparedTurns)
	for _, turn := range c.Turns[:shown] {
		for _, of := range turn.Agents {
			fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\n", turn.Turn, of.Name, printable(cmp.Or(of.Acts[0], "-")), number(of.Rewards[0]),
				printable(cmp.Or(of.Acts[1], "-")), number(of.Rewards[1]))
		}
	}
	if rest := c.Turns[shown:]; len(rest) > 0 {
		fmt.Fprintf(table, "and %s more, up to turn %d: --json has them all\n", plural(len(rest), "turn"), rest[len(rest)-1].Turn)
	}
	fmt.Fprintf(table, "\nend\t\t%s\t\t%s\t\n", printable(c.Ends[0]), printable(c.Ends[1]))
	for _, values := range []map[string][2]float64{c.Rewards, c.Metrics} {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			fmt.Fprintf(table, "%s\t\t%s\t\t%s\t\n", name, number(values[name][0]), number(values[name][1]))
		}
	}
	_ = table.Flush() // to a standard output that is gone, nothing can be said anyway
}
