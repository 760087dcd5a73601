package arena

import (
	"cmp"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// rejoin returns who plays an episode from where its log ends, and the state from which to play it: that with which the turn begins that was
// being played. Of that turn, what is in the log is played as it was recorded; so it takes no longer late in an episode than early.
func (e *Episode) rejoin(live *livePlayers) (players, world.State, error) {
	now := e.Store.State()
	if now.Seq == 0 {
		return live, now, nil
	}
	events, err := turnEvents(e.Dir, now.Turn)
	if err != nil {
		return nil, now, err
	}
	var st world.State
	var was soFar
	if now.Turn > 0 {
		for turn := e.untold(now); turn < now.Turn; turn++ {
			before, err := turnEvents(e.Dir, turn)
			if err != nil {
				return nil, now, err
			}
			for _, ev := range before {
				live.explain(ev)
			}
			was = soFar{}
			if len(before) > 0 {
				_ = json.Unmarshal(before[len(before)-1].Proc, &was) // without it the clocks begin anew
			}
		}
		if st, err = world.StateAt(e.Dir, now.Turn); err != nil {
			return nil, now, err
		}
		n := min(len(e.begins(0)), len(events)) // the turn's first phase begins in the commit in which the turn before ends
		isBranch := func(ev world.Event) bool { return ev.Kind == KindBranch }
		n = max(n, 1+slices.IndexFunc(events, isBranch)) // with which this game begins, maybe after what operators have done
		st, events = st.Apply(events[:n]...), events[n:]
	}
	for _, ev := range events {
		var step proc
		if IsAct(ev) && json.Unmarshal(ev.Proc, &step) == nil {
			was.ElapsedMS = max(was.ElapsedMS, step.ElapsedMS)
		}
	}
	live.goOn(was)
	log := &recordedPlayers{game: &e.Game, file: filepath.Join(e.Dir, logFile), state: st}
	log.read = func() (ev world.Event, err error, ok bool) {
		if ok = len(events) > 0; ok {
			ev, events = events[0], events[1:]
		}
		return ev, nil, ok
	}
	p := &rejoinedPlayers{log: log, live: live}
	log.happens = func(events []world.Event) error {
		if !aside(events[0].Kind) {
			p.seq = log.state.Seq
		}
		for _, ev := range events {
			live.explain(ev)
		}
		live.held = Held(log.state) && (live.held || events[0].Kind == KindHeld)
		return nil
	}
	return p, st, nil
}

// untold returns the first turn from which there may be something that an agent has not been told before the turn of a state: the one before
// that, or one in which an agent has crashed that was not asked since.
func (e *Episode) untold(st world.State) int {
	first := st.Turn - 1
	for _, agent := range e.Agents {
		if c := crashesOf(st, agent); c.Again >= st.Turn {
			first = min(first, c.Turns[len(c.Turns)-1])
		}
	}
	return first
}

// turnEvents returns the events of a turn in the log in dir.
func turnEvents(dir string, turn int) ([]world.Event, error) {
	var events []world.Event
	for ev, err := range world.Turn(dir, turn) {
		if err != nil {
			return nil, err
		}
		events = append(events, ev)
	}
	return events, nil
}

// rejoinedPlayers are the agents of an episode that goes on: first what the log has of them, then they themselves. They implement players.
type rejoinedPlayers struct {
	log  *recordedPlayers // nil once it has come to its end
	seq  int64            // of the last event in it that agents are shown: an operator may have been the last in it
	live *livePlayers
}

func (p *rejoinedPlayers) act(st world.State, phase *Phase, observations []world.Observation) ([]act, error) {
	if p.log != nil {
		acts, err := p.log.act(st, phase, observations)
		if p.logGoesOn(err) {
			for _, a := range acts {
				p.live.cast.byName[a.agent].draw(a, cmp.Or(phase.Act, p.live.Act))
			}
			return acts, err
		}
		p.live.touched = p.seq > st.Seq
	}
	return p.live.act(st, phase, observations)
}

func (p *rejoinedPlayers) next(st world.State, observations []world.Observation) (act, error) {
	if p.log != nil {
		a, err := p.log.next(st, observations)
		if p.logGoesOn(err) {
			if err == nil {
				p.live.cast.byName[a.agent].draw(a, p.live.Act)
			}
			return a, err
		}
		p.live.touched = p.seq > st.Seq
		return act{}, &movedError{st} // from here on everybody is shown what there is now
	}
	return p.live.next(st, observations)
}

func (p *rejoinedPlayers) later(st world.State) (world.State, error) {
	if p.log != nil {
		after, err := p.log.later(st)
		if p.logGoesOn(err) {
			return after, err
		}
		if p.live.held && p.live.OnHeld != nil {
			p.live.OnHeld()
		}
	}
	return p.live.later(st)
}

func (p *rejoinedPlayers) mended(st world.State, why error) (world.State, error) {
	if p.log != nil {
		after, err := p.log.mended(st, why)
		if p.logGoesOn(err) {
			return after, err
		}
	}
	return p.live.mended(st, why)
}

func (p *rejoinedPlayers) commit(decide func(world.State) ([]world.Event, error)) (world.State, error) {
	if p.log != nil {
		st, err := p.log.commit(decide)
		if p.logGoesOn(err) {
			return st, err
		}
	}
	return p.live.commit(decide)
}

// logGoesOn says whether what the log gave is what happened there; else it has come to its end.
func (p *rejoinedPlayers) logGoesOn(err error) bool {
	if errors.Is(err, errLogEnds) {
		p.log = nil
	}
	return p.log != nil
}
