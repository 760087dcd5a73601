package diplomacy

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/worldtest"
)

func TestTheRulesKeepWhatAllRulesMust(t *testing.T) {
	for _, config := range []Config{{Turns: 4}, {Turns: 1000}} {
		worldtest.TestRules(t, func() (world.Rules, error) { return New(config) }, []string{"a", "b", "c"})
	}
}

// An episode is one folded by hand, without a store.
type episode struct {
	*worldtest.Episode
	t     *testing.T
	rules *Rules
}

func newEpisode(t *testing.T, turns int, agents ...string) *episode {
	t.Helper()
	rules, err := New(Config{Turns: turns})
	if err != nil {
		t.Fatal(err)
	}
	return &episode{Episode: worldtest.Begin(t, rules, 1, agents...), t: t, rules: rules}
}

func (e *episode) observe(agent string) (world.Observation, view) {
	e.t.Helper()
	obs := e.Observe(agent)
	var v view
	if err := json.Unmarshal(obs.View, &v); err != nil {
		e.t.Fatal(err)
	}
	return obs, v
}

func (e *episode) step(actions ...world.Action) []world.Event {
	e.t.Helper()
	events := e.Step(actions...)
	if err := e.rules.Check(e.State); err != nil {
		e.t.Fatal(err)
	}
	return events
}

func (e *episode) measure() map[string]float64 {
	e.t.Helper()
	m, err := Measure(worldtest.Sequence(e.Log...))
	if err != nil {
		e.t.Fatal(err)
	}
	return m
}

func orders(agent string, texts ...string) world.Action {
	return world.Action{Agent: agent, Name: give, Args: world.JSON(map[string]any{"orders": texts})}
}

func TestATurnMovesUnitsTakesCentersAndRemovesTheDislodged(t *testing.T) {
	e := newEpisode(t, 3, "a", "b") // austria and england
	obs, v := e.observe("a")
	if obs.Reward != 3 || v.Power != "austria" || !slices.Equal(v.Units["austria"], []string{"A bud", "F tri", "A vie"}) || len(v.Units) != 2 {
		t.Errorf("at first a sees %s", obs.View)
	}
	if !slices.Equal(v.Moves["F tri"], []string{"adr", "alb", "ven"}) || len(v.Moves) != 3 {
		t.Errorf("its units can move to %v", v.Moves)
	}
	e.step(orders("b", "f lon - nth", "F edi - nth", "nonsense", "A bud - rum"), orders("a", "A bud - ser", "F tri - tyr"))
	if events := e.step(orders("a", "A ser - bul")); events[0].Kind != world.KindRefusal {
		t.Errorf("a second time in one turn: %s", world.JSON(events))
	}
	e.Commit(world.Event{Kind: world.KindTurn})
	obs, v = e.observe("a")
	if obs.Reward != 4 || v.Centers["ser"] != "austria" || v.Centers["bud"] != "austria" || v.TurnsLeft != 2 {
		t.Errorf("then a sees %s", obs.View)
	}
	want := []report{{"A bud - ser", "made"}, {"F edi - nth", "failed"}, {"F lon - nth", "failed"}, {"A lvp H", "made"}, {"F tri - tyr", "void"}, {"A vie H", "made"}}
	if !slices.Equal(v.Last, want) {
		t.Errorf("the last orders are %v, want %v", v.Last, want)
	}
	e.Commit(world.Event{Kind: "laid", Set: map[string]json.RawMessage{"board/units": json.RawMessage(
		`[{"fleet":false,"place":"bud","power":"england"},{"fleet":false,"place":"ser","power":"austria"},{"fleet":false,"place":"vie","power":"austria"}]`)}})
	events := e.step(orders("a", "A ser - bud", "A vie S A ser - bud"), world.Action{Agent: "b", Name: world.Pass})
	if len(events) != 4 || events[0].Agent != "b" || !strings.Contains(string(events[0].Data), `"dislodged":true`) {
		t.Errorf("a unit is dislodged: %s", world.JSON(events))
	}
	if obs, v := e.observe("b"); !obs.Terminated || len(v.Units["england"]) != 0 || obs.Reward != 3 {
		t.Errorf("without units b sees %s", obs.View)
	}
	if obs, _ := e.observe("a"); !obs.Terminated {
		t.Error("the game goes on with one power")
	}
	m := e.measure()
	if m["turns"] != 2 || m["leader"] != 4 || m["dislodged"] != 1 || m["moves_made"] != 50 || m["supports"] != 12.5 || len(m) != len(Metrics()) {
		t.Errorf("the metrics are %v", m)
	}
}

