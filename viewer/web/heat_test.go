package web

import (
	"testing"

	"github.com/vitrine-sim/vitrine/world"
)

func TestOverlaysCountWhatTheLogHas(t *testing.T) {
	run, _ := newRun(t, 12)
	s := open(t, run)
	look, err := s.look()
	if err != nil {
		t.Fatal(err)
	}
	for turn := range 13 {
		for _, overlay := range overlays {
			want := make(map[string]int)
			for n := range turn + 1 {
				if overlay == "visits" {
					st, err := s.states.at(n)
					if err != nil {
						t.Fatal(err)
					}
					for _, where := range look.Where(st, s.looks()) {
						want[where]++
					}
				}
			}
			for ev, err := range world.Events(run.Dir) {
				if err != nil {
					t.Fatal(err)
				}
				if ev.Turn <= turn && ev.Agent != "" && overlayOf(ev.Kind) == overlay {
					want[ev.Agent]++
				}
			}
			got, err := s.heat(overlay, turn, look)
			if err != nil || len(got.Counts) != len(want) {
				t.Fatalf("turn %d, %s: %v, not %v (%v)", turn, overlay, got, want, err)
			}
			for name, n := range want {
				if got.Counts[name] != n {
					t.Errorf("turn %d, %s of %s: %d, not %d", turn, overlay, name, got.Counts[name], n)
				}
			}
		}
	}
	if h, err := s.heat("visits", 12, look); err != nil || len(h.Counts) == 0 {
		t.Error("nobody was anywhere:", h, err)
	}
	if _, err := s.heat("love", 1, look); err == nil {
		t.Error("there is an overlay of anything")
	}
}
