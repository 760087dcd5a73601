package star

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
)

func TestEveryMistakeOfAFileHasItsPlaceAndAHint(t *testing.T) {
	const good = "def reset(agents, random):\n  return []\ndef observe(state, agent):\n  return None\ndef step(state, actions):\n  return []\n"
	for _, c := range []struct{ source, want, hint string }{
		{"", "v.star:1:1: there is no def reset(agents, random)\nv.star:1:1: there is no def observe(state, agent)\nv.star:1:1: there is no def step(state, actions)", ""},
		{strings.Replace(good, "observe", "obsreve", 1), "v.star:1:1: there is no def observe(state, agent)", `did you mean "obsreve"?`},
		{"def reset(agents):\n  return\n" + good[strings.Index(good, "def observe"):], "v.star:1:1: reset takes other parameters, want def reset(agents, random)", ""},
		{good + "check = 3\n", "v.star:7:1: check is an int, want def check(state)", ""},
		{good + "x = \n", "v.star:7:5: got newline, want primary expression", ""},
		{good + "x = evnt('a')\n", "v.star:7:5: undefined: evnt", `did you mean "event"?`},
		{good + "x = good\ny = bad\n", "v.star:7:5: undefined: good\nv.star:8:5: undefined: bad", ""},
		{good + "x = event('a', sets = {})\n", "v.star:7:10: event: unexpected keyword argument \"sets\"", ""},
		{good + "x = [1][1]\n", "v.star:7:8: list index 1 out of range [-1:0]", ""},
		{good + "x = 1 + 'a'\n", "v.star:7:7: unknown binary op: int + string", ""},
		{good + "y = {}\nx = y + 'a'\n", "v.star:8:7: unknown binary op: dict + string", ""},
		{good + "x = 'a'.uper()\n", "v.star:7:8: string has no .uper field or method", `did you mean "upper"?`},
		{good + "x = 1\nx = 2\n", "v.star:8:1: cannot reassign global x declared at v.star:7:1", ""},
		{good + "while True:\n  pass\n", "v.star:7:1: this Starlark dialect does not support while loops", ""},
		{good + "def f(*a):\n  pass\n", "v.star:7:7: a function of rules takes no *a; let it take a list", ""},
		{good + "load('a.star', 'a')\n", "v.star:7:1: a file of rules loads no other", ""},
		{good + "params = 3\n", "v.star:7:8: params is an int, want a dict", ""},
		{good + "params = {'name': 3}\n", "v.star:7:8: params: a parameter is called by small letters, digits, _ and -, and not name; this is \"name\"", ""},
		{good + "params = {'a': [3]}\n", "v.star:7:8: params: a is a list; a parameter is a bool, an int up to 2^53, a finite float or a string", ""},
		{good + "simultaneous = 1\n", "v.star:7:1: simultaneous is an int, want True or False", ""},
		{good + "metrics = []\n", "v.star:7:1: metrics = [...] and def measure(events) go together, and one of them is missing", ""},
		{good + "def measure(events):\n  return {}\n", "v.star:7:1: metrics = [...] and def measure(events) go together, and one of them is missing", ""},
		{good + "metrics = [3]\ndef measure(events):\n  return {}\n", "v.star:7:1: metrics holds an int, or two metrics \"\"; want metric(\"name\", \"unit\", \"formula\"), each once", ""},
		{good + "policies = {'a': 3}\n", "v.star:7:1: the policy \"a\" is an int, want a function of obs and random", ""},
		{good + "policies = {'a': lambda obs: None}\n", "v.star:7:1: the policy \"a\" takes other parameters, want obs, random", ""},
		{good + "a = action('a', 'b', {'c': 3})\n", "v.star:7:11: action: the arguments are schemas by name, not an int by \"c\"", `write {"tons": integer(0, 100)}`},
	} {
		_, err := Load("v.star", []byte(c.source), nil)
		var errs Errors
		if !errors.As(err, &errs) || err.Error() != c.want || errs[0].Hint != c.hint {
			t.Errorf("%s\ngot  %v\nwant %s", strings.TrimPrefix(c.source, good), err, c.want)
			if errs != nil {
				t.Errorf("hint %q, want %q", errs[0].Hint, c.hint)
			}
		}
	}
}

