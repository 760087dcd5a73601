package segregation

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/worldtest"
)

func TestTheRulesKeepWhatAllRulesMust(t *testing.T) {
	for _, config := range []Config{
		{Side: 5, Density: 80, Wanted: 60, Turns: 20},
		{Side: 3, Density: 70, Wanted: 100, Turns: 1000},
	} {
		worldtest.TestRules(t, func() (world.Rules, error) { return New(config) }, []string{"a", "b", "c"})
	}
}

// A game is an episode folded by hand, without a store.
type game struct {
	*worldtest.Episode
	t     testing.TB
	rules *Rules
}

func newGame(t testing.TB, config Config, seed uint64, agents int) *game {
	t.Helper()
	rules, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range agents {
		names = append(names, fmt.Sprintf("a%d", i))
	}
	return &game{Episode: worldtest.Begin(t, rules, seed, names...), t: t, rules: rules}
}

func (g *game) observe(agent string) (world.Observation, view) {
	g.t.Helper()
	obs := g.Observe(agent)
	var v view
	if err := json.Unmarshal(obs.View, &v); err != nil {
		g.t.Fatal(err)
	}
	return obs, v
}

func (g *game) step(actions ...world.Action) []world.Event {
	g.t.Helper()
	events := g.Step(actions...)
	if err := g.rules.Check(g.State); err != nil {
		g.t.Fatal(err)
	}
	return events
}

// settle plays until the episode is over, all agents following the policy in an order drawn for each turn, one after the other or at once.
func (g *game) settle(seed uint64, together bool) map[string]float64 {
	g.t.Helper()
	for {
		if obs, _ := g.observe(g.Agents[0]); obs.Terminated {
			break
		}
		order := slices.Clone(g.Agents)
		world.NewRand(seed, g.State.Turn, "schedule").Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		var actions []world.Action
		for _, agent := range order {
			obs, _ := g.observe(agent)
			actions = append(actions, world.Policy(walk).Decide(seed, obs))
			if !together {
				g.step(actions...)
				actions = nil
			}
		}
		g.step(actions...)
		g.Commit(world.Event{Kind: world.KindTurn})
	}
	metrics, err := Measure(worldtest.Sequence(g.Log...))
	if err != nil {
		g.t.Fatal(err)
	}
	return metrics
}

// laid returns a game with two agents, a0 of the red and a1 of the green, in a town that looks like this.
func laid(t *testing.T, wanted, turns int, rows ...string) *game {
	t.Helper()
	g := newGame(t, Config{Side: len(rows), Density: 50, Wanted: wanted, Turns: turns}, 1, 2)
	groups := []group{{Before: []place{}, Homes: []place{}, Red: true, Turn: -1}, {Before: []place{}, Homes: []place{}, Turn: -1}}
	for y, row := range rows {
		for x, c := range row {
			if i := strings.IndexRune("rg", c); i >= 0 {
				groups[i].Homes = append(groups[i].Homes, place{x, y})
			}
		}
	}
	g.Commit(world.Event{Kind: "laid", Set: map[string]json.RawMessage{
		"groups/a0": world.JSON(groups[0]), "groups/a1": world.JSON(groups[1]),
	}})
	return g
}

func moves(agent, to string) world.Action {
	return world.Action{Agent: agent, Name: move, Args: json.RawMessage(`{"to":` + to + `}`)}
}

func TestPeopleSettleByChanceInTheirColors(t *testing.T) {
	for agents, want := range map[int]string{2: "rg", 3: "rgr", 5: "rgrgr"} {
		g := newGame(t, Default(), 7, agents)
		town, err := readTown(g.State)
		if err != nil {
			t.Fatal(err)
		}
		sizes := map[string][]int{}
		for i, group := range town.groups {
			if group.color()[0] != want[i] {
				t.Errorf("of %d agents number %d is %s", agents, i, group.color())
			}
			sizes[group.color()] = append(sizes[group.color()], len(group.Homes))
		}
		for color, of := range sizes {
			if slices.Max(of)-slices.Min(of) > 1 {
				t.Errorf("the %s groups of %d agents have %v people", color, agents, of)
			}
		}
		// 2601 places: 2471 people on average with a deviation of 11, and 50 % alike
		if n := town.now().count(); n.People < 2426 || n.People > 2516 || math.Abs(percent(n.Alike, n.Neighbours)-50) > 3 {
			t.Errorf("the town of %d agents is %+v", agents, n)
		}
	}
}

