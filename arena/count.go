package arena

import (
	"iter"

	"github.com/vitrine-sim/vitrine/world"
)

// A Tally is what one agent did in an episode, turn by turn.
type Tally struct {
	Actions  int `json:"actions"`  // that it asked for, refused or not
	Refusals int `json:"refusals"` // of those, how many were illegal
	Passes   int `json:"passes"`   // times it chose to do nothing
	Timeouts int `json:"timeouts"` // times it was late
	Invalids int `json:"invalids"` // times it did nothing that could be an action
	Errors   int `json:"errors"`   // times it could not act
}

// count adds what an event says of its agent.
func (t *Tally) count(ev world.Event) {
	switch ev.Kind {
	case KindAction:
		a, err := actOf(ev)
		if err == nil && a.action.Name == world.Pass {
			t.Passes++
		} else {
			t.Actions++
		}
	case world.KindRefusal:
		t.Refusals++
	case KindTimeout:
		t.Timeouts++
	case KindInvalid:
		t.Invalids++
	case KindError:
		t.Errors++
	}
}

// Count counts what the agents did, by name, from the log alone.
func Count(events iter.Seq2[world.Event, error]) (map[string]Tally, error) {
	tallies := make(map[string]Tally)
	for ev, err := range events {
		if err != nil {
			return nil, err
		}
		if ev.Agent == "" {
			continue
		}
		t := tallies[ev.Agent]
		t.count(ev)
		tallies[ev.Agent] = t
	}
	return tallies, nil
}
