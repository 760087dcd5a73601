package arena

import (
	"context"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

// A thought is what an agent will do in a free-running game that is played again.
type thought struct {
	done  chan act
	obs   world.Observation // that it was shown
	began time.Time
	quit  func() // makes it late
}

// think lets an agent act that is shown a state.
func (p *pastPlayers) think(st world.State, obs world.Observation) thought {
	ctx, quit := context.WithCancelCause(p.live.ctx)
	t := thought{done: make(chan act, 1), obs: obs, began: time.Now(), quit: func() { quit(context.DeadlineExceeded) }}
	p.live.acting.Go(func() {
		defer t.quit()
		player := p.live.cast.byName[obs.Agent]
		a := player.act(ctx, player.clock(p.live.Act), slack, obs)
		a.saw = st.Seq
		t.done <- a
	})
	return t
}

// anew lets an agent act that is shown the state after the event saw, which was in a turn or before it, instead of what it was shown: the episode
// had been interrupted, and when it went on, everybody was shown what there was then.
func (p *pastPlayers) anew(was world.Observation, turn int, saw int64) (t thought, err error) {
	st, err := world.StateAt(p.live.Dir, turn)
	for err == nil && st.Seq > saw {
		turn--
		st, err = world.StateAt(p.live.Dir, turn)
	}
	if err != nil {
		return t, err
	}
	for ev, err := range world.Turn(p.live.Dir, turn) {
		if err != nil {
			return t, err
		}
		if ev.Seq <= saw {
			st = st.Apply(ev)
		}
	}
	obs, _, err := p.live.observe(st, was.Agent)
	if err != nil {
		return t, err
	}
	p.live.refused[was.Agent] = was.Refused
	p.live.tell(st, &obs)
	return p.think(st, obs), nil
}
