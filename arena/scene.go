package arena

import (
	"fmt"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// A scene is a state with what all who are shown it have in common.
type scene struct {
	state   world.State
	rules   world.Rules
	letters []letter // that wait
}

func (g *Game) scene(st world.State) (scene, error) {
	rules, err := g.law(st)
	if err != nil {
		return scene{}, fmt.Errorf("look at the world: %w", err)
	}
	return scene{st, rules, letters(st)}, nil
}

// see returns what an agent sees, and whether it still acts: it is not out, and the rules have not ended its part.
func (g *Game) see(sc scene, agent string) (obs world.Observation, acts bool, err error) {
	if obs, err = sc.rules.Observe(sc.state, agent); err == nil {
		err = g.offer(sc, &obs)
	}
	if err != nil {
		return obs, false, fmt.Errorf("observe as %s: %w", agent, err)
	}
	obs.Messages = inbox(sc.state, sc.letters, agent)
	status, err := statusOf(sc.state, agent)
	return obs, status == StatusActive && !obs.Terminated, err
}

// look returns what those of the agents see who still act, in the order given.
func (g *Game) look(st world.State, agents []string) ([]world.Observation, error) {
	sc, err := g.scene(st)
	if err != nil {
		return nil, err
	}
	seen := make([]world.Observation, 0, len(agents))
	for _, agent := range agents {
		obs, acts, err := g.see(sc, agent)
		if err != nil {
			return nil, err
		}
		if acts {
			seen = append(seen, obs)
		}
	}
	return seen, nil
}

// observe returns what one agent sees in a state, and whether it still acts.
func (g *Game) observe(st world.State, agent string) (obs world.Observation, acts bool, err error) {
	sc, err := g.scene(st)
	if err != nil {
		return obs, false, err
	}
	return g.see(sc, agent)
}

// show returns what the agents of a step see who still act. If they are those of whom it is known from before, nobody looks again.
func (g *Game) show(st world.State, seen []world.Observation, s step) ([]world.Observation, error) {
	var err error
	if !slices.EqualFunc(seen, s.agents, func(obs world.Observation, agent string) bool { return obs.Agent == agent }) {
		seen, err = g.look(st, s.agents)
	}
	for i := range seen {
		s.phase.narrow(&seen[i])
	}
	return seen, err
}