func TestWhatIsIllegalIsRefusedWithItsReason(t *testing.T) {
	act := func(agent, name, args string) world.Action {
		return world.Action{Agent: agent, Name: name, Args: json.RawMessage(args)}
	}
	for _, test := range []struct {
		action world.Action
		want   string
	}{
		{act("a", "attack", ""), `there is no action \"attack\"`},
		{act("x", give, ""), `no agent \"x\"`},
		{act("a", give, ""), "no JSON object"},
		{act("a", give, `{"orders":null}`), "want {"},
		{act("a", give, `{"orders":[null]}`), "want {"},
		{act("a", give, `{"orders":[7]}`), "want {"},
		{act("a", give, `{"orders":[],"to":1}`), "unknown argument"},
		{orders("a", strings.Repeat("x", 61)), "more than 60 letters"},
		{orders("a", make([]string, 41)...), "you give 41 orders"},
	} {
		e := newEpisode(t, 3, "a", "b")
		if events := e.step(test.action); len(events) != 1 || events[0].Kind != world.KindRefusal || !strings.Contains(string(events[0].Data), test.want) {
			t.Errorf("%s gives %s, want %s", world.JSON(test.action), world.JSON(events), test.want)
		}
	}
}

func TestOrdersAreReadInAnyCaseAndNonsenseIsNone(t *testing.T) {
	for text, want := range map[string]order{
		"A vie H":               {},
		"a VIE - Tri":           {kind: move, to: "tri"},
		"F spa/nc - lyo":        {kind: move, to: "lyo"},
		"A tyr S A ven":         {kind: support, of: "ven"},
		"A tyr S A ven - tri":   {kind: support, of: "ven", to: "tri"},
		"F mar S F spa/sc":      {kind: support, of: "spa"},
		"F nth C A lon - bel":   {kind: convoy, of: "lon", to: "bel"},
		" F  nth C a lon - bel": {kind: convoy, of: "lon", to: "bel"},
	} {
		if _, o, ok := parse(text); !ok || o != want {
			t.Errorf("%q is %+v, %v; want %+v", text, o, ok, want)
		}
	}
	for _, text := range []string{"", "A", "A vie", "vie - tri", "A vie -", "A vie - tri bud", "A vie H H", "A vie S", "A vie S ven", "F nth C F lon - bel", "A vie ? tri"} {
		if _, o, ok := parse(text); ok {
			t.Errorf("%q is %+v", text, o)
		}
	}
}

func TestPoliciesOrderWhatTheirUnitsCanDo(t *testing.T) {
	for name, policy := range Policies() {
		e := newEpisode(t, 20, "a", "b", "c", "d", "e", "f", "g")
		for range 20 {
			var actions []world.Action
			for _, agent := range e.Agents {
				obs, _ := e.observe(agent)
				actions = append(actions, policy.Decide(1, obs))
			}
			for _, ev := range e.step(actions...) {
				if ev.Kind == world.KindRefusal || strings.Contains(string(ev.Data), "void") {
					t.Fatalf("%s: %s", name, world.JSON(ev))
				}
			}
			e.Commit(world.Event{Kind: world.KindTurn})
		}
		if obs, _ := e.observe("a"); !obs.Terminated {
			t.Error("the game goes on after its last turn")
		}
	}
}

func TestAGameThatCannotBeIsAnError(t *testing.T) {
	for _, turns := range []int{0, 1001} {
		if _, err := New(Config{Turns: turns}); err == nil {
			t.Errorf("no error with %d turns", turns)
		}
	}
	e := newEpisode(t, 3, "a", "b")
	for _, agents := range [][]string{nil, {"a"}, strings.Split("abcdefgh", "")} {
		if _, err := e.rules.Reset(1, agents); err == nil {
			t.Errorf("no error with %d agents", len(agents))
		}
	}
	for path, values := range map[string][]string{
		"board/units":  {`7`, `[{"fleet":true,"place":"vie","power":"austria"}]`, `[{"fleet":true,"place":"tri","power":"austria"},{"fleet":false,"place":"tri","power":"italy"}]`},
		"board/agents": {`["a"]`},
	} {
		for _, value := range values {
			if err := e.rules.Check(e.State.Apply(world.Event{Set: map[string]json.RawMessage{path: json.RawMessage(value)}})); err == nil {
				t.Errorf("no error with %s = %s", path, value)
			}
		}
	}
	if _, err := Measure(worldtest.Sequence()); err == nil {
		t.Error("no error without a board")
	}
}
