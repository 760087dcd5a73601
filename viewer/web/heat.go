package web

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/vitrine-sim/vitrine/viewer"
	"github.com/vitrine-sim/vitrine/world"
)

// overlays are what can be laid over the world: where agents were as turns began, and how often each spoke, was refused, or failed to act.
var overlays = []string{"visits", "messages", "refusals", "failures"}

// heatTurns is of how many turns an overlay counts: the one shown, and those before it.
const heatTurns = 200

// A heats knows what the overlays count in single turns that are over.
type heats struct {
	mu    sync.Mutex
	known map[string][]string // by overlay and turn: a name for each time
}

// heat returns the counts of an overlay up to a turn; nil for none.
func (s *exhibit) heat(overlay string, turn int, look viewer.Look) (*viewer.Heat, error) {
	if overlay == "" {
		return nil, nil
	}
	if !slices.Contains(overlays, overlay) {
		return nil, missing(fmt.Sprintf("there is no overlay %.40q", overlay), "there are "+strings.Join(overlays, ", "))
	}
	first := max(0, turn-heatTurns+1)
	h := &viewer.Heat{Name: overlay, Counts: make(map[string]int)}
	if first > 0 {
		h.Name += fmt.Sprintf(" in the last %d turns", heatTurns)
	}
	for t := first; t <= turn; t++ {
		names, err := s.heatOf(overlay, t, look)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			h.Counts[name]++
		}
	}
	return h, nil
}

// heatOf returns a name for each time that an overlay counts in one turn.
func (s *exhibit) heatOf(overlay string, turn int, look viewer.Look) ([]string, error) {
	key := overlay + " " + strconv.Itoa(turn)
	s.heats.mu.Lock()
	names, ok := s.heats.known[key]
	s.heats.mu.Unlock()
	if ok {
		return names, nil
	}
	if overlay == "visits" {
		st, err := s.states.at(turn)
		if err != nil {
			return nil, err
		}
		names = look.Where(st, s.looks())
	} else {
		for ev, err := range world.Turn(s.run.Dir, turn) {
			if err != nil {
				return nil, err
			}
			if ev.Agent != "" && overlayOf(ev.Kind) == overlay {
				names = append(names, ev.Agent)
			}
		}
	}
	if turn < s.live.moment().st.Turn {
		s.heats.mu.Lock()
		defer s.heats.mu.Unlock()
		if s.heats.known == nil || len(s.heats.known) > 4*heatTurns {
			s.heats.known = make(map[string][]string)
		}
		s.heats.known[key] = names
	}
	return names, nil
}

// overlayOf returns the overlay that counts a kind of event; empty: none does.
func overlayOf(kind string) string {
	switch {
	case kind == viewer.KindMessage:
		return "messages"
	case kind == world.KindRefusal:
		return "refusals"
	case viewer.Failed(kind):
		return "failures"
	}
	return ""
}
