package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
)

func TestOfALongRunSomeMetricsAreThereBeforeAllAre(t *testing.T) {
	var asked [][]int
	s := &exhibit{}
	s.run.About.Metrics = []world.Metric{{Name: "total"}}
	s.run.Measure = func(_ context.Context, turns []int) (map[string][]float64, error) {
		if len(asked) == 1 && (len(s.plot.series.Turns) != firstPoints || len(s.plot.series.Series) != 1) {
			t.Errorf("before all are computed there are %+v", s.plot.series)
		}
		asked = append(asked, turns)
		return map[string][]float64{"total": make([]float64, len(turns))}, nil
	}
	s.plot.done = make(chan struct{})
	s.measure(t.Context(), world.State{Turn: 300, Seq: 4 * manyEvents})
	if len(asked) != 2 || len(asked[0]) != firstPoints || asked[0][firstPoints-1] != 300 ||
		!slices.Equal(s.plot.series.Turns, asked[1]) || len(asked[1]) <= fewPoints {
		t.Errorf("of the turns %v the metrics are computed, and there are %+v", asked, s.plot.series)
	}
	asked, s.plot.done = nil, make(chan struct{})
	s.measure(t.Context(), world.State{Turn: 300, Seq: manyEvents})
	if len(asked) != 1 {
		t.Errorf("of a short run they are computed %d times", len(asked))
	}
}

func TestARequestThatOutlivesItsServerBeginsNothing(t *testing.T) {
	run, _ := newRun(t, 1)
	run.Measure = func(context.Context, []int) (map[string][]float64, error) {
		t.Error("metrics are computed")
		return nil, errors.New("the server has ended")
	}
	s, err := New(run, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.apiMetrics(httptest.NewRequest(http.MethodGet, "/api/metrics", nil)); err != nil {
		t.Error(err)
	}
}
