package conform

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

var errBroken = errors.New("the die is broken")

// A die is a small game: whoever calls what the die shows gets a point, and plays no more with three of them. With a
// fault it breaks what rules must keep.
type die struct {
	fault string
	seed  uint64
	salt  uint64 // of this value
	dead  bool
}

type dieCall struct {
	Eyes *int   `json:"eyes"`
	Tone string `json:"tone"`
	Tip  *int   `json:"tip"`
}

const callSchema = `{"type":"object","required":["eyes","tip","tone"],"additionalProperties":false,"properties":{"eyes":{"type":"integer","minimum":1,"maximum":6},` +
	`"tone":{"type":"string","enum":["loud","low"]},"tip":{"type":"integer","minimum":0,"maximum":1000000}}}`

func (d *die) Reset(seed uint64, agents []string) ([]world.Event, error) {
	d.seed = seed
	if d.fault == "reset sorts the agents" {
		slices.Sort(agents)
	}
	set := map[string]json.RawMessage{"agents": world.JSON(agents)}
	for _, agent := range agents {
		set["points/"+agent] = world.JSON(0)
	}
	if d.fault != "nothing is hidden" {
		for i, agent := range agents {
			set["secret/"+agent] = world.JSON(int(world.NewRand(seed, 0, agent).IntN(1000)) + i)
		}
	}
	if d.fault == "reset sets a status" {
		set[world.StatusFact+"/"+agents[0]] = world.JSON("ready")
	}
	return []world.Event{{Kind: "begin", Set: set}}, nil
}

func (d *die) Observe(st world.State, agent string) (world.Observation, error) {
	var points int
	if err := st.Get("points/"+agent, &points); err != nil || d.dead {
		d.dead = d.fault == "dies of an error"
		return world.Observation{}, cmp.Or(err, errBroken)
	}
	obs := world.Observation{Agent: agent, Turn: st.Turn, View: world.JSON(points), Terminated: points >= 3}
	if !obs.Terminated {
		obs.Actions = []world.ActionSpec{{Name: "call", Schema: json.RawMessage(callSchema)}}
	}
	switch d.fault {
	case "observe is moody":
		obs.View = world.JSON(rand.Uint64())
	case "observe is no JSON":
		obs.View = json.RawMessage("points")
	case "the dead rise":
		obs.Terminated = st.Turn%2 == 1
	case "nobody can act":
		obs.Actions = nil
	case "pass is an action":
		obs.Actions = append(obs.Actions, world.ActionSpec{Name: world.Pass})
	case "observe is for another":
		obs.Agent = "b"
	case "observe has messages":
		obs.Messages = []world.Message{{From: "a", Text: "hello"}}
	case "the dead are asked":
		obs.Actions = []world.ActionSpec{{Name: "call", Schema: json.RawMessage(callSchema)}}
	case "every value of the rules sees something else":
		obs.View = world.JSON(d.salt)
	case "observe remembers the seed":
		obs.View = world.JSON(d.seed)
	case "counts who looks":
		d.seed++
		obs.View = world.JSON(d.seed)
	case "an infinite reward":
		obs.Reward = math.Inf(1)
	case "others see the secret":
		for _, path := range st.Paths("secret/") {
			secret, _ := st.Fact(path)
			obs.View = world.JSON([]any{points, secret})
		}
	case "never returns":
		if st.Turn == 2 {
			select {}
		}
	case "believes the facts":
		var agents []string
		_ = st.Get("agents", &agents)
		obs.View = world.JSON(agents[0])
	}
	return obs, nil
}

// Hidden returns the secrets of others.
func (d *die) Hidden(st world.State, agent string) ([]string, error) {
	return slices.DeleteFunc(st.Paths("secret/"), func(path string) bool { return path == "secret/"+agent }), nil
}

// Check is about no fact at all.
func (d *die) Check(st world.State) error {
	if _, ok := st.Fact("agents"); !ok && d.fault == "check panics" {
		panic("no agents")
	}
	return nil
}

