package arena

import (
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// Asked returns who is asked to act in a turn that goes on: in the state now, after these events of the turn, which began with the state begin. While an
// operator holds the game, they are those who are asked when it goes on.
func (g *Game) Asked(begin, now world.State, events []world.Event) ([]string, error) {
	if g.Free || len(g.Phases) == 0 && len(g.Schedule(now.Turn, g.Agents)) == 1 { // all at once
		seen, err := g.look(now, g.Agents)
		return agentsOf(seen), err
	}
	live, err := g.look(begin, g.Agents)
	if err != nil {
		return nil, err
	}
	var phase string
	_ = now.Get(world.PhaseFact, &phase) // a game without phases has none
	acted := make(map[string]bool)
	for _, ev := range events {
		if ev.Kind == KindPhase {
			clear(acted)
		}
		acted[ev.Agent] = acted[ev.Agent] || IsAct(ev)
	}
	var next []string // of the step behind the last one that has been taken
	for _, s := range g.steps(now.Turn, agentsOf(live)) {
		switch {
		case s.phase.Name != phase:
		case slices.ContainsFunc(s.agents, func(agent string) bool { return acted[agent] }):
			next = nil
		case next == nil:
			next = s.agents
		}
	}
	seen, err := g.look(now, next)
	return agentsOf(seen), err
}