func TestWhatGoesWrongInACallHasItsPlaceAndAHint(t *testing.T) {
	st := world.State{}.Apply(world.Event{Set: map[string]json.RawMessage{"lake/tons": []byte("5"), "who": []byte(`["a"]`)}})
	for _, c := range []struct{ observe, step, want, hint string }{
		{"return state['lake/tonz']", "return []", `v.star:2:15: no fact "lake/tonz" in the world`, `did you mean "lake/tons"?`},
		{"return state[3]", "return []", "v.star:2:15: a path is a string, not an int", ""},
		{"return state.tur", "return []", "v.star:2:15: state has no .tur field or method", `did you mean "turn"?`},
		{"return 3", "return []", "v.star:1:1: observe: it returns an int, want an observation", "write observation(view, actions, reward), or return None for somebody who does not play"},
		{"state['who'].append('b')", "return []", "v.star:2:22: append: cannot append to frozen list", ""},
		{"return helper(state)", "return []", "v.star:6:11: no fact \"fish\" in the world", ""},
		{"return observation({}, [action('go', args = {'to': integer(0, 9)})])", "return 3", "v.star:3:1: step: it returns an int, want a list of events", ""},
		{"return observation({}, [action('go', args = {'to': integer(0, 9)})])", "return [3]", "v.star:3:1: step: it returns a list with an int, want events", `write event("kind", ...) or refuse(action, "why")`},
		{"return observation({}, [action('go', args = {'to': integer(0, 9)})])", "return [refuse(actions[0], '')]", "v.star:4:17: refuse: the reason must be a text in UTF-8 that is not empty", ""},
		{"return observation({}, [action('go', args = {'to': integer(0, 9)})])", "return [refuse(3, 'a')]", "v.star:4:17: refuse: the action must be one that step was given, not an int", ""},
		{"return observation({}, [action('go', args = {'to': integer(0, 9)})])", "return [actions[0].args['fro']]", "v.star:4:26: key \"fro\" not in dict", ""},
	} {
		source := "def observe(state, agent):\n  " + c.observe + "\ndef step(state, actions):\n  " + c.step + "\ndef helper(s):\n  return s['fish']\ndef reset(agents, random):\n  return []\n"
		rules, err := Load("v.star", []byte(source), nil)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		_, err = rules.Step(st, []world.Action{{Agent: "a", Name: "go", Args: []byte(`{"to":3}`)}})
		var e *Error
		if !errors.As(err, &e) || e.Error() != c.want || e.Hint != c.hint {
			t.Errorf("%s, %s\ngot  %v\nwant %s", c.observe, c.step, err, c.want)
			if e != nil {
				t.Errorf("hint %q, want %q", e.Hint, c.hint)
			}
		}
	}
}

