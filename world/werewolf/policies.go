package werewolf

import (
	"encoding/json"
	"math/rand/v2"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// Policies returns the players that know this world, by name. They see nothing but the observation, say nothing, and pass when they
// may neither vote nor kill.
//
//	random  votes for anybody else alive, and kills any villager alive, all as likely
//	loyal   the same, but a wolf never votes for a wolf
func Policies() map[string]world.Policy {
	return map[string]world.Policy{
		"random": policy(func(v view, action string) []string {
			if action == kill {
				return v.strangers()
			}
			return v.others()
		}),
		"loyal": policy(func(v view, _ string) []string { return v.strangers() }),
	}
}

// others returns who is alive besides the agent.
func (v view) others() []string {
	return slices.DeleteFunc(slices.Clone(v.Alive), func(name string) bool { return name == v.Agent })
}

// strangers returns who is alive besides the agent and is not known to be a wolf like it.
func (v view) strangers() []string {
	return slices.DeleteFunc(v.others(), func(name string) bool { return slices.Contains(v.Pack, name) })
}

// policy returns the player that names one of those that among returns, all as likely.
func policy(among func(v view, action string) []string) world.Policy {
	return func(obs world.Observation, random *rand.Rand) world.Action {
		pass := world.Action{Agent: obs.Agent, Name: world.Pass}
		i := slices.IndexFunc(obs.Actions, func(spec world.ActionSpec) bool { return spec.Name == vote || spec.Name == kill })
		var v view
		if err := json.Unmarshal(obs.View, &v); err != nil || i < 0 {
			return pass
		}
		names := among(v, obs.Actions[i].Name)
		if len(names) == 0 {
			return pass
		}
		args := world.JSON(map[string]string{"target": names[random.IntN(len(names))]})
		return world.Action{Agent: obs.Agent, Name: obs.Actions[i].Name, Args: args}
	}
}
