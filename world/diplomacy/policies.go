package diplomacy

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// Policies returns the players that know this world, by name. They see nothing but the observation, and pass when they may not order.
//
//	hold    lets all units hold
//	wander  lets each unit hold or move to a place that it can reach, all equally likely
func Policies() map[string]world.Policy {
	return map[string]world.Policy{
		"hold": policy(func(string, []string, *rand.Rand) string { return "H" }),
		"wander": policy(func(_ string, reach []string, random *rand.Rand) string {
			if i := random.IntN(len(reach) + 1); i < len(reach) {
				return "- " + reach[i]
			}
			return "H"
		}),
	}
}

// policy returns the player that gives each unit the order that tell says.
func policy(tell func(unit string, reach []string, random *rand.Rand) string) world.Policy {
	return func(obs world.Observation, random *rand.Rand) world.Action {
		var v view
		if err := json.Unmarshal(obs.View, &v); err != nil || len(obs.Actions) == 0 || obs.Actions[0].Name != give {
			return world.Action{Agent: obs.Agent, Name: world.Pass}
		}
		orders := []string{}
		for _, unit := range slices.Sorted(maps.Keys(v.Moves)) {
			orders = append(orders, unit+" "+tell(unit, v.Moves[unit], random))
		}
		return world.Action{Agent: obs.Agent, Name: give, Args: world.JSON(map[string]any{"orders": orders})}
	}
}
