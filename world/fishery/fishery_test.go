package fishery

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"testing/quick"

	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/worldtest"
)

var seats = []string{"a", "b", "c", "d", "e"}

// A game is an episode folded by hand, without a store.
type game struct {
	*worldtest.Episode
	t     *testing.T
	rules *Rules
}

func newGame(t *testing.T, config Config, seed uint64, agents ...string) *game {
	t.Helper()
	rules, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return &game{Episode: worldtest.Begin(t, rules, seed, agents...), t: t, rules: rules}
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

// fact returns the number at path.
func (g *game) fact(path string) int {
	g.t.Helper()
	var n int
	if err := g.State.Get(path, &n); err != nil {
		g.t.Fatal(err)
	}
	return n
}

// caught returns what each of the agents caught when it last fished.
func (g *game) caught(agents []string) []int {
	g.t.Helper()
	var tons []int
	for _, name := range agents {
		tons = append(tons, g.fact("agents/"+name+"/caught"))
	}
	return tons
}

// asks returns an action for each agent.
func asks(agents []string, tons []int) []world.Action {
	var actions []world.Action
	for i, name := range agents {
		actions = append(actions, ask(name, fmt.Sprintf(`{"tons":%d}`, tons[i])))
	}
	return actions
}

func ask(agent, args string) world.Action {
	return world.Action{Agent: agent, Name: fish, Args: json.RawMessage(args)}
}

// reason returns why the one action of a step was refused, or "".
func reason(events []world.Event) string {
	for _, ev := range events {
		if ev.Kind == world.KindRefusal {
			var data struct{ Action, Reason string }
			if err := json.Unmarshal(ev.Data, &data); err != nil || data.Reason == "" {
				return "a refusal without a reason"
			}
			return data.Reason
		}
	}
	return ""
}

func TestTheRulesKeepTheContract(t *testing.T) {
	for name, config := range map[string]Config{
		"the published lake":   Default(),
		"one ton and one turn": {Capacity: 1, Turns: 1},
		"a lake that lasts":    {Capacity: 500, Collapse: 0, Turns: 4},
	} {
		t.Run(name, func(t *testing.T) {
			worldtest.TestRules(t, func() (world.Rules, error) { return New(config) }, seats)
		})
	}
}

func TestNewRefusesALakeThatCannotBe(t *testing.T) {
	for _, c := range []Config{
		{},
		{Capacity: 0, Collapse: 0, Turns: 12},
		{Capacity: 1_000_001, Collapse: 5, Turns: 12},
		{Capacity: 100, Collapse: -1, Turns: 12},
		{Capacity: 100, Collapse: 101, Turns: 12},
		{Capacity: 100, Collapse: 5, Turns: 0},
		{Capacity: 100, Collapse: 5, Turns: 100_001},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("New(%+v) made a lake", c)
		}
	}
	if _, err := New(Default()); err != nil {
		t.Error(err)
	}
	rules, err := New(Config{Capacity: 1, Collapse: 1, Turns: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rules.Reset(1, nil); err == nil {
		t.Error("a lake without agents was reset")
	}
}

func TestALegalActionIsAWholeNumberOfTons(t *testing.T) {
	for _, c := range []struct {
		args  string
		asked int // -1: refused
	}{
		{`{"tons":0}`, 0},
		{`{"tons":10}`, 10},
		{`{"tons":10.0}`, 10},
		{`{"tons":1e1}`, 10},
		{`{"tons":-0}`, 0},
		{`{"tons":-0.0}`, 0},
		{`{"tons":100}`, 100},
		{`{"tons":150}`, 150}, // more than the lake holds, as in a published run
		{`{"tons":1000000}`, 1000000},
		{` { "tons" : 7 } `, 7},
		{`{"tons":1,"tons":2}`, 2}, // as canonical JSON reads it
		{`{"tons":1000001}`, -1},
		{`{"tons":1e300}`, -1},
		{`{"tons":1e999}`, -1},
		{`{"tons":-1}`, -1},
		{`{"tons":9.5}`, -1},
		{`{"tons":"10"}`, -1},
		{`{"tons":null}`, -1},
		{`{"tons":true}`, -1},
		{`{"tons":[10]}`, -1},
		{`{"Tons":10}`, -1},
		{`{"tons":10,"note":"x"}`, -1},
		{`{}`, -1},
		{`null`, -1},
		{`[]`, -1},
		{`10`, -1},
		{``, -1},
		{`{"tons":10`, -1},
		{`{"tons":10}{"tons":10}`, -1},
	} {
		g := newGame(t, Default(), 1, seats...)
		events := g.Step(ask("a", c.args))
		refused := reason(events)
		switch {
		case c.asked < 0 && refused == "":
			t.Errorf("%s was not refused", c.args)
		case c.asked >= 0 && refused != "":
			t.Errorf("%s was refused: %s", c.args, refused)
		case c.asked >= 0 && g.fact("agents/a/asked") != c.asked:
			t.Errorf("%s asked for %d tons, want %d", c.args, g.fact("agents/a/asked"), c.asked)
		case c.asked < 0 && (g.fact("lake/tons") != 100 || g.fact("agents/a/turn") != -1):
			t.Errorf("%s was refused and had an effect", c.args)
		}
	}
}

func TestTheSchemaSaysWhatIsLegal(t *testing.T) {
	g := newGame(t, Default(), 1, seats...)
	obs, _ := g.observe("a")
	want := `{"additionalProperties":false,"properties":{"tons":{"maximum":1000000,"minimum":0,"type":"integer"}},"required":["tons"],"type":"object"}`
	if len(obs.Actions) != 1 || obs.Actions[0].Name != "fish" || string(obs.Actions[0].Schema) != want {
		t.Errorf("the legal actions are %+v", obs.Actions)
	}
}

func TestWhatIsNotAllowedIsRefusedWithAReason(t *testing.T) {
	g := newGame(t, Default(), 1, "a", "b")
	if reason(g.Step(world.Action{Agent: "a", Name: "farm"})) == "" {
		t.Error("an unknown action was not refused")
	}
	if reason(g.Step(ask("stranger", `{"tons":1}`))) == "" {
		t.Error("a stranger fished")
	}
	if why := reason(g.Step(ask("a", `{"tons":1}`))); why != "" {
		t.Errorf("refused: %s", why)
	}
	if reason(g.Step(ask("a", `{"tons":1}`))) == "" {
		t.Error("one agent fished twice in a turn")
	}
	if obs, _ := g.observe("a"); len(obs.Actions) != 0 || obs.Terminated {
		t.Errorf("an agent that has fished sees %+v", obs)
	}
	if why := reason(g.Step(world.Action{Agent: "a", Name: world.Pass})); why != "" {
		t.Errorf("a pass was refused: %s", why)
	}
	g.Step(ask("b", `{"tons":99}`))
	if obs, _ := g.observe("b"); !obs.Terminated || len(obs.Actions) != 0 || obs.Reward != 99 {
		t.Errorf("after the collapse an agent sees %+v", obs)
	}
	g.EndTurn()
	events := g.Step(ask("a", `{"tons":1}`), world.Action{Agent: "b", Name: world.Pass})
	if len(events) != 1 || reason(events) == "" {
		t.Errorf("after the end, actions gave %+v", events)
	}
}

func TestAnAgentSeesTheLakeItsTotalAndWhatEverybodyCaught(t *testing.T) {
	g := newGame(t, Default(), 1, "a", "b")
	first, _ := g.observe("a")
	if want := `{"agents":2,"capacity":100,"tons":100,"total":0,"turns":12,"turns_left":12}`; string(first.View) != want {
		t.Errorf("at first it sees %s, want %s", first.View, want)
	}
	g.Step(asks([]string{"a", "b"}, []int{30, 40})...)
	g.EndTurn()
	second, _ := g.observe("a")
	want := `{"agents":2,"capacity":100,"caught":{"a":30,"b":40},"tons":60,"total":30,"turns":12,"turns_left":11}`
	if string(second.View) != want {
		t.Errorf("then it sees %s, want %s", second.View, want)
	}
	if second.Reward != 30 || second.Turn != 1 || second.Agent != "a" {
		t.Errorf("the observation is %+v", second)
	}
	g.Step(ask("a", `{"tons":0}`)) // b does not act
	g.EndTurn()
	if _, v := g.observe("b"); string(v.Caught) != `{"a":0}` || v.Tons != 100 || v.Total != 40 {
		t.Errorf("after a turn in which only a fished, for nothing, b sees %+v", v)
	}
	if _, err := g.rules.Observe(g.State, "stranger"); err == nil {
		t.Error("a stranger observed the lake")
	}
}

func TestAStateOfAnotherWorldIsAnError(t *testing.T) {
	rules, err := New(Default())
	if err != nil {
		t.Fatal(err)
	}
	g := newGame(t, Default(), 1, "a")
	set := func(path, raw string) world.State {
		return g.State.Apply(world.Event{Set: map[string]json.RawMessage{path: json.RawMessage(raw)}})
	}
	for name, st := range map[string]world.State{
		"no facts":    {},
		"wrong type":  set("lake/tons", `"many"`),
		"half a fish": set("agents/a/caught", `0.5`),
		"half agent":  g.State.Apply(world.Event{Del: []string{"agents/a/turn"}}),
	} {
		if _, err := rules.Observe(st, "a"); err == nil {
			t.Errorf("%s: observed", name)
		}
		if _, err := rules.Step(st, []world.Action{ask("a", `{"tons":1}`)}); err == nil {
			t.Errorf("%s: stepped", name)
		}
	}
}

func TestOneAfterTheOtherEachTakesFromWhatIsThere(t *testing.T) {
	g := newGame(t, Default(), 1, "a", "b", "c")
	for _, c := range []struct {
		agent              string
		asked, caught, now int
	}{{"a", 20, 20, 80}, {"b", 30, 30, 50}, {"c", 10, 10, 40}} {
		g.Step(asks([]string{c.agent}, []int{c.asked})...)
		if _, v := g.observe("a"); v.Tons != c.now || g.fact("lake/tons") != c.now {
			t.Fatalf("after %s the lake holds %d, want %d", c.agent, v.Tons, c.now)
		}
	}
	g.EndTurn()
	if _, v := g.observe("a"); v.Tons != 80 || v.TurnsLeft != 11 || g.fact("lake/next") != 80 {
		t.Errorf("the lake grew to %d", v.Tons)
	}
	g.Step(asks([]string{"b"}, []int{60})...)
	if _, v := g.observe("a"); v.Tons != 20 || string(v.Caught) != `{"b":60}` {
		t.Errorf("in the middle of the turn a sees %+v", v)
	}
	g.Step(asks([]string{"c"}, []int{500})...)
	if obs, v := g.observe("a"); !obs.Terminated || v.Tons != 0 || string(v.Caught) != `{"b":60,"c":20}` {
		t.Errorf("after the collapse a sees %+v", v)
	}
	m, err := Measure(worldtest.Sequence(g.Log...))
	if err != nil {
		t.Fatal(err)
	}
	// the shares are 16 of 100 tons and 13 of 80; a, b, and then b and c took more
	want := map[string]float64{"survival_time": 2, "total": 140, "over_usage": 100 * 4.0 / 6}
	for name, value := range want {
		if m[name] != value {
			t.Errorf("%s is %v, want %v", name, m[name], value)
		}
	}
}

func TestADeadLakeGrowsNoMoreAndTheOthersDoByDoubling(t *testing.T) {
	for _, c := range []struct {
		config          Config
		caught          int
		over            bool
		after, in1, in3 int
	}{
		{Config{100, 5, 12}, 96, true, 4, 4, 4},
		{Config{100, 5, 12}, 95, false, 5, 10, 40},
		{Config{100, 5, 12}, 60, false, 40, 80, 100},
		{Config{100, 0, 12}, 100, false, 0, 0, 0},
		{Config{7, 1, 12}, 3, false, 4, 7, 7},
		{Config{100, 5, 3}, 50, false, 50, 100, 100},
	} {
		g := newGame(t, c.config, 1, "a")
		g.Step(asks([]string{"a"}, []int{c.caught})...)
		obs, v := g.observe("a")
		if obs.Terminated != c.over || v.Tons != c.after {
			t.Errorf("%+v: after the harvest the lake holds %d and terminated is %v", c, v.Tons, obs.Terminated)
		}
		g.EndTurn()
		if _, v := g.observe("a"); v.Tons != c.in1 || g.fact("lake/next") != c.in1 {
			t.Errorf("%+v: in the next turn it holds %d", c, v.Tons)
		}
		g.EndTurn() // two turns in which nobody acts
		g.EndTurn()
		if obs, v := g.observe("a"); v.Tons != c.in3 || obs.Terminated != (c.over || c.config.Turns <= 3) {
			t.Errorf("%+v: three turns later it holds %d and terminated is %v", c, v.Tons, obs.Terminated)
		}
	}
}

func TestTheOrderOfActionsDoesNotMatter(t *testing.T) {
	same := func(seed uint64, tons [5]uint16, swap [5]uint8) bool {
		g := newGame(t, Default(), seed, seats...)
		wanted := make([]int, 5)
		for i := range tons {
			wanted[i] = int(tons[i] % 120)
		}
		actions := asks(seats, wanted)
		actions[4].Args = json.RawMessage(`{}`) // one of them is refused
		ordered := world.JSON(g.Step(actions...))
		for i, j := range swap {
			actions[i], actions[j%5] = actions[j%5], actions[i]
		}
		other := newGame(t, Default(), seed, seats...)
		before := slices.Clone(actions)
		shuffled := world.JSON(other.Step(actions...))
		sameAgent := func(a, b world.Action) bool { return a.Agent == b.Agent }
		return string(ordered) == string(shuffled) && slices.EqualFunc(before, actions, sameAgent)
	}
	if err := quick.Check(same, nil); err != nil {
		t.Error(err)
	}
}

func TestFishAreNeitherMadeNorLost(t *testing.T) {
	balanced := func(seed uint64, capacity uint16, tons [12][5]uint16) bool {
		config := Config{Capacity: int(capacity) + 5, Collapse: 5, Turns: 12}
		g := newGame(t, config, seed, seats...)
		for _, turn := range tons {
			obs, v := g.observe("a")
			if obs.Terminated {
				break
			}
			wanted := make([]int, 5)
			for i := range turn {
				wanted[i] = int(turn[i]) % (config.Capacity/4 + 1)
			}
			g.Step(asks(seats, wanted)...)
			got := g.caught(seats)
			after := g.fact("lake/tons")
			if after < 0 || after+sum(got) != v.Tons || sum(got) != min(v.Tons, sum(wanted)) {
				return false
			}
			for i := range got {
				if got[i] < 0 || got[i] > wanted[i] {
					return false
				}
			}
			grown := after // a dead lake
			if after >= 5 {
				grown = min(config.Capacity, 2*after)
			}
			if g.fact("lake/next") != grown {
				return false
			}
			g.EndTurn()
		}
		return true
	}
	if err := quick.Check(balanced, nil); err != nil {
		t.Error(err)
	}
}
