package commons

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// An avatar is the facts of one agent.
type avatar struct {
	At     cell   `json:"at"`
	Away   bool   `json:"away"`
	Back   int    `json:"back"`  // the turn at whose beginning it comes back, if away
	Clean  int    `json:"clean"` // the turn from which it may clean
	Eaten  int    `json:"eaten"` // apples
	Facing string `json:"facing"`
	Turn   int    `json:"turn"` // in which it last acted; -1 before the first
	Zap    int    `json:"zap"`  // the turn from which it may zap
}

// A commons is all the facts.
type commons struct {
	field                       field
	names                       []string
	agents                      []avatar // by seat
	turns, cooldown, away, turn int
	apples, dirt                map[cell]bool
}

// read reads the facts of st. It is an error if one is missing or of another type.
func read(st world.State) (*commons, error) {
	c := new(commons)
	var apples, dirt []cell
	for _, f := range []struct {
		path string
		to   any
	}{
		{"commons/agents", &c.names},
		{"commons/map", &c.field},
		{"commons/turns", &c.turns},
		{"commons/cooldown", &c.cooldown},
		{"commons/away", &c.away},
		{"commons/turn", &c.turn},
		{"commons/apples", &apples},
		{"commons/dirt", &dirt},
	} {
		if err := st.Get(f.path, f.to); err != nil {
			return nil, err
		}
	}
	c.apples, c.dirt, c.agents = setOf(apples), setOf(dirt), make([]avatar, len(c.names))
	for i, name := range c.names {
		if err := st.Get("agents/"+name, &c.agents[i]); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// put puts what grows into the facts that an event sets.
func (c *commons) put(set map[string]json.RawMessage) {
	set["commons/apples"] = world.JSON(inRows(c.apples))
	set["commons/dirt"] = world.JSON(inRows(c.dirt))
	set["commons/turn"] = world.JSON(c.turn)
}

// event is an event of one agent, with its facts as they are now.
func (c *commons) event(seat int, kind string, data any, name string) world.Event {
	return world.Event{
		Agent: name, Kind: kind, Data: world.JSON(data), Set: map[string]json.RawMessage{"agents/" + name: world.JSON(c.agents[seat])},
	}
}

// whoIs returns the seat of the agent in a cell, or -1.
func (c *commons) whoIs(at cell) int {
	return slices.IndexFunc(c.agents, func(a avatar) bool { return !a.Away && a.At == at })
}

// over says whether the episode is: all turns are played, or nothing will ever grow.
func (c *commons) over(turn int) bool {
	return turn >= c.turns || len(c.apples) == 0 && !c.field.river()
}

// Check implements [world.Checker]: apples are in the orchard, dirt is in the river, and each agent is in a cell of its own.
func (r *Rules) Check(st world.State) error {
	c, err := read(st)
	if err != nil {
		return err
	}
	if len(c.field) == 0 || c.field.check() != nil {
		return errors.New("the map is none")
	}
	if c.turns < 1 || c.cooldown < 0 || c.away < 0 || c.turn < 0 || c.turn > st.Turn {
		return fmt.Errorf("turns must be at least 1, cooldown and away 0, and turn from 0 to %d", st.Turn)
	}
	if len(c.names) == 0 {
		return errors.New("there must be an agent")
	}
	for _, things := range []struct {
		cells map[cell]bool
		kinds []byte
		where string
	}{{c.apples, []byte("Aa"), "orchard"}, {c.dirt, []byte("~%"), "river"}} {
		for _, at := range inRows(things.cells) {
			if !slices.Contains(things.kinds, c.field.at(at)) {
				return fmt.Errorf("the cell [%d, %d] is not in the %s", at[0], at[1], things.where)
			}
		}
	}
	for i, a := range c.agents {
		if !slices.Contains(compass[:], a.Facing) || a.Eaten < 0 {
			return fmt.Errorf("%q must face N, E, S or W, and have eaten no less than nothing", c.names[i])
		}
		if !a.Away && (c.field.at(a.At) == '#' || c.whoIs(a.At) != i) {
			return fmt.Errorf("%q must be in a cell of its own, and in no wall", c.names[i])
		}
	}
	return nil
}
