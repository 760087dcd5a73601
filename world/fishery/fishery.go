// Package fishery is a lake that everybody fishes from: the common pool of GovSim's published runs, as pure rules.
//
// # The law
//
// A turn is a harvest. Each agent asks for whole tons of fish, once a turn, all of them at once. If together they ask for
// no more than the lake holds, each gets what it asked for. Otherwise the harvest is contested and lots are drawn, a ton
// at a time: each ton goes to one of the agents that still want more, all of them equally likely. So the lake is paid
// out whole, nobody gets more than it asked for, and no seat is favoured. What is left doubles before the next turn, up
// to the capacity of the lake. The lake is dead when a harvest leaves fewer tons than the collapse level; a dead lake
// grows no more. The episode ends then, or after the last turn. The reward of an agent is all the tons it caught.
//
// These are the rules of Piatti et al. 2024, "Cooperate or Collapse: Emergence of Sustainable Cooperation in a Society
// of LLM Agents", as in the concurrent environment of github.com/giorgiopiatti/GovSim with the way to assign a contested
// resource that the published runs use ("stochastic"); the lots here come from [world.State.Rand], stream "share".
// There, as here, an agent may ask for more than the lake can ever hold (the published runs have requests for 101 and
// 150 tons of 100), which gets it no more than asking for all there is; only the limit of a million tons is ours.
//
// One step of several agents is a harvest of its own, and the lake grows only between turns. So the rules also hold when
// the agents act one after the other: each takes at once from what is there. Agents that do not act ask for nothing.
// The order of the actions of one step does not matter.
//
// # Facts
//
//	lake/capacity         tons the lake can hold
//	lake/collapse         it is dead when a harvest leaves fewer tons than this
//	lake/turns            turns in the episode
//	lake/agents           how many fish here
//	lake/turn             the turn of the last harvest; 0 before the first
//	lake/tons             tons in the lake after that harvest
//	lake/next             tons in the lake when the turn after lake/turn begins, that is, as soon as State.Turn is past it
//	lake/caught           tons by agent, of those that have fished in that turn
//	agents/<name>/total   all the tons that the agent has caught
//	agents/<name>/turn    the turn in which it last fished; -1 before the first
//	agents/<name>/asked   tons it asked for in that turn
//	agents/<name>/caught  tons it got
//
// # Events
//
//	stock  the lake is stocked, full; data: {"agents":[names in seat order],"capacity":n,"collapse":n,"turns":n}
//	lake   a harvest; data: {"after":tons,"before":tons,"caught":tons}; one for each step, before its catches
//	catch  what one agent got in it; data: {"asked":tons,"caught":tons}, and "contested":true when the lake was drawn by lot
package fishery

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/world"
)

// Kinds of events; see the package comment.
const (
	kindStock = "stock"
	kindLake  = "lake"
	kindCatch = "catch"
)

// A Config is what can be chosen about a lake.
type Config struct {
	Capacity int `toml:"capacity" min:"1" max:"1000000" doc:"Tons the lake holds, and holds at first."`
	Collapse int `toml:"collapse" min:"0" doc:"The lake is dead when a harvest leaves fewer tons; at most the capacity."`
	Turns    int `toml:"turns" min:"1" max:"100000" doc:"Turns in an episode."`
}

// Default returns the lake of the published runs: 100 tons, dead below 5, 12 turns.
func Default() Config {
	return Config{Capacity: 100, Collapse: 5, Turns: 12}
}

// Rules are the law of one lake. They implement [world.Rules].
type Rules struct {
	config Config
}

// The largest lake and the longest episode.
const (
	maxCapacity = 1_000_000 // tons
	maxTurns    = 100_000
)

