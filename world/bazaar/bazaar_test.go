package bazaar

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/worldtest"
)

// small is a market for two buyers and two sellers of two units.
func small() Config {
	return Config{Buyers: 2, Values: []int{60, 90, 50, 80}, Costs: []int{40, 20, 70, 30}, Ceiling: 100, Periods: 2, Turns: 3}
}

func TestTheRulesKeepWhatAllRulesMust(t *testing.T) {
	long := small()
	long.Turns, long.Periods = 10, 2
	for name, config := range map[string]Config{"two short periods": small(), "two long periods": long} {
		t.Run(name, func(t *testing.T) {
			worldtest.TestRules(t, func() (world.Rules, error) { return New(config) }, []string{"a", "b", "c", "d"})
		})
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

// step commits what follows from the actions, and looks at the state.
func (g *game) step(actions ...world.Action) []world.Event {
	g.t.Helper()
	events := g.Step(actions...)
	if err := g.rules.Check(g.State); err != nil {
		g.t.Fatalf("after %s: %v", world.JSON(actions), err)
	}
	return events
}

func (g *game) measure() map[string]float64 {
	g.t.Helper()
	metrics, err := Measure(worldtest.Sequence(g.Log...))
	if err != nil {
		g.t.Fatal(err)
	}
	return metrics
}

// quotes returns bids of a0 and a1, and asks of a2 and a3, from texts such as "a0 55".
func quotes(texts ...string) []world.Action {
	var actions []world.Action
	for _, text := range texts {
		agent, price, _ := strings.Cut(text, " ")
		name := map[string]string{"a0": bid, "a1": bid, "a2": ask, "a3": ask}[agent]
		actions = append(actions, world.Action{Agent: agent, Name: name, Args: json.RawMessage(`{"price":` + price + `}`)})
	}
	return actions
}

func TestTheBestQuotesStandAndThoseThatCrossAreATradeAtTheEarlierPrice(t *testing.T) {
	for _, test := range []struct {
		quotes string
		book   string // what stands, and the prices
		profit [4]int
	}{
		// a0 has the values 90 and 60, a1 80 and 50; a2 has the costs 20 and 40, a3 30 and 70.
		{"a0 10", "bid 10 a0, ask 0 , []", [4]int{}},
		{"a0 10,a1 10", "bid 10 a0, ask 0 , []", [4]int{}},
		{"a0 10,a1 11,a0 5", "bid 11 a1, ask 0 , []", [4]int{}},
		{"a2 50,a3 50,a3 49,a2 99", "bid 0 , ask 49 a3, []", [4]int{}},
		{"a0 10,a2 50", "bid 10 a0, ask 50 a2, []", [4]int{}},
		{"a0 55,a1 40,a2 50", "bid 0 , ask 0 , [55]", [4]int{35, 0, 35, 0}},
		{"a2 50,a0 55", "bid 0 , ask 0 , [50]", [4]int{40, 0, 30, 0}},
		{"a0 10,a2 50,a0 50", "bid 0 , ask 0 , [50]", [4]int{40, 0, 30, 0}},
		{"a2 50,a0 55,a3 60,a1 61", "bid 0 , ask 0 , [50 60]", [4]int{40, 20, 30, 30}},
		{"a1 100,a3 1", "bid 0 , ask 0 , [100]", [4]int{0, -20, 0, 70}}, // a loss, of which nobody is kept
	} {
		for _, together := range []bool{false, true} {
			g := newGame(t, small(), 1, 4)
			all := quotes(strings.Split(test.quotes, ",")...)
			if together {
				g.step(all...)
			} else {
				for _, a := range all {
					g.step(a)
				}
			}
			m, err := readMarket(g.State)
			if err != nil {
				t.Fatal(err)
			}
			b := m.book
			if got := fmt.Sprintf("bid %d %s, ask %d %s, %v", b.Bid, b.Bidder, b.Ask, b.Asker, b.Prices); got != test.book {
				t.Errorf("after %s (together: %v) there is %s, want %s", test.quotes, together, got, test.book)
			}
			for i, want := range test.profit {
				if obs, v := g.observe(g.Agents[i]); v.Profit != want || obs.Reward != float64(want) {
					t.Errorf("after %s (together: %v) %s has earned %d, want %d", test.quotes, together, g.Agents[i], v.Profit, want)
				}
			}
		}
	}
}

func TestAQuoteForAUnitThatIsGoneInTheSameStepIsVain(t *testing.T) {
	g := newGame(t, small(), 1, 4)
	g.step(quotes("a0 50")...)
	events := g.step(quotes("a2 50", "a3 60", "a0 80")...) // 80 is less than the value of a0's first unit, and more than that of its second
	last := events[len(events)-1]
	if last.Kind != kindQuote || string(last.Data) != `{"bid":80,"vain":true}` {
		t.Errorf("the last event is %s", world.JSON(last))
	}
	if _, v := g.observe("a0"); v.Profit != 40 || v.Units != 1 || v.Limit != 60 {
		t.Errorf("a0 sees %+v", v)
	}
	g.step(quotes("a0 60")...)
	if obs, v := g.observe("a0"); len(obs.Actions) != 0 || v.Units != 0 || v.Limit != 0 || obs.Terminated {
		t.Errorf("without a unit a0 sees %s and may %v", obs.View, obs.Actions)
	}
	if events := g.step(quotes("a0 50")...); events[0].Kind != world.KindRefusal {
		t.Errorf("without a unit a0's bid gives %s", world.JSON(events))
	}
}

func TestAPeriodEndsWithItsTurnsAndEverythingIsThereAgain(t *testing.T) {
	g := newGame(t, small(), 1, 4)
	g.step(quotes("a0 50", "a2 50", "a1 30", "a3 40")...)
	for range 3 {
		if _, v := g.observe("a0"); v.Period != 0 || v.Units != 1 || v.Bid != 30 || v.Ask != 40 || !slices.Equal(v.Prices, []int{50}) {
			t.Errorf("in the first period a0 sees %+v", v)
		}
		g.EndTurn()
	}
	obs, v := g.observe("a0")
	want := `{"ceiling":100,"limit":90,"period":1,"periods":2,"prices":[],"profit":40,"role":"buyer","turns_left":3,"units":2}`
	if string(obs.View) != want {
		t.Errorf("in the second period a0 sees %s, want %s", obs.View, want)
	}
	g.step(quotes("a3 45", "a0 60")...)
	if _, v = g.observe("a3"); v.Profit != 15 || v.Limit != 70 || v.Role != "seller" || v.Units != 1 {
		t.Errorf("in the second period a3 sees %+v", v)
	}
	for range 3 {
		g.EndTurn()
	}
	if obs, _ := g.observe("a0"); !obs.Terminated || len(obs.Actions) != 0 || obs.Reward != 85 {
		t.Errorf("after the last period a0 sees %+v", obs)
	}
	if events := g.step(quotes("a1 10")...); events[0].Kind != world.KindRefusal {
		t.Errorf("after the end a bid gives %s", world.JSON(events))
	}
	// The most is (90-20) + (80-30) + (60-40) = 140 a period; a0 and a2 made 70, then a0 and a3 60.
	metrics := g.measure()
	if metrics["efficiency"] != 100*130/280. || metrics["volume"] != 1 || metrics["price"] != 47.5 {
		t.Errorf("the metrics are %v", metrics)
	}
}

func TestNobodySeesTheLimitsOfAnother(t *testing.T) {
	g := newGame(t, small(), 1, 4)
	before, _ := g.observe("a0")
	for _, other := range g.Agents[1:] {
		secret := world.JSON(trader{Buyer: other == "a1", Limits: []int{77, 66}})
		st := g.State.Apply(world.Event{Set: map[string]json.RawMessage{"traders/" + other: secret}})
		after, err := g.rules.Observe(st, "a0")
		if err != nil || string(after.View) != string(before.View) {
			t.Errorf("with other limits of %s, a0 sees %s, %v", other, after.View, err)
		}
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
		{act("a0", "ask", `{"price":1}`), `there is no action "ask" for a buyer`},
		{act("a2", "bid", `{"price":1}`), `there is no action "bid" for a seller`},
		{act("x", "bid", `{"price":1}`), `no agent "x"`},
		{act("a0", "bid", ``), `want {"price": n}`},
		{act("a0", "bid", `[]`), "no JSON object"},
		{act("a0", "bid", `{"price":null}`), `want {"price": n}`},
		{act("a0", "bid", `{"price":"9"}`), `want {"price": n}`},
		{act("a0", "bid", `{"price":9.5}`), `want {"price": n}`},
		{act("a0", "bid", `{"price":0}`), "from 1 to 100"},
		{act("a0", "bid", `{"price":101}`), "from 1 to 100"},
		{act("a0", "bid", `{"price":9,"unit":1}`), `unknown argument "unit"`},
	} {
		g := newGame(t, small(), 1, 4)
		events := g.step(test.action)
		var data struct{ Reason string }
		if len(events) == 1 {
			_ = json.Unmarshal(events[0].Data, &data)
		}
		if len(events) != 1 || events[0].Kind != world.KindRefusal || !strings.Contains(data.Reason, test.want) {
			t.Errorf("%s gives %s, want %s", world.JSON(test.action), world.JSON(events), test.want)
		}
	}
}

func TestAMarketThatCannotBeIsAnError(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"buyers is 0":                func(c *Config) { c.Buyers = 0 },
		"ceiling is 0":               func(c *Config) { c.Ceiling = 0 },
		"periods is 0":               func(c *Config) { c.Periods = 0 },
		"turns is 0":                 func(c *Config) { c.Turns = 0 },
		"there are 0 values":         func(c *Config) { c.Values = nil },
		"one of the values is 101":   func(c *Config) { c.Values = []int{101} },
		"one of the costs is 0":      func(c *Config) { c.Costs = []int{0} },
		"1 values for 2 buyers":      func(c *Config) { c.Values = []int{1} },
		"1 costs for 2 sellers":      func(c *Config) { c.Costs = []int{1} },
		"nobody is left to sell":     func(c *Config) { c.Buyers = 4 },
		"of 4 agents 999 are buyers": func(c *Config) { c.Buyers = 999 },
	} {
		config := small()
		change(&config)
		rules, err := New(config)
		if err == nil {
			_, err = rules.Reset(1, []string{"a", "b", "c", "d"})
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}

func TestCheckKnowsWhatCannotBeAMarket(t *testing.T) {
	g := newGame(t, small(), 1, 4)
	for _, test := range []struct{ path, value string }{
		{"market/ceiling", "0"},
		{"market/turns", "0"},
		{"market/periods", "-1"},
		{"market/book", `{"ask":1,"asker":"","bid":0,"bidder":"","period":0,"prices":[]}`},
		{"market/book", `{"ask":1,"asker":"x","bid":0,"bidder":"","period":0,"prices":[]}`},
		{"market/book", `{"ask":101,"asker":"a2","bid":0,"bidder":"","period":0,"prices":[]}`},
		{"traders/a0", `{"buyer":true,"limits":[90],"period":0,"profit":0,"traded":2}`},
		{"traders/a0", `{"buyer":true,"limits":[900],"period":0,"profit":0,"traded":0}`},
		{"traders/a0", `7`},
	} {
		set := world.Event{Set: map[string]json.RawMessage{test.path: json.RawMessage(test.value)}}
		if err := g.rules.Check(g.State.Apply(set)); err == nil {
			t.Errorf("no error with %s = %s", test.path, test.value)
		}
	}
	g.step(quotes("a2 40")...)
	gone := world.Event{Set: map[string]json.RawMessage{"traders/a2": json.RawMessage(`{"buyer":false,"limits":[20],"period":0,"profit":0,"traded":1}`)}}
	if err := g.rules.Check(g.State.Apply(gone)); err == nil {
		t.Error("no error with an ask of somebody who has no unit left")
	}
}
