package commons

import (
	"encoding/json"
	"math/rand/v2"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// The numbers of the two substrates of Melting Pot.
const (
	bearing    = 0.05 // highest probability that an empty cell of the orchard beside a river bears
	depletion  = 0.4  // dirty share of the river from which on nothing grows
	dirtying   = 0.5  // probability of one more dirty cell in a turn
	dirtyAfter = 50   // turns
)

// regrowth is the probability that an empty cell bears, by the apples near it; the last one is for all greater numbers.
var regrowth = [...]float64{0, 0.0025, 0.005, 0.025}

// near returns how many apples are within a distance of 2, the cell itself left out.
func (c commons) near(at cell) int {
	n := 0
	for dy := -2; dy <= 2; dy++ {
		for dx := -2; dx <= 2; dx++ {
			if (dx != 0 || dy != 0) && dx*dx+dy*dy <= 4 && c.apples[cell{at[0] + dx, at[1] + dy}] {
				n++
			}
		}
	}
	return n
}

// chance returns the probability that any empty cell bears beside a river of which so many cells are dirty.
func chance(dirty, cells int) float64 {
	share := float64(dirty) / float64(cells)
	return max(0, bearing*min(1, (share-depletion)/(0-depletion)))
}

type growData struct {
	Apples []cell `json:"apples"`
	Dirt   []cell `json:"dirt"`
}

// grow lets apples grow, and dirt come, at the beginning of a turn.
func (c *commons) grow(turn int, random *rand.Rand) growData {
	data := growData{Apples: []cell{}, Dirt: []cell{}}
	river := c.field.cells("~%")
	for _, at := range c.field.cells("Aa") {
		if c.apples[at] {
			continue
		}
		p := regrowth[min(c.near(at), len(regrowth)-1)]
		if len(river) > 0 {
			p = chance(len(c.dirt), len(river))
		}
		if random.Float64() < p {
			data.Apples = append(data.Apples, at)
		}
	}
	if turn > dirtyAfter && random.Float64() < dirtying {
		clean := slices.DeleteFunc(river, func(at cell) bool { return c.dirt[at] })
		if len(clean) > 0 {
			data.Dirt = append(data.Dirt, clean[random.IntN(len(clean))])
		}
	}
	for _, at := range data.Apples {
		c.apples[at] = true
	}
	for _, at := range data.Dirt {
		c.dirt[at] = true
	}
	return data
}

// begin makes the turn begin that is played in st, if it has not: things grow, and who was away comes back. It returns the events.
func (c *commons) begin(st world.State) []world.Event {
	if c.turn >= st.Turn {
		return nil
	}
	c.turn = st.Turn
	set := make(map[string]json.RawMessage)
	data := c.grow(st.Turn, st.Rand("growth"))
	c.put(set)
	events := []world.Event{{Kind: kindGrow, Data: world.JSON(data), Set: set}}
	random := st.Rand("spawn")
	for i, name := range c.names {
		if !c.agents[i].Away || c.agents[i].Back > st.Turn {
			continue
		}
		free := slices.DeleteFunc(c.field.cells("P"), func(at cell) bool { return c.whoIs(at) >= 0 })
		if len(free) == 0 {
			break // it comes back when there is room
		}
		me := &c.agents[i]
		me.Away, me.At, me.Facing = false, free[random.IntN(len(free))], compass[random.IntN(4)]
		events = append(events, c.event(i, kindSpawn, map[string]any{"at": me.At}, name))
	}
	return events
}
