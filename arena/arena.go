// Package arena plays one episode: turns, steps, deadlines and limits, and what is written about it.
//
// An episode is a loop over turns. A [Schedule] divides a turn, or each [Phase] of it, into steps; all agents of a step see the
// same state and act at once; then one commit writes what they did and what follows from it by the rules. In a free-running game
// each act is a step of its own, in the order in which they come. The loop knows neither agents nor files: acts come from one
// side, commits go to the other. In [Episode.Run] those are living agents and the world's store; in [Verify] they are the acts
// that a log recorded and the events that it must hold, so that what is verified is the very code that played.
//
// An agent that is late, dead, or does nothing is an event with a declared consequence, and the episode goes on. One whose process has crashed, or
// hangs, is started again if there is a [Restart], and is asked again in a turn that the log decides and not the time. An act that nobody waits for,
// because it is late, doubled, or of a process that was replaced, is refused, and that is an event too.
//
// Agents talk by the action [Say], in games with [Talk]; what they say waits in the facts run/mail until those who are meant have
// seen it in an observation to which an act came.
//
// An operator can change facts, tell agents something, and hold the game, from any process: [Game.Intervene] commits it like anything else. The
// game sees such a commit with its own next one, so that the log alone says who knew of it when they acted.
//
// An episode that was interrupted, or whose supervisor was killed, goes on where its log ends; see [Episode.Run].
//
// The folder of a run is described at [Manifest] and [Result].
package arena

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/world"
)

// An Episode is a game with agents that play it and a store that it happens in.
type Episode struct {
	Game
	Dir      string // the run's folder, where Store is
	Store    *world.Store
	Seats    []Seat                            // in the order of Game.Agents
	Act      time.Duration                     // clock of one act, where its phase has none of its own
	Overtime time.Duration                     // bank of each agent that has none of its own, for the whole episode, from which an act draws that takes longer
	Time     time.Duration                     // clock of the whole episode; it stands still while an operator holds the game
	Hung     int                               // acts in a row for which an agent is late without a sign of life, after which it has crashed; 0: any number
	Starts   int                               // how many agents may be starting at once
	Paused   bool                              // it is held when it has begun, or when it goes on live from a past
	OnTurn   func(world.State)                 // told of the state as each turn begins; may be nil
	OnHeld   func()                            // told when an operator holds it and nobody acts any more; may be nil
	OnCrash  func(turn int, crash world.Event) // told of each event that an agent has crashed, when it is in the log; none of a past; may be nil
	Past     *Past                             // the episode that it begins with, again; nil: none
	Branches []Game                            // that take the place of Game and of each other, in the order in which they do; none without a past
}

// A Seat is a place at the table, and how to bring the agent who sits there to life.
type Seat struct {
	Name string
	// Start starts the agent. Each act that is refused because nobody waits for it, being late, doubled, or of a process that was
	// replaced, is told to fenced, at any time and from any goroutine.
	Start func(ctx context.Context, fenced Fenced) (agents.Agent, error)
	// Restart starts the agent again after a crash, and is told its reason; nil: Start does.
	Restart func(ctx context.Context, fenced Fenced, why string) (agents.Agent, error)
	// Meter returns what the agent has used of its model in the whole episode; nil: it has none.
	Meter func() Metered
	// Spent says why the agent's model does not answer it any more, because a budget is spent; empty: it does. nil: there is no budget.
	Spent func() string
	// Troubles returns what troubles there were with its model since it was called last; nil: it has none.
	Troubles func() []Trouble
	// Asks returns how often the agent has asked its model for something, and whether it waits for an answer now; nil: it has no model.
	Asks     func() (times int64, waits bool)
	Evidence *tamper.Evidence // of what it tries beside the game; nil: nobody watches it
	Clocks   *Clocks          // nil: the agent has those of all
	// Facts shows the agent a state besides its observation of it, before it gets that, without the facts at hidden paths; nil: it sees nothing else.
	Facts func(st world.State, hidden []string) error
	// Recorded says that the agent is not asked as long as the past is played: its acts are there.
	Recorded bool
}

// Clocks are those of one agent, in place of the episode's.
type Clocks struct {
	Act      time.Duration // of each act, in any phase; 0: that of all
	Overtime time.Duration // its bank
}

// Fenced is told the name of an action that was refused because nobody waited for it, why, and whether it was meant for the newest observation of
// its agent.
type Fenced func(action, reason string, newest bool)

// An Outcome is how an episode went.
type Outcome struct {
	End
	State world.State
	Time  time.Duration // that the episode took, without that in which it was held or nobody played it
	Seats []SeatOutcome // in seat order
}

// A SeatOutcome is how an episode went for one agent.
type SeatOutcome struct {
	Name   string
	Status Status
	Reward float64
	Metered
	Usage agents.Usage
}

// Run plays the episode. If the store holds a part of it, because it was interrupted or its supervisor was killed, it goes on there: what
// agents did that is in the log is done, and nobody is asked for it again. Its agents are gone when it returns. When ctx ends, the episode
// is interrupted: that is an outcome and not an error, and the log says nothing of it, for the episode is not over. The outcome beside an
// error says how far it went.
func (e *Episode) Run(ctx context.Context) (Outcome, error) {
	playing, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	live := newLivePlayers(e, playing, leave)
	p, st, err := e.rejoin(live)
	if err != nil {
		return Outcome{}, err
	}
	live.cast.start(playing, e.Starts, e.Store.State(), live.fence.refuse)
	var end End
	if live.repeats {
		st, end, err = e.playPast(live)
	} else {
		live.clock.start()
		st, end, err = e.play(p, st)
	}
	live.clock.stop()
	leave(nil)
	live.acting.Wait()
	attempts := live.attempts() // what agents do as they are told to go is none
	err = errors.Join(err, live.cast.close())
	if !live.repeats && end.Status == Interrupted && st.Seq > 0 {
		err = errors.Join(err, live.testify(context.WithoutCancel(ctx), append(live.fence.decided(st), attempts...)))
	}
	st = e.Store.State() // it may be later than that in which agents were asked last
	out := Outcome{End: end, State: st, Time: live.clock.elapsed()}
	for _, p := range live.cast.players {
		seat := SeatOutcome{Name: p.seat.Name, Metered: p.used(), Usage: p.usage}
		if st.Seq > 0 { // it has begun
			var standErr error
			seat.Status, seat.Reward, standErr = e.Standing(st, seat.Name)
			err = cmp.Or(err, standErr) // what has ended the episode may be just that
		}
		out.Seats = append(out.Seats, seat)
	}
	return out, err
}
