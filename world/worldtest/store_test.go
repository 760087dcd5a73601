package worldtest

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
)

func TestWorldStoreIsSound(t *testing.T) {
	TestStore(t, func(dir string) (Store, error) { return world.Open(dir) })
}

// A shelf is the logs of stores in memory, by their folder. With a fault its stores break what stores must keep.
type shelf struct {
	fault string
	logs  map[string]*memory
}

// A memory is a log in memory.
type memory struct {
	turn chan struct{} // holds a token while a commit is under way
	twin *twin
}

func (s *shelf) open(dir string) (Store, error) {
	log, ok := s.logs[dir]
	if !ok || s.fault == "forgets what it had" {
		log = &memory{make(chan struct{}, 1), newTwin()}
		s.logs[dir] = log
	}
	return &book{fault: s.fault, memory: log, last: log.twin.st, hash: hashOf(log.twin)}, nil
}

func hashOf(w *twin) string { return hex.EncodeToString(w.sum.Sum(nil)) }

// A book is a store in memory.
type book struct {
	fault string
	*memory

	mu     sync.Mutex // guards the rest
	last   world.State
	hash   string
	closed bool
}

func (b *book) Commit(ctx context.Context, decide func(world.State) ([]world.Event, error)) (world.State, error) {
	if b.fault == "decides before its turn" {
		events, err := decide(b.State())
		decide = func(world.State) ([]world.Event, error) { return events, err }
	}
	err := ctx.Err()
	if err != nil && b.fault == "hides the context's error" {
		err = errors.New("too late")
	}
	if err != nil && b.fault != "ignores the context" {
		return b.State(), err
	}
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
	}
	b.mu.Lock()
	closed := b.closed
	b.mu.Unlock()
	if closed {
		return b.State(), os.ErrClosed
	}
	return b.commit(decide)
}

func (b *book) commit(decide func(world.State) ([]world.Event, error)) (world.State, error) {
	st := b.twin.st
	if b.fault == "looks at its own commits only" {
		st = b.State()
	}
	events, err := decide(st)
	if err != nil && b.fault != "takes events in spite of an error" {
		if b.fault == "dresses up errors" {
			err = errors.New("commit: " + err.Error())
		}
		return st, err
	}
	switch b.fault {
	case "turns the events around":
		slices.Reverse(events)
	case "keeps the first event only":
		events = events[:min(1, len(events))]
	case "fills in what it is given":
		for i := range events {
			events[i].Seq = st.Seq + int64(i) + 1
		}
	case "makes an event of nothing":
		if len(events) == 0 {
			events = []world.Event{{Kind: "nothing"}}
		}
	case "hashes process facts":
		for _, ev := range events {
			b.twin.sum.Write(ev.Proc)
		}
	case "keeps the good ones of the events":
		events = slices.DeleteFunc(slices.Clone(events), func(ev world.Event) bool {
			_, bad := world.State{}.Stamp([]world.Event{ev})
			return bad != nil
		})
	case "makes a commit of each event":
		for _, ev := range events[:max(0, len(events)-1)] {
			if err := b.twin.add([]world.Event{ev}); err != nil {
				return st, err
			}
		}
		events = events[max(0, len(events)-1):]
	}
	if err := b.twin.add(events); err != nil {
		if b.fault == "moves on after an error" {
			b.twin.st.Seq++
		}
		return b.twin.st, err
	}
	b.spoil(events)
	b.mu.Lock()
	b.last, b.hash = b.twin.st, hashOf(b.twin)
	b.mu.Unlock()
	if b.fault == "answers with the state before" {
		return st, nil
	}
	return b.State(), err
}

// spoil breaks the state after the events.
func (b *book) spoil(events []world.Event) {
	for _, ev := range events {
		for _, path := range slices.Sorted(maps.Keys(ev.Set)) {
			switch b.fault {
			case "keeps JSON as it comes":
				set := map[string]json.RawMessage{path: ev.Set[path]}
				b.twin.st = b.twin.st.Apply(world.Event{Set: set, Seq: b.twin.st.Seq})
			case "writes into old states":
				if raw, ok := b.State().Fact(path); ok {
					copy(raw, "7")
				}
			}
		}
	}
}

func (b *book) State() world.State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

func (b *book) Hash() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hash
}

func (b *book) Close() error {
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = b.fault != "never closes"
	return nil
}

func TestSoundStorePasses(t *testing.T) {
	TestStore(t, (&shelf{logs: make(map[string]*memory)}).open)
}

func TestEveryFaultOfAStoreIsFoundByItsCheck(t *testing.T) {
	for fault, found := range map[string]string{
		"keeps the first event only":        "a commit is all of its events in their order",
		"turns the events around":           "a commit is all of its events in their order",
		"makes a commit of each event":      "a commit is all of its events in their order",
		"answers with the state before":     "a commit is all of its events in their order",
		"fills in what it is given":         "what is given stays as it is",
		"keeps JSON as it comes":            "JSON becomes canonical",
		"keeps the good ones of the events": "what cannot be written is refused whole",
		"moves on after an error":           "what cannot be written is refused whole",
		"makes an event of nothing":         "no events and an error change nothing",
		"takes events in spite of an error": "no events and an error change nothing",
		"dresses up errors":                 "no events and an error change nothing",
		"writes into old states":            "states that were handed out stay as they are",
		"decides before its turn":           "concurrent commits lose nothing",
		"looks at its own commits only":     "every open store has the commits of all",
		"forgets what it had":               "a store that is opened again is the same",
		"hashes process facts":              "processes and times are not in the hash",
		"ignores the context":               "a call whose context has ended does nothing",
		"hides the context's error":         "a call whose context has ended does nothing",
		"never closes":                      "a closed store takes nothing more",
	} {
		t.Run(fault, func(t *testing.T) {
			checks := storeChecks()
			i := slices.IndexFunc(checks, func(c storeCheck) bool { return c.name == found })
			err := checks[i].on((&shelf{fault: fault, logs: make(map[string]*memory)}).open, t.TempDir())
			if err == nil {
				t.Fatalf("the check %q does not find it", found)
			}
			t.Log(err)
		})
	}
}
