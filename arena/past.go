package arena

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

// A Past is a recorded episode that another one begins with: its agents are shown what they were shown, and must do what they did. What came
// from outside, operators and acts that nobody waited for, comes from its log again. So the log of the new episode is that of the old one, but
// for times and facts of processes, as far as the past goes.
type Past struct {
	Dir   string // the folder of its run
	Turns int    // the episode goes on live from this turn, as the last of its branches; negative: not at all
	// Branched is told when one of Episode.Branches begins, by its index, before anybody acts in it.
	Branched func(index int) error
}

// A DepartedError says that an agent does not do again what it did.
type DepartedError struct {
	Turn  int
	Agent string
	Then  string // what it did, in words
	Now   string // what it does
}

func (e *DepartedError) Error() string {
	return fmt.Sprintf("turn %d: agent %q does something else than it did:\nrecorded: %s\nnow:      %s", e.Turn, e.Agent, e.Then, e.Now)
}

// errBranched says that the episode goes on by another game.
var errBranched = errors.New("here a branch begins")

// branching is the event with which a game takes the place of the one before it.
func (g *Game) branching() world.Event {
	seed := world.JSON(g.Seed)
	return world.Event{
		Kind: KindBranch, Data: world.JSON(map[string]any{"seed": seed}), Set: map[string]json.RawMessage{world.SeedFact: seed},
	}
}

// pastPlayers are the agents of an episode that repeats another one. They implement players.
type pastPlayers struct {
	log      *recordedPlayers // of the other one
	live     *livePlayers
	thinking map[string]thought // of a free-running game: what those do who are acting
}

// playPast plays an episode as it was played, and then as the last of its branches if it has one more than its past.
func (e *Episode) playPast(live *livePlayers) (world.State, End, error) {
	next, stop := iter.Pull2(until(world.Events(e.Past.Dir), e.Past.Turns))
	defer stop()
	p := &pastPlayers{live: live, thinking: make(map[string]thought)}
	p.log = &recordedPlayers{
		game: &e.Game, branches: e.Branches, file: filepath.Join(e.Past.Dir, logFile), read: next, happens: p.write,
	}
	live.clock.since = time.Now() // there is no limit as yet
	st, end, err := e.play(p, world.State{})
	for errors.Is(err, errBranched) {
		if err = e.branch(len(e.Branches) - len(p.log.branches) - 1); err == nil {
			st, end, err = e.play(p, e.Store.State())
		}
	}
	live.clock.stop()
	ended := err == nil && end.Status != Interrupted
	switch {
	case e.Past.Turns < 0 && errors.Is(err, errLogEnds):
		return e.Store.State(), End{Interrupted, fmt.Sprintf("the recording ends in turn %d", p.log.state.Turn)}, nil
	case e.Past.Turns >= 0 && (ended || errors.Is(err, errLogEnds) && p.log.state.Turn != e.Past.Turns):
		return st, End{}, fmt.Errorf("the recording ends in turn %d, before turn %d", p.log.state.Turn, e.Past.Turns)
	case !errors.Is(err, errLogEnds):
		return st, end, err
	}
	return p.leave()
}

// branch makes one of the branches the game that is played.
func (e *Episode) branch(index int) error {
	e.Game = e.Branches[index]
	if e.Past.Branched == nil {
		return nil
	}
	return e.Past.Branched(index)
}

// leave plays the episode on, live.
func (p *pastPlayers) leave() (world.State, End, error) {
	e := p.live.Episode
	if err := e.branch(len(e.Branches) - 1); err != nil {
		return e.Store.State(), End{}, err
	}
	st, err := e.Store.Commit(context.WithoutCancel(p.live.ctx), func(world.State) ([]world.Event, error) {
		return []world.Event{e.branching()}, nil
	})
	how := ""
	switch _, pauses := pausingOf(st); {
	case e.Paused:
		how = DoPause
	case pauses: // whoever held the game then does not hold this one
		how = DoContinue
	}
	if err == nil && how != "" && !e.IsOver(st) {
		p.live.touched = true
		_, err = e.Intervene(context.WithoutCancel(p.live.ctx), e.Store, Command{Do: how})
		if refused := (*RefusedError)(nil); errors.As(err, &refused) {
			err = nil // an operator was faster
		}
	}
	if err != nil {
		return st, End{}, err
	}
	p.live.fence.events(st) // what was refused again is in the log already
	p.live.attempts()
	p.live.repeats = false
	for agent, thought := range p.thinking {
		p.live.busy[agent] = true
		player := p.live.cast.byName[agent]
		clock, left := player.clock(p.live.Act), player.overtimeLeft()
		p.live.acting.Go(func() {
			defer time.AfterFunc(time.Until(thought.began.Add(clock+left)), thought.quit).Stop()
			a := <-thought.done
			if a.kind == KindAction && a.took() > clock+left { // it was granted more as long as it might have been of the past
				a = a.late(clock, left)
			}
			p.live.arrivals <- a // there is room for each agent's one act
		})
	}
	p.live.clock.start()
	return e.play(p.live, st)
}

// until returns the events up to the commit with which a turn begins to be played; all of them if it is negative.
func until(events iter.Seq2[world.Event, error], turn int) iter.Seq2[world.Event, error] {
	return func(yield func(world.Event, error) bool) {
		more := false
		for ev, err := range events {
			if err == nil && !more && turn >= 0 && ev.Turn >= turn {
				return
			}
			if more = ev.More; !yield(ev, err) {
				return
			}
		}
	}
}

