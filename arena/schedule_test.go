package arena

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

func TestSchedulesPutEveryLiveAgentInOneStep(t *testing.T) {
	for _, test := range []struct {
		name     string
		schedule Schedule
		live     []string
		want     string
	}{
		{"sequential", Sequential, []string{"a", "c"}, `[["a"],["c"]]`},
		{"sequential, one", Sequential, []string{"c"}, `[["c"]]`},
		{"parallel", Parallel, []string{"a", "c"}, `[["a","c"]]`},
		{"rotated, one", Rotated(1), []string{"c"}, `[["c"]]`},
		{"shuffled, one", Shuffled(1, ""), []string{"c"}, `[["c"]]`},
	} {
		if got := string(world.JSON(test.schedule(3, test.live))); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestARotatedScheduleLetsEachSeatBeginInItsTurnAndTheSeedSaysWhoIsTheFirst(t *testing.T) {
	first := make(map[string]bool)
	for seed := range uint64(30) {
		schedule := Rotated(seed)
		begins := slices.Index(five, schedule(0, five)[0][0])
		first[five[begins]] = true
		for turn := range 12 {
			var order []string
			for _, step := range schedule(turn, five) {
				order = append(order, step...)
			}
			k := (begins + turn) % len(five)
			if want := slices.Concat(five[k:], five[:k]); !slices.Equal(order, want) {
				t.Fatalf("seed %d, turn %d: %v, want %v", seed, turn, order, want)
			}
		}
	}
	if len(first) != len(five) {
		t.Errorf("only %v begin with any of 30 seeds", first)
	}
}

func TestAShuffledScheduleIsDrawnFromSeedTurnAndPhaseAndFavoursNobody(t *testing.T) {
	order := func(seed uint64, phase string, turn int) string {
		return string(world.JSON(Shuffled(seed, phase)(turn, five)))
	}
	first := make(map[string]int)
	for turn := range 200 {
		steps := Shuffled(1, "")(turn, five)
		first[steps[0][0]]++
		var all []string
		for _, step := range steps {
			all = append(all, step...)
		}
		slices.Sort(all)
		if len(steps) != len(five) || !slices.Equal(all, five) {
			t.Fatalf("turn %d: %v", turn, steps)
		}
		if again := order(1, "", turn); again != string(world.JSON(steps)) {
			t.Fatalf("turn %d has two orders", turn)
		}
	}
	for _, name := range five {
		if n := first[name]; n < 20 || n > 60 { // 40 on average; 20 is 3.5 standard deviations away
			t.Errorf("%s was first in %d of 200 turns", name, n)
		}
	}
	differ := func(what string, a, b func(turn int) string) {
		for turn := range 10 {
			if a(turn) != b(turn) {
				return
			}
		}
		t.Errorf("the orders of another %s are the same", what)
	}
	base := func(turn int) string { return order(1, "", turn) }
	differ("turn", base, func(turn int) string { return base(turn + 1) })
	differ("seed", base, func(turn int) string { return order(2, "", turn) })
	differ("phase", base, func(turn int) string { return order(1, "talk", turn) })
}

func TestAShuffledOrRotatedEpisodeIsPlayedInThatOrderAndVerifies(t *testing.T) {
	for name, schedule := range map[string]Schedule{"shuffled": Shuffled(7, ""), "rotated": Rotated(7)} {
		inBubble(t, func(t *testing.T, s *stage) {
			s.Schedule = schedule
			s.run()
			var got, want []string
			for _, ev := range of(s.events(), KindAction, "") {
				got = append(got, ev.Agent)
			}
			for turn := range s.Turns {
				for _, step := range schedule(turn, five) {
					want = append(want, step...)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: they acted in the order %v, want %v", name, got, want)
			}
			s.verify()
		})
	}
}

func TestInOneStepItDoesNotMatterWhoWasFaster(t *testing.T) {
	for name, prepare := range map[string]func(s *stage){
		"parallel": func(*stage) {},
		"phases": func(s *stage) {
			s.Phases = []Phase{
				{Name: "talk", Schedule: Parallel, Actions: []string{"say"}},
				{Name: "first", Schedule: Parallel, Agents: []string{"a", "c", "e"}},
				{Name: "then", Schedule: Shuffled(7, "then"), Agents: []string{"b", "d"}},
			}
		},
		"phases with a default action": func(s *stage) {
			s.Phases = []Phase{{Name: "one", Schedule: Parallel, Act: 3 * time.Second}, {Name: "two", Schedule: Parallel}}
			s.Consequences = Consequences{Timeout: ConsequenceDefault, Invalid: ConsequenceDefault}
			s.Default = ask(20)
		},
	} {
		t.Run(name, func(t *testing.T) { testDelays(t, prepare) })
	}
}

// testDelays plays the same actions under shuffled delays, and compares the bytes. Who is late in a phase of three seconds is
// so by the turn, and never by the shuffle.
func testDelays(t *testing.T, prepare func(s *stage)) {
	random := rand.New(rand.NewPCG(1, 2))
	var want []json.RawMessage
	for shuffle := range 30 {
		delays := random.Perm(len(five))
		inBubble(t, func(t *testing.T, s *stage) {
			prepare(s)
			for i, name := range five {
				s.sit(name, does(func(ctx context.Context, obs world.Observation) (world.Action, error) {
					if obs.Turn == 2 && name == "b" {
						return sleeps(ctx)
					}
					time.Sleep(time.Duration((delays[i]+obs.Turn)%len(five)) * time.Second / 2)
					if obs.Turn == 3 {
						return ask(20 + i), nil // more than there is: lots are drawn
					}
					return ask(1 + (i+obs.Turn)%8), nil
				}))
			}
			s.run()
			var got []json.RawMessage
			for _, ev := range s.events() {
				got = append(got, ev.World())
			}
			if s.verify(); shuffle == 0 {
				want = got
				if !slices.ContainsFunc(got, contested) {
					t.Fatal("nothing is contested, so that nothing is at stake")
				}
			}
			if len(got) != len(want) {
				t.Fatalf("with delays %v there are %d events, want %d", delays, len(got), len(want))
			}
			for i := range got {
				if string(got[i]) != string(want[i]) {
					t.Fatalf("with delays %v event %d is %s, want %s", delays, i+1, got[i], want[i])
				}
			}
		})
	}
}

func contested(raw json.RawMessage) bool {
	var ev struct{ Data struct{ Contested bool } }
	return json.Unmarshal(raw, &ev) == nil && ev.Data.Contested
}

// tonsSeen returns how many tons each agent saw in the lake, turn by turn.
func tonsSeen(t *testing.T, s *stage) string {
	t.Helper()
	seen := make(map[string][]int)
	for name, a := range s.actors {
		for _, obs := range a.seen {
			var view struct{ Tons int }
			if err := json.Unmarshal(obs.View, &view); err != nil {
				t.Fatal(err)
			}
			seen[name] = append(seen[name], view.Tons)
		}
	}
	return string(world.JSON(seen))
}

func TestASequentialAgentSeesWhatTheOneBeforeDidAndAParallelOneDoesNot(t *testing.T) {
	for _, test := range []struct {
		schedule Schedule
		want     string
	}{
		{Sequential, `{"a":[100,100],"b":[91,91],"c":[82,82],"d":[73,73],"e":[64,64]}`},
		{Parallel, `{"a":[100,100],"b":[100,100],"c":[100,100],"d":[100,100],"e":[100,100]}`},
	} {
		inBubble(t, func(t *testing.T, s *stage) {
			s.Schedule, s.Turns = test.schedule, 2
			for _, name := range five {
				s.sit(name, asks(9))
			}
			s.run()
			if got := tonsSeen(t, s); got != test.want {
				t.Errorf("the tons seen are %s, want %s", got, test.want)
			}
			s.verify()
		})
	}
}

func TestActionsOfOneStepAreConsideredInADrawnOrderThatIsNotThatOfTheSeats(t *testing.T) {
	first := make(map[string]int)
	for seed := range uint64(200) {
		order := &orderly{}
		g := Game{Rules: order, Schedule: Parallel, Seed: seed, Agents: five, Turns: 1}
		st := world.State{Seq: 1}.Apply(world.Event{Set: map[string]json.RawMessage{world.SeedFact: world.JSON(seed)}})
		var acts []act
		for _, name := range five {
			acts = append(acts, act{agent: name, kind: KindAction, action: world.Action{Name: "fish"}})
		}
		events, err := g.resolve(st, acts, step{phase: &Phase{}, then: []world.Event{{Kind: world.KindTurn}}})
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range five {
			if events[i].Agent != name {
				t.Fatalf("event %d is about %s: acts are logged in seat order", i, events[i].Agent)
			}
		}
		first[order.got[0]]++
		if sorted := slices.Sorted(slices.Values(order.got)); !slices.Equal(sorted, five) {
			t.Fatalf("the rules saw the actions of %v", order.got)
		}
	}
	for _, name := range five {
		if n := first[name]; n < 20 || n > 60 { // 40 on average; 20 is 3.5 standard deviations away
			t.Errorf("%s was first in %d of 200 steps: %v", name, n, fmt.Sprint(first))
		}
	}
}

// orderly is rules that remember in which order actions came.
type orderly struct{ got []string }

func (*orderly) Reset(uint64, []string) ([]world.Event, error) { return nil, nil }

func (*orderly) Observe(world.State, string) (world.Observation, error) {
	return world.Observation{}, nil
}

func (o *orderly) Step(_ world.State, actions []world.Action) ([]world.Event, error) {
	o.got = nil
	for _, a := range actions {
		o.got = append(o.got, a.Agent)
	}
	return nil, nil
}
