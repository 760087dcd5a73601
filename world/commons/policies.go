package commons

import (
	"encoding/json"
	"math/rand/v2"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// Policies returns the players that know this world, by name. They see nothing but the observation, and pass when they may not move.
//
//	greedy   goes to the nearest apple that it sees and eats it; else it wanders
//	prudent  the same, but of an apple with fewer than three others near it, it leaves off
//	cleaner  cleans what is dirty in reach of its beam, goes to the nearest dirty cell that it sees, or else is greedy
func Policies() map[string]world.Policy {
	return map[string]world.Policy{
		"greedy":  policy(view.greedy),
		"prudent": policy(view.prudent),
		"cleaner": policy(view.cleaner),
	}
}

// A choice is an action and its direction, if it has one.
type choice struct{ name, way string }

func policy(choose func(view, []string, *rand.Rand) choice) world.Policy {
	return func(obs world.Observation, random *rand.Rand) world.Action {
		pass := world.Action{Agent: obs.Agent, Name: world.Pass}
		var v view
		var may []string
		for _, spec := range obs.Actions {
			may = append(may, spec.Name)
		}
		if err := json.Unmarshal(obs.View, &v); err != nil || len(v.Window) != seesAhead+seesBehind+1 || !slices.Contains(may, move) {
			return pass
		}
		did := choose(v, may, random)
		a := world.Action{Agent: obs.Agent, Name: did.name}
		if did.way != "" {
			a.Args = world.JSON(map[string]string{"direction": did.way})
		}
		return a
	}
}

// me is where the agent is in its window.
var me = cell{seesAside, seesAhead}

func (v view) greedy(_ []string, random *rand.Rand) choice {
	return v.seek(random, func(at cell) bool { return field(v.Window).at(at) == '*' })
}

func (v view) prudent(_ []string, random *rand.Rand) choice {
	apples := commons{apples: setOf(field(v.Window).cells("*"))}
	return v.seek(random, func(at cell) bool { return apples.apples[at] && apples.near(at) >= len(regrowth)-1 })
}

func (v view) cleaner(may []string, random *rand.Rand) choice {
	dirty := func(at cell) bool { return field(v.Window).at(at) == '%' }
	if slices.Contains(may, clean) {
		for _, line := range field(v.Window).lines(me, north) {
			if slices.ContainsFunc(line, dirty) {
				return choice{clean, ""}
			}
		}
	}
	if len(field(v.Window).cells("%")) > 0 {
		return v.seek(random, dirty)
	}
	return v.greedy(may, random)
}

// seek returns the first step of a shortest way to a cell that is wanted, through no apple that is not; or else a step of a random walk.
func (v view) seek(random *rand.Rand, wanted func(cell) bool) choice {
	window := field(v.Window)
	open := func(at cell) bool { // no wall, nobody, and nothing that is better left alone
		kind := window.at(at)
		return kind != '#' && kind != '@' && (kind != '*' || wanted(at))
	}
	first := map[cell]int{me: 0} // the direction of the first step there
	for queue := []cell{me}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if at != me && wanted(at) {
			return choice{move, ways(move)[first[at]]}
		}
		for right := range 4 {
			to := at.plus(ahead(north, right), 1)
			if _, seen := first[to]; seen || !open(to) {
				continue
			}
			if first[to] = first[at]; at == me {
				first[to] = right
			}
			queue = append(queue, to)
		}
	}
	if !open(me.plus(ahead(north, 0), 1)) || random.IntN(8) == 0 {
		return choice{turn, []string{"left", "right"}[random.IntN(2)]}
	}
	return choice{move, "forward"}
}
