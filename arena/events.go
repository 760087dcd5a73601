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
