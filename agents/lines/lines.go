// Package lines is agents that speak JSON lines: any program, as a child process, and whoever takes a seat from a terminal.
//
// # The protocol
//
// Each observation is a line to the agent, with a number of its own:
//
//	{"id":1,"observation":{"agent":"a","turn":0,"view":{...},"actions":[{"name":"fish","description":"...","schema":{...}}],"reward":0,"terminated":false}}
//
// There are always "actions", an empty list if it can only pass. "messages", each with "from", "text" and, unless everybody is meant, "to", and "refused"
// are there only if there are some.
//
// The agent answers with a line of at most 64 kB that has the same id; "pass" is always legal:
//
//	{"id":1,"action":"fish","args":{"tons":5}}
//
// Whether an action is legal the rules say, in the next observation ("refused"). An answer to another observation than the newest one,
// because it is late or the second, has no effect, and neither has a line that is no answer; the agent is told with a line
//
//	{"id":1,"refused":"too late: the newest observation is 2"}
//
// and may answer the newest observation still. What is no answer is also held against the agent, and whoever says much of it is read at a slow pace. At the end of the episode the agent's input ends.
package lines

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/world"
)

// maxLine is the longest line in bytes that an agent can say. Rules want a few numbers or a speech, not a file.
const maxLine = 64 << 10

// Fenced is told of each action that had no effect because nobody waited for it, why, and whether it was meant for the newest observation. Any
// goroutine may call it until the agent is closed. It may be nil.
type Fenced func(action world.Action, reason string, newest bool)

const tooLate = "too late, or the second answer to one observation"

// A question is a line to an agent.
type question struct {
	ID          int64  `json:"id"`
	Observation *seen  `json:"observation,omitempty"`
	Refused     string `json:"refused,omitempty"`
}

// A seen is an observation that says its actions even if there are none.
type seen struct {
	world.Observation
	Actions []world.ActionSpec `json:"actions"`
}

// An answer is a line from an agent.
type answer struct {
	ID     int64           `json:"id"`
	Action string          `json:"action"`
	Args   json.RawMessage `json:"args"`
	Agent  json.RawMessage `json:"agent"` // the protocol has none: it is who says so
}

// A desk is where the one observation that waits for an answer lies.
type desk struct {
	fenced   Fenced
	evidence *tamper.Evidence // of whoever answers

	mu       sync.Mutex
	id       int64             // of the newest observation
	agent    string            // whom it is for
	waiting  []byte            // its line, as long as there is no answer
	answered chan world.Action // has room for the answer
}

func newDesk(fenced Fenced, evidence *tamper.Evidence) *desk {
	if fenced == nil {
		fenced = func(world.Action, string, bool) {}
	}
	return &desk{fenced: fenced, evidence: evidence, answered: make(chan world.Action, 1)}
}

// lay lays an observation on the desk and returns its line.
func (d *desk) lay(obs world.Observation) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.id++
	d.agent = obs.Agent
	d.waiting = line(question{ID: d.id, Observation: &seen{obs, append([]world.ActionSpec{}, obs.Actions...)}})
	return d.waiting
}

// lying returns the line of the observation that waits for an answer; nil if none does.
func (d *desk) lying() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.waiting
}

// clear takes the observation away: what is answered from now on comes too late, and so did what came when nobody waited any more.
func (d *desk) clear() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting = nil
	select {
	case action := <-d.answered:
		d.fenced(action, tooLate, true)
	default:
	}
}

// take takes a line that an agent says, and returns what is to be said about it; nil: nothing.
func (d *desk) take(raw []byte) []byte {
	var a answer
	if err := json.Unmarshal(raw, &a); err != nil {
		d.evidence.Sawf(tamper.Garbage, "%.100q", raw)
		return line(question{ID: d.newest(), Refused: "this is no answer: " + err.Error()})
	}
	if a.Action == "" {
		d.evidence.Sawf(tamper.Garbage, "%.100q", raw)
		return line(question{ID: a.ID, Refused: `"action" is missing`})
	}
	d.suspect(a)
	action := world.Action{Name: a.Action, Args: a.Args}
	reason, newest := d.put(a.ID, action)
	if reason == "" {
		return nil
	}
	d.fenced(action, reason, newest)
	return line(question{ID: a.ID, Refused: reason})
}

// suspect takes note of an answer in the name of somebody else.
func (d *desk) suspect(a answer) {
	var as string
	_ = json.Unmarshal(a.Agent, &as) // what is no text names nobody
	d.mu.Lock()
	defer d.mu.Unlock()
	if as != "" && as != d.agent {
		d.evidence.Sawf(tamper.Author, "%s as %q", a.Action, as)
	}
}

func (d *desk) newest() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.id
}

// put gives the answer to an observation, or says why it is none, and whether it was meant for the newest one.
func (d *desk) put(id int64, action world.Action) (reason string, newest bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case id > d.id:
		return fmt.Sprintf("there is no such observation yet: the newest is %d", d.id), true
	case id < d.id:
		return fmt.Sprintf("too late: the newest observation is %d", d.id), false
	case d.waiting == nil:
		return tooLate, true
	}
	d.waiting = nil
	d.answered <- action
	return "", true
}

// await waits for the answer. When dead is closed, and there is none, the error is errDead.
func (d *desk) await(ctx context.Context, dead <-chan struct{}) (world.Action, error) {
	defer d.clear()
	select {
	case action := <-d.answered:
		return action, nil
	case <-ctx.Done():
		return world.Action{}, ctx.Err()
	case <-dead:
		select {
		case action := <-d.answered:
			return action, nil
		default:
			return world.Action{}, errDead
		}
	}
}

// An order is one in which things are done one after the other, in the background.
type order struct{ last chan struct{} } // closed once the last one is done; nil: there was none

// next does the next thing. What it returns is closed when that is done.
func (o *order) next(do func()) (done <-chan struct{}) {
	before, own := o.last, make(chan struct{})
	o.last = own
	go func() { // ends with what is done
		defer close(own)
		if before != nil {
			<-before
		}
		do()
	}()
	return own
}

var errDead = errors.New("it is gone")

// line returns a document as a line.
func line(v any) []byte { return append(world.JSON(v), '\n') }

// read hands on each line of r, without its newline, until r ends. Of a line that is too long nothing is handed on but its beginning, which
// is no JSON.
func read(r io.Reader, hand func(raw []byte)) {
	in := bufio.NewReaderSize(r, maxLine)
	for {
		raw, err := in.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		if kept := bytes.TrimSpace(raw); len(kept) > 0 && (err == nil || long) {
			hand(kept)
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = in.ReadSlice('\n')
		}
		if err != nil {
			return
		}
	}
}
