package web

import (
	"slices"
	"sync"

	"github.com/vitrine-sim/vitrine/world"
)

// A played knows the events of turns that are over, of those that were asked for last: what a page shows of a turn it asks for all at once, in several requests.
type played struct {
	dir string

	mu    sync.Mutex
	turns []*playedTurn // the one that was asked for last at the end
}

type playedTurn struct {
	turn   int
	events func() ([]world.Event, error)
}

// playedTurns is how many it knows. One in which a thousand agents act takes half a megabyte.
const playedTurns = 8

// events returns the events of a turn that is over. Nobody may change them.
func (p *played) events(turn int) ([]world.Event, error) {
	p.mu.Lock()
	i := slices.IndexFunc(p.turns, func(t *playedTurn) bool { return t.turn == turn })
	if i < 0 {
		t := &playedTurn{turn, sync.OnceValues(func() ([]world.Event, error) { return eventsOf(p.dir, turn) })}
		i, p.turns = len(p.turns), append(p.turns, t)
	}
	t := p.turns[i]
	p.turns = append(slices.Delete(p.turns, i, i+1), t)
	if len(p.turns) > playedTurns {
		p.turns = slices.Delete(p.turns, 0, 1)
	}
	p.mu.Unlock()
	events, err := t.events()
	if n := len(events); err != nil || n == 0 || events[n-1].Kind != world.KindTurn { // next time it may be otherwise
		p.mu.Lock()
		p.turns = slices.DeleteFunc(p.turns, func(other *playedTurn) bool { return other == t })
		p.mu.Unlock()
	}
	return events, err
}

// eventsOf reads the events of a turn, as far as it has come.
func eventsOf(dir string, turn int) (events []world.Event, err error) {
	for ev, err := range world.Turn(dir, turn) {
		if err != nil {
			return nil, err
		}
		events = append(events, ev)
	}
	return slices.Clip(events), nil
}
