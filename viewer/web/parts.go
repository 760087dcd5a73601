package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/http"

	"github.com/vitrine-sim/vitrine/world"
)

// kindBranch is the kind of the event that says that a branch begins, which is in the branch alone.
const kindBranch = "branch"

// A partsJSON is where two runs part.
type partsJSON struct {
	Turn   int           `json:"turn"`   // -1: they do not
	Seq    *int64        `json:"seq"`    // number of the first event in which they differ; null: there is none
	Events [2]*eventJSON `json:"events"` // in either run; null: it has ended before
	Why    string        `json:"why"`
}

// apiParts tells where the two runs part. Times and facts of processes part nobody.
func (s *Server) apiParts(*http.Request) (any, error) {
	nextA, stopA := iter.Pull2(outlines(s.run.Dir))
	defer stopA()
	nextB, stopB := iter.Pull2(outlines(s.other.run.Dir))
	defer stopB()
	for {
		a, errA, isA := nextA()
		b, errB, isB := nextB()
		for _, err := range []error{errA, errB} {
			if err != nil {
				return nil, err
			}
		}
		if !isA && !isB {
			return partsJSON{Turn: -1, Why: "they are the same"}, nil
		}
		if isA && isB && isSame(a, b) {
			continue
		}
		return parting(a, b, isA, isB)
	}
}

// outlines returns those of the events of a log but for those that say that a branch begins.
func outlines(dir string) iter.Seq2[world.Outline, error] {
	return func(yield func(world.Outline, error) bool) {
		for commit, err := range world.Skim(dir, 0) {
			if errors.Is(err, fs.ErrNotExist) {
				return // it has not begun
			}
			if err != nil {
				yield(world.Outline{}, err)
				return
			}
			for _, o := range commit {
				if o.Kind != kindBranch && !yield(o, nil) {
					return
				}
			}
		}
	}
}

// isSame says whether two events are the same in the world, but for their numbers.
func isSame(a, b world.Outline) bool {
	if a.Seq == b.Seq {
		return a.Equal(b)
	}
	evA, errA := a.Event()
	evB, errB := b.Event()
	evA.Seq, evB.Seq = 0, 0
	return errA == nil && errB == nil && bytes.Equal(evA.World(), evB.World())
}

// parting tells of the first two events that differ, of which one may be missing.
func parting(a, b world.Outline, isA, isB bool) (partsJSON, error) {
	p := partsJSON{Turn: a.Turn, Seq: &a.Seq}
	if !isA {
		p.Turn, p.Seq = b.Turn, &b.Seq
	}
	for i, o := range []world.Outline{a, b} {
		if is := []bool{isA, isB}[i]; is {
			ev, err := o.Event()
			if err != nil {
				return p, err
			}
			shown := clear(ev)
			p.Events[i] = &shown
		}
	}
	switch {
	case !isA:
		p.Why = "the first run ends there"
	case !isB:
		p.Why = "the second run ends there"
	default:
		p.Why = fmt.Sprintf("%s here, %s there", about(p.Events[0]), about(p.Events[1]))
	}
	return p, nil
}

// about says what an event is in few words.
func about(ev *eventJSON) string {
	text := ev.Kind
	if ev.Agent != "" {
		text = ev.Agent + ": " + text
	}
	const most = 80
	data := []rune(string(json.RawMessage(ev.Data)))
	if len(data) > most {
		data = append(data[:most], '…')
	}
	return text + " " + string(data)
}
