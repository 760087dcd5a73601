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
	seat  Seat
	ready chan struct{} // closed once agent or err is there
	agent agents.Agent
	now   agents.Immediate // agent, if it is one
	err   error            // why it did not start

	usage agents.Usage

	unseen error // why it could not be shown the state that it is asked about

	bank     time.Duration // of overtime, at first
	mu       sync.Mutex
	overtime time.Duration // left in its bank
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

func (p *player) overtimeLeft() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.overtime
}

// draw takes from the bank what an act took longer than its clock.
func (p *player) draw(took, clock time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.overtime = max(0, p.overtime-max(0, took-clock))
}

func newCast(seats []Seat, overtime time.Duration) *cast {
	c := &cast{byName: make(map[string]*player)}
	for _, seat := range seats {
		p := &player{seat: seat, ready: make(chan struct{}), bank: overtime}
		if seat.Clocks != nil {
			p.bank = seat.Clocks.Overtime
		}
		p.overtime = p.bank
		c.players = append(c.players, p)
		c.byName[seat.Name] = p
	}
	return c
}

var errOut = errors.New("it is out already")

// start brings the agents to life who still act in st, some at a time, in the background: each may act as soon as it is ready.
func (c *cast) start(ctx context.Context, atOnce int, st world.State, fenced func(agent, action, reason string)) {
	slots := make(chan struct{}, max(atOnce, 1))
	for _, p := range c.players {
		if status, err := statusOf(st, p.seat.Name); err == nil && status != StatusActive {
			p.err = errOut
			close(p.ready)
			continue
		}
		go func() { // ends at the latest with ctx; close waits for it
			defer close(p.ready)
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
				p.agent, p.err = p.seat.Start(ctx, func(action, reason string) { fenced(p.seat.Name, action, reason) })
				p.now, _ = p.agent.(agents.Immediate)
			case <-ctx.Done():
				p.err = ctx.Err()
			}
		}()
	}
}

// wait returns when every agent has started, or has failed to.
func (c *cast) wait() {
	for _, p := range c.players {
		<-p.ready
	}
}

// each calls do with the index of each observation and its player, for those whose agents have to be waited for in the background, which
// acting counts. Meanwhile it does so itself for the others, one after the other, for whom a goroutine each would take longer than what they
// think.
func (c *cast) each(observations []world.Observation, acting *sync.WaitGroup, do func(i int, p *player)) {
	inLine := make([]*player, len(observations))
	for i, obs := range observations {
		p := c.byName[obs.Agent]
		if p.isImmediate() {
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

// isImmediate says whether the agent has started, and answers without waiting.
func (p *player) isImmediate() bool {
	select {
	case <-p.ready:
		return p.now != nil
	default:
		return false
	}
}

// act lets the agent act. Its clock begins when the agent is ready. What the act takes beyond it is drawn from the agent's overtime.
func (p *player) act(ctx context.Context, clock time.Duration, obs world.Observation) act {
	<-p.ready
	if ctx.Err() != nil {
		return act{} // the episode is left: nobody shall think about it any more
	}
	if p.err != nil {
		return act{agent: obs.Agent, kind: KindError, dead: true, proc: proc{Reason: "did not start: " + p.err.Error()}}
	}
	if p.unseen != nil {
		return act{agent: obs.Agent, kind: KindError, proc: proc{Reason: p.unseen.Error()}}
	}
	left := p.overtimeLeft()
	limit := clock + left
	began := time.Now()
	action, late, err := p.ask(ctx, limit, obs)
	took := time.Since(began)
	a := judge(action, err)
	if late || err == nil && took > limit {
		reason := fmt.Sprintf("no action within %v", clock)
		if limit > clock {
			reason += fmt.Sprintf(" and the %v of overtime that were left", left)
		}
		a = act{kind: KindTimeout, proc: proc{Reason: reason}}
	}
	if why := p.spent(); why != "" && a.kind != KindAction {
		a.kind, a.proc.Reason = KindBudget, why
	}
	p.draw(took, clock)
	p.troubled(&a)
	a.agent = obs.Agent
	a.proc.WallMS = float64(took.Microseconds()) / 1000
	return a
}

// ask asks the agent for an action, and says whether it was called off because it was late.
func (p *player) ask(ctx context.Context, limit time.Duration, obs world.Observation) (action world.Action, late bool, err error) {
	if p.now != nil {
		action, err = p.now.ActNow(obs)
		return action, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	action, err = p.agent.Act(ctx, obs)
	return action, errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil, err // and not a deadline of the agent's own
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
	switch {
	case errors.Is(err, agents.ErrNoAction):
		return act{kind: KindInvalid, proc: proc{Reason: err.Error()}}
	case errors.As(err, &dead):
		return act{kind: KindError, dead: true, proc: proc{Reason: dead.Error(), Detail: dead.Detail, Breach: dead.Ending.Breach}}
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
			<-p.ready
			if p.err != nil {
				return // there is no agent, even if there is a pointer to one
			}
			var err error
			if p.usage, err = p.agent.Close(); err != nil {
				errs[i] = fmt.Errorf("close %s: %w", p.seat.Name, err)
			}
		})
	}
	closing.Wait()
	return errors.Join(errs...)
}
