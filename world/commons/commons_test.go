package commons

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
	small := Harvest()
	small.Map, small.Turns = "#######\n#.AAA.#\n#P.A.P#\n#.PAP.#\n#######", 20
	brook := Cleanup()
	brook.Map, brook.Away = "######\n#%~%~#\n#P..P#\n#aPPa#\n######", 3
	for _, config := range []Config{small, brook} {
		worldtest.TestRules(t, func() (world.Rules, error) { return New(config) }, []string{"a", "b", "c"})
	}
}

// A patch is an episode folded by hand, without a store.
type patch struct {
	*worldtest.Episode
	t     *testing.T
	rules *Rules
}

func newPatch(t *testing.T, config Config, seed uint64, agents int) *patch {
	t.Helper()
	rules, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range agents {
		names = append(names, string(rune('a'+i)))
	}
	return &patch{Episode: worldtest.Begin(t, rules, seed, names...), t: t, rules: rules}
}

// put puts agents at cells, facing as they are told, such as {"a": "3,1 N"}.
func (g *patch) put(places map[string]string) {
	g.t.Helper()
	for name, place := range places {
		a := avatar{Turn: -1}
		if _, err := fmt.Sscanf(place, "%d,%d %s", &a.At[0], &a.At[1], &a.Facing); err != nil {
			g.t.Fatal(err)
		}
		g.Commit(world.Event{Kind: "put", Set: map[string]json.RawMessage{"agents/" + name: world.JSON(a)}})
	}
}

// turn plays one turn.
func (g *patch) turn(actions ...world.Action) []world.Event {
	g.t.Helper()
	events := g.Step(actions...)
	g.Commit(world.Event{Kind: world.KindTurn})
	return events
}

// play lets everybody follow a policy until the episode is over, and returns the metrics.
func (g *patch) play(policies map[string]string) map[string]float64 {
	g.t.Helper()
	for {
		var actions []world.Action
		for _, agent := range g.Agents {
			obs := g.Observe(agent)
			if obs.Terminated {
				return g.measure()
			}
			actions = append(actions, Policies()[policies[agent]].Decide(1, obs))
		}
		for _, ev := range g.turn(actions...) {
			if ev.Kind == world.KindRefusal {
				g.t.Fatalf("%s is refused: %s", ev.Agent, ev.Data)
			}
		}
	}
}

func (g *patch) measure() map[string]float64 {
	g.t.Helper()
	metrics, err := Measure(worldtest.Sequence(g.Log...))
	if err != nil {
		g.t.Fatal(err)
	}
	return metrics
}

func (g *patch) now() *commons {
	g.t.Helper()
	c, err := read(g.State)
	if err != nil {
		g.t.Fatal(err)
	}
	return c
}

func way(agent, name, direction string) world.Action {
	return world.Action{Agent: agent, Name: name, Args: world.JSON(map[string]string{"direction": direction})}
}

func fire(agent, name string) world.Action { return world.Action{Agent: agent, Name: name} }

func withMap(config Config, rows ...string) Config {
	config.Map = strings.Join(rows, "\n")
	return config
}

func TestMovesAreRelativeToWhereOneFaces(t *testing.T) {
	for facing, want := range map[string]map[string]cell{
		north: {"forward": {3, 2}, "right": {4, 3}, "backward": {3, 4}, "left": {2, 3}},
		east:  {"forward": {4, 3}, "right": {3, 4}, "backward": {2, 3}, "left": {3, 2}},
		south: {"forward": {3, 4}, "right": {2, 3}, "backward": {3, 2}, "left": {4, 3}},
		west:  {"forward": {2, 3}, "right": {3, 2}, "backward": {4, 3}, "left": {3, 4}},
	} {
		for direction, to := range want {
			g := newPatch(t, Harvest(), 1, 1)
			g.put(map[string]string{"a": "3,3 " + facing})
			g.turn(way("a", move, direction))
			if me := g.now().agents[0]; me.At != to || me.Facing != facing || me.Eaten != 1 {
				t.Errorf("%s when facing %s: %+v, want %v", direction, facing, me, to)
			}
		}
	}
	g := newPatch(t, Harvest(), 1, 1)
	g.put(map[string]string{"a": "3,3 N"})
	for _, want := range []string{east, south, west, north} {
		g.turn(way("a", turn, "right"))
		if got := g.now().agents[0].Facing; got != want {
			t.Errorf("it faces %s, want %s", got, want)
		}
	}
	g.turn(way("a", turn, "left"))
	if got := g.now().agents[0].Facing; got != west {
		t.Errorf("it faces %s, want west", got)
	}
}

