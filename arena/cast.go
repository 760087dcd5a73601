package arena

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/world"
)

// A cast is the agents of an episode, from their start to their end.
type cast struct {
	players []*player
	byName  map[string]*player
}

// A player is one agent of a cast.
type player struct {
	seat Seat
	hung int // see Episode

	life  atomic.Pointer[lifetime]         // its agent, or the next one
	begin func(before *lifetime) *lifetime // makes another one begin

	usage   agents.Usage // of those that are closed
	closing error        // what went wrong in closing them

	action string // the last that it asked for
	turn   int    // when it did

	unseen error // why it could not be shown the state that it is asked about

	bank     time.Duration // of overtime, at first
	overtime atomic.Int64  // left in its bank, in nanoseconds; it is empty below 0 as well
}

// clock returns the clock of an act, which for all agents that have none of their own is that.
func (p *player) clock(ofAll time.Duration) time.Duration {
	if p.seat.Clocks == nil {
		return ofAll
	}
	return cmp.Or(p.seat.Clocks.Act, ofAll)
}

// used returns what the agent has used of its model in the whole episode.
func (p *player) used() Metered {
	if p.seat.Meter == nil {
		return Metered{Dollars: new(float64)}
	}
	return p.seat.Meter()
}

// spent says why the agent's model does not answer it any more; empty: it does.
func (p *player) spent() string {
	if p.seat.Spent == nil {
		return ""
	}
	return p.seat.Spent()
}

func (p *player) overtimeLeft() time.Duration { return max(0, time.Duration(p.overtime.Load())) }

// draw takes from the bank what an act that counts took longer than the agent's clock, where that of all is ofAll.
func (p *player) draw(a act, ofAll time.Duration) {
	p.overtime.Add(-int64(max(0, a.took()-p.clock(ofAll))))
}

func newCast(seats []Seat, overtime time.Duration, hung int) *cast {
	c := &cast{byName: make(map[string]*player)}
	for _, seat := range seats {
		p := &player{seat: seat, hung: hung, bank: overtime}
		if seat.Clocks != nil {
			p.bank = seat.Clocks.Overtime
		}
		p.overtime.Store(int64(p.bank))
		c.players = append(c.players, p)
		c.byName[seat.Name] = p
	}
	return c
}

// start brings the agents to life who still act in st, some at a time, in the background: each may act as soon as it is ready.
func (c *cast) start(ctx context.Context, atOnce int, st world.State, fenced func(agent, action, reason string, newest bool)) {
	slots := make(chan struct{}, max(atOnce, 1))
	for _, p := range c.players {
		p.begin = func(before *lifetime) *lifetime {
			l := p.live(ctx, slots, func(action, reason string, newest bool) { fenced(p.seat.Name, action, reason, newest) }, before)
			p.life.Store(l)
			return l
		}
		if status, err := statusOf(st, p.seat.Name); err == nil && status != StatusActive {
			p.life.Store(over(errOut))
		} else {
			p.begin(nil)
		}
	}
}

// wait returns when every agent has started, or has failed to.
func (c *cast) wait() {
	for _, p := range c.players {
		<-p.life.Load().ready
	}
}

// each calls do with the index of each observation and its player, for those whose agents have to be waited for in the background, which
// acting counts. Meanwhile it does so itself for the others, one after the other, for whom a goroutine each would take longer than what they
// think.
func (c *cast) each(observations []world.Observation, acting *sync.WaitGroup, do func(i int, p *player)) {
	inLine := make([]*player, len(observations))
	for i, obs := range observations {
		p := c.byName[obs.Agent]
		if p.life.Load().isImmediate() {
			inLine[i] = p
		} else {
			acting.Go(func() { do(i, p) })
		}
	}
	for i, p := range inLine {
		if p != nil {
			do(i, p)
		}
	}
}

