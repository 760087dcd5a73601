package web

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/vitrine-sim/vitrine/world"
)

// A position is a state, and what is shown with it.
type position struct {
	turn   int
	begin  world.State   // as the turn begins, which is after the first commit for the first one
	st     world.State   // as the turn begins, after an event of it, or at present
	events []world.Event // of the turn, as far as it has come, or up to that event
	past   []world.Event // of the turn before the one that is played; nil: only the log knows
	part   bool          // it is up to that event
	ended  bool          // the turn has: nothing of this will ever change
}

// position returns what a request names: by turn, which is the present if it is missing, and seq.
func (s *exhibit) position(r *http.Request, events bool) (position, error) {
	now := s.live.moment()
	turn, err := number(r, "turn", now.st.Turn, 0, now.st.Turn)
	if err != nil {
		return position{}, err
	}
	seq, err := number(r, "seq", 0, 0, int(now.st.Seq))
	if err != nil {
		return position{}, err
	}
	return s.find(turn, int64(seq), events)
}

// find returns the position of a turn and, unless that is 0, of an event in it. Without the events it is found in half the time.
func (s *exhibit) find(turn int, seq int64, events bool) (position, error) {
	p, now, err := position{turn: turn}, s.live.moment(), error(nil)
	known := now.begun.Seq > 0 && turn == now.begun.Turn
	if known {
		p.begin, p.events, p.past = now.begun, now.acts, now.past
	} else if p.begin, err = s.states.at(turn); err != nil {
		return p, err
	}
	if p.begin.Seq == 0 {
		return p, nil // there is no log yet
	}
	p.st, p.ended = p.begin, turn < now.st.Turn
	switch {
	case p.ended && seq == 0 && !events:
		return p, nil
	case p.ended:
		p.events, err = s.states.played.events(turn)
	case !known:
		p.events, err = eventsOf(s.run.Dir, turn)
	}
	if err != nil {
		return p, err
	}
	if n := len(p.events); n > 0 && p.events[n-1].Kind == world.KindTurn {
		p.ended = true // since we looked
	}
	switch {
	case seq > 0:
		n := slices.IndexFunc(p.events, func(ev world.Event) bool { return ev.Seq == seq })
		if n < 0 {
			return p, missing(fmt.Sprintf("event %d is not one of turn %d", seq, turn), "api/steps?turn= lists them")
		}
		for n+1 < len(p.events) && p.events[n].More {
			n++ // nobody ever saw a part of a commit
		}
		p.events, p.part = p.events[:n+1], true
		p.st = p.after()
	case !p.ended:
		p.st = p.after()
	}
	return p, nil
}

// before returns the state before the events.
func (p position) before() world.State {
	if p.turn == 0 {
		return world.State{}
	}
	return p.begin
}

// after returns the state after them.
func (p position) after() world.State { return p.before().Apply(p.events...) }

// number reads a whole number from a request.
func number(r *http.Request, name string, other, least, most int) (int, error) {
	text := r.FormValue(name)
	if text == "" {
		return other, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, invalid(fmt.Sprintf("%s=%.40q is not a whole number", name, text), "")
	}
	if n < least || n > most {
		return 0, missing(fmt.Sprintf("there is no %s %d", name, n), fmt.Sprintf("%d to %d", least, most))
	}
	return n, nil
}

// A states finds the states of a run. Those that were asked for last it knows.
type states struct {
	played played

	mu    sync.Mutex
	known []world.State // as turns begin, the one that was used last at the end
}

// knownStates is how many it knows. They share what they have in common.
const knownStates = 32

// at returns the state as a turn begins.
func (s *states) at(turn int) (world.State, error) {
	if st, ok := s.find(turn); ok {
		return st, nil
	}
	st, err := s.seek(turn)
	if err != nil || st.Seq == 0 {
		return st, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = append(s.known, st)
	if len(s.known) > knownStates {
		s.known = slices.Delete(s.known, 0, 1)
	}
	return st, nil
}

// find returns the state as a turn begins if it is known.
func (s *states) find(turn int) (world.State, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.known, func(st world.State) bool { return st.Turn == turn })
	if i < 0 {
		return world.State{}, false
	}
	st := s.known[i]
	s.known = append(slices.Delete(s.known, i, i+1), st)
	return st, true
}

// opened returns the state after the first commit; the zero state if there is none yet.
func (s *states) opened() (world.State, error) {
	for commit, err := range world.Skim(s.played.dir, 0) {
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		var events []world.Event
		for _, o := range commit {
			ev, evErr := o.Event()
			events, err = append(events, ev), errors.Join(err, evErr)
		}
		return world.State{}.Apply(events...), err
	}
	return world.State{}, nil
}

// seek reads the state as a turn begins: from that of the turn before, if it is known.
func (s *states) seek(turn int) (world.State, error) {
	if turn == 0 {
		return s.opened()
	}
	st, ok := s.find(turn - 1)
	if !ok {
		return world.StateAt(s.played.dir, turn)
	}
	events, err := s.played.events(turn - 1)
	if err != nil {
		return st, err
	}
	seen := slices.IndexFunc(events, func(ev world.Event) bool { return ev.Seq > st.Seq })
	if seen >= 0 {
		st = st.Apply(events[seen:]...)
	}
	if st.Turn != turn {
		return st, missing(fmt.Sprintf("turn %d has not begun", turn), "")
	}
	return st, nil
}