func TestWallsAndAgentsBlockAndTheFirstOfTwoGetsTheApple(t *testing.T) {
	g := newPatch(t, withMap(Harvest(), "#######", "#.PAP.#", "#.A.A.#", "#######"), 1, 2)
	g.put(map[string]string{"a": "2,1 N", "b": "4,1 N"})
	events := g.turn(way("b", move, "left"), way("a", move, "right"))
	const conflict = `{"claims":[{"action":"move","agent":"b","args":{"direction":"left"}},{"action":"move","agent":"a","args":{"direction":"right"}}],` +
		`"losers":["a"],"reason":"b came first in the order of the step","what":"the cell 3,1","winners":["b"]}`
	if last := events[len(events)-1]; last.Kind != world.KindConflict || string(last.Data) != conflict || !strings.Contains(string(events[len(events)-2].Data), `"blocked":"b is there"`) {
		t.Errorf("the events are %s", world.JSON(events))
	}
	c := g.now()
	if c.agents[0].At != (cell{2, 1}) || c.agents[1].At != (cell{3, 1}) || c.agents[0].Eaten != 0 || c.agents[1].Eaten != 1 || c.apples[cell{3, 1}] {
		t.Errorf("they are %+v", c.agents)
	}
	// Who stands in the way has won nothing, and a wall wants nothing.
	if events := g.turn(way("b", move, "forward"), way("a", move, "right")); len(events) != 3 ||
		!strings.Contains(string(events[1].Data), `"blocked":"a wall"`) || !strings.Contains(string(events[2].Data), `"blocked":"b is there"`) {
		t.Errorf("the events are %s", world.JSON(events))
	}
	if at := g.now().agents[1].At; at != (cell{3, 1}) {
		t.Errorf("through the wall to %v", at)
	}
	if obs := g.Observe("b"); obs.Reward != 1 {
		t.Errorf("the reward is %v", obs.Reward)
	}
}

func TestABeamReachesThreeAheadAndTwoBesideThat(t *testing.T) {
	open := withMap(Harvest(), ".........", ".........", ".........", ".........", "....A....", "PPPPPPPPP", ".........")
	var hit []cell
	for y := range 7 {
		for x := range 9 {
			g := newPatch(t, open, 1, 2)
			if (cell{x, y}) == (cell{4, 4}) {
				continue
			}
			g.put(map[string]string{"a": "4,4 N", "b": fmt.Sprintf("%d,%d S", x, y)})
			g.turn(fire("a", zap))
			if g.now().agents[1].Away {
				hit = append(hit, cell{x, y})
			}
		}
	}
	if want := []cell{{4, 1}, {3, 2}, {4, 2}, {5, 2}, {3, 3}, {4, 3}, {5, 3}, {3, 4}, {5, 4}}; !slices.Equal(hit, want) {
		t.Errorf("from 4,4 to the north it reaches %v, want %v", hit, want)
	}
}

func TestABeamHitsTheFirstInEachLineAndStopsAtWalls(t *testing.T) {
	g := newPatch(t, withMap(Harvest(), "PPP", "...", ".#.", ".A.", "..."), 1, 3)
	g.put(map[string]string{"a": "0,3 N", "b": "0,2 N", "c": "0,1 N"})
	g.turn(fire("a", zap))
	if c := g.now(); !c.agents[1].Away || c.agents[2].Away {
		t.Errorf("of two in a line it hits %+v", c.agents)
	}
	g = newPatch(t, withMap(Harvest(), "PPP", "...", ".#.", ".A.", "..."), 1, 2)
	g.put(map[string]string{"a": "1,3 N", "b": "1,1 N"})
	if events := g.turn(fire("a", zap)); string(events[0].Data) != `{"hit":[]}` {
		t.Errorf("through a wall: %s", events[0].Data)
	}
}

