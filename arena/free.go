package arena

import (
	"github.com/vitrine-sim/vitrine/world"
)

// runFree plays one turn of a game without a schedule: so many acts, each a step of its own, in the order in which they come. Who has
// begun to act when the turn ends goes on in the next one, so that nobody holds up the others.
func (g *Game) runFree(p players, st world.State, acts int) (world.State, error) {
	for ; acts > 0; acts-- {
		live, seen, err := g.look(st)
		if err != nil || len(live) == 0 {
			return st, err
		}
		var observations []world.Observation
		for _, agent := range live {
			observations = append(observations, seen[agent])
		}
		a, err := p.next(st, observations)
		if err != nil {
			return st, err
		}
		s := step{phase: &Phase{}}
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

// next lets everybody act who is not acting yet, and returns what comes first. Nobody begins before all have started, so that it is no
// advantage to start early.
func (p *livePlayers) next(st world.State, observations []world.Observation) (act, error) {
	p.announce(st)
	p.cast.wait()
	live := make(map[string]bool)
	for _, obs := range observations {
		live[obs.Agent] = true
		if p.busy[obs.Agent] {
			continue
		}
		p.busy[obs.Agent] = true
		obs = p.told(obs)
		p.acting.Go(func() { p.arrivals <- p.cast.act(p.ctx, p.Act, obs) }) // there is room for each agent's one act
	}
	for {
		select {
		case a := <-p.arrivals:
			if p.ctx.Err() != nil {
				return act{}, p.whyLeft()
			}
			p.busy[a.agent] = false
			if live[a.agent] { // else the rules have ended its part meanwhile
				return a, nil
			}
		case <-p.ctx.Done():
			return act{}, p.whyLeft()
		}
	}
}
