package arena

import (
	"encoding/json"
	"slices"
	"sync"

	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/world"
)

// A fence keeps the acts that were refused because they were no answer to what their agent was shown last: late, doubled, or of a process
// that was replaced. They wait to become events.
type fence struct {
	mu      sync.Mutex
	refused []fenced
	asked   map[string]bool // whether an agent was shown something to which no act of it is in the log
}

// A fenced is acts of one agent that were refused for one reason, and with times the data of their event.
type fenced struct {
	agent  string
	Action string `json:"action"` // name of the first of them
	Reason string `json:"reason"`
	Times  int    `json:"times"`
	undone int    // how many of them were meant for what their agent is asked still
}

// ask says that an agent is asked.
func (f *fence) ask(agent string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked[agent] = true
}

// settle says that the act of an agent for which it was asked is in the log.
func (f *fence) settle(agent string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked[agent] = false
	for i := range f.refused {
		if f.refused[i].agent == agent {
			f.refused[i].undone = 0
		}
	}
}

// maxReasons is how many reasons of an agent are told apart.
const maxReasons = 8

// refuse adds an act. An agent that floods the fence adds to its events and not to their number.
func (f *fence) refuse(agent, action, reason string, newest bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	undone := 0
	if newest && f.asked[agent] {
		undone = 1
	}
	reasons, reason := 0, tamper.Line(reason)
	for i := range f.refused {
		r := &f.refused[i]
		if r.agent != agent {
			continue
		}
		if reasons++; r.Reason == reason || reasons == maxReasons {
			r.Times, r.undone = r.Times+1, r.undone+undone
			return
		}
	}
	if reasons == maxReasons-1 {
		reason = "for other reasons"
	}
	f.refused = append(f.refused, fenced{agent: agent, Action: tamper.Line(action), Reason: reason, Times: 1, undone: undone})
}

// events returns the events of what was refused since it was called last. They wait until the episode has begun.
func (f *fence) events(st world.State) []world.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	if st.Seq == 0 {
		return nil
	}
	var events []world.Event
	for _, r := range f.refused {
		events = append(events, r.event())
	}
	f.refused = nil
	return events
}

// decided returns the events of what was refused, but for what was meant for something to which no act is in the log: when the episode goes on,
// its agent is asked that again.
func (f *fence) decided(st world.State) []world.Event {
	f.mu.Lock()
	for i := range f.refused {
		f.refused[i].Times -= f.refused[i].undone
	}
	f.refused = slices.DeleteFunc(f.refused, func(r fenced) bool { return r.Times == 0 })
	f.mu.Unlock()
	return f.events(st)
}

func (r fenced) event() world.Event {
	return world.Event{Kind: KindFenced, Agent: r.agent, Data: world.JSON(r)}
}

// fencedOf reads what was refused from its event.
func fencedOf(ev world.Event) (fenced, error) {
	r := fenced{agent: ev.Agent}
	return r, json.Unmarshal(ev.Data, &r)
}
