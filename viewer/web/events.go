package web

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vitrine-sim/vitrine/world"
)

// So much is looked at for one answer. What it does not reach is left for the next question.
const (
	mostEvents = 500
	longSearch = 400 * time.Millisecond
	searchStep = 5000 // events of one look backwards
)

// A filter says which events are asked for.
type filter struct {
	from, to      int   // turns
	after, before int64 // events
	agent, kind   string
	text          []byte // in small letters
	line          []byte // of the event that was looked at last, likewise
}

// takes says whether an event passes.
func (f *filter) takes(o *world.Outline) bool {
	return o.Seq > f.after && o.Seq < f.before && o.Turn >= f.from && o.Turn <= f.to && (f.agent == "" || o.Agent == f.agent) &&
		(f.kind == "" || o.Kind == f.kind) && (len(f.text) == 0 || f.finds(o.Line()))
}

// finds says whether the text is in a line.
func (f *filter) finds(line []byte) bool {
	f.line = append(f.line[:0], line...)
	for i, c := range line {
		if c >= utf8.RuneSelf {
			return bytes.Contains(bytes.ToLower(line), f.text)
		}
		if 'A' <= c && c <= 'Z' {
			f.line[i] = c + 'a' - 'A'
		}
	}
	return bytes.Contains(f.line, f.text)
}

func (s *exhibit) filter(r *http.Request) (f filter, err error) {
	now := s.live.moment()
	f = filter{agent: r.FormValue("agent"), kind: r.FormValue("kind"), text: []byte(strings.ToLower(r.FormValue("q")))}
	if f.from, err = number(r, "from", 0, 0, 1<<31-1); err != nil {
		return f, err
	}
	if f.to, err = number(r, "to", now.st.Turn, 0, 1<<31-1); err != nil {
		return f, err
	}
	if f.after, err = seqParam(r, "after", 0); err != nil {
		return f, err
	}
	f.before, err = seqParam(r, "before", now.st.Seq+1)
	f.before = min(f.before, now.st.Seq+1)
	return f, err
}

// apiEvents tells the events that pass a filter, in order or, with order=desc, the last ones first.
func (s *exhibit) apiEvents(r *http.Request) (any, error) {
	f, err := s.filter(r)
	if err != nil {
		return nil, err
	}
	limit, err := number(r, "limit", 100, 1, mostEvents)
	if err != nil {
		return nil, err
	}
	if first, _, ok := s.index.at(f.from); ok {
		f.after = max(f.after, first-1)
	}
	if _, last, ok := s.index.at(f.to); ok {
		f.before = min(f.before, last+1)
	}
	answer := &found{Events: []eventJSON{}, limit: limit, end: time.Now().Add(longSearch)}
	switch {
	case s.live.moment().st.Seq == 0: // there may be no log yet
		answer.all()
		return answer, nil
	case r.FormValue("order") == "desc":
		return answer, answer.backwards(s.run.Dir, &f)
	}
	return answer, answer.forwards(s.run.Dir, &f)
}

// A found is the answer to a search.
type found struct {
	Events []eventJSON `json:"events"`
	Next   *int64      `json:"next"`  // what the next question has for after or, backwards, for before; null: there are no more
	Total  *int        `json:"total"` // events that pass; null: not all were looked at

	limit int
	size  int // bytes of the events
	end   time.Time
}

// take adds an event that passes. If there is no room for it, the next question begins with it, and the answer is full.
func (a *found) take(o *world.Outline) (full bool, err error) {
	if n := len(a.Events); n == a.limit || a.size > mostBytes {
		a.Next = &a.Events[n-1].Seq
		return true, nil
	}
	a.size += len(o.Line())
	ev, err := o.Event()
	a.Events = append(a.Events, clear(ev))
	return false, err
}

// all says that all events were looked at.
func (a *found) all() {
	n := len(a.Events)
	a.Total = &n
}

// forwards looks from the first event on.
func (a *found) forwards(dir string, f *filter) error {
	for commit, err := range world.Skim(dir, f.after) {
		if err != nil {
			return err
		}
		last := commit[len(commit)-1]
		for i := range commit {
			if !f.takes(&commit[i]) {
				continue
			}
			if full, err := a.take(&commit[i]); full || err != nil {
				return err
			}
		}
		if last.Seq >= f.before-1 || last.Turn > f.to {
			break
		}
		if time.Now().After(a.end) {
			a.Next = &last.Seq
			return nil
		}
	}
	a.all()
	return nil
}

// backwards looks from the last event on, a part of the log at a time.
func (a *found) backwards(dir string, f *filter) error {
	for before := f.before; before > f.after+1; {
		after := max(f.after, before-1-searchStep)
		var passed []world.Outline
		for commit, err := range world.Skim(dir, after) {
			if err != nil {
				return err
			}
			for i := range commit {
				if commit[i].Seq < before && f.takes(&commit[i]) {
					passed = append(passed, commit[i].Clone())
				}
			}
			if commit[len(commit)-1].Seq >= before-1 {
				break
			}
		}
		for i := range slices.Backward(passed) {
			if full, err := a.take(&passed[i]); full || err != nil {
				return err
			}
		}
		if before = after + 1; time.Now().After(a.end) {
			a.Next = &before
			return nil
		}
	}
	a.all()
	return nil
}
