package arena

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/world"
)

// A tampering is what the event of an agent's attempts has as data. How often it tries, and with which words, are facts of its process:
// so a flood changes neither how many events there are nor the hash.
type tampering struct {
	What string `json:"what"`
}

// tamperProc is what the event has as process facts.
type tamperProc struct {
	Times  int    `json:"times"`
	Sample string `json:"sample"`
}

func tamperEvent(agent, what string, proc json.RawMessage) world.Event {
	return world.Event{Kind: KindTamper, Agent: agent, Data: world.JSON(tampering{what}), Proc: proc}
}

// AttemptOf reads what an agent was seen to try from its [KindTamper] event.
func AttemptOf(ev world.Event) (tamper.Attempt, error) {
	var data tampering
	if err := json.Unmarshal(ev.Data, &data); err != nil {
		return tamper.Attempt{}, err
	}
	var proc tamperProc
	_ = json.Unmarshal(ev.Proc, &proc) // what is not of the world proves nothing
	return tamper.Attempt{What: data.What, Times: max(1, proc.Times), Sample: proc.Sample}, nil
}

// tampered returns the event that comes from what another one says that an agent was seen to try.
func (g *Game) tampered(found world.Event) (world.Event, error) {
	a, err := AttemptOf(found)
	if err == nil && a.What == "" {
		err = errors.New("it does not say what was tried")
	}
	if err == nil && !slices.Contains(g.Agents, found.Agent) {
		err = fmt.Errorf("there is no agent %q", found.Agent)
	}
	return tamperEvent(found.Agent, a.What, found.Proc), err
}

// A tried is an agent and a kind of attempts.
type tried struct{ agent, what string }

// attempts returns the events of what agents were seen to try since it was called last, one for each kind and agent, but for what the log says
// already of the turn that has just ended.
func (p *livePlayers) attempts() []world.Event {
	var events []world.Event
	for _, seat := range p.watched {
		for _, a := range seat.Evidence.Take(func(what string) bool { return !p.tried[tried{seat.Name, what}] }) {
			p.tried[tried{seat.Name, a.What}] = true
			events = append(events, tamperEvent(seat.Name, a.What, world.JSON(tamperProc{a.Times, a.Sample})))
		}
	}
	return events
}

// testify commits events of what agents did besides acting, if there are any.
func (p *livePlayers) testify(ctx context.Context, events []world.Event) error {
	if len(events) == 0 {
		return nil
	}
	_, err := p.Store.Commit(ctx, func(world.State) ([]world.Event, error) { return events, nil })
	return err
}

var errAside = errors.New("there is something to be told before")

// commitAfter commits what decide returns after what agents did besides acting: what of it was refused, and if it ends the turn or the episode
// what they were seen to try until then. So an attempt is told in the turn in which it was seen.
func (p *livePlayers) commitAfter(ctx context.Context, decide func(world.State) ([]world.Event, error)) (world.State, error) {
	if err := p.testify(ctx, p.fence.events(p.Store.State())); err != nil {
		return p.Store.State(), err
	}
	var aside []world.Event
	st, err := p.Store.Commit(ctx, func(st world.State) ([]world.Event, error) {
		events, err := decide(st)
		if err != nil {
			return nil, err
		}
		ends := slices.ContainsFunc(events, func(ev world.Event) bool { return ev.Kind == KindEnd })
		if !ends { // else what was told as the last turn ended is told
			p.tried = make(map[tried]bool)
		}
		if ends || slices.ContainsFunc(events, func(ev world.Event) bool { return ev.Kind == world.KindTurn }) {
			aside = append(p.fence.events(st), p.attempts()...)
		}
		if len(aside) > 0 {
			return nil, errAside
		}
		return events, nil
	})
	if !errors.Is(err, errAside) {
		return st, err
	}
	if err := p.testify(ctx, aside); err != nil {
		return st, err
	}
	return p.Store.Commit(ctx, decide)
}
