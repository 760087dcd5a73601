package fishery

import (
	"encoding/json"
	"math/rand/v2"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// Policies returns the players that know this world, by name. They see nothing but the observation, and pass when
// they may not fish.
//
//	steady  asks for its share of half the lake, floor(floor(tons / 2) / agents): if all do, the lake never shrinks
//	greedy  asks for all there is
//	random  asks for anything from nothing to an equal share of all there is, floor(tons / agents), all equally likely
func Policies() map[string]world.Policy {
	return map[string]world.Policy{
		"steady": policy(func(v view, _ *rand.Rand) int { return v.Tons / 2 / max(1, v.Agents) }),
		"greedy": policy(func(v view, _ *rand.Rand) int { return v.Tons }),
		"random": policy(func(v view, random *rand.Rand) int { return random.IntN(max(0, v.Tons/max(1, v.Agents)) + 1) }),
	}
}

// policy returns the player that asks for the tons that ask says.
func policy(ask func(view, *rand.Rand) int) world.Policy {
	return func(obs world.Observation, random *rand.Rand) world.Action {
		var v view
		mayFish := slices.ContainsFunc(obs.Actions, func(spec world.ActionSpec) bool { return spec.Name == fish })
		if err := json.Unmarshal(obs.View, &v); err != nil || !mayFish {
			return world.Action{Agent: obs.Agent, Name: world.Pass}
		}
		return world.Action{Agent: obs.Agent, Name: fish, Args: world.JSON(map[string]int{"tons": ask(v, random)})}
	}
}
