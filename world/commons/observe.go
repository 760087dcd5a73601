package commons

import (
	"fmt"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// How far an agent sees, in cells.
const (
	seesAhead  = 9
	seesBehind = 1
	seesAside  = 5
)

// A view is what an agent sees: a window of the map that is turned so that the agent faces up.
type view struct {
	At        cell    `json:"at"`     // x to the right and y down on the whole map, from 0
	Away      bool    `json:"away"`   // it was zapped and sees nothing
	Facing    string  `json:"facing"` // N, E, S or W
	Others    []other `json:"others,omitempty"`
	Turns     int     `json:"turns"`      // turns in the episode
	TurnsLeft int     `json:"turns_left"` // how many are left, the one being played included
	// Window is rows from the farthest one ahead to the one behind, each from left to right: ^ the agent, @ another one, * an apple, a comma
	// an empty cell of the orchard, ~ clean river, % dirty river, # wall, and a point is ground. Apples under agents are not seen.
	Window []string `json:"window,omitempty"`
}

// An other is another agent that is seen, so many cells ahead and to the right.
type other struct {
	Name   string `json:"name"`
	Ahead  int    `json:"ahead"`
	Right  int    `json:"right"`
	Facing string `json:"facing"`
}

// Observe implements [world.Rules]. An agent sees the cells around it, mostly those ahead, and who is there.
func (r *Rules) Observe(st world.State, agent string) (world.Observation, error) {
	c, err := read(st)
	if err != nil {
		return world.Observation{}, err
	}
	seat := slices.Index(c.names, agent)
	if seat < 0 {
		return world.Observation{}, fmt.Errorf("no agent %q here", agent)
	}
	if !c.over(st.Turn) {
		c.begin(st)
	}
	me := c.agents[seat]
	v := view{At: me.At, Away: me.Away, Facing: me.Facing, Turns: c.turns, TurnsLeft: max(0, c.turns-st.Turn)}
	if !me.Away {
		v.look(c, me)
	}
	obs := world.Observation{
		Agent: agent, Turn: st.Turn, View: world.JSON(v), Reward: float64(me.Eaten), Terminated: c.over(st.Turn),
	}
	if !obs.Terminated {
		obs.Actions = c.specs(seat, st.Turn)
	}
	return obs, nil
}

// look fills in the window and who is in it.
func (v *view) look(c *commons, me avatar) {
	for forward := seesAhead; forward >= -seesBehind; forward-- {
		row := make([]byte, 0, 2*seesAside+1)
		for right := -seesAside; right <= seesAside; right++ {
			at := me.At.plus(ahead(me.Facing, 0), forward).plus(ahead(me.Facing, 1), right)
			row = append(row, c.looks(at))
			if who := c.whoIs(at); who >= 0 && at != me.At {
				row[len(row)-1] = '@'
				v.Others = append(v.Others, other{c.names[who], forward, right, c.agents[who].Facing})
			}
		}
		if forward == 0 {
			row[seesAside] = '^'
		}
		v.Window = append(v.Window, string(row))
	}
}

// looks returns what a cell looks like without agents.
func (c *commons) looks(at cell) byte {
	switch kind := c.field.at(at); {
	case kind == '#':
		return '#'
	case c.apples[at]:
		return '*'
	case c.dirt[at]:
		return '%'
	case kind == 'A' || kind == 'a':
		return ','
	case kind == '~' || kind == '%':
		return '~'
	}
	return '.'
}
