// The program lake is the law of a lake that everybody fishes from, as a plugin: the fishery of the command, with the same bytes for the same seed
// and actions. Nobody starts it by hand; a scenario names it:
//
//	[rules]
//	name = "lake"
//	plugin = ["./lake"]
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/agents/plugin"
	"github.com/vitrine-sim/vitrine/world"
)

func main() {
	plugin.Serve(&plugin.Law{
		Params: map[string]any{"capacity": int64(100), "collapse": int64(5), "turns": int64(12)},
		New: func(params map[string]any) (world.Rules, error) {
			r := rules{params["capacity"].(int64), params["collapse"].(int64), params["turns"].(int64)}
			if r.collapse > r.capacity {
				return nil, &plugin.ParamError{Param: "collapse", Msg: fmt.Sprintf("the collapse is at %d tons, and the lake holds %d", r.collapse, r.capacity)}
			}
			return r, nil
		},
		Policies: map[string]world.Policy{
			"steady": policy(func(v view) int64 { return v.Tons / 2 / v.Agents }),
			"greedy": policy(func(v view) int64 { return v.Tons }),
		},
		Metrics: []world.Metric{{Name: "total", Unit: "tons", Formula: "caught by all"}},
		Measure: measure,
	}, nil)
}

// rules implement [world.Rules]. All else that they need to know is in the facts.
type rules struct{ capacity, collapse, turns int64 }

// A lake is the facts of one, as they are in the turn being played.
type lake struct {
	capacity, collapse, turns, agents, turn, tons int64
}

func readLake(st world.State) (lake, error) {
	var l lake
	for name, to := range map[string]*int64{
		"capacity": &l.capacity, "collapse": &l.collapse, "turns": &l.turns, "agents": &l.agents, "turn": &l.turn, "tons": &l.tons,
	} {
		if err := st.Get("lake/"+name, to); err != nil {
			return lake{}, err
		}
	}
	l.tons = l.grown(l.tons, int64(st.Turn)-l.turn)
	return l, nil
}

// grown returns what tons that a harvest has left have become some turns later.
func (l lake) grown(tons, turns int64) int64 {
	if tons < l.collapse {
		return tons
	}
	for ; turns > 0 && tons > 0 && tons < l.capacity; turns-- {
		tons = min(l.capacity, 2*tons)
	}
	return tons
}

func (l lake) over(st world.State) bool { return l.tons < l.collapse || int64(st.Turn) >= l.turns }

// fisher returns the facts of an agent.
func fisher(name string, total, turn, asked, caught int64) map[string]json.RawMessage {
	at := "agents/" + name + "/"
	return map[string]json.RawMessage{
		at + "total": world.JSON(total), at + "turn": world.JSON(turn), at + "asked": world.JSON(asked), at + "caught": world.JSON(caught),
	}
}

// Reset implements [world.Rules].
func (r rules) Reset(_ uint64, agents []string) ([]world.Event, error) {
	if len(agents) == 0 {
		return nil, errors.New("a lake needs at least one agent")
	}
	set := map[string]json.RawMessage{
		"lake/capacity": world.JSON(r.capacity), "lake/collapse": world.JSON(r.collapse), "lake/turns": world.JSON(r.turns),
		"lake/agents": world.JSON(len(agents)), "lake/turn": world.JSON(0), "lake/tons": world.JSON(r.capacity),
		"lake/next": world.JSON(r.capacity), "lake/caught": world.JSON(map[string]int64{}),
	}
	for _, name := range agents {
		maps.Copy(set, fisher(name, 0, -1, 0, 0))
	}
	data := map[string]any{"agents": agents, "capacity": r.capacity, "collapse": r.collapse, "turns": r.turns}
	return []world.Event{{Kind: "stock", Data: world.JSON(data), Set: set}}, nil
}

// A view is what an agent sees.
type view struct {
	Agents    int64           `json:"agents"`
	Capacity  int64           `json:"capacity"`
	Caught    json.RawMessage `json:"caught,omitempty"`
	Tons      int64           `json:"tons"`
	Total     int64           `json:"total"`
	Turns     int64           `json:"turns"`
	TurnsLeft int64           `json:"turns_left"`
}

