// Package diplomacy is the game of orders given in secret and carried out at once, in a small form, as pure rules.
//
// # The law
//
// The map is that of the standard game. Agents are the powers in seat order, from two to seven: austria, england, france, germany, italy, russia and
// turkey, each with the units of the standard game; the provinces of powers that nobody plays are empty. A turn is one movement: each
// agent orders its units, once, and all orders of a step are carried out at once. Units without an order hold. So all agents must act in the same step.
//
// An order is a text: "A vie H" (hold), "A vie - tri" (move), "A tyr S A ven" (support a unit that stays), "A tyr S A ven - tri" (support a move),
// "F nth C A lon - bel" (convoy an army from coast to coast). Places are abbreviated with three letters; spa/nc is the north coast of Spain. Whatever is no order,
// or not for a unit of one's own, is passed over; an order that cannot be carried out whatever others do is void, and its unit holds.
// An army goes by convoy only to where it cannot walk.
//
// How orders are resolved is that of the rules of 2000 as the Diplomacy Adjudicator Test Cases (DATC) of L. B. Kruijswijk read them. Beyond
// that the game is less than the real one: there are neither retreats nor builds, so that a dislodged unit is gone; and a supply center belongs
// to the power whose unit was there last at the end of a turn, in spring as in autumn. The reward of an agent is the number of its centers. A power
// without units is out; the episode ends when no more than one has any, or after the last turn.
//
// # Facts
//
//	board/turns    turns in the episode
//	board/agents   names in seat order
//	board/turn     the last turn that was resolved; -1 before the first
//	board/units    [{"fleet":bool,"place":name,"power":name},...], ordered by place
//	board/centers  power by supply center, of those that have an owner
//	board/last     [{"order":text,"result":word},...]: what came of all orders in the last turn
//
// # Events
//
//	board   the units are placed; data: {"powers":[names]}
//	order   what came of the order of one unit; data: {"dislodged":bool,"kind":word,"order":text,"result":word}; the result is made or failed, or void
//	turned  the turn is resolved; data: {"centers":{power:n},"units":{power:n}}
package diplomacy

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
	kindBoard  = "board"
	kindOrder  = "order"
	kindTurned = "turned"
)

// A Config is what can be chosen about a game.
type Config struct {
	Turns int `toml:"turns" min:"1" max:"1000" doc:"Movements in an episode."`
}

// Default returns a game of five years, of two turns each.
func Default() Config { return Config{Turns: 10} }

// Rules are the law of one game. They implement [world.Rules].
type Rules struct {
	config Config
	board  board
}

// New returns the rules of a game, or an error if its turns are out of range.
func New(config Config) (*Rules, error) {
	if config.Turns < 1 || config.Turns > 1000 {
		return nil, fmt.Errorf("turns is %d, want 1 to 1000", config.Turns)
	}
	return &Rules{config: config, board: newBoard()}, nil
}

// Reset implements [world.Rules]: the units stand where they begin. It is an error if there are fewer than two agents or more than seven.
func (r *Rules) Reset(_ uint64, agents []string) ([]world.Event, error) {
	if len(agents) < 2 || len(agents) > len(homes()) {
		return nil, fmt.Errorf("%d agents, want 2 to %d powers", len(agents), len(homes()))
	}
	g := game{turns: r.config.Turns, agents: agents, turn: -1, centers: make(map[string]string)}
	var powers []string
	for i := range agents {
		name, units, _ := strings.Cut(homes()[i], " ")
		powers = append(powers, name)
		for text := range strings.SplitSeq(units, ",") {
			g.units = append(g.units, unit{Fleet: text[0] == 'F', Place: text[2:], Power: name})
		}
	}
	g.take()
	data := map[string]any{"powers": powers}
	set := g.facts()
	set["board/turns"], set["board/agents"] = world.JSON(g.turns), world.JSON(agents)
	return []world.Event{{Kind: kindBoard, Data: world.JSON(data), Set: set}}, nil
}

// A view is what an agent sees.
type view struct {
	Centers   map[string]string   `json:"centers"` // power by supply center
	Last      []report            `json:"last"`    // of the last turn
	Moves     map[string][]string `json:"moves"`   // places that each of its own units can reach by itself
	Power     string              `json:"power"`
	TurnsLeft int                 `json:"turns_left"` // the one being played included
	Units     map[string][]string `json:"units"`      // by power
}