// write makes what happened then happen again.
func (p *pastPlayers) write(events []world.Event) error {
	_, err := p.live.Store.Commit(context.WithoutCancel(p.live.ctx), func(st world.State) ([]world.Event, error) {
		if st.Seq+1 != events[0].Seq {
			return nil, errors.New("somebody has intervened in an episode that repeats another one")
		}
		for i := range events {
			p.live.explain(events[i])
			if events[i].Kind == world.KindTurn {
				events[i].Proc = world.JSON(p.live.soFar())
			}
		}
		return events, nil
	})
	return err
}

func (p *pastPlayers) act(st world.State, phase *Phase, observations []world.Observation) ([]act, error) {
	acts, err := p.log.act(st, phase, observations)
	if err != nil {
		return nil, err
	}
	p.live.announce(st)
	errs := make([]error, len(acts))
	var acting sync.WaitGroup
	for i, obs := range observations {
		p.live.tell(st, &obs)
		again := func() { acts[i], errs[i] = p.again(cmp.Or(phase.Act, p.live.Act), acts[i], obs) }
		if p.live.cast.byName[obs.Agent].seat.Recorded {
			again()
		} else {
			acting.Go(again)
		}
	}
	acting.Wait()
	if p.live.ctx.Err() != nil {
		return nil, p.live.whyLeft()
	}
	return acts, errors.Join(errs...)
}

// next waits for the agent whose act came first then. Everybody else is shown what it was shown, and may be done already.
func (p *pastPlayers) next(st world.State, observations []world.Observation) (act, error) {
	then, err := p.log.next(st, observations)
	if err != nil {
		return act{}, err
	}
	p.live.announce(st)
	if p.live.cast.wait(); p.live.ctx.Err() != nil {
		return act{}, p.live.whyLeft()
	}
	for _, obs := range observations {
		if _, thinks := p.thinking[obs.Agent]; !thinks && !p.live.cast.byName[obs.Agent].seat.Recorded && !p.live.sitsOut(st, obs.Agent) {
			p.live.tell(st, &obs)
			p.thinking[obs.Agent] = p.think(st, obs)
		}
	}
	player := p.live.cast.byName[then.agent]
	player.draw(then, p.live.Act)
	thought, asked := p.thinking[then.agent]
	if asked && then.kind == KindCrash {
		defer time.AfterFunc(player.crashing(then), thought.quit).Stop()
		<-thought.done
		delete(p.thinking, then.agent)
		player.life.Load().end(then)
		return then, nil
	}
	if !asked || then.dead {
		return then, nil
	}
	delete(p.thinking, then.agent)
	if then.kind == KindTimeout {
		defer time.AfterFunc(time.Until(thought.began.Add(then.took())), thought.quit).Stop()
	}
	now := <-thought.done
	a, err := then.repeatedBy(st.Turn, now)
	if err != nil && now.saw != then.saw && p.live.ctx.Err() == nil {
		if thought, err = p.anew(thought.obs, st.Turn, then.saw); err == nil {
			a, err = then.repeatedBy(st.Turn, <-thought.done)
		}
	}
	if p.live.ctx.Err() != nil {
		return act{}, p.live.whyLeft()
	}
	return a, err
}

// later returns the state after what somebody from outside did next.
func (p *pastPlayers) later(st world.State) (world.State, error) { return p.log.later(st) }

func (p *pastPlayers) mended(st world.State, why error) (world.State, error) {
	return p.log.mended(st, why)
}

func (p *pastPlayers) commit(decide func(world.State) ([]world.Event, error)) (world.State, error) {
	return p.log.commit(decide)
}

// slack is what an act may take longer than its clock says, if it came in time then.
const slack = time.Minute

// again lets an agent do what it did, and returns that with the facts of the process that does it now.
func (p *pastPlayers) again(ofAll time.Duration, then act, obs world.Observation) (act, error) {
	player := p.live.cast.byName[obs.Agent]
	clock := player.clock(ofAll)
	defer player.draw(then, ofAll)
	if player.seat.Recorded || then.dead || then.kind == KindBackoff {
		return then, nil
	}
	<-player.life.Load().ready
	ctx := p.live.ctx
	if then.kind == KindCrash {
		if within := player.crashing(then); within > 0 {
			ctx, cancel := context.WithTimeout(ctx, within)
			defer cancel()
			player.act(ctx, within, 0, obs)
		}
		player.life.Load().end(then)
		return then, nil
	}
	if then.kind == KindTimeout {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, then.took())
		defer cancel()
	}
	return then.repeatedBy(obs.Turn, player.act(ctx, clock, slack, obs))
}

// crashing returns how long an agent gets to crash again as it did then, before it is ended. One with a model may not ask it for what it had no
// answer to then, so it gets no time.
func (p *player) crashing(then act) time.Duration {
	if p.seat.Asks != nil {
		return 0
	}
	return then.took() + 5*time.Second
}

// repeatedBy returns an act with the facts of the process that has done it again. It is a [*DepartedError] if it has not. What kept it from
// acting need not be the same: another clock has run.
func (a act) repeatedBy(turn int, now act) (act, error) {
	same := a.kind != KindAction && now.kind != KindAction ||
		a.kind == KindTimeout && now.took() >= a.took() || // it would have been late then too
		a.kind == now.kind && a.action.Name == now.action.Name && bytes.Equal(a.action.Args, now.action.Args)
	if !same {
		return a, &DepartedError{Turn: turn, Agent: a.agent, Then: a.String(), Now: now.String()}
	}
	if a.kind == KindAction {
		a.proc = now.proc
	}
	return a, nil
}

// String puts an act into words.
func (a act) String() string {
	if a.kind == KindAction {
		return string(appendAction(nil, a.action))
	}
	return strings.TrimSuffix("nothing: "+a.kind+", "+a.proc.Reason, ", ")
}
