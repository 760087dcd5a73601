// Package segregation is Schelling's town: people of two colors who want some neighbours like themselves, as pure rules.
//
// # The law
//
// The town is a torus of square places, each of which is empty or the home of one person. People are red or green. The neighbours of a person live
// in the eight places around it. A person is happy if at least the wanted percentage of its neighbours have its color; with no neighbours it is.
//
// An agent is a group of people of one color: the agents are red and green by turns, in seat order, and the people of each color are dealt out among
// its agents one by one. In its turn an agent finds new homes for its unhappy people, once: those who were unhappy when the turn began. It names a place for
// each of them, in the order in which it sees them. A person whose place is taken stays where it is. The episode ends when a turn begins with
// nobody unhappy, or after the last turn. The reward of an agent is the percentage of its people who are happy.
//
// These are the rules of the Segregation model of NetLogo (Wilensky 1997, after Schelling 1978, "Micromotives and Macrobehavior"): 51 by 51 places, of
// which 95 percent are taken, people of either color as likely, 30 percent wanted. One turn of all agents is one tick, if they act one after the other and follow the
// policy "walk", which is how people move there; who moves first within a tick is drawn person by person there, and group by group here.
// If agents act at once, a place that two of them name goes to the first in the order in which their actions are given.
//
// NetLogo's model says of itself: "In the case where each agent wants at least 30% same-color neighbors, the agents end up with (on average) 70%
// same-color neighbors." That sentence is older than the density of 95 percent, with which it is about 75; with 77 percent, as many people as the
// model once opened with, it is about 72.
//
// # Facts
//
//	town/side      places in a side of the town
//	town/wanted    percentage of neighbours of its own color that a person wants
//	town/turns     turns in the episode
//	town/agents    names in seat order
//	groups/<name>  {"before":[[x,y],...],"homes":[[x,y],...],"red":bool,"turn":n}: where its people live, x to the right and y down from 0; where they
//	               did before it last moved them, and the turn in which it did, -1 before the first
//
// # Events
//
//	town  the town is settled, or people have moved, one for each step; data: {"alike":n,"neighbours":n,"people":n,"unhappy":n}, neighbours
//	      being those of all people, and alike those of them who have the same color
//	move  a group has moved; data: {"moved":n,"stayed":n}, of those for whom it named a place
package segregation

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// Kinds of events; see the package comment.
const (
	kindTown = "town"
	kindMove = "move"
)

// A Config is what can be chosen about a town.
type Config struct {
	Side    int `toml:"side" min:"3" max:"200" doc:"Places in a side of the town."`
	Density int `toml:"density" min:"1" max:"99" doc:"Percentage of places that are somebody's home, each by chance."`
	Wanted  int `toml:"wanted" min:"0" max:"100" doc:"Percentage of neighbours of its own color that a person wants."`
	Turns   int `toml:"turns" min:"1" max:"1000000" doc:"Turns in an episode."`
}

// Default returns the town with which NetLogo's model opens, and time enough.
func Default() Config {
	return Config{Side: 51, Density: 95, Wanted: 30, Turns: 1000}
}

// Rules are the law of one town. They implement [world.Rules].
type Rules struct {
	config Config
}