// act lets the agent act, within its clock, what is granted besides, and the overtime that is left. Its clock begins when the agent is ready,
// unless that takes its time because it crashed.
func (p *player) act(ctx context.Context, clock, granted time.Duration, obs world.Observation) act {
	l := p.life.Load()
	if l.crash != "" {
		l = p.begin(l)
	}
	if !l.again {
		<-l.ready
	}
	if ctx.Err() != nil && !isLate(ctx) {
		return act{} // the episode is left: nobody shall think about it any more
	}
	if p.unseen != nil {
		return act{agent: obs.Agent, kind: KindError, proc: proc{Reason: p.unseen.Error()}}
	}
	left := p.overtimeLeft()
	limit := clock + granted + left
	if l.heard < 0 {
		l.heard, _ = p.signs(l)
	}
	began := time.Now()
	action, late, err := l.ask(ctx, limit, obs)
	took := time.Since(began)
	a := judge(action, err)
	if late || err == nil && took > limit {
		a = a.late(clock, left)
	}
	if why := p.spent(); why != "" && a.kind != KindAction {
		a.dead = a.kind == KindCrash
		a.kind, a.proc.Reason = KindBudget, why
	}
	p.troubled(&a)
	a.agent = obs.Agent
	a.proc.WallMS = float64(took.Microseconds()) / 1000
	p.remember(l, &a, obs.Turn)
	return a
}

// remember takes down what came of an act in a lifetime. If the agent hangs, that is a crash.
func (p *player) remember(l *lifetime, a *act, turn int) {
	if p.hangs(l, a) {
		dead := l.vital.Kill(fmt.Sprintf("hung: late %d times in a row, without a sign of life", l.silent))
		late := a.proc
		*a = crashed(dead, dead)
		a.agent, a.proc.WallMS, a.proc.Troubles = p.seat.Name, late.WallMS, late.Troubles
	}
	if l.again && !l.acted && l.isReady() && l.err == nil {
		l.acted, a.proc.Started = true, &Started{MS: l.took.Milliseconds()}
	}
	switch a.kind {
	case KindAction:
		p.action, p.turn = a.action.Name, turn
	case KindCrash:
		l.end(*a)
		if a.proc.Crash != nil {
			a.proc.Crash.LastAction, a.proc.Crash.LastTurn = p.action, p.turn
		}
	}
}

// late returns an act as one that did not come within a clock and the overtime that was left.
func (a act) late(clock, left time.Duration) act {
	a.kind, a.action, a.proc.Reason = KindTimeout, world.Action{}, fmt.Sprintf("no action within %v", clock)
	if left > 0 {
		a.proc.Reason += fmt.Sprintf(" and the %v of overtime that were left", left)
	}
	return a
}

// judge tells an action from all that can come in its place.
func judge(action world.Action, err error) act {
	if err == nil {
		if action, err = asLogged(action); err != nil {
			return act{kind: KindInvalid, proc: proc{Reason: err.Error()}}
		}
		return act{kind: KindAction, action: action}
	}
	var dead *agents.DeadError
	var unstarted unstartedError
	switch {
	case errors.Is(err, agents.ErrNoAction):
		return act{kind: KindInvalid, proc: proc{Reason: err.Error()}}
	case errors.As(err, &unstarted):
		_ = errors.As(err, &dead) // it may have begun
		return crashed(err, dead)
	case errors.As(err, &dead):
		return crashed(dead, dead)
	default:
		return act{kind: KindError, proc: proc{Reason: err.Error()}}
	}
}

// asLogged returns an action as its event in the log says it, so that the rules see the same bytes now and in [Verify]. It is an
// error if the log cannot hold it.
func asLogged(a world.Action) (world.Action, error) {
	a.Name = strings.ToValidUTF8(a.Name, "\ufffd")
	if len(a.Args) == 0 {
		return a, nil
	}
	args, err := world.Canonical(a.Args)
	if err != nil {
		return a, fmt.Errorf("the arguments of the action cannot be read: %w", err)
	}
	a.Args = args
	// What the rules make of them may be deeper than the arguments are.
	const room = 100
	if len(args) <= world.MaxDepth-room || bytes.Count(args, []byte("["))+bytes.Count(args, []byte("{")) <= world.MaxDepth-room {
		return a, nil
	}
	if _, err := world.Canonical(slices.Concat(bytes.Repeat([]byte("["), room), args, bytes.Repeat([]byte("]"), room))); err != nil {
		return a, fmt.Errorf("the arguments of the action cannot be logged: %w", err)
	}
	return a, nil
}

// close ends all agents at once, and waits until they are gone.
func (c *cast) close() error {
	errs := make([]error, len(c.players))
	var closing sync.WaitGroup
	for i, p := range c.players {
		closing.Go(func() {
			l := p.life.Load()
			<-l.ready
			_ = p.bury(l) // the player keeps the error
			errs[i] = p.closing
		})
	}
	closing.Wait()
	return errors.Join(errs...)
}
