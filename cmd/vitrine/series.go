package main

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

// A probe computes the metrics of the beginning of a log, up to where its events end.
type probe struct {
	events chan []world.Event
	values map[string]float64
	err    error
}

// series returns the metrics of the run in dir as they were when each of some turns began, which are in order; those of the last one are as they are now.
// It reads the log once, but computes for each of the turns anew what its beginning comes to: no rules, those in files and programs among them, have
// their metrics before the end of the events that they are given.
func (s *setup) series(ctx context.Context, dir string, turns []int) (map[string][]float64, error) {
	probes := make([]*probe, len(turns))
	var probing sync.WaitGroup
	for i := range probes {
		p := &probe{events: make(chan []world.Event, 1)}
		probes[i] = p
		probing.Go(func() { // until its events end
			p.values, p.err = s.substrate.measure(p.all())
			for range p.events { // it may have had enough
			}
		})
	}
	open, err := probes, error(nil)
	for batch, readErr := range batches(dir) {
		if err = readErr; err == nil {
			err = ctx.Err()
		}
		if err != nil {
			break
		}
		for len(open) > 1 && batch[0].Turn >= turns[len(turns)-len(open)] {
			close(open[0].events)
			open = open[1:]
		}
		for _, p := range open {
			p.events <- batch
		}
	}
	for _, p := range open {
		close(p.events)
	}
	probing.Wait()
	values := make(map[string][]float64)
	for _, p := range probes {
		if err == nil {
			err = p.err
		}
		for _, metric := range s.substrate.metrics {
			values[metric.Name] = append(values[metric.Name], p.values[metric.Name])
		}
	}
	return values, err
}

// all yields the events that a probe is given.
func (p *probe) all() iter.Seq2[world.Event, error] {
	return func(yield func(world.Event, error) bool) {
		for batch := range p.events {
			for _, ev := range batch {
				if !yield(ev, nil) {
					return
				}
			}
		}
	}
}

// batches yields the events of a log, each time some of one turn.
func batches(dir string) iter.Seq2[[]world.Event, error] {
	return func(yield func([]world.Event, error) bool) {
		const many = 1000
		var batch []world.Event
		for commit, err := range world.Skim(dir, 0) {
			if err != nil {
				yield(nil, err)
				return
			}
			for _, o := range commit {
				if len(batch) > 0 && (len(batch) == many || batch[0].Turn != o.Turn) {
					if !yield(batch, nil) {
						return
					}
					batch = nil
				}
				ev, err := o.Event()
				if err != nil {
					yield(nil, err)
					return
				}
				batch = append(batch, ev)
			}
		}
		if len(batch) > 0 {
			yield(batch, nil)
		}
	}
}

// turnsCSV returns the metrics of the run in dir over some turns, which are in order, as comma-separated values.
func (s *setup) turnsCSV(ctx context.Context, of arena.Manifest, dir string, turns []int) ([]byte, error) {
	rows := [][]string{{"scenario", "seed", "turns", "metric", "value", "unit"}}
	values, err := s.series(ctx, dir, turns)
	if err != nil {
		return nil, err
	}
	for i, turn := range turns {
		for _, metric := range s.substrate.metrics {
			rows = append(rows, []string{
				cell(of.Scenario), fmt.Sprint(of.Seed), fmt.Sprint(turn), cell(metric.Name), fmt.Sprint(values[metric.Name][i]), cell(metric.Unit),
			})
		}
	}
	return commaSeparated(rows), nil
}

// metricsCSV returns what "metrics --csv" writes or, of some turns, what it writes with --turns.
func (s *setup) metricsCSV(ctx context.Context, of arena.Manifest, dir string, turns []int) ([]byte, error) {
	if len(turns) > 0 {
		return s.turnsCSV(ctx, of, dir, turns)
	}
	now, err := s.measure(dir, world.Events(dir))
	if err != nil {
		return nil, err
	}
	return now.csv(of), nil
}