func TestPeopleAreHappyWithNeighboursEnoughOfTheirColor(t *testing.T) {
	for _, test := range []struct {
		wanted  int
		rows    []string
		unhappy string // of the red and the green
	}{
		{30, []string{".....", ".r...", ".....", "...g.", "....."}, "[] []"}, // no neighbours
		{30, []string{".....", ".rg..", ".....", ".....", "....."}, "[[1,1]] [[2,1]]"},
		{30, []string{"r....", ".....", ".....", ".....", "....g"}, "[[0,0]] [[4,4]]"}, // around the corner of the torus
		// of the red at (1,1) one of 3 neighbours is red, of the one at (2,1) one of 4; of the green at (1,2) one of 3 is green
		{30, []string{".....", ".rrg.", ".gg..", ".....", "....."}, "[[2,1]] []"},
		{34, []string{".....", ".rrg.", ".gg..", ".....", "....."}, "[[1,1],[2,1]] [[1,2]]"},
		{25, []string{".....", ".rrg.", ".gg..", ".....", "....."}, "[] []"}, // 1 of 4 is enough
		{26, []string{".....", ".rrg.", ".gg..", ".....", "....."}, "[[2,1]] []"},
		{0, []string{".....", ".rg..", ".....", ".....", "....."}, "[] []"},
	} {
		g := laid(t, test.wanted, 10, test.rows...)
		_, red := g.observe("a0")
		_, green := g.observe("a1")
		if got := fmt.Sprintf("%s %s", world.JSON(red.Unhappy), world.JSON(green.Unhappy)); got != test.unhappy {
			t.Errorf("%s with %d %% wanted has %s unhappy, want %s", strings.Join(test.rows, "/"), test.wanted, got, test.unhappy)
		}
		if !slices.Equal(red.Rows, test.rows) {
			t.Errorf("%s is seen as %s", test.rows, red.Rows)
		}
	}
}

func TestWhoIsUnhappyIsKnownWhenTheTurnBegins(t *testing.T) {
	g := laid(t, 30, 10, ".....", ".rg..", ".....", ".....", ".....")
	g.step(moves("a0", `[[4,4]]`))
	if obs, v := g.observe("a1"); len(v.Unhappy) != 1 || v.Happy != 1 || obs.Reward != 100 || obs.Terminated || len(obs.Actions) != 1 {
		t.Errorf("with its neighbour gone in the same turn, a1 sees %+v", v)
	}
	if obs, v := g.observe("a0"); len(v.Unhappy) != 0 || len(obs.Actions) != 0 || !strings.HasSuffix(v.Rows[4], "r") {
		t.Errorf("after its move a0 sees %+v", v)
	}
	events := g.step(moves("a1", `[[3,4]]`))
	if string(events[1].Data) != `{"alike":0,"neighbours":2,"people":2,"unhappy":2}` {
		t.Errorf("the town is %s", world.JSON(events))
	}
	g.Commit(world.Event{Kind: world.KindTurn})
	if obs, v := g.observe("a1"); obs.Terminated || len(v.Unhappy) != 1 || v.TurnsLeft != 9 || obs.Reward != 0 {
		t.Errorf("in the next turn a1 sees %+v", v)
	}
	g.step(moves("a1", `[[1,1]]`))
	if obs, _ := g.observe("a1"); obs.Terminated {
		t.Error("the episode ends within a turn that began with somebody unhappy")
	}
	g.Commit(world.Event{Kind: world.KindTurn})
	if obs, _ := g.observe("a1"); !obs.Terminated || len(obs.Actions) != 0 {
		t.Error("the episode goes on with everybody happy")
	}
	metrics, err := Measure(worldtest.Sequence(g.Log...))
	if err != nil || metrics["ticks"] != 2 || metrics["similar"] != 100 || metrics["unhappy"] != 0 || len(metrics) != len(Metrics()) {
		t.Errorf("the metrics are %v, %v", metrics, err)
	}
}

