package bazaar

import (
	"encoding/json"
	"math/rand/v2"

	"github.com/vitrine-sim/vitrine/world"
)

// Policies returns the players that know this world, by name. They see nothing but the observation, and pass when they have
// no unit left. The first two are the zero-intelligence traders of Gode and Sunder 1993: each price is as likely as any other.
//
//	zic     with a budget constraint: a buyer bids from 1 to its value, a seller asks from its cost to the ceiling
//	ziu     without one: bids and asks from 1 to the ceiling
//	honest  bids its value, asks its cost
func Policies() map[string]world.Policy {
	return map[string]world.Policy{
		"zic": policy(func(v view, random *rand.Rand) int {
			if v.Role == (trader{Buyer: true}).role() {
				return 1 + random.IntN(max(1, v.Limit))
			}
			return v.Limit + random.IntN(max(0, v.Ceiling-v.Limit)+1)
		}),
		"ziu":    policy(func(v view, random *rand.Rand) int { return 1 + random.IntN(max(1, v.Ceiling)) }),
		"honest": policy(func(v view, _ *rand.Rand) int { return v.Limit }),
	}
}

// policy returns the player that names the price that quote says.
func policy(quote func(view, *rand.Rand) int) world.Policy {
	return func(obs world.Observation, random *rand.Rand) world.Action {
		var v view
		if err := json.Unmarshal(obs.View, &v); err == nil {
			for _, spec := range obs.Actions {
				if spec.Name == bid || spec.Name == ask {
					return world.Action{Agent: obs.Agent, Name: spec.Name, Args: world.JSON(map[string]int{"price": quote(v, random)})}
				}
			}
		}
		return world.Action{Agent: obs.Agent, Name: world.Pass}
	}
}
