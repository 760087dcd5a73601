package main

import (
	"encoding/json"
	"iter"

	"github.com/vitrine-sim/vitrine/world"
)

// measure computes the metrics of an episode from its log.
func measure(events iter.Seq2[world.Event, error]) (map[string]float64, error) {
	total := 0.0
	for ev, err := range events {
		if err != nil {
			return nil, err
		}
		if ev.Kind != "catch" {
			continue
		}
		var data struct{ Caught float64 }
		if err := json.Unmarshal(ev.Data, &data); err != nil {
			return nil, err
		}
		total += data.Caught
	}
	return map[string]float64{"total": total}, nil
}
