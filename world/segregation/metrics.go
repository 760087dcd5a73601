package segregation

import (
	"encoding/json"
	"fmt"
	"iter"

	"github.com/vitrine-sim/vitrine/world"
)

// source is where the metrics come from.
const source = "Wilensky 1997, NetLogo Segregation model, after Schelling 1978"

// Metrics returns what [Measure] computes.
func Metrics() []world.Metric {
	return []world.Metric{
		{Name: "similar", Unit: "percent", Source: source, Formula: "of the neighbours of all people at the end, those who have the same color; 100 if nobody has any"},
		{Name: "similar_first", Unit: "percent", Source: source, Formula: "the same when the town was settled"},
		{Name: "unhappy", Unit: "percent", Source: source, Formula: "of all people at the end, those with fewer neighbours of their color than they want"},
		{Name: "ticks", Unit: "turns", Source: source, Formula: "turns in which somebody moved"},
	}
}

// Measure computes the [Metrics] of an episode from the events of its log, in their order and from nothing else. It is an error if
// the log has no town event, or holds an event of this world that cannot be read; an error from the sequence is passed on.
func Measure(events iter.Seq2[world.Event, error]) (map[string]float64, error) {
	var first, last *townData
	ticks, turn := 0, -1 // turn: the last one in which somebody moved
	for ev, err := range events {
		if err != nil {
			return nil, err
		}
		var data townData
		var moves moveData
		switch ev.Kind {
		case kindTown:
			err = json.Unmarshal(ev.Data, &data)
			last = &data
			if first == nil {
				first = last
			}
		case kindMove:
			if err = json.Unmarshal(ev.Data, &moves); moves.Moved > 0 && ev.Turn > turn {
				ticks, turn = ticks+1, ev.Turn
			}
		}
		if err != nil {
			return nil, fmt.Errorf("read event %d, a %s: %w", ev.Seq, ev.Kind, err)
		}
	}
	if first == nil {
		return nil, fmt.Errorf("no %s event in the log: it is no segregation's", kindTown)
	}
	return map[string]float64{
		"similar":       percent(last.Alike, last.Neighbours),
		"similar_first": percent(first.Alike, first.Neighbours),
		"unhappy":       100 - percent(last.People-last.Unhappy, last.People),
		"ticks":         float64(ticks),
	}, nil
}

// percent returns what percentage part is of whole; 100 of nothing.
func percent(part, whole int) float64 {
	if whole == 0 {
		return 100
	}
	return 100 * float64(part) / float64(whole)
}
