package main

import (
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/vitrine-sim/vitrine/world"
)

// A measured is one line of what "metrics --json" prints.
type measured struct {
	world.Metric
	Value float64 `json:"value"`
}

func metricsFlags(flags *flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	file := flags.String("csv", "", "also write them to a `FILE` of comma-separated values")
	return func(_ context.Context, a *app, args []string) (any, error) { return metrics(a, args[0], *file) }
}

// metrics computes the metrics of a run from its log, as far as that goes.
func metrics(a *app, dir, file string) (any, error) {
	m, _, err := openRun(dir)
	if err != nil {
		return nil, err
	}
	s, err := reload(m)
	if err != nil {
		return nil, fmt.Errorf("the scenario in the manifest: %w", err)
	}
	defer s.close()
	values, err := s.substrate.measure(world.Events(dir))
	if err != nil {
		return nil, err
	}
	doc := []measured{}
	rows := [][]string{{"scenario", "seed", "metric", "value", "unit"}}
	for _, metric := range s.substrate.metrics {
		value := values[metric.Name]
		doc = append(doc, measured{metric, value})
		rows = append(rows, []string{m.Scenario, fmt.Sprint(m.Seed), metric.Name, fmt.Sprint(value), metric.Unit})
		fmt.Fprintf(a.out, "%-16s %s %s\n    %s\n", metric.Name, number(value), metric.Unit, metric.Formula)
		if metric.Source != "" {
			fmt.Fprintf(a.out, "    %s\n", metric.Source)
		}
	}
	if file == "" {
		return doc, nil
	}
	out, err := os.Create(file)
	if err != nil {
		return nil, misuse("", "--csv: %w", err)
	}
	if err := errors.Join(csv.NewWriter(out).WriteAll(rows), out.Close()); err != nil {
		return nil, fmt.Errorf("write %s: %w", file, err)
	}
	return doc, nil
}
