package arena

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

// livePlayers are the agents of an episode that is being played, and its store. They implement players.
type livePlayers struct {
	*Episode
	ctx     context.Context
	leave   context.CancelCauseFunc // with errOver when the time is up or an operator ends the episode
	cast    *cast
	clock   clock // of the episode
	fence   fence
	watched []Seat            // those of whose attempts there can be evidence
	tried   map[tried]bool    // what the log says that agents were seen to try in the turn that has just ended
	refused map[string]string // why an agent's last action had no effect
	turn    int               // last one that was announced
	held    bool              // the log says that the game is held
	repeats bool              // a past is being played, whose log has what is to be told
	touched bool              // an operator has intervened since the state that agents are about to be shown

	acts     []act // of the last step, whose room the next one uses again
	acting   sync.WaitGroup
	busy     map[string]bool // whether somebody is acting, who has begun to act in a free-running game
	arrivals chan act        // what they did
}

func newLivePlayers(e *Episode, ctx context.Context, leave context.CancelCauseFunc) *livePlayers {
	return &livePlayers{
		Episode: e, ctx: ctx, leave: leave, cast: newCast(e.Seats, e.Overtime, e.Hung), refused: make(map[string]string), turn: -1,
		repeats: e.Past != nil, clock: clock{limit: e.Time, up: func() { leave(errOver) }},
		busy: make(map[string]bool), arrivals: make(chan act, len(e.Seats)), tried: make(map[tried]bool), fence: fence{asked: make(map[string]bool)},
		watched: slices.DeleteFunc(slices.Clone(e.Seats), func(s Seat) bool { return s.Evidence == nil }),
	}
}

func (p *livePlayers) act(st world.State, phase *Phase, observations []world.Observation) ([]act, error) {
	if p.touched {
		return nil, p.lookAgain()
	}
	p.announce(st)
	defer p.listen(st)()
	clock := cmp.Or(phase.Act, p.Act)
	for i := range observations {
		p.tell(st, &observations[i])
	}
	p.acts = slices.Grow(p.acts[:0], len(observations))
	acts := p.acts[:len(observations)]
	var acting sync.WaitGroup
	p.cast.each(observations, &acting, func(i int, player *player) {
		acts[i] = p.ask(st, player, clock, observations[i])
		player.draw(acts[i], clock)
	})
	acting.Wait()
	if p.ctx.Err() != nil {
		return nil, p.whyLeft()
	}
	if len(acts) > 0 {
		acts[0].proc.ElapsedMS = p.clock.elapsed().Milliseconds()
	}
	return acts, nil
}

// next lets everybody act who is not acting yet, and returns what comes first. Nobody begins before all have started, so that it is no
// advantage to start early.
func (p *livePlayers) next(st world.State, observations []world.Observation) (act, error) {
	if p.touched {
		return act{}, p.lookAgain()
	}
	p.announce(st)
	defer p.listen(st)()
	if len(p.busy) == 0 {
		p.cast.wait()
	}
	var shown []world.Observation
	for _, obs := range observations {
		if !p.busy[obs.Agent] && !p.sitsOut(st, obs.Agent) {
			p.busy[obs.Agent] = true
			p.tell(st, &obs)
			shown = append(shown, obs)
		}
	}
	if len(shown) == 0 && !slices.Contains(slices.Collect(maps.Values(p.busy)), true) { // all that are left sit out
		return act{agent: observations[0].Agent, kind: KindBackoff, saw: st.Seq}, nil
	}
	p.cast.each(shown, &p.acting, func(i int, player *player) {
		a := p.ask(st, player, p.Act, shown[i])
		a.saw = st.Seq
		p.arrivals <- a // there is room for each agent's one act
	})
	select {
	case a := <-p.arrivals:
		if p.ctx.Err() != nil {
			return act{}, p.whyLeft()
		}
		p.busy[a.agent] = false
		p.cast.byName[a.agent].draw(a, p.Act)
		a.proc.ElapsedMS = p.clock.elapsed().Milliseconds()
		return a, nil
	case <-p.ctx.Done():
		return act{}, p.whyLeft()
	}
}

// later says that the game is held, or else waits for what an operator does next. The clock of the episode stands still meanwhile.
func (p *livePlayers) later(st world.State) (world.State, error) {
	p.clock.stop()
	defer p.clock.start()
	if !p.held {
		if err := p.sayHeld(st); err != nil {
			return st, err
		}
	}
	var events []world.Event
	for ev, err := range world.Follow(p.ctx, p.Dir, st.Seq) {
		if err != nil {
			return st, err
		}
		if events = append(events, ev); !ev.More {
			st = st.Apply(events...)
			p.held = Held(st) && (p.held || ev.Kind == KindHeld)
			return st, nil
		}
	}
	return st, p.whyLeft()
}

// mended is an error, since the episode ends when the rules fail: who mends that resumes it.
func (p *livePlayers) mended(st world.State, why error) (world.State, error) { return st, why }

// sayHeld makes it an event that the game is held in a state. If somebody has done something since, that comes first: it may let a step be played.
func (p *livePlayers) sayHeld(st world.State) error {
	said := false
	_, err := p.Store.Commit(context.WithoutCancel(p.ctx), func(now world.State) ([]world.Event, error) {
		if said = now.Seq == st.Seq; !said {
			return nil, nil
		}
		return []world.Event{{Kind: KindHeld}}, nil
	})
	if err == nil && said && p.OnHeld != nil {
		p.OnHeld()
	}
	return err
}

