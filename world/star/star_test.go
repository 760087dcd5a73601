package star

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/fishery"
	"github.com/vitrine-sim/vitrine/world/worldtest"
)

var seats = []string{"a", "b", "c", "d", "e"}

// shipped returns the rules of a file in testdata.
func shipped(t *testing.T, name string, params map[string]any) *Rules {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := Load(name, source, params)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func TestTheRulesOfAFileKeepTheContract(t *testing.T) {
	for _, c := range []struct {
		file   string
		params map[string]any
		agents []string
	}{
		{"fishery.star", nil, seats},
		{"fishery.star", map[string]any{"capacity": int64(1), "collapse": int64(0), "turns": int64(1)}, []string{"a"}},
		{"grid.star", nil, []string{"ann", "bob"}},
		{"matrix.star", nil, []string{"row", "col"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			worldtest.TestRules(t, func() (world.Rules, error) { return shipped(t, c.file, c.params), nil }, c.agents)
		})
	}
}

// A twin is an episode that two rules play at once.
type twin struct {
	t        *testing.T
	goRules  *fishery.Rules
	star     *Rules
	st       world.State
	log      []world.Event
	observed int
}

func newTwin(t *testing.T, config fishery.Config, seed uint64) *twin {
	t.Helper()
	goRules, err := fishery.New(config)
	if err != nil {
		t.Fatal(err)
	}
	w := &twin{t: t, goRules: goRules, star: shipped(t, "fishery.star", map[string]any{
		"capacity": int64(config.Capacity), "collapse": int64(config.Collapse), "turns": int64(config.Turns),
	})}
	w.commit([]world.Event{{Kind: "seed", Set: map[string]json.RawMessage{world.SeedFact: world.JSON(seed)}}})
	want, err := goRules.Reset(seed, seats)
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.star.Reset(seed, seats)
	w.same(got, err, want)
	return w
}

func (w *twin) commit(events []world.Event) {
	w.t.Helper()
	stamped, err := w.st.Stamp(events)
	if err != nil {
		w.t.Fatal(err)
	}
	w.st = w.st.Apply(stamped...)
	w.log = append(w.log, stamped...)
}

// same demands that the events are, byte for byte, those that are wanted, and commits them.
func (w *twin) same(got []world.Event, err error, want []world.Event) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	if g, w2 := string(world.JSON(got)), string(world.JSON(want)); g != w2 {
		w.t.Fatalf("turn %d:\ngot  %s\nwant %s", w.st.Turn, g, w2)
	}
	w.commit(want)
}

// observe demands that both rules show an agent the same.
func (w *twin) observe(agent string) world.Observation {
	w.t.Helper()
	want, err := w.goRules.Observe(w.st, agent)
	if err != nil {
		w.t.Fatal(err)
	}
	got, err := w.star.Observe(w.st, agent)
	if err != nil {
		w.t.Fatal(err)
	}
	if g, w2 := string(world.JSON(got)), string(world.JSON(want)); g != w2 {
		w.t.Fatalf("turn %d, agent %s:\ngot  %s\nwant %s", w.st.Turn, agent, g, w2)
	}
	w.observed++
	return want
}

func TestTheFisheryInStarlarkGivesTheBytesOfTheOneInGo(t *testing.T) {
	for seed := range uint64(20) {
		for _, policy := range []string{"steady", "greedy", "random", "any"} {
			config := fishery.Default()
			if policy == "any" {
				config = fishery.Config{Capacity: 3000000 % (int(seed)*37 + 50), Collapse: int(seed) % 7, Turns: 12}
				config.Capacity = max(config.Capacity, 10)
			}
			w := newTwin(t, config, seed)
			decide, own := fishery.Policies()[policy], w.star.Policies()[policy]
			if decide == nil {
				decide, own = world.RandomAction, world.RandomAction
			}
			for range 14 {
				var actions []world.Action
				for _, agent := range seats {
					obs := w.observe(agent)
					a := decide.Decide(seed, obs)
					if b := own.Decide(seed, obs); string(world.JSON(a)) != string(world.JSON(b)) {
						t.Fatalf("%s, turn %d: %s does %s, in Starlark %s", policy, obs.Turn, agent, world.JSON(a), world.JSON(b))
					}
					actions = append(actions, a)
				}
				steps := [][]world.Action{actions}
				if seed%2 == 1 { // one after the other
					steps = nil
					for _, a := range actions {
						steps = append(steps, []world.Action{a})
					}
				}
				for _, actions := range steps {
					if len(steps) > 1 && w.observe(actions[0].Agent).Terminated {
						continue // nobody asks it
					}
					want, err := w.goRules.Step(w.st, actions)
					if err != nil {
						t.Fatal(err)
					}
					got, err := w.star.Step(w.st, actions)
					w.same(got, err, want)
				}
				w.commit([]world.Event{{Kind: world.KindTurn}})
			}
			w.sameMetrics()
		}
	}
}

