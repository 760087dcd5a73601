package arena

import (
	"slices"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
)

// Whoever acts in a commit was asked, and nobody else was.
func TestThoseAreAskedWhoThenAct(t *testing.T) {
	for name, schedule := range map[string]Schedule{"at once": Parallel, "in seat order": Sequential, "rotated": Rotated(3), "shuffled": Shuffled(3, ""), "phases": nil} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *stage) {
				if s.Schedule = schedule; schedule == nil {
					stageParley(s)
				}
				s.run()
				var begin, now world.State
				var commit, turn []world.Event
				var asked [][]string
				for _, ev := range s.events() {
					if commit = append(commit, ev); ev.More {
						continue
					}
					var acts []string
					for _, ev := range commit {
						if IsAct(ev) {
							acts = append(acts, ev.Agent)
						}
					}
					if len(acts) > 0 {
						got, err := s.Asked(begin, now, turn)
						slices.Sort(acts)
						slices.Sort(got)
						if err != nil || !slices.Equal(got, acts) {
							t.Fatalf("event %d: asked are %v (%v), and %v act", commit[0].Seq, got, err, acts)
						}
						asked = append(asked, got)
					}
					last := now.Turn
					now = now.Apply(commit...)
					turn = append(turn, commit...)
					if now.Turn > last || begin.Seq == 0 {
						begin, turn = now, nil
					}
					commit = nil
				}
				if one := slices.ContainsFunc(asked, func(some []string) bool { return len(some) == 1 }); one != (name != "at once") {
					t.Errorf("asked were %v", asked)
				}
			})
		})
	}
}