func TestWhoIsZappedIsAwayAndComesBackAtASpawnPoint(t *testing.T) {
	g := newPatch(t, Harvest(), 1, 2)
	g.put(map[string]string{"a": "5,6 E", "b": "6,6 W"})
	g.turn(fire("a", zap), fire("b", zap))
	if c := g.now(); !c.agents[0].Away || !c.agents[1].Away {
		t.Fatal("of two that zap each other at once one stays")
	}
	for away := range Harvest().Away {
		if obs := g.Observe("a"); len(obs.Actions) > 0 || obs.Terminated || strings.Contains(string(obs.View), "window") {
			t.Errorf("turn %d of absence: %s", away, world.JSON(obs))
		}
		g.turn()
	}
	obs := g.Observe("a")
	if len(obs.Actions) == 0 || !slices.Contains(g.rules.field.cells("P"), g.see(obs).At) {
		t.Errorf("back again: %s", world.JSON(obs))
	}
	if events := g.turn(); len(events) != 3 || events[1].Kind != kindSpawn || events[2].Kind != kindSpawn {
		t.Errorf("the events are %s", world.JSON(events))
	}
	// Two agents were there in the first turn and the last, and nobody in four.
	if m := g.measure(); m["zaps"] != 2 || math.Abs(m["peace"]-2*2.0/6) > 1e-9 {
		t.Errorf("the metrics are %v", m)
	}
}

func (g *patch) see(obs world.Observation) (v view) {
	g.t.Helper()
	if err := json.Unmarshal(obs.View, &v); err != nil {
		g.t.Fatal(err)
	}
	return v
}

func TestABeamMustCool(t *testing.T) {
	g := newPatch(t, Cleanup(), 1, 1)
	ready := func(name string) bool {
		return slices.ContainsFunc(g.Observe("a").Actions, func(spec world.ActionSpec) bool { return spec.Name == name })
	}
	for name, cooldown := range map[string]int{zap: 10, clean: 2} {
		g.turn(fire("a", name))
		for range cooldown {
			if ready(name) {
				t.Errorf("%s is ready at once", name)
			}
			g.turn()
		}
		if !ready(name) {
			t.Errorf("%s is not ready after %d turns", name, cooldown)
		}
	}
}

func TestOneCleansTheFirstDirtyCellOfEachLine(t *testing.T) {
	g := newPatch(t, withMap(Cleanup(), "%%%", "%%%", "~%%", ".P.", "aaa"), 1, 1)
	g.put(map[string]string{"a": "1,3 N"})
	events := g.turn(fire("a", clean))
	if got := string(events[0].Data); got != `{"cells":[[1,2],[2,2],[0,1]]}` {
		t.Errorf("it cleans %s", got)
	}
	g.turn()
	g.turn()
	g.turn(fire("a", clean))
	if got := g.measure()["cleaned"]; got != 5 { // and [1,1] and [2,1]
		t.Errorf("it has cleaned %v cells, want 5", got)
	}
}

func TestAnAgentSeesAWindowThatFacesItsWay(t *testing.T) {
	g := newPatch(t, withMap(Harvest(), "######", "#AP..#", "#.aP.#", "######"), 1, 2)
	g.put(map[string]string{"a": "3,2 W", "b": "2,1 S"})
	v := g.see(g.Observe("a"))
	if v.Window[9] != "#####^.####" || v.Window[8] != "#####,@####" || v.Window[7] != "#####.*####" || v.Window[10] != "#####..####" {
		t.Errorf("it sees\n%s", strings.Join(v.Window, "\n"))
	}
	if len(v.Others) != 1 || v.Others[0] != (other{"b", 1, 1, south}) {
		t.Errorf("it sees %+v", v.Others)
	}
}

