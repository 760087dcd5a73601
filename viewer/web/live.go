package web

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

// How a run stands.
const (
	stateRunning = "running"
	statePaused  = "paused"
	stateIdle    = "idle" // it is not over, and nobody plays it
	stateLeft    = "left" // likewise, and it goes on nowhere
	stateOver    = "over"
)

// kindEnd is the kind of the event that ends an episode.
const kindEnd = "end"

// Of what has just happened so much is kept for clients that were away for a moment.
const (
	keptEvents = 2000
	keptBytes  = 1 << 20
)

// A live run is how it stands now, and what has just happened. One goroutine follows its log; any number of clients wait for it.
type live struct {
	run Run

	mu    sync.Mutex
	now   world.State
	begun world.State     // as the turn that is played began; the zero state: that was before somebody followed
	acts  []world.Event   // of that turn, so far, if begun is known
	past  []world.Event   // of the turn before it; nil: likewise
	end   json.RawMessage // data of the event that has ended it; nil: it is not over
	state string
	err   error         // why it is not followed any more
	kept  []told        // the last events, in their order
	bytes int           // of those
	moved chan struct{} // closed when any of the above has changed
}

// A told event is one as clients get it.
type told struct {
	seq  int64
	text []byte // JSON
}

// A moment is how a run stands.
type moment struct {
	st    world.State
	begun world.State   // as its turn began; the zero state: only the log knows
	acts  []world.Event // of its turn, if begun is known
	past  []world.Event // of the turn before; nil: only the log knows
	end   json.RawMessage
	state string
	err   error
	moved <-chan struct{} // is closed when it stands otherwise
}

// openLive finds out how a run stands.
func openLive(run Run) (*live, error) {
	l := &live{run: run, moved: make(chan struct{})}
	var err error
	if l.now, err = world.Now(run.Dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for ev, err := range world.Turn(run.Dir, l.now.Turn) {
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, err
		}
		if ev.Seq > l.now.Seq {
			break
		}
		if ev.Kind == kindEnd {
			l.end = ev.Data
		}
	}
	l.look()
	return l, nil
}

// follow keeps up with the run until ctx ends.
func (l *live) follow(ctx context.Context) {
	var looking sync.WaitGroup
	defer looking.Wait()
	looking.Go(func() { l.watch(ctx) })
	var commit []world.Event
	for ev, err := range world.Follow(ctx, l.run.Dir, l.now.Seq) {
		if err != nil {
			l.change(func() { l.err = err })
			return
		}
		if commit = append(commit, ev); !ev.More {
			l.take(commit)
			commit = nil
		}
	}
}

// take makes a commit known.
func (l *live) take(commit []world.Event) {
	var news []told
	for _, ev := range commit {
		news = append(news, told{ev.Seq, tellEvent(ev)})
	}
	l.change(func() {
		l.now = l.now.Apply(commit...)
		if l.begun.Seq > 0 {
			l.acts = append(l.acts, commit...)
		}
		if commit[len(commit)-1].Kind == world.KindTurn {
			l.begun, l.past, l.acts = l.now, l.acts, nil
		}
		for i, ev := range commit {
			if ev.Kind == kindEnd {
				l.end = ev.Data
			}
			l.kept = append(l.kept, news[i])
			l.bytes += len(news[i].text)
		}
		for len(l.kept) > keptEvents || l.bytes > keptBytes {
			l.bytes -= len(l.kept[0].text)
			l.kept = l.kept[1:]
		}
	})
	l.look()
}

// lookEvery is how often it is looked whether somebody plays the run: of that the log says nothing.
const lookEvery = time.Second

// watch looks again and again until ctx ends or the episode is over.
func (l *live) watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for l.look() != stateOver {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look finds out whether somebody plays the run.
func (l *live) look() string {
	held := world.Holder(l.run.Dir) != nil
	left := !held && l.run.Left != nil && l.run.Left()
	l.mu.Lock()
	defer l.mu.Unlock()
	state := stateIdle
	switch {
	case l.end != nil:
		state = stateOver
	case held && l.run.Held(l.now):
		state = statePaused
	case held:
		state = stateRunning
	case left:
		state = stateLeft
	}
	if l.state != state {
		l.state = state
		l.tell()
	}
	return state
}

// change lets all who wait know.
func (l *live) change(what func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	what()
	l.tell()
}

// tell lets all who wait know of a change that was made. The caller holds the mutex.
func (l *live) tell() {
	close(l.moved)
	l.moved = make(chan struct{})
}

// moment returns how the run stands.
func (l *live) moment() moment {
	now, _, _ := l.since(math.MaxInt64)
	return now
}

// since returns how the run stands, the events behind one that are still kept, and how many there were that are not.
func (l *live) since(seq int64) (now moment, events []told, lost int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now = moment{l.now, l.begun, slices.Clip(l.acts), l.past, l.end, l.state, l.err, l.moved}
	i := len(l.kept)
	for i > 0 && l.kept[i-1].seq > seq {
		i--
	}
	first := l.now.Seq + 1
	if i < len(l.kept) {
		first = l.kept[i].seq
	}
	return now, append(events, l.kept[i:]...), max(0, first-seq-1)
}

// An eventJSON is an event as clients get it.
type eventJSON struct {
	Seq   int64                      `json:"seq"`
	Turn  int                        `json:"turn"`
	Kind  string                     `json:"kind"`
	Agent string                     `json:"agent"`
	Data  json.RawMessage            `json:"data,omitempty"`
	Set   map[string]json.RawMessage `json:"set,omitempty"`
	Del   []string                   `json:"del,omitempty"`
	Time  time.Time                  `json:"time,omitzero"`
	Proc  json.RawMessage            `json:"proc,omitempty"`
	Text  string                     `json:"text,omitempty"` // in words
}

// clear returns an event with clean text.
func clear(ev world.Event) eventJSON {
	e := eventJSON{
		Seq: ev.Seq, Turn: ev.Turn, Kind: clean(ev.Kind), Agent: clean(ev.Agent), Data: cleanJSON(ev.Data), Time: ev.Time, Proc: cleanJSON(ev.Proc),
	}
	for _, path := range ev.Del {
		e.Del = append(e.Del, clean(path))
	}
	if len(ev.Set) > 0 {
		e.Set = make(map[string]json.RawMessage, len(ev.Set))
		for path, raw := range ev.Set {
			e.Set[clean(path)] = cleanJSON(raw)
		}
	}
	return e
}

// tellEvent returns an event as JSON.
func tellEvent(ev world.Event) []byte {
	text, err := json.Marshal(clear(ev))
	if err != nil {
		panic("internal error: an event of the log as JSON: " + err.Error())
	}
	return text
}