// Observe implements [world.Rules].
func (r rules) Observe(st world.State, agent string) (world.Observation, error) {
	l, err := readLake(st)
	var total, last int64
	err = errors.Join(err, st.Get("agents/"+agent+"/total", &total), st.Get("agents/"+agent+"/turn", &last))
	if err != nil {
		return world.Observation{}, err
	}
	v := view{Agents: l.agents, Capacity: l.capacity, Tons: l.tons, Total: total, Turns: l.turns, TurnsLeft: max(0, l.turns-int64(st.Turn))}
	if caught, _ := st.Fact("lake/caught"); l.turn >= int64(st.Turn)-1 && string(caught) != "{}" {
		v.Caught = caught
	}
	obs := world.Observation{Agent: agent, Turn: st.Turn, View: world.JSON(v), Reward: float64(total), Terminated: l.over(st)}
	if !obs.Terminated && last < int64(st.Turn) {
		obs.Actions = []world.ActionSpec{{
			Name:        "fish",
			Description: "Ask for whole tons of fish. If all agents together ask for more than there is, lots are drawn for each ton.",
			Schema: json.RawMessage(`{"additionalProperties":false,"properties":{"tons":{"maximum":1000000,"minimum":0,"type":"integer"}},` +
				`"required":["tons"],"type":"object"}`),
		}}
	}
	return obs, nil
}

// Step implements [world.Rules]. It is given only what Observe offers.
func (r rules) Step(st world.State, actions []world.Action) ([]world.Event, error) {
	l, err := readLake(st)
	if err != nil || l.over(st) {
		return nil, err
	}
	slices.SortFunc(actions, func(a, b world.Action) int { return strings.Compare(a.Agent, b.Agent) })
	asked, sum := make([]int64, len(actions)), int64(0)
	for i, a := range actions {
		var args struct{ Tons int64 }
		if err := json.Unmarshal(a.Args, &args); err != nil {
			return nil, err
		}
		asked[i] = args.Tons
		sum += args.Tons
	}
	caught := asked
	if sum > l.tons {
		caught = draw(l.tons, asked, st.Rand("share"))
	}
	var by map[string]int64
	if l.turn == int64(st.Turn) { // others have fished in this turn before
		if err := st.Get("lake/caught", &by); err != nil {
			return nil, err
		}
	}
	if by == nil {
		by = make(map[string]int64)
	}
	after := l.tons
	events := make([]world.Event, 1, 1+len(actions))
	for i, a := range actions {
		var total int64
		if err := st.Get("agents/"+a.Agent+"/total", &total); err != nil {
			return nil, err
		}
		by[a.Agent] = caught[i]
		after -= caught[i]
		data := map[string]any{"asked": asked[i], "caught": caught[i]}
		if sum > l.tons {
			data["contested"] = true
		}
		set := fisher(a.Agent, total+caught[i], int64(st.Turn), asked[i], caught[i])
		events = append(events, world.Event{Agent: a.Agent, Kind: "catch", Data: world.JSON(data), Set: set})
	}
	events[0] = world.Event{
		Kind: "lake", Data: world.JSON(map[string]int64{"before": l.tons, "caught": l.tons - after, "after": after}),
		Set: map[string]json.RawMessage{
			"lake/turn": world.JSON(st.Turn), "lake/tons": world.JSON(after), "lake/next": world.JSON(l.grown(after, 1)), "lake/caught": world.JSON(by),
		},
	}
	return events, nil
}

// draw pays a pool out, ton by ton and by lot among all that still want more.
func draw(pool int64, asked []int64, random *rand.Rand) []int64 {
	caught := make([]int64, len(asked))
	var open []int
	for i, tons := range asked {
		if tons > 0 {
			open = append(open, i)
		}
	}
	for range pool {
		at := random.IntN(len(open))
		i := open[at]
		if caught[i]++; caught[i] == asked[i] {
			open = slices.Delete(open, at, at+1)
		}
	}
	return caught
}

// policy returns the player that asks for the tons that ask says.
func policy(ask func(view) int64) world.Policy {
	return func(obs world.Observation, _ *rand.Rand) world.Action {
		var v view
		if err := json.Unmarshal(obs.View, &v); err != nil || len(obs.Actions) == 0 {
			return world.Action{Name: world.Pass}
		}
		return world.Action{Name: "fish", Args: world.JSON(map[string]int64{"tons": ask(v)})}
	}
}
