package arena

import (
	"iter"

	"github.com/vitrine-sim/vitrine/world"
)

// A Tally is what one agent did in an episode.
type Tally struct {
	Actions  int // that it asked for, refused or not
	Refusals int
}

// Count counts what the agents did, by name, from the log alone.
func Count(events iter.Seq2[world.Event, error]) (map[string]Tally, error) {
	tallies := make(map[string]Tally)
	for ev, err := range events {
		if err != nil {
			return nil, err
		}
		t := tallies[ev.Agent]
		switch ev.Kind {
		case KindAction:
			t.Actions++
		case world.KindRefusal:
			t.Refusals++
		default:
			continue
		}
		tallies[ev.Agent] = t
	}
	return tallies, nil
}
