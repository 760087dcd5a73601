package fishery

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// A lake is the facts about the lake, as they are in the turn being played.
type lake struct {
	capacity, collapse, turns, agents int
	turn                              int // of the last harvest
	tons                              int // now: what that harvest left, grown by the turns since
}

// readLake reads the lake from the facts of st. It is an error if one is missing or of another type.
func readLake(st world.State) (lake, error) {
	var l lake
	err := get(st, "lake/", []string{"capacity", "collapse", "turns", "agents", "turn", "tons"},
		&l.capacity, &l.collapse, &l.turns, &l.agents, &l.turn, &l.tons)
	if err != nil {
		return lake{}, err
	}
	l.tons = l.grown(l.tons, st.Turn-l.turn)
	return l, nil
}

// A fisher is the facts of one agent: all it has caught, the turn in which it last fished, and how that went.
type fisher struct {
	Total, Turn, Asked, Caught int
}

// readFisher reads the facts of one agent, and whether it is an agent at this lake.
func readFisher(st world.State, name string) (f fisher, ok bool, err error) {
	prefix := "agents/" + name + "/"
	if _, ok := st.Fact(prefix + "total"); !ok {
		return fisher{}, false, nil
	}
	err = get(st, prefix, []string{"total", "turn", "asked", "caught"}, &f.Total, &f.Turn, &f.Asked, &f.Caught)
	return f, true, err
}

func (f fisher) put(set map[string]json.RawMessage, name string) {
	set["agents/"+name+"/total"] = world.JSON(f.Total)
	set["agents/"+name+"/turn"] = world.JSON(f.Turn)
	set["agents/"+name+"/asked"] = world.JSON(f.Asked)
	set["agents/"+name+"/caught"] = world.JSON(f.Caught)
}

// get reads the named facts under prefix into as many integers.
func get(st world.State, prefix string, names []string, to ...*int) error {
	for i, name := range names {
		if err := st.Get(prefix+name, to[i]); err != nil {
			return err
		}
	}
	return nil
}

// Check implements [world.Checker]: nobody can be owed fish, and a lake holds no more than its capacity.
func (r *Rules) Check(st world.State) error {
	l, err := readLake(st)
	if err != nil {
		return err
	}
	var tons, next int
	if err := get(st, "lake/", []string{"tons", "next"}, &tons, &next); err != nil {
		return err
	}
	switch {
	case l.capacity < 1 || l.capacity > maxCapacity:
		return fmt.Errorf("the capacity must be 1 to %d tons", maxCapacity)
	case l.collapse < 0 || l.collapse > l.capacity:
		return fmt.Errorf("the collapse must be at 0 to %d tons", l.capacity)
	case tons < 0 || tons > l.capacity || next < 0 || next > l.capacity:
		return fmt.Errorf("the lake must hold 0 to %d tons", l.capacity)
	case l.turns < 1 || l.turns > maxTurns:
		return fmt.Errorf("the turns must be 1 to %d", maxTurns)
	case l.turn < 0 || l.turn > st.Turn:
		return fmt.Errorf("the last harvest must have been in turn 0 to %d", st.Turn)
	}
	return nil
}

// over reports whether the episode has ended before the given turn.
func (l lake) over(turn int) bool {
	return l.tons < l.collapse || turn >= l.turns
}

// grown returns what tons left by a harvest have become some turns later.
func (l lake) grown(tons, turns int) int {
	if tons < l.collapse {
		return tons
	}
	for ; turns > 0 && tons > 0 && tons < l.capacity; turns-- {
		tons = min(l.capacity, 2*tons)
	}
	return tons
}

// share pays pool tons out to those that asked, ton by ton and by lot among all that still want more. It returns what each
// gets: what it asked for when there is enough for all, else never more than that, and the whole pool in sum.
func share(pool int, asked []int, random *rand.Rand) []int {
	if sum(asked) <= pool {
		return slices.Clone(asked)
	}
	caught := make([]int, len(asked))
	var open []int // indices of those that still want more
	for i, tons := range asked {
		if tons > 0 {
			open = append(open, i)
		}
	}
	for ; pool > 0; pool-- {
		at := random.IntN(len(open))
		i := open[at]
		if caught[i]++; caught[i] == asked[i] {
			open = slices.Delete(open, at, at+1)
		}
	}
	return caught
}

func sum(tons []int) int {
	total := 0
	for _, t := range tons {
		total += t
	}
	return total
}