// Observe implements [world.Rules]. Everybody sees the whole board and what came of the last orders, and nobody those being written.
func (r *Rules) Observe(st world.State, agent string) (world.Observation, error) {
	g, err := r.read(st)
	if err != nil {
		return world.Observation{}, err
	}
	power, ok := g.power(agent)
	if !ok {
		return world.Observation{}, fmt.Errorf("no agent %q in this game", agent)
	}
	v := view{
		Centers: g.centers, Last: g.last, Moves: make(map[string][]string), Power: power,
		TurnsLeft: max(0, g.turns-st.Turn), Units: make(map[string][]string),
	}
	for _, u := range g.units {
		v.Units[u.Power] = append(v.Units[u.Power], u.String())
		if u.Power == power {
			v.Moves[u.String()] = r.board.reach(u.Fleet, u.Place)
		}
	}
	obs := world.Observation{
		Agent: agent, Turn: st.Turn, View: world.JSON(v), Reward: float64(g.owned(power)),
		Terminated: g.over(st.Turn) || len(v.Units[power]) == 0,
	}
	if !obs.Terminated && g.turn < st.Turn {
		obs.Actions = []world.ActionSpec{orderSpec()}
	}
	return obs, nil
}

// Step implements [world.Rules]: the orders of all who act are carried out at once.
func (r *Rules) Step(st world.State, actions []world.Action) ([]world.Event, error) {
	g, err := r.read(st)
	if err != nil {
		return nil, err
	}
	actions = slices.Clone(actions)
	slices.SortStableFunc(actions, func(a, b world.Action) int {
		return slices.Index(g.agents, a.Agent) - slices.Index(g.agents, b.Agent)
	})
	var events []world.Event
	orders := make([]order, len(g.units))
	ordered := false
	for _, a := range actions {
		if a.Name == world.Pass {
			continue
		}
		texts, reason := g.judge(st.Turn, a)
		if reason != "" {
			events = append(events, a.Refuse(reason))
			continue
		}
		power, _ := g.power(a.Agent)
		assign(g.units, orders, power, texts)
		ordered = true
	}
	if !ordered {
		return events, nil
	}
	return append(events, r.turned(st.Turn, g, orders)...), nil
}

// turned returns the events of a turn: one for the order of each unit, and what the board is after it.
func (r *Rules) turned(turn int, g game, orders []order) []world.Event {
	var events []world.Event
	var left []unit
	g.turn, g.last = turn, []report{}
	for _, res := range r.board.resolve(g.units, orders) {
		data := orderData{Dislodged: res.dislodged, Kind: res.order.word(), report: report{Order: res.order.text(res.unit, g.units), Result: res.word()}}
		g.last = append(g.last, data.report)
		agent := ""
		for _, name := range g.agents {
			if power, _ := g.power(name); power == res.unit.Power {
				agent = name
			}
		}
		events = append(events, world.Event{Agent: agent, Kind: kindOrder, Data: world.JSON(data)})
		if res.order.kind == move && res.succeeds {
			res.unit.Place = res.order.to
		}
		if !res.dislodged {
			left = append(left, res.unit)
		}
	}
	g.units = left
	g.take()
	data := turnedData{Centers: make(map[string]int), Units: make(map[string]int)}
	for _, name := range g.agents {
		power, _ := g.power(name)
		data.Centers[power], data.Units[power] = g.owned(power), 0
	}
	for _, u := range g.units {
		data.Units[u.Power]++
	}
	return append(events, world.Event{Kind: kindTurned, Data: world.JSON(data), Set: g.facts()})
}

// assign puts the orders of a power among those of all units. Of two for one unit the last one counts.
func assign(units []unit, orders []order, power string, texts []string) {
	for _, text := range texts {
		place, o, ok := parse(text)
		if !ok {
			continue
		}
		for i, u := range units {
			if u.Power == power && province(u.Place) == province(place) && u.Fleet == strings.EqualFold(strings.TrimSpace(text)[:1], "f") {
				orders[i] = o
			}
		}
	}
}

// Check implements [world.Checker]: units stand where they can, one in a province.
func (r *Rules) Check(st world.State) error {
	g, err := r.read(st)
	if err != nil {
		return err
	}
	if len(g.agents) < 2 || len(g.agents) > len(homes()) {
		return errors.New("a game has two to seven agents")
	}
	return nil
}

type orderData struct {
	report
	Dislodged bool   `json:"dislodged"`
	Kind      string `json:"kind"`
}

type turnedData struct {
	Centers map[string]int `json:"centers"`
	Units   map[string]int `json:"units"`
}

// facts returns the facts that change from turn to turn.
func (g game) facts() map[string]json.RawMessage {
	slices.SortFunc(g.units, func(a, b unit) int { return strings.Compare(a.Place, b.Place) })
	units, last := append([]unit{}, g.units...), append([]report{}, g.last...)
	return map[string]json.RawMessage{
		"board/turn": world.JSON(g.turn), "board/units": world.JSON(units), "board/centers": world.JSON(g.centers), "board/last": world.JSON(last),
	}
}
