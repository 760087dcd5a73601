package arena

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// Kinds of events that the arena writes, besides [world.KindTurn].
const (
	KindStart   = "start"   // the first event; data: {"agents": [names], "seed": n}
	KindAction  = "action"  // an agent asked for something; data: {"name": action, "args": {...}}
	KindTimeout = "timeout" // an agent did not act in time; data: {"consequence": "pass" or "out"}
	KindInvalid = "invalid" // an agent did nothing, or what it did was refused and puts it out; data as above
	KindError   = "error"   // an agent could not act; data as above, and why in the process facts: {"reason", "detail"}
	KindEnd     = "end"     // the last event; data: {"status": "terminated" or "truncated", "reason": text}
)

// A Consequence is what follows when an agent does not act as it should.
type Consequence string

const (
	ConsequencePass Consequence = "pass" // it does nothing this once
	ConsequenceOut  Consequence = "out"  // it never acts again
)

// Consequences says what follows from which misbehaviour. Whoever is dead is out in any case.
type Consequences struct {
	Timeout Consequence
	Invalid Consequence
	Error   Consequence
}

func (c Consequences) of(kind string) Consequence {
	switch kind {
	case KindTimeout:
		return c.Timeout
	case KindInvalid:
		return c.Invalid
	case KindError:
		return c.Error
	}
	return ConsequencePass
}

// A Game is all that decides an episode apart from what its agents do: with the same acts it gives the same events, byte for byte.
type Game struct {
	Rules        world.Rules
	Schedule     Schedule
	Seed         uint64
	Agents       []string // names in seat order
	Turns        int      // the episode is truncated after so many turns
	Consequences Consequences
}

// An act is what came of one agent's turn to act.
type act struct {
	agent  string
	action world.Action // what it asked for, if kind is KindAction
	kind   string       // KindAction, KindTimeout, KindInvalid or KindError
	dead   bool         // it never acts again, whatever is declared
	proc   proc         // facts of the process
}

// A proc is what an act's event says of the process that acted: not of the world, and different each time.
type proc struct {
	WallMS float64 `json:"wall_ms"`          // time that the act took, in milliseconds
	Reason string  `json:"reason,omitempty"` // why there is no action
	Detail string  `json:"detail,omitempty"` // the last that a dead process had to say
}