func TestAnActionThatWasNotOfferedIsRefusedWithTheReason(t *testing.T) {
	rules := shipped(t, "grid.star", nil)
	events, err := rules.Reset(1, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	st := world.State{}.Apply(events...)
	for _, c := range []struct{ name, args, want string }{
		{"fly", `{}`, `there is no action "fly" now; there is move, mark`},
		{"move", ``, "cry is missing; want cry, to"},
		{"move", `[`, "the arguments are no JSON object; want cry, to"},
		{"move", `null`, "the arguments are no JSON object; want cry, to"},
		{"move", `{"to":"up","cry":""}`, `to is "up"; it must be one of ["north","south","west","east"]`},
		{"move", `{"to":"north","cry":3}`, "cry is 3; it must be a text of 0 to 20 characters"},
		{"move", `{"to":"north","cry":"","x":1}`, `unknown argument "x"; want cry, to`},
		{"mark", `{"where":[],"weight":2,"deep":true}`, "weight is 2; it must be from -0.5 to 1.5"},
		{"mark", `{"where":[],"weight":"2","deep":true}`, `weight is "2"; it must be a number`},
		{"mark", `{"where":[],"weight":1,"deep":1}`, "deep is 1; it must be true or false"},
		{"mark", `{"where":[[1,2],[1]],"weight":1,"deep":true}`, "where is [[1,2],[1]]; of its entry 1: it must be a list of 2 to 2"},
		{"mark", `{"where":[[1,2.5]],"weight":1,"deep":true}`, "where is [[1,2.5]]; of its entry 0: of its entry 1: it must be a whole number"},
		{"mark", `{"where":[[1.0,2e0]],"weight":1e0,"deep":true}`, ""},
		{"move", `{"to":"north","cry":"ééééééééééééééééééé!"}`, ""},
	} {
		events, err := rules.Step(st, []world.Action{{Agent: "a", Name: c.name, Args: []byte(c.args)}})
		if err != nil {
			t.Fatal(err)
		}
		var data struct{ Reason string }
		if events[0].Kind == world.KindRefusal {
			if err := json.Unmarshal(events[0].Data, &data); err != nil {
				t.Fatal(err)
			}
		}
		if data.Reason != c.want {
			t.Errorf("%s %s: %q, want %q", c.name, c.args, data.Reason, c.want)
		}
	}
}

func TestAPolicyThatFailsSaysSoByWhatItAsksFor(t *testing.T) {
	source := "policies = {'bad': lambda obs, random: act('x', y = obs.view['none']), 'odd': lambda obs, random: 3}\n" +
		"def reset(agents, random):\n  return []\ndef observe(state, agent):\n  return observation({})\ndef step(state, actions):\n  return []\n"
	rules, err := Load("v.star", []byte(source), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"bad": `v.star:1:61: key "none" not in dict`, "odd": "v.star:1:79: lambda: it returns an int, want act(name, ...) or None to pass",
	} {
		a := rules.Policies()[name].Decide(1, world.Observation{Agent: "a", View: []byte("{}")})
		if a.Agent != "a" || a.Name != want {
			t.Errorf("%s does %+v, want %s", name, a, want)
		}
	}
}

func TestMeasureHoldsOneEventAtATimeAndGoesThroughThemOnce(t *testing.T) {
	source := "metrics = [metric('n', 'events', 'how many')]\ndef measure(events):\n  n = 0\n  for ev in events:\n    n += 1\n  %s\n  return {'n': n}\n" +
		"def reset(agents, random):\n  return []\ndef observe(state, agent):\n  return observation({})\ndef step(state, actions):\n  return []\n"
	const many = 30_000
	damage := errors.New("line 7 is damaged")
	events := func(last error) func(yield func(world.Event, error) bool) {
		return func(yield func(world.Event, error) bool) {
			for i := range many {
				if !yield(world.Event{Kind: "x", Turn: i}, nil) {
					return
				}
			}
			if last != nil {
				yield(world.Event{}, last)
			}
		}
	}
	for _, c := range []struct {
		code, want string
		last       error
	}{
		{"pass", "", nil},
		{"pass", "line 7 is damaged", damage},
		{"[0 for _ in events]", "v.star:2:1: measure: the events can be gone through only once", nil},
		{"n = 'x'", "v.star:2:1: measure: it returns no finite number \"n\"", nil},
		{"return {'n': 1, 'm': 2}", `v.star:2:1: measure: it returns ["n", "m"], of which metrics has only 1`, nil},
		{"return 3", "v.star:2:1: measure: it returns an int, want a dict with the metrics", nil},
	} {
		rules, err := Load("v.star", []byte(strings.Replace(source, "%s", c.code, 1)), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := rules.Measure(events(c.last))
		if message := errorText(err); message != c.want {
			t.Errorf("%s: %s, want %s", c.code, message, c.want)
		}
		if err == nil && got["n"] != many {
			t.Errorf("%s: %v", c.code, got)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