// New returns the rules of a town, or an error that names each value that is out of range.
func New(config Config) (*Rules, error) {
	var errs []error
	for _, n := range []struct {
		name          string
		is, low, high int
	}{
		{"side", config.Side, 3, 200},
		{"density", config.Density, 1, 99},
		{"wanted", config.Wanted, 0, 100},
		{"turns", config.Turns, 1, 1_000_000},
	} {
		if n.is < n.low || n.is > n.high {
			errs = append(errs, fmt.Errorf("%s is %d, want %d to %d", n.name, n.is, n.low, n.high))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Rules{config: config}, nil
}

// Reset implements [world.Rules]: people settle by chance. It is an error if there are fewer than two agents, one for each color.
func (r *Rules) Reset(seed uint64, agents []string) ([]world.Event, error) {
	if len(agents) < 2 {
		return nil, errors.New("a town needs at least two agents, one for each color")
	}
	c := r.config
	groups := make([]group, len(agents))
	for i := range groups {
		groups[i] = group{Before: []place{}, Homes: []place{}, Red: i%2 == 0, Turn: -1}
	}
	random := world.NewRand(seed, 0, "town")
	next := [2]int{0, 1} // seats of the agents who get the next person, red and green
	for y := range c.Side {
		for x := range c.Side {
			if random.IntN(100) < c.Density {
				color := random.IntN(2)
				i := next[color]
				groups[i].Homes = append(groups[i].Homes, place{x, y})
				if next[color] = i + 2; next[color] >= len(agents) {
					next[color] = color
				}
			}
		}
	}
	set := map[string]json.RawMessage{
		"town/side":   world.JSON(c.Side),
		"town/wanted": world.JSON(c.Wanted),
		"town/turns":  world.JSON(c.Turns),
		"town/agents": world.JSON(agents),
	}
	t := town{side: c.Side, wanted: c.Wanted, turns: c.Turns, agents: agents, groups: groups}
	for i, name := range agents {
		set["groups/"+name] = world.JSON(groups[i])
	}
	return []world.Event{{Kind: kindTown, Data: world.JSON(t.now().count()), Set: set}}, nil
}

// A view is what an agent sees.
type view struct {
	Color     string   `json:"color"` // red or green
	Happy     int      `json:"happy"` // of its people, now
	People    int      `json:"people"`
	Rows      []string `json:"rows"` // the town now, from the top: r, g, and . for an empty place
	Side      int      `json:"side"`
	TurnsLeft int      `json:"turns_left"` // the one being played included
	Unhappy   []place  `json:"unhappy"`    // where its people live who were unhappy when the turn began and have not been moved
	Wanted    int      `json:"wanted"`
}

// Observe implements [world.Rules]. An agent sees the town, and which of its people are unhappy.
func (r *Rules) Observe(st world.State, agent string) (world.Observation, error) {
	t, err := readTown(st)
	if err != nil {
		return world.Observation{}, err
	}
	seat := slices.Index(t.agents, agent)
	if seat < 0 {
		return world.Observation{}, fmt.Errorf("no agent %q in this town", agent)
	}
	own, now := t.groups[seat], t.now()
	v := view{
		Color: own.color(), People: len(own.Homes), Rows: now.rows(), Side: t.side,
		TurnsLeft: max(0, t.turns-st.Turn), Unhappy: []place{}, Wanted: t.wanted,
	}
	for _, home := range own.Homes {
		if now.happy(home) {
			v.Happy++
		}
	}
	obs := world.Observation{Agent: agent, Turn: st.Turn, Reward: 100, Terminated: t.over(st.Turn)}
	if v.People > 0 {
		obs.Reward = 100 * float64(v.Happy) / float64(v.People)
	}
	if !obs.Terminated {
		v.Unhappy = t.unhappy(st.Turn, seat)
	}
	if len(v.Unhappy) > 0 {
		obs.Actions = []world.ActionSpec{t.moveSpec(len(v.Unhappy))}
	}
	obs.View = world.JSON(v)
	return obs, nil
}

// Step implements [world.Rules]: groups move, one after the other in the order in which their actions are given.
func (r *Rules) Step(st world.State, actions []world.Action) ([]world.Event, error) {
	t, err := readTown(st)
	if err != nil {
		return nil, err
	}
	over := t.over(st.Turn)
	now := t.now()
	var events []world.Event
	moved := false
	for _, a := range actions {
		if a.Name == world.Pass {
			continue
		}
		seat := slices.Index(t.agents, a.Agent)
		if seat < 0 {
			events = append(events, a.Refuse(fmt.Sprintf("no agent %.40q in this town", a.Agent)))
			continue
		}
		var unhappy []place
		if !over {
			unhappy = t.unhappy(st.Turn, seat)
		}
		places, reason := t.judge(a, len(unhappy), over)
		if reason != "" {
			events = append(events, a.Refuse(reason))
			continue
		}
		events = append(events, t.move(st.Turn, seat, now, unhappy, places))
		moved = true
	}
	if moved {
		events = append(events, world.Event{Kind: kindTown, Data: world.JSON(now.count())})
	}
	return events, nil
}
