// Package agents says what a player is, and runs the child processes that some of them live in.
//
// An [Agent] is the Gym loop from the other side: it is shown an observation and answers with an action. The packages below
// it are the kinds of agents there are; none of them ever writes the world.
package agents

import (
	"context"
	"errors"

	"github.com/vitrine-sim/vitrine/world"
)

// An Agent is one player of one episode.
type Agent interface {
	// Act shows the agent an observation and returns what it does about it. When ctx ends first, Act returns ctx.Err()
	// promptly; what the agent answers later is not taken for an answer to anything else. Any other error is
	// [ErrNoAction], a [*DeadError], or says why the agent could not act this once.
	// Calls do not overlap.
	Act(ctx context.Context, obs world.Observation) (world.Action, error)
	// Close ends the agent and every process it started, and says what it used. It is called once, and never during Act.
	Close() (Usage, error)
}

// An Immediate is an agent that answers without waiting for anything: neither for another process nor for the time. So there is nothing to
// call off, and whoever plays it may call it in line, one such agent after the other, and look at the clock when it has answered.
type Immediate interface {
	Agent
	// ActNow is Act of a context that does not end.
	ActNow(obs world.Observation) (world.Action, error)
}

// A Vital is an agent with a process of its own that can hang.
type Vital interface {
	Agent
	// Heard returns how much the process has said so far: it grows with each sign of life.
	Heard() int64
	// Kill ends the process at once for a reason, and returns how it ended. It is never called during Act.
	Kill(reason string) *DeadError
}

// A Usage is what an agent used of the machine.
type Usage struct {
	PeakMemory int64 // bytes resident at most; 0: no process of its own
}

// ErrNoAction is returned by Act when the agent finished its turn and did nothing.
var ErrNoAction = errors.New("ended its turn without an action")

// A DeadError is returned by Act when the agent is gone and will never act again.
type DeadError struct {
	Reason string // what ended it: an exit status, a signal
	Detail string // the last it had to say, such as the end of its standard error; may be empty
	Ending Ending // of its process; may be empty
}

func (e *DeadError) Error() string {
	return "agent is gone: " + e.Reason
}