// New returns the rules of a lake, or an error that names each value that is out of range.
func New(config Config) (*Rules, error) {
	var errs []error
	if config.Capacity < 1 || config.Capacity > maxCapacity {
		errs = append(errs, fmt.Errorf("capacity is %d, want 1 to %d", config.Capacity, maxCapacity))
	}
	if config.Collapse < 0 || config.Collapse > max(config.Capacity, 0) {
		errs = append(errs, fmt.Errorf("collapse is %d, want 0 to the capacity, %d", config.Collapse, config.Capacity))
	}
	if config.Turns < 1 || config.Turns > maxTurns {
		errs = append(errs, fmt.Errorf("turns is %d, want 1 to %d", config.Turns, maxTurns))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Rules{config: config}, nil
}

type stockData struct {
	Agents   []string `json:"agents"`
	Capacity int      `json:"capacity"`
	Collapse int      `json:"collapse"`
	Turns    int      `json:"turns"`
}

type lakeData struct {
	Before int `json:"before"`
	Caught int `json:"caught"`
	After  int `json:"after"`
}

type catchData struct {
	Asked     int  `json:"asked"`
	Caught    int  `json:"caught"`
	Contested bool `json:"contested,omitempty"`
}

// Reset implements [world.Rules]: a full lake, and agents that have caught nothing. It is an error if there is no agent.
func (r *Rules) Reset(_ uint64, agents []string) ([]world.Event, error) {
	if len(agents) == 0 {
		return nil, errors.New("a lake needs at least one agent")
	}
	c := r.config
	set := map[string]json.RawMessage{
		"lake/capacity": world.JSON(c.Capacity),
		"lake/collapse": world.JSON(c.Collapse),
		"lake/turns":    world.JSON(c.Turns),
		"lake/turn":     world.JSON(0),
		"lake/tons":     world.JSON(c.Capacity),
		"lake/next":     world.JSON(c.Capacity),
		"lake/agents":   world.JSON(len(agents)),
		"lake/caught":   world.JSON(map[string]int{}),
	}
	for _, name := range agents {
		fisher{Turn: -1}.put(set, name)
	}
	data := stockData{Agents: agents, Capacity: c.Capacity, Collapse: c.Collapse, Turns: c.Turns}
	return []world.Event{{Kind: kindStock, Data: world.JSON(data), Set: set}}, nil
}

// A view is what an agent sees.
type view struct {
	Agents    int             `json:"agents"`           // how many fish here
	Capacity  int             `json:"capacity"`         // tons the lake can hold
	Caught    json.RawMessage `json:"caught,omitempty"` // tons by agent, of those that fished in the turn of the last harvest
	Tons      int             `json:"tons"`             // tons in the lake
	Total     int             `json:"total"`            // tons this agent has caught so far
	Turns     int             `json:"turns"`            // turns in the episode
	TurnsLeft int             `json:"turns_left"`       // how many are left, the one being played included
}

// Observe implements [world.Rules]. An agent sees the lake, how long the episode lasts, its own total, and what everybody caught in
// the last turn, or, once somebody has fished in this one, what has been caught in this one.
func (r *Rules) Observe(st world.State, agent string) (world.Observation, error) {
	l, err := readLake(st)
	if err != nil {
		return world.Observation{}, err
	}
	me, ok, err := readFisher(st, agent)
	if err != nil {
		return world.Observation{}, err
	}
	if !ok {
		return world.Observation{}, fmt.Errorf("no agent %q at this lake", agent)
	}
	v := view{
		Agents: l.agents, Capacity: l.capacity, Tons: l.tons, Total: me.Total,
		Turns: l.turns, TurnsLeft: max(0, l.turns-st.Turn),
	}
	if caught, _ := st.Fact("lake/caught"); l.turn >= st.Turn-1 && string(caught) != "{}" {
		v.Caught = caught
	}
	obs := world.Observation{
		Agent: agent, Turn: st.Turn, View: world.JSON(v), Reward: float64(me.Total), Terminated: l.over(st.Turn),
	}
	if !obs.Terminated && me.Turn < st.Turn {
		obs.Actions = []world.ActionSpec{fishSpec()}
	}
	return obs, nil
}

// Step implements [world.Rules]: one harvest by the agents that fish in this step.
func (r *Rules) Step(st world.State, actions []world.Action) ([]world.Event, error) {
	l, err := readLake(st)
	if err != nil {
		return nil, err
	}
	actions = slices.Clone(actions)
	slices.SortStableFunc(actions, func(a, b world.Action) int { return strings.Compare(a.Agent, b.Agent) })
	var events []world.Event
	var asks []request
	for _, a := range actions {
		if a.Name == world.Pass {
			continue
		}
		f, ok, err := readFisher(st, a.Agent)
		if err != nil {
			return nil, err
		}
		if !ok {
			events = append(events, a.Refuse(fmt.Sprintf("no agent %.40q at this lake", a.Agent)))
			continue
		}
		tons, reason := l.judge(st.Turn, f, a)
		if reason != "" {
			events = append(events, a.Refuse(reason))
			continue
		}
		asks = append(asks, request{name: a.Agent, tons: tons, fisher: f})
	}
	if l.over(st.Turn) {
		return events, nil
	}
	harvested, err := l.harvest(st, asks)
	return append(events, harvested...), err
}

// A request is one agent's part in a harvest.
type request struct {
	name   string
	tons   int
	fisher fisher
}

// harvest returns the events of one harvest: the lake's, and then a catch for each request.
func (l lake) harvest(st world.State, asks []request) ([]world.Event, error) {
	asked := make([]int, len(asks))
	for i, a := range asks {
		asked[i] = a.tons
	}
	caught := share(l.tons, asked, st.Rand("share"))
	contested := sum(asked) > l.tons
	after := l.tons - sum(caught)

	byAgent := make(map[string]int)
	if raw, _ := st.Fact("lake/caught"); l.turn == st.Turn && string(raw) != "null" { // others have fished in this turn before
		if err := st.Get("lake/caught", &byAgent); err != nil {
			return nil, err
		}
	}
	var catches []world.Event
	for i, a := range asks {
		byAgent[a.name] = caught[i]
		set := make(map[string]json.RawMessage)
		fisher{Total: a.fisher.Total + caught[i], Turn: st.Turn, Asked: a.tons, Caught: caught[i]}.put(set, a.name)
		data := catchData{Asked: a.tons, Caught: caught[i], Contested: contested}
		catches = append(catches, world.Event{Agent: a.name, Kind: kindCatch, Data: world.JSON(data), Set: set})
	}
	harvest := world.Event{
		Kind: kindLake,
		Data: world.JSON(lakeData{Before: l.tons, Caught: sum(caught), After: after}),
		Set: map[string]json.RawMessage{
			"lake/turn":   world.JSON(st.Turn),
			"lake/tons":   world.JSON(after),
			"lake/next":   world.JSON(l.grown(after, 1)),
			"lake/caught": world.JSON(byAgent),
		},
	}
	return append([]world.Event{harvest}, catches...), nil
}