func TestAPlaceThatIsTakenIsNobodyElses(t *testing.T) {
	rows := []string{".....", ".rgr.", ".....", ".....", "....."}
	for _, test := range []struct {
		actions []world.Action
		want    string // row 1 and row 4
	}{
		{[]world.Action{moves("a0", `[]`)}, ".rgr. ....."},
		{[]world.Action{moves("a0", `[[2,1],[3,4]]`)}, ".rg.. ...r."},
		{[]world.Action{moves("a0", `[[1,1]]`)}, ".rgr. ....."},
		{[]world.Action{moves("a0", `[[0,4],[1,1]]`)}, ".rg.. r...."}, // into the place that the first has left
		{[]world.Action{moves("a0", `[[0,4],[0,4]]`)}, "..gr. r...."},
		{[]world.Action{moves("a0", `[[0,4]]`), moves("a1", `[[0,4]]`)}, "..gr. r...."},
		{[]world.Action{moves("a1", `[[0,4]]`), moves("a0", `[[0,4]]`)}, ".r.r. g...."},
	} {
		g := laid(t, 30, 10, rows...)
		g.step(test.actions...)
		if _, v := g.observe("a0"); v.Rows[1]+" "+v.Rows[4] != test.want {
			t.Errorf("after %s there is %s", world.JSON(test.actions), v.Rows)
		}
	}
}

func TestWhatIsIllegalIsRefusedWithItsReason(t *testing.T) {
	for _, test := range []struct {
		action world.Action
		want   string
	}{
		{world.Action{Agent: "a0", Name: "fly"}, `there is no action "fly"`},
		{world.Action{Agent: "x", Name: move}, `no agent "x"`},
		{world.Action{Agent: "a0", Name: move}, "no JSON object"},
		{moves("a0", `null`), `want {"to"`},
		{moves("a0", `[[1]]`), "not two numbers"},
		{moves("a0", `[[1,null]]`), "not two numbers"},
		{moves("a0", `[[1,0.5]]`), `want {"to"`},
		{moves("a0", `[[1,5]]`), "the place [1, 5] is outside of the town, where x and y are from 0 to 4"},
		{moves("a0", `[[-1,0]]`), "outside"},
		{moves("a0", `[[1,3],[2,3]]`), "you name 2 places for 1 unhappy people"},
		{moves("a0", `[],"how":1`), `unknown argument "how"`},
	} {
		g := laid(t, 30, 10, ".....", ".rg..", ".....", ".....", ".....")
		events := g.step(test.action)
		var data struct{ Reason string }
		_ = json.Unmarshal(events[0].Data, &data)
		if len(events) != 1 || events[0].Kind != world.KindRefusal || !strings.Contains(data.Reason, test.want) {
			t.Errorf("%s gives %s, want %s", world.JSON(test.action), world.JSON(events), test.want)
		}
	}
}

func TestATownThatCannotBeIsAnError(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"side is 2":      func(c *Config) { c.Side = 2 },
		"side is 201":    func(c *Config) { c.Side = 201 },
		"density is 0":   func(c *Config) { c.Density = 0 },
		"density is 100": func(c *Config) { c.Density = 100 },
		"wanted is 101":  func(c *Config) { c.Wanted = 101 },
		"turns is 0":     func(c *Config) { c.Turns = 0 },
	} {
		config := Default()
		change(&config)
		if _, err := New(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
	rules, err := New(Default())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rules.Reset(1, []string{"a"}); err == nil {
		t.Error("a town of one color was reset")
	}
	g := laid(t, 30, 10, ".....", ".rg..", ".....", ".....", ".....")
	for _, test := range []struct{ path, value string }{
		{"town/side", "2"},
		{"town/agents", "7"},
		{"groups/a0", `{"before":[],"homes":[[5,0]],"red":true,"turn":-1}`},
		{"groups/a0", `{"before":[],"homes":[[2,1]],"red":true,"turn":-1}`},
		{"groups/a0", `{"before":[],"homes":[[1,1]],"red":true,"turn":0}`},
	} {
		set := world.Event{Set: map[string]json.RawMessage{test.path: json.RawMessage(test.value)}}
		if err := rules.Check(g.State.Apply(set)); err == nil {
			t.Errorf("no error with %s = %s", test.path, test.value)
		}
	}
	if _, err := Measure(worldtest.Sequence()); err == nil {
		t.Error("no error without a town")
	}
}
