package life

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/worldtest"
)

func TestTheRulesKeepWhatAllRulesMust(t *testing.T) {
	for _, config := range []Config{
		{Side: 8, Columns: 2, Pattern: "random", Turns: 10},
		{Side: 8, Columns: 1, Pattern: "glider", Turns: 1000},
	} {
		worldtest.TestRules(t, func() (world.Rules, error) { return New(config) }, []string{"a", "b", "c", "d"})
	}
}

// A game is an episode folded by hand, without a store.
type game struct {
	*worldtest.Episode
	t     *testing.T
	rules *Rules
}

func newGame(t *testing.T, config Config, agents int) *game {
	t.Helper()
	rules, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range agents {
		names = append(names, fmt.Sprintf("a%d", i))
	}
	return &game{Episode: worldtest.Begin(t, rules, 1, names...), t: t, rules: rules}
}

// turn lets everybody follow the policy, all at once.
func (g *game) turn() {
	g.t.Helper()
	var actions []world.Action
	for _, agent := range g.Agents {
		actions = append(actions, play(g.Observe(agent), nil))
	}
	g.Step(actions...)
	g.Commit(world.Event{Kind: world.KindTurn})
}

// cells returns the live cells of the whole board.
func (g *game) cells() []cell {
	g.t.Helper()
	b, err := readBoard(g.State)
	if err != nil {
		g.t.Fatal(err)
	}
	var all []cell
	for i, agent := range g.Agents {
		own, err := readTile(g.State, agent)
		if err != nil {
			g.t.Fatal(err)
		}
		for _, c := range own.Cells {
			all = append(all, cell{c[0] + i%b.columns*b.side, c[1] + i/b.columns*b.side})
		}
	}
	return ordered(all)
}

// generation computes the next generation of a whole torus cell by cell, with nothing of what is tested.
func generation(cells []cell, width, height int) []cell {
	at := func(x, y int) int {
		if slices.Contains(cells, cell{(x + width) % width, (y + height) % height}) {
			return 1
		}
		return 0
	}
	var next []cell
	for y := range height {
		for x := range width {
			n := at(x-1, y-1) + at(x, y-1) + at(x+1, y-1) + at(x-1, y) + at(x+1, y) + at(x-1, y+1) + at(x, y+1) + at(x+1, y+1)
			if n == 3 || n == 2 && at(x, y) == 1 {
				next = append(next, cell{x, y})
			}
		}
	}
	return ordered(next)
}

func TestTilesTogetherAreConwaysBoard(t *testing.T) {
	for _, test := range []struct{ columns, agents int }{{1, 1}, {1, 3}, {2, 2}, {2, 4}, {3, 6}} {
		for _, pattern := range []string{"random", "glider", "diehard"} {
			g := newGame(t, Config{Side: 8, Columns: test.columns, Pattern: pattern, Turns: 50}, test.agents)
			for turn := range 40 {
				want := generation(g.cells(), 8*test.columns, 8*test.agents/test.columns)
				g.turn()
				if got := g.cells(); !slices.Equal(got, want) {
					t.Fatalf("%s on %d columns of %d tiles: after turn %d there is %v, want %v", pattern, test.columns, test.agents, turn, got, want)
				}
			}
		}
	}
}

func TestAGliderCrossesTheTilesAndTheEdgeAndComesBack(t *testing.T) {
	g := newGame(t, Config{Side: 8, Columns: 2, Pattern: "glider", Turns: 1000}, 4)
	first := g.cells()
	for range 4 * 16 {
		g.turn()
	}
	if got := g.cells(); !slices.Equal(got, first) || len(got) != 5 {
		t.Errorf("after 64 turns it is %v, want %v", got, first)
	}
}

func TestAnAgentSeesItsTileWithTheBorderAroundIt(t *testing.T) {
	g := newGame(t, Config{Side: 8, Columns: 2, Pattern: "glider", Turns: 10}, 4)
	// The glider's cells are at (8,7), (9,8), (7,9), (8,9) and (9,9) of the board.
	for agent, want := range map[string]string{
		"a0": `[[8,7]]`,
		"a1": `[[0,7],[1,8]]`,
		"a2": `[[8,-1],[7,1],[8,1]]`,
		"a3": `[[0,-1],[1,0],[-1,1],[0,1],[1,1]]`,
	} {
		obs := g.Observe(agent)
		if got, full := string(obs.View), `{"cells":`+want+`,"side":8,"turns_left":10}`; got != full {
			t.Errorf("%s sees %s, want %s", agent, got, full)
		}
	}
}

