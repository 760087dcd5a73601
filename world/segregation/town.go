package segregation

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// A place is x to the right and y down.
type place [2]int

// A group is the facts of one agent.
type group struct {
	Before []place `json:"before"` // where they lived before the turn in which the agent last moved them
	Homes  []place `json:"homes"`  // where its people live
	Red    bool    `json:"red"`
	Turn   int     `json:"turn"` // in which it last moved them; -1: it has not
}

func (g group) color() string {
	if g.Red {
		return "red"
	}
	return "green"
}

// A town is the facts about all of it.
type town struct {
	side, wanted, turns int
	agents              []string
	groups              []group // of the agents
}

// readTown reads the town from the facts of st. It is an error if one is missing, of another type, or cannot be.
func readTown(st world.State) (t town, err error) {
	for _, fact := range []struct {
		path string
		to   any
	}{{"town/side", &t.side}, {"town/wanted", &t.wanted}, {"town/turns", &t.turns}, {"town/agents", &t.agents}} {
		if err := st.Get(fact.path, fact.to); err != nil {
			return t, err
		}
	}
	if t.side < 3 || t.side > 200 {
		return t, fmt.Errorf("a side of the town has %d places, want 3 to 200", t.side)
	}
	outside := func(p place) bool { return min(p[0], p[1]) < 0 || max(p[0], p[1]) >= t.side }
	for _, agent := range t.agents {
		var g group
		if err := st.Get("groups/"+agent, &g); err != nil {
			return t, err
		}
		if slices.ContainsFunc(g.Homes, outside) || slices.ContainsFunc(g.Before, outside) {
			return t, fmt.Errorf("somebody of %s lives outside of the town", agent)
		}
		t.groups = append(t.groups, g)
	}
	return t, nil
}

// Check implements [world.Checker]: everybody has a home of its own.
func (r *Rules) Check(st world.State) error {
	t, err := readTown(st)
	if err != nil {
		return err
	}
	taken := make(map[place]bool)
	for i, g := range t.groups {
		for _, home := range g.Homes {
			if taken[home] {
				return fmt.Errorf("two people live at %v", home)
			}
			taken[home] = true
		}
		if g.Turn == st.Turn && len(g.Before) != len(g.Homes) {
			return fmt.Errorf("%s has %d people, who lived in %d places before", t.agents[i], len(g.Homes), len(g.Before))
		}
	}
	return nil
}

// now returns the map of the town as it is.
func (t town) now() chart {
	return t.chart(func(g group) []place { return g.Homes })
}

// began returns the map of the town as it was when the turn began.
func (t town) began(turn int) chart {
	return t.chart(func(g group) []place {
		if g.Turn == turn {
			return g.Before
		}
		return g.Homes
	})
}

func (t town) chart(homes func(group) []place) chart {
	c := chart{side: t.side, wanted: t.wanted, at: make([]byte, t.side*t.side)}
	for i := range c.at {
		c.at[i] = empty
	}
	for _, g := range t.groups {
		for _, home := range homes(g) {
			c.at[c.index(home)] = g.color()[0]
		}
	}
	return c
}

// over says whether the episode is: nobody was unhappy when the turn began, or it is too late.
func (t town) over(turn int) bool {
	return turn >= t.turns || t.began(turn).count().Unhappy == 0
}

// unhappy returns the homes of the people of one agent who were unhappy when the turn began; none, if it has moved them.
func (t town) unhappy(turn, seat int) []place {
	found := []place{}
	if t.groups[seat].Turn >= turn {
		return found
	}
	began := t.began(turn)
	for _, home := range t.groups[seat].Homes {
		if !began.happy(home) {
			found = append(found, home)
		}
	}
	return found
}

// move returns the event in which people of one agent move to the places that it names for them, as far as nobody lives there on the map, which it
// changes.
func (t town) move(turn, seat int, now chart, people, to []place) world.Event {
	own := t.groups[seat]
	own.Before, own.Homes, own.Turn = own.Homes, slices.Clone(own.Homes), turn
	var data moveData
	for i, p := range to {
		if now.at[now.index(p)] != empty {
			data.Stayed++
			continue
		}
		now.at[now.index(people[i])], now.at[now.index(p)] = empty, own.color()[0]
		own.Homes[slices.Index(own.Homes, people[i])] = p
		data.Moved++
	}
	agent := t.agents[seat]
	return world.Event{
		Agent: agent, Kind: kindMove, Data: world.JSON(data), Set: map[string]json.RawMessage{"groups/" + agent: world.JSON(own)},
	}
}

type moveData struct {
	Moved  int `json:"moved"`
	Stayed int `json:"stayed"`
}

// A chart is the map of a town: the first letters of colors.
type chart struct {
	side, wanted int
	at           []byte // row by row
}

// empty is a place without a person.
const empty = '.'

// index returns where a place is, on a torus.
func (c chart) index(p place) int {
	return wrap(p[1], c.side)*c.side + wrap(p[0], c.side)
}

// wrap returns n in a ring of the given size.
func wrap(n, size int) int { return (n%size + size) % size }

// around returns how many neighbours somebody at home has, and how many of them have the same color.
func (c chart) around(home place) (alike, neighbours int) {
	color := c.at[c.index(home)]
	for dy := -1; dy <= 1; dy++ {
		for dx := -1; dx <= 1; dx++ {
			there := c.at[c.index(place{home[0] + dx, home[1] + dy})]
			if dx == 0 && dy == 0 || there == empty {
				continue
			}
			neighbours++
			if there == color {
				alike++
			}
		}
	}
	return alike, neighbours
}

// happy says whether somebody at home has neighbours enough of its color.
func (c chart) happy(home place) bool {
	alike, neighbours := c.around(home)
	return 100*alike >= c.wanted*neighbours
}

// rows returns the map as text.
func (c chart) rows() []string {
	var rows []string
	for row := range slices.Chunk(c.at, c.side) {
		rows = append(rows, string(row))
	}
	return rows
}

type townData struct {
	Alike      int `json:"alike"`
	Neighbours int `json:"neighbours"`
	People     int `json:"people"`
	Unhappy    int `json:"unhappy"`
}

// count counts all people and their neighbours.
func (c chart) count() townData {
	var d townData
	for i, color := range c.at {
		if color == empty {
			continue
		}
		home := place{i % c.side, i / c.side}
		alike, neighbours := c.around(home)
		d.People++
		d.Alike += alike
		d.Neighbours += neighbours
		if !c.happy(home) {
			d.Unhappy++
		}
	}
	return d
}
