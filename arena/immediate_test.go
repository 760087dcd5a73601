package arena

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/world"
)

// A hasty actor answers in line, and says so if it is called in any other way.
type hasty struct{ *actor }

func (h hasty) Act(_ context.Context, obs world.Observation) (world.Action, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, fmt.Sprintf("asked to wait in turn %d", obs.Turn))
	return world.Action{}, agents.ErrNoAction
}

func (h hasty) ActNow(obs world.Observation) (world.Action, error) {
	return h.actor.Act(context.Background(), obs)
}

// sitHasty gives a seat to an actor that answers in line.
func (s *stage) sitHasty(name string, a *actor) {
	s.actors[name] = a
	s.starts(name, func(context.Context, Fenced) (agents.Agent, error) { return hasty{a}, nil })
}

// takes is the agent that asks for 5 tons, and thinks for so long in the turns from 0 on, and in all others for as long as in the last.
func takes(seconds ...int) *actor {
	return does(func(_ context.Context, obs world.Observation) (world.Action, error) {
		time.Sleep(time.Duration(seconds[min(obs.Turn, len(seconds)-1)]) * time.Second)
		return ask(5), nil
	})
}

func TestTheClockOfAnImmediateAgentIsLookedAtWhenItHasAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.Overtime = 90 * time.Second
		s.sitHasty("a", takes(0, 100, 111, 60)) // 40 of the overtime, then more than the 60 and 50 that are left
		out := s.run()
		checkEnd(t, out, End{Truncated, TurnLimit}, 4)
		var got []string
		for _, ev := range s.events() {
			if IsAct(ev) && ev.Agent == "a" {
				var p proc
				if err := json.Unmarshal(ev.Proc, &p); err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprintf("%s %gs %s", ev.Kind, p.WallMS/1000, p.Reason))
			}
		}
		want := []string{
			"action 0s ", "action 100s ", "timeout 111s no action within 1m0s and the 50s of overtime that were left", "action 60s ",
		}
		if !slices.Equal(got, want) {
			t.Errorf("it did %q, want %q", got, want)
		}
		if got := s.actors["a"].refusals()[3]; !strings.HasPrefix(got, "you passed: no action within 1m0s") {
			t.Errorf("it was told %q", got)
		}
		s.verify()
	})
}

func TestOthersThinkWhileImmediateAgentsAnswerOneAfterTheOther(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.sitHasty("a", takes(7))
		s.sitHasty("c", takes(7))
		for _, name := range []string{"b", "d", "e"} {
			s.sit(name, takes(10))
		}
		var began time.Time
		s.OnTurn = func(st world.State) {
			if st.Turn == 1 { // by then they have started
				began = time.Now()
			}
		}
		s.run()
		if took := time.Since(began); took != 3*14*time.Second {
			t.Errorf("three turns took %v", took)
		}
		s.verify()
	})
}

func TestAnImmediateAgentThatIsNotReadyIsWaitedForLikeOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		a, late := takes(0), takes(0)
		s.sitHasty("a", a)
		s.actors["c"] = late
		s.starts("c", func(context.Context, Fenced) (agents.Agent, error) {
			time.Sleep(time.Minute)
			if n := len(a.refusals()); n != 1 {
				t.Errorf("a has acted %d times meanwhile", n)
			}
			return hasty{late}, nil
		})
		if out := s.run(); out.Time != time.Minute {
			t.Errorf("it took %v", out.Time)
		}
		s.verify()
	})
}

func TestInAFreeGameImmediateAgentsTakeTurnsAmongThemselvesAndWithOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		stageFree(s)
		for _, name := range five[:4] {
			s.sitHasty(name, adds(time.Second))
		}
		s.sit("e", adds(3500*time.Millisecond))
		out := s.run()
		checkEnd(t, out, End{Truncated, TurnLimit}, 6)
		var order strings.Builder
		for _, ev := range of(s.events(), KindAction, "") {
			order.WriteString(ev.Agent)
		}
		// All begin at once, but a to d think in line, each when the one before is done. So e comes after c, at 3.5, and, asked anew at 7,
		// after b, at 10.5.
		if want := "abced" + "abcda" + "becda"; !strings.HasPrefix(order.String(), want) {
			t.Errorf("they acted in the order %s, want %s", order.String(), want)
		}
		s.verify()
	})
}