func (w *twin) sameMetrics() {
	w.t.Helper()
	events := func(yield func(world.Event, error) bool) {
		for _, ev := range w.log {
			if !yield(ev, nil) {
				return
			}
		}
	}
	want, err := fishery.Measure(events)
	if err != nil {
		w.t.Fatal(err)
	}
	got, err := w.star.Measure(events)
	if err != nil {
		w.t.Fatal(err)
	}
	if g, w2 := string(world.JSON(got)), string(world.JSON(want)); g != w2 {
		w.t.Fatalf("metrics:\ngot  %s\nwant %s", g, w2)
	}
}

func TestParametersTakeThePlaceOfThoseOfTheFile(t *testing.T) {
	source := []byte("params = {'n': 3, 'word': 'so', 'rate': 0.5, 'open': True}\ndouble = params['n'] * 2\n" + least)
	rules, err := Load("x.star", source, map[string]any{"n": int64(4)})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(world.JSON(rules.Params())); got != `{"n":4,"open":true,"rate":0.5,"word":"so"}` {
		t.Errorf("the parameters are %s", got)
	}
	events, err := rules.Reset(1, seats)
	if err == nil || len(events) > 0 {
		t.Errorf("%v, %v", events, err)
	}
	for _, wrong := range []map[string]any{{"n": "4"}, {"m": int64(4)}, {"open": int64(1)}} {
		if _, err := Load("x.star", source, wrong); err == nil || !strings.HasPrefix(err.Error(), "x.star:1:8: params: ") {
			t.Errorf("with %v: %v", wrong, err)
		}
	}
}

// least is the least that a file of rules must have, after a line of its own.
const least = `
def reset(agents, random):
    return fail("no %d" % double)
def observe(state, agent):
    return observation({})
def step(state, actions):
    return []
`

func TestAStepInWhichNobodyActsIsNoneOfSimultaneousRules(t *testing.T) {
	const source = "go = action('go')\ndef reset(agents, random):\n  return []\ndef observe(state, agent):\n  return observation({}, [go])\n" +
		"def step(state, actions):\n  return [event('step', data = len(actions))]\n"
	for _, c := range []struct{ says, action, want string }{
		{"", "go", `step 1`},
		{"", world.Pass, `step 0`},
		{"", "come", `refusal, step 0`},
		{"simultaneous = False\n", world.Pass, `step 0`},
		{"simultaneous = True\n", "go", `step 1`},
		{"simultaneous = True\n", world.Pass, ``},
		{"simultaneous = True\n", "come", `refusal`},
	} {
		rules, err := Load("v.star", []byte(c.says+source), nil)
		if err != nil {
			t.Fatal(err)
		}
		events, err := rules.Step(world.State{}, []world.Action{{Agent: "a", Name: c.action, Args: []byte("{}")}})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, ev := range events {
			if ev.Kind == world.KindRefusal {
				got = append(got, ev.Kind)
			} else {
				got = append(got, ev.Kind+" "+string(ev.Data))
			}
		}
		if strings.Join(got, ", ") != c.want || rules.Simultaneous() != strings.Contains(c.says, "True") {
			t.Errorf("%safter %s come %q, want %s", c.says, c.action, got, c.want)
		}
	}
}

func TestWhoIsNotObservedHasItsPlaceInTheFile(t *testing.T) {
	rules := shipped(t, "grid.star", nil)
	_, err := rules.Observe(world.State{}, "nobody")
	var e *Error
	if !errors.As(err, &e) || e.File != "grid.star" || e.Line < 2 || !strings.HasSuffix(e.Msg, `no agent "nobody" in this world: observe returns None for it`) {
		t.Errorf("got %v", err)
	}
}

func TestAnErrorOfTheRulesIsOneOfTheFile(t *testing.T) {
	rules, err := Load("village.star", []byte("double = 2\n"+least), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = rules.Reset(1, seats)
	var e *Error
	if !errors.As(err, &e) || e.Error() != "village.star:4:16: fail: no 2" {
		t.Errorf("%v", err)
	}
}
