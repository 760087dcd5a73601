package arena

import (
	"errors"

	"github.com/vitrine-sim/vitrine/world"
)

// runFree plays one turn of a game without a schedule: so many acts, each a step of its own, in the order in which they come. Who has
// begun to act when the turn ends goes on in the next one, so that nobody holds up the others.
//
// After an act only its agent is shown something new, so only that agent is observed. Everybody is as a turn begins and before its last
// act, when the game goes on in another state, and when somebody acts no more.
func (g *Game) runFree(p players, st world.State, acts int) (world.State, error) {
	var seen []world.Observation // what is to be shown now, to those who are not acting
	for acts > 0 {
		on, err := g.ready(p, st)
		if err != nil {
			return on, err
		}
		if on.Seq != st.Seq || acts == 1 {
			seen = nil
		}
		st = on
		if len(seen) == 0 {
			if seen, err = g.look(st, g.Agents); err != nil {
				if st, err = p.mended(st, err); err != nil {
					return st, err
				}
				continue
			}
			if len(seen) == 0 {
				return st, nil
			}
		}
		a, err := p.next(st, seen)
		if moved := (*movedError)(nil); errors.As(err, &moved) {
			st, seen = moved.to, nil
			continue
		}
		if err != nil {
			return st, err
		}
		_, isLive, err := g.observe(st, a.agent)
		if err != nil {
			return st, err
		}
		if !isLive { // the rules have ended its part meanwhile
			seen = nil
			continue
		}
		s := step{phase: &Phase{}}
		if acts--; acts == 0 {
			s.live, s.then = agentsOf(seen), []world.Event{{Kind: world.KindTurn}}
		}
		st, err = p.commit(func(st world.State) ([]world.Event, error) { return g.resolve(st, []act{a}, s) })
		if err != nil {
			return st, err
		}
		obs, isLive, err := g.observe(st, a.agent)
		if seen = append(seen[:0], obs); err != nil || !isLive {
			seen = nil // who looks at everybody finds the error again
		}
	}
	return st, nil
}

func agentsOf(observations []world.Observation) []string {
	agents := make([]string, 0, len(observations))
	for _, obs := range observations {
		agents = append(agents, obs.Agent)
	}
	return agents
}
