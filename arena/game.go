package arena

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/world"
)

// A Consequence is what follows when an agent does not act as it should.
type Consequence string

const (
	ConsequencePass    Consequence = "pass"    // it does nothing this once
	ConsequenceDefault Consequence = "default" // it does Game.Default this once; in a phase where that is not legal, it passes
	ConsequenceOut     Consequence = "out"     // it never acts again
	ConsequenceEnd     Consequence = "end"     // nor does anybody else: the episode is truncated; only of a budget that is spent
)

// Consequences says what follows from which misbehaviour. An Error is a crash as well, after which the agent is started again.
type Consequences struct {
	Timeout Consequence
	Invalid Consequence
	Error   Consequence
	Budget  Consequence
}

func (c Consequences) of(kind string) Consequence {
	switch kind {
	case KindTimeout:
		return c.Timeout
	case KindInvalid:
		return c.Invalid
	case KindError, KindCrash, KindBackoff:
		return c.Error
	case KindBudget:
		return c.Budget
	}
	return ConsequencePass
}

// A Game is all that decides an episode apart from what its agents do: with the same acts it gives the same events, byte for byte.
type Game struct {
	Rules        world.Rules
	Revisions    *Revisions // compile rules that an operator puts in their place; nil: nobody can
	Schedule     Schedule   // of a game without phases
	Phases       []Phase    // of each turn, in their order; may be empty
	Free         bool       // everybody acts whenever it is ready: there is neither a schedule nor phases
	Seed         uint64
	Agents       []string // names in seat order
	Turns        int      // the episode is truncated after so many turns
	Talk         Talk
	Consequences Consequences
	Restart      Restart
	Default      world.Action // of everybody, where a consequence asks for it; it is nobody's in particular
}

// An act is what came of one agent's turn to act.
type act struct {
	agent  string
	action world.Action // what it asked for, if kind is KindAction
	kind   string       // KindAction, KindTimeout, KindInvalid, KindError, KindCrash, KindBudget or KindBackoff
	dead   bool         // it never acts again, whatever is declared
	saw    int64        // number of the last event of the state that it was shown
	proc   proc         // facts of the process
}

// A proc is what an act's event says of the process that acted: not of the world, and different each time.
type proc struct {
	WallMS    float64 `json:"wall_ms"`              // time that the act took, in milliseconds
	ElapsedMS int64   `json:"elapsed_ms,omitempty"` // on the clock of the episode when the step was over
	Reason    string  `json:"reason,omitempty"`     // why there is no action
	Detail    string  `json:"detail,omitempty"`     // the last that a dead process had to say

	Troubles []Trouble      `json:"troubles,omitempty"` // with its model
	Breach   *agents.Breach `json:"breach,omitempty"`   // the limit of its resources that it was ended for
	Crash    *Crash         `json:"crash,omitempty"`    // of a process that is gone
	Started  *Started       `json:"started,omitempty"`  // it is the first act of a process that was started after a crash
}

// took returns the time that an act took.
func (a act) took() time.Duration { return time.Duration(a.proc.WallMS * float64(time.Millisecond)) }

// players is where acts come from: from agents in [Episode.Run], from a log in [Verify].
type players interface {
	// act returns one act for each observation, in the same order. errOver ends the episode, errInterrupted leaves it, and a
	// movedError says where to look again.
	act(st world.State, phase *Phase, observations []world.Observation) ([]act, error)
	// next returns the act that comes first, in a free-running game, of those who are shown an observation and those who are
	// acting already, who are shown nothing. The errors are those of act.
	next(st world.State, observations []world.Observation) (act, error)
	// later returns the state after the next event that comes from outside the game, which stands still until then. The errors are
	// those of act.
	later(st world.State) (world.State, error)
	// mended returns the state in which an operator has seen to it that agents can be shown something again, which the rules failed to do in st.
	// The error is why they failed, if nobody has done anything about it.
	mended(st world.State, why error) (world.State, error)
	// commit makes what decide returns happen, and returns the state after it.
	commit(decide func(world.State) ([]world.Event, error)) (world.State, error)
}

// How an episode stands when it is left (Gymnasium's words for the first two).
const (
	Terminated  = "terminated"  // the rules ended it
	Truncated   = "truncated"   // a limit did, or nobody was left to play it
	Interrupted = "interrupted" // it has not ended: somebody stopped it
	Failed      = "failed"      // it could not go on
)

// Why it has ended.
const (
	byTheRules  = "by the rules"
	allOut      = "every agent is out"
	TurnLimit   = "limit of turns" // of the scenario
	TimeLimit   = "limit of time"
	BudgetLimit = "limit of the budget" // the scenario ends it then, or every agent is out and some for that
	byOperator  = "stopped by the operator"
)