// over says whether an agent plays no more.
func (d *die) over(st world.State, agent string) bool {
	var points int
	return st.Get("points/"+agent, &points) == nil && points >= 3
}

// judge returns why a is refused, or "".
func (d *die) judge(st world.State, a world.Action) string {
	var c dieCall
	switch _, ok := st.Fact("points/" + a.Agent); {
	case !ok && d.fault == "strangers play":
	case !ok:
		return "you do not play"
	case d.over(st, a.Agent) && d.fault != "the dead play":
		return "you play no more"
	case a.Name != "call":
		return "unknown action"
	}
	if d.fault == "nothing is read" {
		return ""
	}
	if d.fault == "a reason tells the secret" {
		secret, _ := st.Fact("secret/a")
		return "the secret is " + string(secret)
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(a.Args, &fields) == nil && len(fields) > 3 && d.fault != "anything may come on top" {
		return "too much"
	}
	if err := json.Unmarshal(a.Args, &c); err != nil || c.Eyes == nil || c.Tip == nil {
		return "not a call"
	}
	if most := 1_000_000; c.Tip != nil && (*c.Tip < 0 || *c.Tip > most || *c.Tip == most && d.fault == "the greatest tip is too much") {
		return "no such tip"
	}
	if d.fault != "any number goes" && (*c.Eyes < 1 || *c.Eyes > 6) {
		return "no such side"
	}
	if c.Tone != "loud" && c.Tone != "low" {
		return "no such tone"
	}
	return ""
}

func (d *die) Step(st world.State, actions []world.Action) ([]world.Event, error) {
	source := st.Rand("die")
	switch d.fault {
	case "chance of its own":
		source = rand.New(rand.NewPCG(rand.Uint64(), 0))
	case "reads the seed":
		if err := st.Get(world.SeedFact, &d.seed); err != nil {
			return nil, err
		}
	case "remembers the seed":
		source = rand.New(rand.NewPCG(d.seed, 0))
	case "sorts the actions":
		slices.SortFunc(actions, func(a, b world.Action) int { return strings.Compare(a.Agent, b.Agent) })
	case "writes into the state":
		raw, _ := st.Fact("agents")
		raw[2] = 'x'
	case "needs an action":
		if len(actions) == 0 {
			return nil, fmt.Errorf("nobody acts")
		}
	}
	eyes := source.IntN(6) + 1
	events := []world.Event{{Kind: "die", Data: world.JSON(eyes)}}
	if d.fault == "says NaN" {
		events[0].Data = json.RawMessage("NaN")
	}
	switch d.fault {
	case "a path that is none":
		events[0].Set = map[string]json.RawMessage{"": world.JSON(1)}
	case "ends the turn":
		events[0].Kind = world.KindTurn
	case "panics":
		if st.Turn == 3 {
			panic("the die is cast")
		}
	case "fails":
		if st.Turn == 3 {
			return nil, errBroken
		}
	}
	for i, a := range actions {
		if d.fault == "only one may call" && i > 0 && a.Name != world.Pass {
			events = append(events, a.Refuse("somebody was faster"))
			continue
		}
		if a.Name == world.Pass && d.fault != "refuses a pass" {
			continue
		}
		reason := d.judge(st, a)
		if d.fault == "refuses all" {
			reason = "no"
		}
		if reason != "" {
			if d.fault == "refuses without a reason" {
				reason = ""
			}
			data := world.JSON(map[string]string{"action": a.Name, "reason": reason})
			events = append(events, world.Event{Agent: a.Agent, Kind: world.KindRefusal, Data: data})
			if d.fault != "refusals cost a point" {
				continue
			}
		}
		var points int
		_ = st.Get("points/"+a.Agent, &points)
		var c dieCall
		_ = json.Unmarshal(a.Args, &c)
		if c.Eyes != nil && *c.Eyes == eyes {
			points++
		}
		if reason != "" {
			points--
		}
		set := map[string]json.RawMessage{"points/" + a.Agent: world.JSON(points)}
		events = append(events, world.Event{Agent: a.Agent, Kind: "points", Set: set})
	}
	return events, nil
}

// config returns what the checks of a die need; every call of its New gives another salt.
func config(fault string) Config {
	salt := uint64(0)
	return Config{
		New: func() (Subject, error) {
			salt++
			return Subject{Rules: &die{fault: fault, salt: salt}}, nil
		},
		Agents: []string{"b", "a", "c"}, Seeds: []uint64{1}, Turns: 30, Time: time.Minute,
	}
}

func TestSoundRulesPass(t *testing.T) {
	report, err := Check(t.Context(), config(""))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range report.Checks {
		if c.Result != OK {
			t.Errorf("%s: %s: %v", c.Name, c.Result, c.Finding)
		}
		t.Log(c.Name, c.Note)
	}
	if report.Episodes == 0 || report.Turns == 0 || report.Actions == 0 {
		t.Errorf("counts are %+v", report)
	}
}

func TestEveryFaultIsFoundByItsCheck(t *testing.T) {
	for fault, found := range map[string]string{
		"chance of its own":                            "the same seed and actions give the same bytes",
		"remembers the seed":                           "the order of calls does not matter",
		"every value of the rules sees something else": "the same seed and actions give the same bytes",
		"observe remembers the seed":                   "the order of calls does not matter",
		"observe has messages":                         "observing is pure and works for everyone",
		"the dead are asked":                           "observing is pure and works for everyone",
		"the dead play":                                "illegal actions are refused and do nothing",
		"the greatest tip is too much":                 "the first and the last of what a schema allows is legal",
		"believes the facts":                           "a state of another world is no panic",
		"reads the seed":                               "the seed matters only through State.Rand",
		"reset sorts the agents":                       "what rules are given they leave as it is",
		"sorts the actions":                            "what rules are given they leave as it is",
		"writes into the state":                        "what rules are given they leave as it is",
		"observe is moody":                             "observing is pure and works for everyone",
		"observe is no JSON":                           "observing is pure and works for everyone",
		"observe is for another":                       "observing is pure and works for everyone",
		"pass is an action":                            "observing is pure and works for everyone",
		"says NaN":                                     "the same seed and actions give the same bytes",
		"nobody can act":                               "legal actions are accepted",
		"refuses all":                                  "legal actions are accepted",
		"nothing is read":                              "illegal actions are refused and do nothing",
		"anything may come on top":                     "illegal actions are refused and do nothing",
		"counts who looks":                             "the order of calls does not matter",
		"an infinite reward":                           "observing is pure and works for everyone",
		"others see the secret":                        "what is hidden from an agent it does not see",
		"a reason tells the secret":                    "what is hidden from an agent it does not see",
		"dies of an error":                             "a state of another world is no panic",
		"check panics":                                 "a state of another world is no panic",
		"panics":                                       "everyone may pass and nobody need act",
		"fails":                                        "everyone may pass and nobody need act",
		"a path that is none":                          "events are JSON, and their facts the rules' own",
		"ends the turn":                                "events are JSON, and their facts the rules' own",
		"any number goes":                              "illegal actions are refused and do nothing",
		"strangers play":                               "illegal actions are refused and do nothing",
		"refuses without a reason":                     "illegal actions are refused and do nothing",
		"refusals cost a point":                        "illegal actions are refused and do nothing",
		"refuses a pass":                               "everyone may pass and nobody need act",
		"needs an action":                              "everyone may pass and nobody need act",
		"reset sets a status":                          "events are JSON, and their facts the rules' own",
		"the dead rise":                                "who is terminated stays so",
	} {
		t.Run(fault, func(t *testing.T) {
			r := one(t, config(fault), found)
			if r.Result != Failed {
				t.Fatalf("the check %q does not find it", found)
			}
			t.Log(r.Finding)
		})
	}
}

// one returns the result of the check of that name, made alone.
func one(t *testing.T, cfg Config, name string) Result {
	t.Helper()
	b, err := newBench(cfg)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(checks(), func(c check) bool { return c.name == name })
	if i < 0 {
		t.Fatalf("there is no check %q", name)
	}
	r, _ := b.make(t.Context(), checks()[i])
	return r
}

func TestRulesThatNeverReturnAreAskedNoMore(t *testing.T) {
	cfg := config("never returns")
	cfg.Time = 300 * time.Millisecond
	report, err := Check(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	f := report.Checks[0].Finding
	if f == nil || f.Turn != 2 || f.Call != "observe" || f.Agent != "b" || f.What != "it has not returned for 300ms" {
		t.Errorf("found %v", f)
	}
	var recorded *Finding
	if _, err := Record(t.Context(), cfg); !errors.As(err, &recorded) || recorded.What != f.What {
		t.Errorf("recorded is %v", err)
	}
	for _, c := range report.Checks[1:] {
		if c.Result != NotMade || c.Note == "" {
			t.Errorf("%s: %s", c.Name, c.Result)
		}
	}
}

func TestAFindingSaysWhatWasUnderWay(t *testing.T) {
	f := one(t, config("panics"), "legal actions are accepted").Finding
	if f.Seed != 1 || f.Turn != 3 || f.Call != "step" || !strings.HasPrefix(f.Action, "call {") ||
		!strings.HasPrefix(f.What, "the rules panic at rules_test.go:") || !strings.HasSuffix(f.What, ": the die is cast") {
		t.Errorf("found %+v", f)
	}
	if f := one(t, config("fails"), "legal actions are accepted").Finding; !errors.Is(f, errBroken) || f.Turn != 3 {
		t.Errorf("found %+v", f)
	}
	f = one(t, config("any number goes"), "illegal actions are refused and do nothing").Finding
	if f.Agent != "b" || !strings.HasPrefix(f.Action, `call {"eyes":`) || f.What != "it is illegal, and not refused" {
		t.Errorf("found %+v", f)
	}
	f = one(t, config("dies of an error"), "a state of another world is no panic").Finding
	if !errors.Is(f, errBroken) || !strings.HasPrefix(f.What, `without the fact "points/a": `) {
		t.Errorf("found %+v", f)
	}
}

func TestNotesSayWhatTheRulesDo(t *testing.T) {
	for _, c := range []struct{ fault, check, note string }{
		{"only one may call", "legal actions are accepted", "were refused for what others did at the same time"},
		{"nothing is hidden", "what is hidden from an agent it does not see", "the rules do not say that anything is hidden; seen by nobody but its agent: points/*"},
		{"", "what is hidden from an agent it does not see", "other values of hidden facts change nothing for it; "},
		{"", "who is terminated stays so", "of 1 episodes the rules ended 1, the longest in turn"},
		{"", "metrics come from the log alone", "there are none"},
	} {
		if r := one(t, config(c.fault), c.check); r.Result != OK || !strings.Contains(r.Note, c.note) {
			t.Errorf("%s: %s: %v, %s, want %s", c.fault, c.check, r.Finding, r.Note, c.note)
		}
	}
}

func TestRulesOfAnotherProcessMustAgree(t *testing.T) {
	const name = "another process gives the same bytes"
	cfg := config("")
	cfg.Elsewhere = func() ([]byte, error) { return Record(t.Context(), config("")) }
	if r := one(t, cfg, name); r.Result != OK {
		t.Error(r.Finding)
	}
	cfg.Elsewhere = func() ([]byte, error) { return Record(t.Context(), config("observe is moody")) }
	if r := one(t, cfg, name); r.Result != Failed || r.Finding.Turn != 0 || r.Finding.Agent != "b" || r.Finding.Want == r.Finding.Got {
		t.Errorf("%+v", r.Finding)
	}
	cfg.Elsewhere = func() ([]byte, error) { return nil, errBroken }
	if r := one(t, cfg, name); !errors.Is(r.Finding, errBroken) {
		t.Errorf("%+v", r.Finding)
	}
}

func TestTimeThatIsUpEndsAnEpisodeAndIsTold(t *testing.T) {
	b, err := newBench(config(""))
	if err != nil {
		t.Fatal(err)
	}
	b.begun = time.Now().Add(-b.Time)
	if _, err := b.checkEvents(); err != nil || b.cut != "for lack of time it stopped before turn 0 of seed 1" {
		t.Errorf("%q, %v", b.cut, err)
	}
	want, err := b.record(b.first, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if b.begun = time.Now(); !bytes.Contains(want, []byte(`"turn":11`)) {
		t.Error("what is compared is cut as well")
	}
}

func TestOnlyMetricsOfTheLogPass(t *testing.T) {
	type events = iter.Seq2[world.Event, error]
	count := func(log events) (map[string]float64, error) {
		n := 0.0
		for ev, err := range log {
			if err != nil {
				return nil, err
			}
			if ev.Kind == "points" {
				n++
			}
		}
		return map[string]float64{"calls": n}, nil
	}
	calls := 0.0
	for name, c := range map[string]struct {
		measure func(events) (map[string]float64, error)
		want    string // of the finding; empty: none
	}{
		"of the log": {count, ""},
		"remembers": {func(log events) (map[string]float64, error) {
			calls++
			return map[string]float64{"calls": calls}, nil
		}, "the metrics of the log as another process writes it differ"},
		"looks at the day": {func(log events) (map[string]float64, error) {
			last := 0.0
			for ev, err := range log {
				if err != nil {
					return nil, err
				}
				last = float64(ev.Time.Year())
			}
			return map[string]float64{"calls": last}, nil
		}, "as another process writes it differ"},
		"not a number": {func(log events) (map[string]float64, error) {
			return map[string]float64{"calls": math.NaN()}, nil
		}, `the metric "calls" is no finite number`},
		"too many": {func(log events) (map[string]float64, error) {
			return map[string]float64{"calls": 1, "others": 2}, nil
		}, "2 values of 1 metrics"},
		"deaf": {func(log events) (map[string]float64, error) {
			return map[string]float64{"calls": 1}, nil
		}, "where the log cannot be read, measure returns the error <nil>"},
		"needs an end": {func(log events) (map[string]float64, error) {
			values, err := count(log)
			if err == nil && values["calls"] < 20 {
				return nil, errBroken
			}
			return values, err
		}, "of the log up to the end of turn 0: the die is broken"},
		"panics": {func(log events) (map[string]float64, error) { panic("no log") }, "the rules panic at rules_test.go:"},
	} {
		cfg := config("")
		cfg.New = func() (Subject, error) {
			return Subject{Rules: new(die), Metrics: []world.Metric{{Name: "calls"}}, Measure: c.measure}, nil
		}
		r := one(t, cfg, "metrics come from the log alone")
		if c.want == "" && r.Result != OK || c.want != "" && (r.Finding == nil || !strings.Contains(r.Finding.What, c.want) || r.Finding.Call != "measure") {
			t.Errorf("%s: %+v, want %s", name, r.Finding, c.want)
		}
	}
}

func TestRulesThatCannotBeMadeAreAnError(t *testing.T) {
	_, err := Check(t.Context(), Config{New: func() (Subject, error) { return Subject{}, errBroken }})
	if !errors.Is(err, errBroken) {
		t.Error(err)
	}
}

func TestWhatOthersMayDoIsIllegalForAnAgent(t *testing.T) {
	offer := func(agent, values string) world.Observation {
		schema := json.RawMessage(`{"type":"object","required":["n"],"properties":{"n":{"enum":` + values + `}}}`)
		return world.Observation{Agent: agent, Actions: []world.ActionSpec{{Name: "pick", Schema: schema}}}
	}
	own := offer("a", `["x","y"]`)
	e := &episode{asked: make(map[string]world.Action)}
	bad := e.illegal(own, world.Action{Agent: "a", Name: "pick", Args: []byte(`{"n":"x"}`)}, []world.Observation{own, offer("b", `["y","z"]`)})
	has := func(args string) bool {
		return slices.ContainsFunc(bad, func(a world.Action) bool { return string(a.Args) == args })
	}
	if !has(`{"n":"z"}`) || has(`{"n":"y"}`) || !has(`{}`) {
		t.Errorf("they are %s", describe(bad...))
	}
}
