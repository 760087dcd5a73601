package diplomacy

import (
	"encoding/json"
	"fmt"
	"iter"

	"github.com/vitrine-sim/vitrine/world"
)

// Metrics returns what [Measure] computes. Nobody has published them but us.
func Metrics() []world.Metric {
	return []world.Metric{
		{Name: "turns", Unit: "turns", Formula: "that were resolved"},
		{Name: "leader", Unit: "supply centers", Formula: "of the power that has most at the end; 0 if no turn was resolved"},
		{Name: "dislodged", Unit: "units", Formula: "that were dislodged, and so are gone"},
		{Name: "moves_made", Unit: "percent", Formula: "of all moves that were ordered and not void; 0 if there were none"},
		{Name: "supports", Unit: "percent", Formula: "of all orders that were not void, those to support; 0 if there were none"},
	}
}

// Measure computes the [Metrics] of an episode from the events of its log, in their order and from nothing else. It is an error if
// the log has no board event, or holds an event of this world that cannot be read; an error from the sequence is passed on.
func Measure(events iter.Seq2[world.Event, error]) (map[string]float64, error) {
	begun := false
	var turns, leader, dislodged, moves, made, supports, all int
	for ev, err := range events {
		if err != nil {
			return nil, err
		}
		switch ev.Kind {
		case kindBoard:
			begun = true
		case kindOrder:
			var data orderData
			err = json.Unmarshal(ev.Data, &data)
			valid := data.Result != result{void: true}.word()
			all += count(valid)
			supports += count(valid && data.Kind == order{kind: support}.word())
			moves += count(valid && data.Kind == order{kind: move}.word())
			made += count(data.Result == result{succeeds: true}.word() && data.Kind == order{kind: move}.word())
			dislodged += count(data.Dislodged)
		case kindTurned:
			var data turnedData
			err = json.Unmarshal(ev.Data, &data)
			turns, leader = turns+1, 0
			for _, n := range data.Centers { // the greatest has no order
				leader = max(leader, n)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("read event %d, a %s: %w", ev.Seq, ev.Kind, err)
		}
	}
	if !begun {
		return nil, fmt.Errorf("no %s event in the log: it is no diplomacy's", kindBoard)
	}
	return map[string]float64{
		"turns": float64(turns), "leader": float64(leader), "dislodged": float64(dislodged),
		"moves_made": percent(made, moves), "supports": percent(supports, all),
	}, nil
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// percent returns what percentage part is of whole; 0 of nothing.
func percent(part, whole int) float64 { return 100 * float64(part) / float64(max(1, whole)) }
