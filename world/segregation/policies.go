package segregation

import (
	"encoding/json"
	"math"
	"math/rand/v2"

	"github.com/vitrine-sim/vitrine/world"
)

// Policies returns the players that know this world, by name. They see nothing but the observation, and pass when they have nobody to move.
//
//	walk  people walk as in NetLogo's model: each turns to any direction and goes up to 10 places that way, again and again, until it
//	      comes to a place where nobody else lives
func Policies() map[string]world.Policy {
	return map[string]world.Policy{"walk": walk}
}

func walk(obs world.Observation, random *rand.Rand) world.Action {
	var v view
	if err := json.Unmarshal(obs.View, &v); err != nil || len(obs.Actions) == 0 || obs.Actions[0].Name != move {
		return world.Action{Agent: obs.Agent, Name: world.Pass}
	}
	town := chart{side: v.Side}
	for _, row := range v.Rows {
		town.at = append(town.at, row...)
	}
	to := []place{}
	for _, home := range v.Unhappy {
		color := town.at[town.index(home)]
		town.at[town.index(home)] = empty // to come home again is to stay
		p := town.stroll(home, random)
		town.at[town.index(p)] = color
		to = append(to, p)
	}
	return world.Action{Agent: obs.Agent, Name: move, Args: world.JSON(map[string]any{"to": to})}
}

// stroll returns the empty place to which somebody comes from a place.
func (c chart) stroll(from place, random *rand.Rand) place {
	x, y := float64(from[0]), float64(from[1])
	for {
		angle, far := 2*math.Pi*random.Float64(), 10*random.Float64()
		x, y = x+far*math.Cos(angle), y+far*math.Sin(angle)
		p := place{wrap(int(math.Round(x)), c.side), wrap(int(math.Round(y)), c.side)}
		if c.at[c.index(p)] == empty {
			return p
		}
	}
}