func TestWhatIsIllegalIsRefusedWithItsReason(t *testing.T) {
	g := newGame(t, Config{Side: 8, Columns: 1, Pattern: "glider", Turns: 2}, 1)
	act := func(name, args string) world.Action {
		return world.Action{Agent: "a0", Name: name, Args: json.RawMessage(args)}
	}
	for _, test := range []struct {
		action world.Action
		want   string
	}{
		{act("clear", ""), `there is no action "clear"`},
		{act(set, ""), `want {"cells"`},
		{act(set, `[]`), "no JSON object"},
		{act(set, `{"cells":null}`), `cells is "null"`},
		{act(set, `{"cells":[],"more":1}`), `unknown argument "more"`},
		{act(set, `{"cells":[[1]]}`), "not two numbers"},
		{act(set, `{"cells":[[1,null]]}`), "not two numbers"},
		{act(set, `{"cells":[[1,0.5]]}`), "whole numbers"},
		{act(set, `{"cells":[[8,0]]}`), "the cell [8, 0] is outside of your tile, where x and y are from 0 to 7"},
		{act(set, `{"cells":[[0,-1]]}`), "the cell [0, -1] is outside"},
		{world.Action{Agent: "stranger", Name: set}, `no agent "stranger"`},
	} {
		before := g.cells()
		events := g.Step(test.action)
		if len(events) != 1 || events[0].Kind != world.KindRefusal || !strings.Contains(string(events[0].Data), string(world.JSON(test.want)[1:len(world.JSON(test.want))-1])) {
			t.Errorf("%s gives %s, want %s", test.action.Args, world.JSON(events), test.want)
		}
		if !slices.Equal(g.cells(), before) {
			t.Errorf("%s has changed the board", test.action.Args)
		}
	}
	if events := g.Step(act(set, `{"cells":[[2,1],[1,1],[2,1]]}`)); string(events[0].Set["tiles/a0"]) != `{"cells":[[1,1],[2,1]],"turn":0}` {
		t.Errorf("the tile is %s", world.JSON(events))
	}
	if events := g.Step(act(set, `{"cells":[]}`)); !strings.Contains(string(events[0].Data), "already set") {
		t.Errorf("a second time in one turn: %s", world.JSON(events))
	}
}

func TestABoardThatCannotBeIsAnError(t *testing.T) {
	for want, config := range map[string]Config{
		"side is 7":              {Side: 7, Columns: 1, Pattern: "acorn", Turns: 1},
		"columns is 0":           {Side: 8, Columns: 0, Pattern: "acorn", Turns: 1},
		`there is no pattern ""`: {Side: 8, Columns: 1, Turns: 1},
		"side is 101":            {Side: 101, Columns: 1, Pattern: "random", Turns: 1},
		"turns is 0":             {Side: 8, Columns: 1, Pattern: "acorn"},
	} {
		if _, err := New(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
	rules, err := New(Config{Side: 8, Columns: 2, Pattern: "acorn", Turns: 1})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 4 {
		if _, err := rules.Reset(1, []string{"a", "b", "c"}[:n]); (err == nil) != (n == 2) {
			t.Errorf("%d agents in 2 columns: %v", n, err)
		}
	}
}

func TestThePopulationIsThatOfTheEnd(t *testing.T) {
	g := newGame(t, Config{Side: 8, Columns: 2, Pattern: "random", Turns: 20}, 4)
	for range 21 {
		metrics, err := Measure(worldtest.Sequence(g.Log...))
		if err != nil || metrics["population"] != float64(len(g.cells())) || len(metrics) != 1 {
			t.Fatalf("the metrics are %v, %v; want a population of %d", metrics, err, len(g.cells()))
		}
		g.turn()
	}
	if _, err := Measure(worldtest.Sequence()); err == nil {
		t.Error("no error without a board")
	}
}
