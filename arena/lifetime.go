package arena

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/world"
)

// A lifetime is an agent from its start to its end. A player whose agent has crashed gets another one when it is asked next. The time that
// this takes to start is that of the act: the others wait for nobody longer than its clock runs.
type lifetime struct {
	ready chan struct{} // closed once agent or err is there
	agent agents.Agent
	now   agents.Immediate // agent, if it is one
	vital agents.Vital     // agent, if it is one
	err   error            // why it did not start
	took  time.Duration    // to start

	// What follows is for whoever lets the agent act.
	again  bool   // it is not the player's first
	acted  bool   // it was asked for something, and it had started
	silent int    // of the last acts, for how many it was late without a sign of life
	heard  int64  // signs of life up to the last act that was not so; -1: it has not been asked
	crash  string // why it is over; empty: it is not
}

// A Started is an event's word on the process of an agent that was started again.
type Started struct {
	MS int64 `json:"ms"` // that it took, in milliseconds
}

// A Crash is what an event says of a process that is gone.
type Crash struct {
	Exit       string `json:"exit,omitempty"`              // how it ended, such as "exit status 1" or "signal: killed"
	LivedMS    int64  `json:"lived_ms,omitempty"`          // from its start to its end
	PeakMemory int64  `json:"peak_memory_bytes,omitempty"` // that it had resident at most
	Memory     int64  `json:"memory_bytes,omitempty"`      // that it and all that it had started had when somebody looked last; missing: nobody has
	LastAction string `json:"last_action,omitempty"`       // the last that it did
	LastTurn   int    `json:"last_turn,omitempty"`         // in which turn
}

// An unstartedError is why an agent did not start.
type unstartedError struct{ error }

func (e unstartedError) Error() string { return "did not start: " + e.error.Error() }
func (e unstartedError) Unwrap() error { return e.error }

var errOut = errors.New("it is out already")

// over returns a lifetime that has never begun.
func over(err error) *lifetime {
	l := &lifetime{ready: make(chan struct{}), err: err}
	close(l.ready)
	return l
}

// live returns a new lifetime of the player in place of that before, which may be nil. It begins in the background, when there is a place in slots.
func (p *player) live(ctx context.Context, slots chan struct{}, fenced Fenced, before *lifetime) *lifetime {
	l := &lifetime{ready: make(chan struct{}), again: before != nil, heard: -1}
	go func() { // ends at the latest with ctx; close waits for it
		defer close(l.ready)
		start := p.seat.Start
		if l.again {
			if l.err = p.bury(before); l.err != nil {
				return // nobody is started beside a process that is still there
			}
			if restart := p.seat.Restart; restart != nil {
				start = func(ctx context.Context, fenced Fenced) (agents.Agent, error) {
					return restart(ctx, fenced, before.crash)
				}
			}
		}
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			began := time.Now()
			l.agent, l.err = start(ctx, fenced)
			l.took = time.Since(began)
			if l.err == nil { // else there is no agent, even if there is a pointer to one
				l.now, _ = l.agent.(agents.Immediate)
				l.vital, _ = l.agent.(agents.Vital)
			}
		case <-ctx.Done():
			l.err = ctx.Err()
		}
	}()
	return l
}

// bury closes the agent of a lifetime, which has begun. Its error fails the run when that is over.
func (p *player) bury(l *lifetime) error {
	if l.err != nil {
		return nil // there is no agent, even if there is a pointer to one
	}
	usage, err := l.agent.Close()
	p.usage.PeakMemory = max(p.usage.PeakMemory, usage.PeakMemory)
	if err != nil {
		err = fmt.Errorf("close %s: %w", p.seat.Name, err)
		p.closing = errors.Join(p.closing, err)
	}
	return err
}

// end makes a crash the end of the lifetime.
func (l *lifetime) end(crash act) { l.crash = cmp.Or(crash.proc.Reason, "it crashed") }

// isReady says whether the agent has started, or has failed to.
func (l *lifetime) isReady() bool {
	select {
	case <-l.ready:
		return true
	default:
		return false
	}
}

// isImmediate says whether the agent has started, and answers without waiting.
func (l *lifetime) isImmediate() bool { return l.isReady() && l.now != nil }

// ask asks the agent for an action, and says whether it was called off because it was late.
func (l *lifetime) ask(ctx context.Context, limit time.Duration, obs world.Observation) (action world.Action, late bool, err error) {
	if l.isImmediate() {
		action, err = l.now.ActNow(obs)
		return action, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if !l.isReady() {
		select {
		case <-l.ready:
		case <-ctx.Done():
			return action, isLate(ctx), fmt.Errorf("it is being started again: %w", ctx.Err())
		}
	}
	if l.err != nil {
		return action, false, unstartedError{l.err}
	}
	action, err = l.agent.Act(ctx, obs)
	return action, isLate(ctx) && errors.Is(err, ctx.Err()), err // and not a deadline of the agent's own
}

// isLate says whether ctx has ended because its time is up.
func isLate(ctx context.Context) bool { return errors.Is(context.Cause(ctx), context.DeadlineExceeded) }

// signs returns a number that grows with each sign of life of the agent, and whether it waits for its model.
func (p *player) signs(l *lifetime) (n int64, waits bool) {
	if l.isReady() && l.vital != nil {
		n = l.vital.Heard()
	}
	if p.seat.Asks != nil {
		var times int64
		times, waits = p.seat.Asks()
		n += times
	}
	return n, waits
}

// hangs says whether the agent, which did that last, has been late so often in a row, without a sign of life in all that time, that it is no use to
// wait for it any more. What it answers too late is a sign, also while others act.
func (p *player) hangs(l *lifetime, did *act) bool {
	if !l.isReady() || l.vital == nil || p.hung == 0 {
		return false
	}
	now, waits := p.signs(l)
	if did.kind != KindTimeout || waits || now != l.heard {
		l.silent, l.heard = 0, now
		return false
	}
	l.silent++
	return l.silent >= p.hung
}

// crashed makes of what an agent has died of its act.
func crashed(err error, dead *agents.DeadError) act {
	a := act{kind: KindCrash, proc: proc{Reason: err.Error()}}
	if dead != nil {
		a.proc.Detail, a.proc.Breach = dead.Detail, dead.Ending.Breach
		a.proc.Crash = &Crash{
			Exit: dead.Ending.Exit, LivedMS: dead.Ending.Lived.Milliseconds(), PeakMemory: dead.Ending.PeakMemory, Memory: dead.Ending.Memory,
		}
	}
	return a
}