// players is where acts come from: from agents in [Episode.Run], from a log in [Verify].
type players interface {
	// act returns one act for each observation, in the same order. errTimeUp ends the episode, errInterrupted leaves it.
	act(st world.State, observations []world.Observation) ([]act, error)
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

// TimeLimit is the reason of an episode that was truncated because its time was up.
const TimeLimit = "limit of time"

// An End is how an episode ended.
type End struct {
	Status string `json:"status"` // Terminated, Truncated, Interrupted or Failed
	Reason string `json:"reason"`
}

var (
	errTimeUp      = errors.New("the time for the whole episode is up")
	errInterrupted = errors.New("interrupted")
)

// play plays an episode to its end.
func (g *Game) play(p players) (world.State, End, error) {
	st, err := p.commit(g.opening)
	for err == nil {
		var live []string
		var seen map[string]world.Observation
		if live, seen, err = g.live(st); err != nil {
			break
		}
		if end, over := g.over(st, live); over {
			return g.end(p, end)
		}
		steps := g.Schedule(st.Turn, live)
		for i, step := range steps {
			if st, err = g.step(p, st, seen, step, i == len(steps)-1); err != nil {
				break
			}
			seen = nil // the state has moved on
		}
	}
	switch {
	case errors.Is(err, errTimeUp):
		return g.end(p, End{Truncated, TimeLimit})
	case errors.Is(err, errInterrupted):
		return st, End{Interrupted, fmt.Sprintf("in turn %d", st.Turn)}, nil
	}
	return st, End{}, err
}

// over says whether and how the episode has ended.
func (g *Game) over(st world.State, live []string) (End, bool) {
	someoneActive := slices.ContainsFunc(g.Agents, func(agent string) bool {
		status, err := statusOf(st, agent)
		return err == nil && status == StatusActive
	})
	switch {
	case len(live) == 0 && someoneActive:
		return End{Terminated, "by the rules"}, true
	case len(live) == 0:
		return End{Truncated, "every agent is out"}, true
	case st.Turn >= g.Turns:
		return End{Truncated, fmt.Sprintf("limit of %d turns", g.Turns)}, true
	}
	return End{}, false
}

func (g *Game) end(p players, end End) (world.State, End, error) {
	st, err := p.commit(func(st world.State) ([]world.Event, error) { return g.ending(st, end) })
	return st, end, err
}

// live returns the agents that still act, in seat order, and what each of them sees.
func (g *Game) live(st world.State) ([]string, map[string]world.Observation, error) {
	var live []string
	seen := make(map[string]world.Observation, len(g.Agents))
	for _, agent := range g.Agents {
		obs, err := g.observe(st, agent)
		if err != nil {
			return nil, nil, err
		}
		if !obs.Terminated {
			live = append(live, agent)
			seen[agent] = obs
		}
	}
	return live, seen, nil
}

// observe returns what an agent sees. Whoever is out sees that it is over.
func (g *Game) observe(st world.State, agent string) (world.Observation, error) {
	obs, err := g.Rules.Observe(st, agent)
	if err != nil {
		return obs, fmt.Errorf("observe as %s: %w", agent, err)
	}
	status, err := statusOf(st, agent)
	if err != nil {
		return obs, err
	}
	obs.Terminated = obs.Terminated || status != StatusActive
	return obs, nil
}

// step lets some agents see the same state and act, then commits what follows. What some agents see is known from before.
func (g *Game) step(
	p players, st world.State, seen map[string]world.Observation, agents []string, last bool,
) (world.State, error) {
	var observations []world.Observation
	for _, agent := range agents {
		obs, known := seen[agent]
		if !known {
			var err error
			if obs, err = g.observe(st, agent); err != nil {
				return st, err
			}
		}
		if !obs.Terminated {
			observations = append(observations, obs)
		}
	}
	if len(observations) == 0 && !last {
		return st, nil // the rules have ended everybody's part since the turn began
	}
	acts, err := p.act(st, observations)
	if err != nil {
		return st, err
	}
	return p.commit(func(st world.State) ([]world.Event, error) { return g.resolve(st, acts, last) })
}

// opening returns the first events of an episode.
func (g *Game) opening(st world.State) ([]world.Event, error) {
	if st.Seq != 0 {
		return nil, errors.New("the world has begun already")
	}
	set := map[string]json.RawMessage{world.SeedFact: world.JSON(g.Seed)}
	for _, agent := range g.Agents {
		set[statusPath(agent)] = world.JSON(StatusActive)
	}
	start := world.Event{Kind: KindStart, Data: world.JSON(map[string]any{"agents": g.Agents, "seed": g.Seed}), Set: set}
	events, err := g.Rules.Reset(g.Seed, slices.Clone(g.Agents))
	if err != nil {
		return nil, fmt.Errorf("reset: %w", err)
	}
	return append([]world.Event{start}, events...), nil
}

// resolve returns the events of one step: what each agent did in seat order, then what follows by the rules, which consider the
// actions in an order drawn from the seed and the turn, so that neither a seat nor speed ever decides.
func (g *Game) resolve(st world.State, acts []act, lastOfTurn bool) ([]world.Event, error) {
	var events []world.Event
	var actions []world.Action
	for _, a := range acts {
		action := a.action
		if a.kind == KindAction {
			events = append(events, world.Event{Kind: KindAction, Agent: a.agent, Data: actionData(action), Proc: world.JSON(a.proc)})
		} else {
			action = world.Action{Name: world.Pass}
			out := a.dead || g.Consequences.of(a.kind) == ConsequenceOut
			events = append(events, consequence(a.kind, a.agent, out, world.JSON(a.proc)))
		}
		action.Agent = a.agent
		actions = append(actions, action)
	}
	random := st.Rand("order")
	random.Shuffle(len(actions), func(i, j int) { actions[i], actions[j] = actions[j], actions[i] })
	followed, err := g.Rules.Step(st, actions)
	if err != nil {
		return nil, fmt.Errorf("step: %w", err)
	}
	events = append(events, followed...)
	for _, ev := range followed {
		if ev.Kind == world.KindRefusal && g.Consequences.Invalid == ConsequenceOut {
			events = append(events, consequence(KindInvalid, ev.Agent, true, nil))
		}
	}
	if lastOfTurn {
		events = append(events, world.Event{Kind: world.KindTurn})
	}
	return events, nil
}

// consequence is the event of an agent that did not act as it should.
func consequence(kind, agent string, out bool, proc json.RawMessage) world.Event {
	ev := world.Event{Kind: kind, Agent: agent, Proc: proc}
	follows := ConsequencePass
	if out {
		follows = ConsequenceOut
		ev.Set = map[string]json.RawMessage{statusPath(agent): world.JSON(statusOfKind(kind))}
	}
	ev.Data = world.JSON(map[string]any{"consequence": follows})
	return ev
}

// ending returns the last event, in which everybody who is still active is done.
func (g *Game) ending(st world.State, end End) ([]world.Event, error) {
	ev := world.Event{Kind: KindEnd, Data: world.JSON(end), Set: make(map[string]json.RawMessage)}
	for _, agent := range g.Agents {
		was, err := statusOf(st, agent)
		if err != nil {
			return nil, err
		}
		if was == StatusActive {
			ev.Set[statusPath(agent)] = world.JSON(StatusDone)
		}
	}
	return []world.Event{ev}, nil
}

// actionData is what an action event says.
func actionData(a world.Action) json.RawMessage {
	data := map[string]any{"name": a.Name}
	if len(a.Args) > 0 {
		data["args"] = a.Args
	}
	return world.JSON(data)
}
