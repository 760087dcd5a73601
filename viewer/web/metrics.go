package web

import (
	"context"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

// Metrics are computed from the whole log, for as many points as its length allows: so many events are looked at for all of them together.
const (
	mostPoints  = 500
	fewPoints   = 25
	firstPoints = 4 // that are computed first, of a log with manyEvents
	manyEvents  = 100_000
	worthEvents = 20_000_000
	waitSeries  = 1500 * time.Millisecond // that a request waits for them, at most
	restSeries  = 9                       // times as long as they took, until they are computed anew
)

// A seriesJSON is the metrics over the turns.
type seriesJSON struct {
	Turns   []int        `json:"turns"` // turns played
	Series  []metricJSON `json:"series"`
	Partial bool         `json:"partial"` // those of the latest turns are being computed
}

type metricJSON struct {
	Name   string     `json:"name"`
	Unit   string     `json:"unit"`
	Values []*float64 `json:"values"` // null: it is no number
}

// A plot is the metrics of a run, as far as they are computed.
type plot struct {
	mu     sync.Mutex
	seq    int64 // the last event of which they are
	series seriesJSON
	err    error
	done   chan struct{} // is closed when they are computed that are under way; nil: none are
	rest   time.Time     // until then none are computed anew
}

// apiMetrics tells the metrics over the turns.
func (s *exhibit) apiMetrics(r *http.Request) (any, error) {
	if _, err := number(r, "points", mostPoints, 1, mostPoints); err != nil {
		return nil, err
	}
	if s.run.Measure == nil {
		return seriesJSON{Turns: []int{}, Series: []metricJSON{}}, nil
	}
	now := s.live.moment().st
	p := &s.plot
	p.mu.Lock()
	if p.done == nil && p.seq != now.Seq && time.Now().After(p.rest) {
		if done := make(chan struct{}); s.work.Go(func() { s.measure(s.ctx, now) }) {
			p.done = done
		}
	}
	done := p.done
	p.mu.Unlock()
	if done != nil {
		select {
		case <-done:
		case <-time.After(waitSeries):
		case <-r.Context().Done():
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	series := p.series
	series.Partial = p.seq != now.Seq
	if series.Turns == nil {
		series.Turns, series.Series = []int{}, []metricJSON{}
	}
	return series, p.err
}

// measure computes the metrics up to a state: first a few of them, if they are many, so that there is something to be seen soon.
func (s *exhibit) measure(ctx context.Context, now world.State) {
	begun, p := time.Now(), &s.plot
	turns := sampled(now)
	if few := (len(turns) + firstPoints - 1) / firstPoints; few > 1 && now.Seq > manyEvents {
		var first []int
		for i := len(turns) - 1; i >= 0; i -= few {
			first = append(first, turns[i])
		}
		slices.Reverse(first)
		if series, err := s.seriesOf(ctx, first); err == nil {
			p.mu.Lock()
			if p.series.Turns == nil {
				p.series = series
			}
			p.mu.Unlock()
		}
	}
	series, err := s.seriesOf(ctx, turns)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err = err; err == nil {
		p.series = series
	}
	p.seq, p.rest = now.Seq, time.Now().Add(restSeries*time.Since(begun))
	close(p.done)
	p.done = nil
}

// seriesOf computes the metrics of some turns.
func (s *exhibit) seriesOf(ctx context.Context, turns []int) (seriesJSON, error) {
	values, err := s.run.Measure(ctx, turns)
	series := seriesJSON{Turns: turns, Series: []metricJSON{}}
	for _, metric := range s.run.About.Metrics {
		m := metricJSON{Name: clean(metric.Name), Unit: clean(metric.Unit)}
		for _, v := range values[metric.Name] {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				m.Values = append(m.Values, nil)
			} else {
				m.Values = append(m.Values, &v)
			}
		}
		series.Series = append(series.Series, m)
	}
	return series, err
}

// sampled returns the turns of which the metrics are computed: the last one, and others as far apart from each other.
func sampled(now world.State) []int {
	points := min(now.Turn, mostPoints, max(fewPoints, int(worthEvents/max(1, now.Seq))))
	if points == 0 {
		return []int{now.Turn}
	}
	var turns []int
	for i := range points {
		turns = append(turns, (i+1)*now.Turn/points)
	}
	return turns
}

// metricsCSV answers with the metrics as the command line writes them; with turns=1 those of the turns that charts have.
func (s *exhibit) metricsCSV(w http.ResponseWriter, r *http.Request) {
	if s.run.MetricsCSV == nil {
		fail(w, http.StatusNotFound, "the rules are not at hand", "")
		return
	}
	done, err := s.reading.pass(r.Context())
	if err != nil {
		return // whoever asked is gone
	}
	var turns []int
	if r.FormValue("turns") != "" {
		turns = sampled(s.live.moment().st)
	}
	text, err := s.run.MetricsCSV(r.Context(), turns)
	done()
	if err != nil {
		failed(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="metrics.csv"`)
	_, _ = w.Write(text) // whoever is gone does not need it
}
