package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"iter"
	"maps"
	"net/http"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// kindBranch is the kind of the event that says that a branch begins, which is in the branch alone.
const kindBranch = "branch"

// A partsJSON is where two runs part.
type partsJSON struct {
	Turn   int           `json:"turn"`   // -1: they do not
	Seq    *int64        `json:"seq"`    // number of the first event in which they differ; null: there is none
	Events [2]*eventJSON `json:"events"` // in either run, with their text; null: it has ended before
	Begin  []differJSON  `json:"begin"`  // with which settings they begin, where these differ
}

// A differJSON is a setting of two runs.
type differJSON struct {
	Name   string             `json:"name"`
	Values [2]json.RawMessage `json:"values"` // null: it has none
}

// apiParts tells where the two runs part. Times and facts of processes part nobody. Runs that begin with other settings go on to be compared, until in
// one of them something else happens.
func (s *Server) apiParts(*http.Request) (any, error) {
	nextA, stopA := iter.Pull2(outlines(s.run.Dir))
	defer stopA()
	nextB, stopB := iter.Pull2(outlines(s.other.run.Dir))
	defer stopB()
	parts, acted := partsJSON{Turn: -1, Begin: []differJSON{}}, false
	for {
		a, errA, isA := nextA()
		b, errB, isB := nextB()
		if err := errors.Join(errA, errB); err != nil {
			return nil, err
		}
		if !isA && !isB {
			return parts, nil
		}
		acted = acted || a.Agent != "" || b.Agent != ""
		if isA && isB && isSame(a, b) {
			continue
		}
		if isA && isB && !acted && a.Agent == "" && b.Agent == "" && a.Kind == b.Kind && a.Seq == b.Seq {
			some, err := settings(a, b)
			if err != nil {
				return nil, err
			}
			parts.Begin = append(parts.Begin, some...)
			continue
		}
		return parts, s.parting(&parts, a, b, isA, isB)
	}
}

// settings returns the data in which two events differ that come before anybody acts.
func settings(a, b world.Outline) ([]differJSON, error) {
	evA, errA := a.Event()
	evB, errB := b.Event()
	if err := errors.Join(errA, errB); err != nil {
		return nil, err
	}
	var sets [2]map[string]json.RawMessage
	_, _ = json.Unmarshal(evA.Data, &sets[0]), json.Unmarshal(evB.Data, &sets[1]) // what is no object has no settings
	all := make(map[string]json.RawMessage)
	maps.Copy(all, sets[0])
	maps.Copy(all, sets[1])
	differ := []differJSON{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if values := [2]json.RawMessage{sets[0][name], sets[1][name]}; !bytes.Equal(values[0], values[1]) {
			differ = append(differ, differJSON{clean(name), [2]json.RawMessage{cleanJSON(values[0]), cleanJSON(values[1])}})
		}
	}
	return differ, nil
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

// parting adds the first two events that differ, of which one may be missing.
func (s *Server) parting(p *partsJSON, a, b world.Outline, isA, isB bool) error {
	p.Turn, p.Seq = a.Turn, &a.Seq
	if !isA {
		p.Turn, p.Seq = b.Turn, &b.Seq
	}
	for i, o := range []world.Outline{a, b} {
		if is := []bool{isA, isB}[i]; is {
			ev, err := o.Event()
			if err != nil {
				return err
			}
			shown := clear(ev)
			shown.Text = []*exhibit{s.exhibit, s.other}[i].words(ev)
			p.Events[i] = &shown
		}
	}
	return nil
}
