package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"iter"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

// A measurement is what "metrics --json" prints, and "metrics --follow --json" line by line.
type measurement struct {
	Turns   int        `json:"turns"` // that had ended
	State   string     `json:"state"` // of the run, one of the following
	Metrics []measured `json:"metrics"`
}

// How a run stands whose metrics are computed.
const (
	runOver    = "over"
	runRunning = "running"
	runIdle    = "idle" // it is not over, and nobody plays it
)

type measured struct {
	world.Metric
	Value float64 `json:"value"`
}

func metricsFlags(flags *flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	file := flags.String("csv", "", "also write them to a `FILE` of comma-separated values")
	perTurn := flags.Bool("turns", false, "in that file a row for each turn and metric: as they were when so many turns had been played; for a long run it takes long, as each is computed from the beginning")
	follow := flags.Bool("follow", false, "print them again as turns end, until the episode is over; it takes at most a tenth of a processor")
	return func(ctx context.Context, a *app, args []string) (any, error) {
		dir := args[0]
		if *perTurn && *file == "" {
			return nil, misuse("add --csv FILE", "--turns: there is no file")
		}
		m, s, err := a.openSetup(ctx, dir)
		if err != nil {
			return nil, err
		}
		defer s.close()
		if *follow {
			last, err := s.followMetrics(ctx, a, dir)
			return nil, errors.Join(err, s.write(context.WithoutCancel(ctx), m, dir, last, *file, *perTurn)) // to interrupt it is how it ends
		}
		now, err := s.measure(dir, world.Events(dir))
		if err != nil {
			return nil, err
		}
		now.print(a)
		return now, s.write(ctx, m, dir, now, *file, *perTurn)
	}
}

// measure computes the metrics of a run from its log, as far as that goes.
func (s *setup) measure(dir string, log iter.Seq2[world.Event, error]) (*measurement, error) {
	now := &measurement{State: runIdle, Metrics: []measured{}}
	if world.Holder(dir) != nil {
		now.State = runRunning
	}
	read, wanted := false, true // rules need not go through all events, or any
	all := func(yield func(world.Event, error) bool) {
		read = true
		for ev, err := range log {
			switch ev.Kind {
			case world.KindTurn:
				now.Turns = ev.Turn + 1
			case arena.KindEnd:
				now.State = runOver
			}
			wanted = wanted && yield(ev, err)
		}
	}
	values, err := s.substrate.measure(all)
	if !read {
		for _, broken := range all {
			err = errors.Join(err, broken)
		}
	}
	for _, metric := range s.substrate.metrics {
		now.Metrics = append(now.Metrics, measured{metric, values[metric.Name]})
	}
	return now, err
}

// followMetrics prints the metrics of a run as they are now, and as they are whenever a turn has ended, until it is over or ctx ends. It returns
// the last ones. Each time it reads the log from its beginning, so it rests nine times as long as that took, and leaves turns out that end meanwhile.
func (s *setup) followMetrics(ctx context.Context, a *app, dir string) (*measurement, error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	st, err := world.Now(dir)
	if err != nil {
		return nil, err
	}
	var upTo atomic.Int64 // the last event that ended a turn
	upTo.Store(st.Seq)
	ended, failed := make(chan struct{}, 1), make(chan error, 1)
	if st.Seq > 0 {
		ended <- struct{}{}
	}
	go func() { // ends with ctx at the latest
		for ev, err := range world.Follow(ctx, dir, st.Seq) {
			if err != nil {
				failed <- err
				return
			}
			if ev.Kind != world.KindTurn && ev.Kind != arena.KindEnd {
				continue
			}
			upTo.Store(ev.Seq)
			select {
			case ended <- struct{}{}:
			default: // it is told already
			}
		}
	}()
	var last *measurement
	for {
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case err := <-failed:
			return last, err
		case <-ended:
		}
		begun := time.Now()
		now, err := s.measure(dir, until(world.Events(dir), upTo.Load()))
		if err != nil {
			return last, err
		}
		if last = now; a.json {
			err = json.NewEncoder(a.stdout).Encode(now)
		} else {
			_, err = fmt.Fprintln(a.out, printable(now.line()))
		}
		if err != nil || now.State == runOver {
			return last, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(9 * time.Since(begun)):
		}
	}
}

// until returns the events up to one of them.
func until(log iter.Seq2[world.Event, error], seq int64) iter.Seq2[world.Event, error] {
	return func(yield func(world.Event, error) bool) {
		for ev, err := range log {
			if !yield(ev, err) || ev.Seq >= seq {
				return
			}
		}
	}
}

// when says how far the run has come.
func (m *measurement) when() string {
	return "after " + plural(m.Turns, "turn") + map[string]string{runRunning: ", still running", runIdle: ", not over, and nobody plays it"}[m.State]
}

// line tells all in one line.
func (m *measurement) line() string {
	var values []string
	for _, metric := range m.Metrics {
		values = append(values, fmt.Sprintf("%s %s", metric.Name, number(metric.Value)))
	}
	return m.when() + ": " + strings.Join(values, ", ")
}

// print tells people.
func (m *measurement) print(a *app) {
	fmt.Fprintln(a.out, m.when())
	for _, metric := range m.Metrics {
		fmt.Fprintf(a.out, "%-16s %s %s\n    %s\n", metric.Name, number(metric.Value), metric.Unit, metric.Formula)
		if metric.Source != "" {
			fmt.Fprintf(a.out, "    %s\n", metric.Source)
		}
	}
}

// csv returns the metrics of a run as comma-separated values.
func (m *measurement) csv(of arena.Manifest) []byte {
	rows := [][]string{{"scenario", "seed", "metric", "value", "unit"}}
	for _, metric := range m.Metrics {
		rows = append(rows, []string{cell(of.Scenario), fmt.Sprint(of.Seed), cell(metric.Name), fmt.Sprint(metric.Value), cell(metric.Unit)})
	}
	return commaSeparated(rows)
}

// commaSeparated returns rows as comma-separated values.
func commaSeparated(rows [][]string) []byte {
	var text bytes.Buffer
	_ = csv.NewWriter(&text).WriteAll(rows) // a buffer takes everything
	return text.Bytes()
}

// cell returns a text as no spreadsheet takes it for a formula: whoever sends somebody a run has named what is in it.
func cell(text string) string {
	if text != "" && strings.Contains("=+-@\t\r", text[:1]) {
		return "'" + text
	}
	return text
}

// write writes the metrics of the run in dir to a file of comma-separated values, if it has a name.
func (s *setup) write(ctx context.Context, of arena.Manifest, dir string, m *measurement, file string, perTurn bool) error {
	if file == "" || m == nil {
		return nil
	}
	text := m.csv(of)
	if perTurn {
		turns := make([]int, m.Turns)
		for i := range turns {
			turns[i] = i + 1
		}
		var err error
		if text, err = s.turnsCSV(ctx, of, dir, turns); err != nil {
			return fmt.Errorf("write %s: %w", file, err)
		}
	}
	switch err := os.WriteFile(file, text, 0o666); {
	case isFull(err):
		return fmt.Errorf("--csv: %w", err)
	case err != nil:
		return misuse("", "--csv: %w", err)
	}
	return nil
}