// An End is how an episode ended.
type End struct {
	Status string `json:"status"` // Terminated, Truncated, Interrupted or Failed
	Reason string `json:"reason"`
}

var (
	errOver        = errors.New("the time is up, or an operator has ended the episode")
	errInterrupted = errors.New("interrupted")
)

// A movedError says that agents shall act in another state than the one that they would have been shown: an operator was there before.
type movedError struct{ to world.State }

func (*movedError) Error() string { return "the state has moved on" }

// play plays an episode to its end from a state with which a turn begins, or from the zero state.
func (g *Game) play(p players, st world.State) (world.State, End, error) {
	var err error
	if st.Seq == 0 {
		st, err = p.commit(g.opening)
	}
	var end End
	for err == nil && end == (End{}) {
		var seen []world.Observation
		seen, err = g.look(st, g.Agents)
		switch {
		case err != nil:
			st, err = p.mended(st, err)
		case len(seen) == 0:
			end, err = g.nobodyLeft(st)
		case st.Turn >= g.Turns:
			end = End{Truncated, TurnLimit}
		default:
			st, err = g.turn(p, st, seen)
		}
	}
	if errors.Is(err, errOver) {
		end, err = End{Truncated, TimeLimit}, nil
	}
	if err == nil {
		st, end, err = g.end(p, end)
	}
	if errors.Is(err, errInterrupted) || errors.Is(err, context.Canceled) { // of the rules, which nobody waits for any more
		return st, End{Interrupted, fmt.Sprintf("in turn %d", st.Turn)}, nil
	}
	return st, end, err
}

// nobodyLeft says how an episode has ended in which nobody acts any more: by the rules, if they have ended it for somebody who
// is not out, or for everybody.
func (g *Game) nobodyLeft(st world.State) (End, error) {
	ended, reason := true, allOut
	for _, agent := range g.Agents {
		obs, _, err := g.observe(st, agent)
		if err != nil {
			return End{}, err
		}
		status, _ := statusOf(st, agent)
		if status == StatusActive {
			return End{Terminated, byTheRules}, nil
		}
		if status == StatusBudget {
			reason = BudgetLimit
		}
		ended = ended && obs.Terminated
	}
	if ended {
		return End{Terminated, byTheRules}, nil
	}
	return End{Truncated, reason}, nil
}

// end ends the episode. If it is its time that is up, something else may have ended it first.
func (g *Game) end(p players, end End) (world.State, End, error) {
	st, err := p.commit(func(st world.State) ([]world.Event, error) {
		if end.Reason == TimeLimit {
			seen, err := g.look(st, g.Agents)
			switch why := whyStopped(st); {
			case why != "":
				end.Reason = why
			case err == nil && len(seen) == 0: // an operator has just seen to that
				end, err = g.nobodyLeft(st)
			}
			if err != nil {
				return nil, err
			}
		}
		return g.ending(st, end)
	})
	if err != nil {
		return st, End{}, err
	}
	return st, end, nil
}

// ready returns the state in which the game goes on when no operator holds it any more.
func (g *Game) ready(p players, st world.State) (world.State, error) {
	for Held(st) && !g.IsOver(st) {
		var err error
		if st, err = p.later(st); err != nil {
			return st, err
		}
	}
	if Stopped(st) {
		return st, errOver
	}
	return st, nil
}

// turn plays one turn. What the live agents see as it begins is known from before.
func (g *Game) turn(p players, st world.State, seen []world.Observation) (world.State, error) {
	if g.Free {
		return g.runFree(p, st, len(seen))
	}
	for _, s := range g.steps(st.Turn, agentsOf(seen)) {
		var err error
		if st, err = g.step(p, st, seen, s); err != nil {
			return st, err
		}
		seen = nil // the state has moved on
	}
	return st, nil
}

// step lets some agents see the same state and act, then commits what follows. What all live agents see is known from before, if seen says it.
func (g *Game) step(p players, st world.State, seen []world.Observation, s step) (world.State, error) {
	for {
		on, err := g.ready(p, st)
		if err != nil {
			return on, err
		}
		if on.Seq != st.Seq {
			st, seen = on, nil
		}
		observations, err := g.show(st, seen, s)
		if err != nil {
			if st, err = p.mended(st, err); err != nil {
				return st, err
			}
			seen = nil
			continue
		}
		if len(observations) == 0 && len(s.then) == 0 {
			return st, nil // the rules may have ended everybody's part since the turn began
		}
		acts, err := p.act(st, s.phase, observations)
		if moved := (*movedError)(nil); errors.As(err, &moved) {
			st, seen = moved.to, nil
			continue
		}
		if err != nil {
			return st, err
		}
		for i := range acts {
			acts[i].saw = st.Seq
		}
		return p.commit(func(st world.State) ([]world.Event, error) { return g.resolve(st, acts, s) })
	}
}
