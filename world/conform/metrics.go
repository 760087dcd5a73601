package conform

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

// checkMetrics measures the log of an episode, and again by rules that did not play it, as another process would have written it; and it as far
// as it goes at the end of some turns.
func (b *bench) checkMetrics() (string, error) {
	if b.first.subject.Measure == nil || len(b.first.subject.Metrics) == 0 {
		return "there are none", nil
	}
	for _, seed := range b.Seeds {
		e := b.newEpisode(b.first, seed, seed)
		if err := e.run(nil); err != nil {
			return "", err
		}
		want, err := e.measured(b.first, e.events)
		if err != nil {
			return "", err
		}
		got, err := e.measured(b.fresh, elsewhere(e.events))
		if err != nil {
			return "", fmt.Errorf("of the log as another process writes it: %w", err)
		}
		if err := e.differ("", "", want, got, "the metrics of the log as another process writes it differ"); err != nil {
			return "", err
		}
		every := max(1, b.Turns/10)
		for i, ev := range e.events {
			if ev.Kind == world.KindTurn && ev.Turn%every == 0 {
				if _, err := e.measured(b.first, e.events[:i+1]); err != nil {
					return "", fmt.Errorf("of the log up to the end of turn %d: %w", ev.Turn, err)
				}
			}
		}
		broken := errors.New("a log that cannot be read")
		_, err = b.first.measure(func(yield func(world.Event, error) bool) {
			if yield(e.events[0], nil) {
				yield(world.Event{}, broken)
			}
		})
		if !errors.Is(err, broken) {
			return "", e.fault("", "", "where the log cannot be read, measure returns the error %v", err)
		}
	}
	return fmt.Sprintf("%d of them", len(b.first.subject.Metrics)), nil
}

// measured returns the metrics of a log as JSON.
func (e *episode) measured(rules guarded, events []world.Event) ([]byte, error) {
	values, err := rules.measure(sequence(events))
	if err != nil {
		return nil, err
	}
	for _, m := range rules.subject.Metrics {
		value, ok := values[m.Name]
		if !ok || math.IsNaN(value) || math.IsInf(value, 0) {
			return nil, e.fault("", "", "the metric %q is no finite number", m.Name)
		}
	}
	if len(values) != len(rules.subject.Metrics) {
		return nil, e.fault("", "", "there are %d values of %d metrics", len(values), len(rules.subject.Metrics))
	}
	return encode(values), nil
}

func sequence(events []world.Event) iter.Seq2[world.Event, error] {
	return func(yield func(world.Event, error) bool) {
		for _, ev := range events {
			if !yield(ev, nil) {
				return
			}
		}
	}
}

// elsewhere returns the events as they are read from the log of another process, on another day.
func elsewhere(events []world.Event) []world.Event {
	read := make([]world.Event, len(events))
	for i, ev := range events {
		ev.Proc, ev.Time = json.RawMessage(`{"pid":99}`), time.Unix(int64(i), 0).UTC()
		_ = json.Unmarshal(encode(ev), &read[i]) // it was stamped, so it is JSON
	}
	return read
}