// lookAgain makes agents see what an operator has done while nobody was shown anything.
func (p *livePlayers) lookAgain() error {
	p.touched = false
	st, err := p.Store.Commit(context.WithoutCancel(p.ctx), func(world.State) ([]world.Event, error) {
		return []world.Event{{Kind: KindResume}}, nil
	})
	if err != nil {
		return err
	}
	return &movedError{st}
}

// glance is how often the arena looks, while agents act, whether an operator wants to end the episode meanwhile. Quick agents pay nothing for it.
const glance = 200 * time.Millisecond

// listen ends the episode, if an operator wants it to, while agents act who see st. What it returns ends the listening.
func (p *livePlayers) listen(st world.State) (quiet func()) {
	done := make(chan struct{})
	p.acting.Add(1)
	timer := time.AfterFunc(glance, func() {
		defer p.acting.Done()
		p.watch(done, st)
	})
	return func() {
		close(done)
		if timer.Stop() {
			p.acting.Done() // it has not begun
		}
	}
}

// watch looks again and again, until that is done, whether an operator has ended the episode since it was in st.
func (p *livePlayers) watch(done <-chan struct{}, st world.State) {
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	for size := int64(-1); p.ctx.Err() == nil; {
		info, err := os.Stat(filepath.Join(p.Dir, logFile))
		if err == nil && info.Size() != size { // else nothing has happened
			if size = info.Size(); stoppedAfter(p.Dir, st) {
				p.leave(errOver)
			}
		}
		select {
		case <-ticker.C:
		case <-p.ctx.Done():
		case <-done:
			return
		}
	}
}

// stoppedAfter says whether an operator has ended the episode in the log in dir since it was in st.
func stoppedAfter(dir string, st world.State) bool {
	for ev, err := range world.Turn(dir, st.Turn) {
		if err == nil && ev.Seq > st.Seq && ev.Kind == KindOperator {
			if c, err := CommandOf(ev); err == nil && c.Do == DoStop {
				return true
			}
		}
	}
	return false
}

// announce tells of a turn that has begun.
func (p *livePlayers) announce(st world.State) {
	if p.OnTurn != nil && st.Turn > p.turn {
		p.turn = st.Turn
		p.OnTurn(st)
	}
}

// ask returns what an agent does that is shown an observation of a state, if it is asked. The clock of all is ofAll.
func (p *livePlayers) ask(st world.State, player *player, ofAll time.Duration, obs world.Observation) act {
	if p.sitsOut(st, obs.Agent) {
		return act{agent: obs.Agent, kind: KindBackoff}
	}
	p.fence.ask(obs.Agent)
	return player.act(p.ctx, player.clock(ofAll), 0, obs)
}

// tell adds to an observation of a state, which its agent can see now, what it has not been told yet, if it is asked.
func (p *livePlayers) tell(st world.State, obs *world.Observation) {
	if p.sitsOut(st, obs.Agent) {
		return
	}
	p.reveal(st, p.cast.byName[obs.Agent])
	obs.Refused = p.refused[obs.Agent]
	delete(p.refused, obs.Agent)
}

// whyLeft says why the episode is left before its end.
func (p *livePlayers) whyLeft() error {
	if errors.Is(context.Cause(p.ctx), errOver) {
		return errOver
	}
	return errInterrupted
}

func (p *livePlayers) commit(decide func(world.State) ([]world.Event, error)) (world.State, error) {
	// An interruption must not lose what was decided, so the store is not given the context that it ends.
	ctx := context.WithoutCancel(p.ctx)
	begins := p.Store.State().Seq == 0
	var decided []world.Event // it may have to decide twice
	var turn int
	st, err := p.commitAfter(ctx, func(st world.State) (_ []world.Event, err error) {
		turn = st.Turn
		decided, err = decide(st)
		for i := range decided {
			if decided[i].Kind == world.KindTurn {
				decided[i].Proc = world.JSON(p.soFar())
			}
		}
		return decided, err
	})
	for _, ev := range decided {
		if p.explain(ev); err == nil && IsAct(ev) {
			p.fence.settle(ev.Agent)
		}
		if ev.Kind == KindCrash && err == nil && p.OnCrash != nil {
			p.OnCrash(turn, ev)
		}
	}
	if err == nil && begins && p.Paused {
		p.touched = true
		_, err = p.Store.Commit(ctx, func(st world.State) ([]world.Event, error) {
			if _, pauses := pausingOf(st); pauses {
				return nil, nil // an operator was faster, and has asked for steps
			}
			ev, err := p.operate(st, Command{Do: DoPause})
			return []world.Event{ev}, err
		})
	}
	return st, err
}

// explain keeps what an event has to say to its agent about its last action.
func (p *livePlayers) explain(ev world.Event) {
	switch ev.Kind {
	case KindAction:
		delete(p.refused, ev.Agent)
	case world.KindRefusal:
		p.refused[ev.Agent] = refusalReason(ev)
	case KindTimeout, KindInvalid, KindError, KindCrash, KindBudget:
		var data struct{ Consequence Consequence }
		var why proc
		_ = json.Unmarshal(ev.Data, &data)
		_ = json.Unmarshal(ev.Proc, &why) // nothing where it follows a refusal, which has said why
		reason := cmp.Or(why.Reason, p.refused[ev.Agent])
		if data.Consequence == ConsequenceDefault {
			p.refused[ev.Agent] = reason + "; the default action was done in its place"
		} else {
			p.refused[ev.Agent] = "you passed: " + reason
		}
	}
}

// refusalReason returns why an action was refused; empty if the refusal does not say it.
func refusalReason(refusal world.Event) string {
	var data struct{ Reason string }
	_ = json.Unmarshal(refusal.Data, &data)
	return data.Reason
}
