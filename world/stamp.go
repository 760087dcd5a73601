package world

import (
	"encoding/json"
	"fmt"
	"time"
)

// Stamp returns the events as a log holds them when they follow on s in one commit: their JSON canonical, and More, Seq and Turn
// filled in. It is an error if an event has JSON that is not valid.
func (s State) Stamp(events []Event) ([]Event, error) {
	turn := s.Turn
	stamped := make([]Event, len(events))
	for i, ev := range events {
		ev, err := ev.canonical()
		if err != nil {
			return nil, fmt.Errorf("%s event: %w", ev.Kind, err)
		}
		ev.More, ev.Seq, ev.Turn = i < len(events)-1, s.Seq+int64(i)+1, turn
		if ev.Kind == KindTurn {
			turn++
		}
		stamped[i] = ev
	}
	return stamped, nil
}

// World returns the world part of a stamped event: what of it counts for the hash of a run, without process facts and time.
func (ev Event) World() (json.RawMessage, error) {
	ev.Proc, ev.Time = nil, time.Time{}
	return marshal(ev)
}
