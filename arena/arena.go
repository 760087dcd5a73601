// Package arena plays one episode: turns, steps, deadlines and limits, and what is written about it.
//
// An episode is a loop over turns. A [Schedule] divides a turn, or each [Phase] of it, into steps; all agents of a step see the
// same state and act at once; then one commit writes what they did and what follows from it by the rules. In a free-running game
// each act is a step of its own, in the order in which they come. The loop knows neither agents nor files: acts come from one
// side, commits go to the other. In [Episode.Run] those are living agents and the world's store; in [Verify] they are the acts
// that a log recorded and the events that it must hold, so that what is verified is the very code that played.
//
// An agent that is late, dead, or does nothing is an event with a declared consequence, and the episode goes on.
//
// The folder of a run is described at [Manifest] and [Result].
package arena

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/world"
)

// An Episode is a game with agents that play it and a store that it happens in.
type Episode struct {
	Game
	Store    *world.Store
	Seats    []Seat            // in the order of Game.Agents
	Act      time.Duration     // clock of one act, where its phase has none of its own
	Overtime time.Duration     // bank of each agent, for the whole episode, from which an act draws that takes longer
	Time     time.Duration     // clock of the whole episode
	Starts   int               // how many agents may be starting at once
	OnTurn   func(world.State) // told of the state as each turn begins; may be nil
}

// A Seat is a place at the table, and how to bring the agent who sits there to life.
type Seat struct {
	Name  string
	Start func(context.Context) (agents.Agent, error)
}

// An Outcome is how an episode went.
type Outcome struct {
	End
	State world.State
	Seats []SeatOutcome // in seat order
}

// A SeatOutcome is how an episode went for one agent.
type SeatOutcome struct {
	Name    string
	Status  Status
	Reward  float64
	Waiting time.Duration // how long the arena waited for its acts, in all
	Usage   agents.Usage
}

// Run plays the episode. Its agents are gone when it returns. When ctx ends, the episode is interrupted: that is an outcome and not an
// error, and the log says nothing of it, for the episode is not over. The outcome beside an error says how far it went.
func (e *Episode) Run(ctx context.Context) (Outcome, error) {
	// The limit of time is a cause of its own, to tell it from an interruption.
	playing, cancel := context.WithTimeoutCause(ctx, e.Time, errTimeUp)
	defer cancel()
	c := newCast(e.Seats, e.Overtime)
	c.start(playing, e.Starts)
	live := &livePlayers{
		Episode: e, ctx: playing, cast: c, refused: make(map[string]string), turn: -1,
		busy: make(map[string]bool), arrivals: make(chan act, len(e.Seats)),
	}
	st, end, err := e.play(live)
	cancel()
	live.acting.Wait()
	err = errors.Join(err, c.close())
	out := Outcome{End: end, State: st}
	for _, p := range c.players {
		seat := SeatOutcome{Name: p.seat.Name, Waiting: p.waiting, Usage: p.usage}
		if st.Seq > 0 { // it has begun
			var standErr error
			seat.Status, seat.Reward, standErr = e.Standing(st, seat.Name)
			err = errors.Join(err, standErr)
		}
		out.Seats = append(out.Seats, seat)
	}
	return out, err
}

// livePlayers are the agents of an episode that is being played, and its store. They implement players.
type livePlayers struct {
	*Episode
	ctx     context.Context
	cast    *cast
	refused map[string]string // why an agent's last action had no effect
	turn    int               // last one that was announced

	acting   sync.WaitGroup
	busy     map[string]bool // who is acting in a free-running game
	arrivals chan act        // what they did
}

func (p *livePlayers) act(st world.State, phase *Phase, observations []world.Observation) ([]act, error) {
	p.announce(st)
	acts := make([]act, len(observations))
	for i, obs := range observations {
		obs = p.told(obs)
		p.acting.Go(func() { acts[i] = p.cast.act(p.ctx, cmp.Or(phase.Act, p.Act), obs) })
	}
	p.acting.Wait()
	if p.ctx.Err() != nil {
		return nil, p.whyLeft()
	}
	return acts, nil
}

// announce tells of a turn that has begun.
func (p *livePlayers) announce(st world.State) {
	if p.OnTurn != nil && st.Turn > p.turn {
		p.turn = st.Turn
		p.OnTurn(st)
	}
}

// told returns an observation with what its agent has not been told yet.
func (p *livePlayers) told(obs world.Observation) world.Observation {
	obs.Refused = p.refused[obs.Agent]
	delete(p.refused, obs.Agent)
	return obs
}

// whyLeft says why the episode is left before its end.
func (p *livePlayers) whyLeft() error {
	if errors.Is(context.Cause(p.ctx), errTimeUp) {
		return errTimeUp
	}
	return errInterrupted
}

func (p *livePlayers) commit(decide func(world.State) ([]world.Event, error)) (world.State, error) {
	// An interruption must not lose what was decided, so the store is not given the context that it ends.
	return p.Store.Commit(context.WithoutCancel(p.ctx), func(st world.State) ([]world.Event, error) {
		events, err := decide(st)
		for _, ev := range events {
			p.explain(ev)
		}
		return events, err
	})
}

// explain keeps what an event has to say to its agent about its last action.
func (p *livePlayers) explain(ev world.Event) {
	var data struct {
		Reason      string      `json:"reason"`
		Consequence Consequence `json:"consequence"`
	}
	var why proc
	switch ev.Kind {
	case world.KindRefusal:
		_ = json.Unmarshal(ev.Data, &data) // a refusal without a reason is refused for no reason
		p.refused[ev.Agent] = data.Reason
	case KindTimeout, KindInvalid, KindError:
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
