package arena

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
)

// secretive rules hide what others have caught.
type secretive struct{ world.Rules }

func (secretive) Hidden(_ world.State, agent string) ([]string, error) {
	var paths []string
	for _, other := range five {
		if other != agent {
			paths = append(paths, "agents/"+other+"/total")
		}
	}
	return paths, nil
}

func TestAnAgentSeesTheWorldInTheStateOfItsObservation(t *testing.T) {
	for _, schedule := range []Schedule{Parallel, Sequential} {
		for _, free := range []bool{false, true} {
			s := newStage(t)
			s.Schedule, s.Free, s.Rules = schedule, free, secretive{s.Rules}
			var shown world.State
			var hidden []string
			states := 0
			s.Seats[1].Facts = func(st world.State, paths []string) error {
				shown, hidden, states = st, paths, states+1
				return nil
			}
			s.sit("b", does(func(_ context.Context, obs world.Observation) (world.Action, error) {
				again, _, err := s.observe(shown, "b")
				if err != nil || string(again.View) != string(obs.View) || again.Turn != obs.Turn {
					t.Errorf("the state that is shown looks like %s in turn %d, %v; it sees %s in turn %d", again.View, again.Turn, err, obs.View, obs.Turn)
				}
				return ask(5), nil
			}))
			s.run()
			least, most := 4, 4
			if free { // the others may be so quick that it is not asked in each turn, and be done as it is asked
				least = len(s.actors["b"].seen)
				most = least + 1
			}
			if want, _ := (secretive{}).Hidden(shown, "b"); states < least || states > most || !slices.Equal(hidden, want) {
				t.Errorf("free %t: %d states are shown, the last without %q", free, states, hidden)
			}
			s.verify()
		}
	}
}

func TestAnAgentToWhomTheWorldCannotBeShownIsNotAsked(t *testing.T) {
	s := newStage(t)
	s.Seats[1].Facts = func(st world.State, _ []string) error {
		if st.Turn == 2 {
			return errors.New("no space left")
		}
		return nil
	}
	s.run()
	errs := of(s.events(), KindError, "b")
	if len(errs) != 1 || errs[0].Turn != 2 || !strings.Contains(string(errs[0].Proc), "the world cannot be shown: no space left") {
		t.Errorf("the errors are %s", world.JSON(errs))
	}
}
