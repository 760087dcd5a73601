package life

import (
	"encoding/json"
	"fmt"
	"iter"

	"github.com/vitrine-sim/vitrine/world"
)

// Metrics returns what [Measure] computes.
func Metrics() []world.Metric {
	return []world.Metric{{Name: "population", Unit: "cells", Formula: "live cells on the whole board at the end", Source: "Conway's Game of Life"}}
}

// Measure computes the [Metrics] of an episode from the events of its log, and from nothing else. It is an error if the log has no board
// event, or holds an event of this world that cannot be read; an error from the sequence is passed on.
func Measure(events iter.Seq2[world.Event, error]) (map[string]float64, error) {
	laid := false
	population := make(map[string]int) // by agent
	for ev, err := range events {
		if err != nil {
			return nil, err
		}
		switch ev.Kind {
		case kindBoard:
			laid = true
		case kindTile:
			var data tileData
			if err := json.Unmarshal(ev.Data, &data); err != nil {
				return nil, fmt.Errorf("read event %d, a %s: %w", ev.Seq, ev.Kind, err)
			}
			population[ev.Agent] = data.Population
		}
	}
	if !laid {
		return nil, fmt.Errorf("no %s event in the log: it is no game of life", kindBoard)
	}
	total := 0
	for _, n := range population { // a sum has no order
		total += n
	}
	return map[string]float64{"population": float64(total)}, nil
}
