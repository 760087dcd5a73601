package arena

import (
	"encoding/json"
	"sync"

	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/world"
)

// A fence keeps the acts that were refused because they were no answer to what their agent was shown last: late, doubled, or of a process
// that was replaced. They wait to become events.
type fence struct {
	mu      sync.Mutex
	refused []fenced
}

// A fenced is acts of one agent that were refused for one reason, and with times the data of their event.
type fenced struct {
	agent  string
	Action string `json:"action"` // name of the first of them
	Reason string `json:"reason"`
	Times  int    `json:"times"`
}

// maxReasons is how many reasons of an agent are told apart.
const maxReasons = 8

// refuse adds an act. An agent that floods the fence adds to its events and not to their number.
func (f *fence) refuse(agent, action, reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	reasons, reason := 0, tamper.Line(reason)
	for i := range f.refused {
		r := &f.refused[i]
		if r.agent != agent {
			continue
		}
		if reasons++; r.Reason == reason || reasons == maxReasons {
			r.Times++
			return
		}
	}
	if reasons == maxReasons-1 {
		reason = "for other reasons"
	}
	f.refused = append(f.refused, fenced{agent: agent, Action: tamper.Line(action), Reason: reason, Times: 1})
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

func (r fenced) event() world.Event {
	return world.Event{Kind: KindFenced, Agent: r.agent, Data: world.JSON(r)}
}

// fencedOf reads what was refused from its event.
func fencedOf(ev world.Event) (fenced, error) {
	r := fenced{agent: ev.Agent}
	return r, json.Unmarshal(ev.Data, &r)
}
