package arena

import (
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
)

func TestTroublesWithAModelAreFactsOfTheProcessAndNotOfTheWorld(t *testing.T) {
	play := func(troubles ...[]Trouble) (*stage, string) {
		s := newStage(t)
		s.Turns = 2
		for _, name := range five {
			s.sit(name, asks(1))
		}
		s.Seats[1].Troubles = func() []Trouble {
			if len(troubles) == 0 {
				return nil
			}
			first := troubles[0]
			troubles = troubles[1:]
			return first
		}
		s.run()
		s.verify()
		return s, s.Store.Hash()
	}
	_, calm := play()
	s, hash := play([]Trouble{{"too much", 3}, {"cut", 1}}, nil)
	if hash != calm {
		t.Errorf("the hash is %s, without troubles %s", hash, calm)
	}
	var procs []string
	for _, ev := range s.events() {
		if IsAct(ev) && ev.Agent == "b" {
			procs = append(procs, string(ev.Proc))
		}
	}
	if len(procs) != 2 || !strings.Contains(procs[0], `"troubles":[{"times":3,"what":"too much"},{"times":1,"what":"cut"}]`) || strings.Contains(procs[1], "troubles") {
		t.Errorf("the acts of b say %q", procs)
	}
	if tallies, err := Count(world.Events(s.dir)); err != nil || tallies["b"].Troubles != 4 {
		t.Errorf("counted %+v, %v", tallies["b"], err)
	}
}
