package arena

import (
	"errors"

	"github.com/vitrine-sim/vitrine/world"
)

// runFree plays one turn of a game without a schedule: so many acts, each a step of its own, in the order in which they come. Who has
// begun to act when the turn ends goes on in the next one, so that nobody holds up the others.
func (g *Game) runFree(p players, st world.State, acts int) (world.State, error) {
	for ; acts > 0; acts-- {
		var err error
		if st, err = g.ready(p, st); err != nil {
			return st, err
		}
		live, seen, err := g.look(st)
		if err != nil || len(live) == 0 {
			return st, err
		}
		var observations []world.Observation
		for _, agent := range live {
			observations = append(observations, seen[agent])
		}
		a, err := p.next(st, observations)
		if moved := (*movedError)(nil); errors.As(err, &moved) {
			st, acts = moved.to, acts+1
			continue
		}
		if err != nil {
			return st, err
		}
		s := step{phase: &Phase{}, live: live}
		if acts == 1 {
			s.then = []world.Event{{Kind: world.KindTurn}}
		}
		st, err = p.commit(func(st world.State) ([]world.Event, error) { return g.resolve(st, []act{a}, s) })
		if err != nil {
			return st, err
		}
	}
	return st, nil
}
