package worldtest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

// A die is a small game: whoever calls what the die shows gets a point, and plays no more with three of them. With a
// fault it breaks what rules must keep.
type die struct {
	fault string
	seed  uint64
	salt  uint64 // of this value
}

type call struct {
	Eyes *int   `json:"eyes"`
	Tone string `json:"tone"`
	Tip  *int   `json:"tip"`
}

const callSchema = `{"type":"object","required":["eyes","tip","tone"],"properties":{"eyes":{"type":"integer","minimum":1,"maximum":6},` +
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
	if d.fault == "reset sets a status" {
		set[world.StatusFact+"/"+agents[0]] = world.JSON("ready")
	}
	return []world.Event{{Kind: "begin", Set: set}}, nil
}

func (d *die) Observe(st world.State, agent string) (world.Observation, error) {
	var points int
	if err := st.Get("points/"+agent, &points); err != nil {
		return world.Observation{}, err
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
	case "believes the facts":
		var agents []string
		_ = st.Get("agents", &agents)
		obs.View = world.JSON(agents[0])
	}
	return obs, nil
}

// over says whether an agent plays no more.
func (d *die) over(st world.State, agent string) bool {
	var points int
	return st.Get("points/"+agent, &points) == nil && points >= 3
}

// judge returns why a is refused, or "".
func (d *die) judge(st world.State, a world.Action) string {
	var c call
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
	case "looks at the clock":
		source = rand.New(rand.NewPCG(uint64(time.Now().Year()), uint64(st.Turn)))
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
	for _, a := range actions {
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
		var c call
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

func TestSoundRulesPass(t *testing.T) {
	TestRules(t, func() world.Rules { return new(die) }, []string{"b", "a", "c"})
}

func TestEveryFaultIsFoundByItsCheck(t *testing.T) {
	for fault, found := range map[string]string{
		"chance of its own":                            "the same seed and actions give the same bytes",
		"remembers the seed":                           "rules remember nothing",
		"every value of the rules sees something else": "the same seed and actions give the same bytes",
		"observe remembers the seed":                   "rules remember nothing",
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
		"any number goes":                              "illegal actions are refused and do nothing",
		"strangers play":                               "illegal actions are refused and do nothing",
		"refuses without a reason":                     "illegal actions are refused and do nothing",
		"refusals cost a point":                        "illegal actions are refused and do nothing",
		"refuses a pass":                               "everyone may pass and nobody need act",
		"needs an action":                              "everyone may pass and nobody need act",
		"reset sets a status":                          "facts of the episode are not the rules'",
		"the dead rise":                                "who is terminated stays so",
	} {
		t.Run(fault, func(t *testing.T) {
			i := slices.IndexFunc(checks(), func(c check) bool { return c.name == found })
			err := checks()[i].run(func() world.Rules { return &die{fault: fault, salt: rand.Uint64()} }, []string{"b", "a", "c"})
			if err == nil {
				t.Fatalf("the check %q does not find it", found)
			}
			t.Log(err)
		})
	}
}

func TestRulesThatLookAtAClockAreFound(t *testing.T) {
	if err := checkClock(t, func() world.Rules { return &die{fault: "looks at the clock"} }, []string{"b", "a", "c"}); err == nil {
		t.Error("the check does not find it")
	}
}