func TestWhatIsIllegalIsRefusedWithItsReason(t *testing.T) {
	g := newPatch(t, Harvest(), 1, 2)
	g.Step(way("b", turn, "left"))
	for _, test := range []struct {
		action world.Action
		want   string
	}{
		{fire("a", "eat"), `no action \"eat\"`},
		{fire("a", clean), "no river"},
		{fire("zoe", zap), `no agent \"zoe\"`},
		{way("b", move, "left"), "already acted"},
		{way("a", turn, "forward"), "no way to turn"},
		{way("a", move, ""), "no way to move"},
		{fire("a", move), "no way to move"},
		{world.Action{Agent: "a", Name: move, Args: json.RawMessage(`[]`)}, "no JSON object"},
		{world.Action{Agent: "a", Name: move, Args: json.RawMessage(`{"direction":"left","far":1}`)}, `unknown argument \"far\"`},
	} {
		events := g.Step(test.action)
		if len(events) != 1 || events[0].Kind != world.KindRefusal || !strings.Contains(string(events[0].Data), test.want) {
			t.Errorf("%s gives %s, want %s", world.JSON(test.action), world.JSON(events), test.want)
		}
	}
}

func TestACommonsThatCannotBeIsAnError(t *testing.T) {
	for want, config := range map[string]Config{
		"turns is 0":              {Map: harvestMap},
		"cooldown is -1":          {Turns: 1, Cooldown: -1, Map: harvestMap},
		"away is 1001":            {Turns: 1, Away: 1001, Map: harvestMap},
		"row 2 of the map has 3":  {Turns: 1, Map: "PA\nPAA"},
		`has "x", want one of`:    {Turns: 1, Map: "PAx"},
		"needs an orchard":        {Turns: 1, Map: "P.."},
		"nothing ever grows":      {Turns: 1, Map: "P.a"},
		"larger than 200 by 200":  {Turns: 1, Map: strings.Repeat("P", 201)},
		"an orchard and a spawn ": {Turns: 1},
	} {
		if _, err := New(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
	rules, err := New(Config{Turns: 1, Map: "PAP"})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 4 {
		if _, err := rules.Reset(1, []string{"a", "b", "c"}[:n]); (err == nil) != (n == 1 || n == 2) {
			t.Errorf("%d agents at 2 spawn points: %v", n, err)
		}
	}
}

func TestCheckKnowsWhatCannotBeACommons(t *testing.T) {
	g := newPatch(t, Cleanup(), 1, 2)
	for range 3 {
		if err := g.rules.Check(g.State); err != nil {
			t.Fatal(err)
		}
		g.turn(way("a", move, "forward"))
	}
	at := world.JSON(g.now().agents[0])
	for _, test := range []struct{ path, value string }{
		{"commons/map", `null`},
		{"commons/map", `["P"]`},
		{"commons/turns", `0`},
		{"commons/turn", `4`},
		{"commons/apples", `[[1,1]]`},
		{"commons/dirt", `[[1,8]]`},
		{"commons/agents", `[]`},
		{"agents/b", string(at)},
		{"agents/a", strings.Replace(string(at), `"facing":"`, `"facing":"up`, 1)},
		{"agents/a", `{"at":[0,0],"facing":"N"}`},
	} {
		set := world.Event{Set: map[string]json.RawMessage{test.path: json.RawMessage(test.value)}}
		if err := g.rules.Check(g.State.Apply(set)); err == nil {
			t.Errorf("no error with %s = %s", test.path, test.value)
		}
	}
}

func TestAPolicyPassesWhenThereIsNothingToDo(t *testing.T) {
	for name, policy := range Policies() {
		for _, obs := range []world.Observation{
			{Agent: "a"},
			{Agent: "a", View: []byte("nonsense"), Actions: []world.ActionSpec{{Name: move}}},
			{Agent: "a", View: []byte(`{"window":[]}`), Actions: []world.ActionSpec{{Name: move}}},
			{Agent: "a", View: world.JSON(view{Window: make([]string, 11)})},
		} {
			if a := policy.Decide(1, obs); a.Agent != "a" || a.Name != world.Pass {
				t.Errorf("%s answers %+v with %+v", name, obs, a)
			}
		}
	}
}

func TestMeasureNeedsACommons(t *testing.T) {
	if _, err := Measure(worldtest.Sequence()); err == nil {
		t.Error("no error without a plant event")
	}
	for _, kind := range []string{kindPlant, kindMove, kindClean} {
		if _, err := Measure(worldtest.Sequence(world.Event{Kind: kind, Data: []byte("7")})); err == nil {
			t.Errorf("no error with a broken %s", kind)
		}
	}
}
