package arena

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/world"
)

// runsDry is the agent that asks for 5 tons as long as there is something left of a budget, which is so up to a turn, and what says why there
// is not.
func runsDry(turn int, err error) (a *actor, spent func() string) {
	why := ""
	return does(func(_ context.Context, obs world.Observation) (world.Action, error) {
		if obs.Turn < turn {
			return ask(5), nil
		}
		why = "the budget of c is spent"
		return world.Action{}, err
	}), func() string { return why }
}

func TestAnAgentWithoutABudgetIsAnEventWithItsDeclaredConsequence(t *testing.T) {
	denied := errors.New("API Error: 403")
	tests := []struct {
		name    string
		follows Consequence
		err     error
		end     End
		turns   int
		status  Status
		times   int // that c could not act
	}{
		{"out", ConsequenceOut, denied, End{Truncated, TurnLimit}, 4, StatusBudget, 1},
		{"pass", ConsequencePass, denied, End{Truncated, TurnLimit}, 4, StatusDone, 3},
		{"default", ConsequenceDefault, denied, End{Truncated, TurnLimit}, 4, StatusDone, 3},
		{"end", ConsequenceEnd, denied, End{Truncated, BudgetLimit}, 2, StatusBudget, 1},
		{"nothing is declared", "", denied, End{Truncated, TurnLimit}, 4, StatusDone, 3},
		{"it ends its turn", ConsequenceOut, agents.ErrNoAction, End{Truncated, TurnLimit}, 4, StatusBudget, 1},
		{"it dies of it", ConsequencePass, &agents.DeadError{Reason: "exit status 1"}, End{Truncated, TurnLimit}, 4, StatusBudget, 1},
		{"it dies of it, and that is the end", ConsequenceEnd, &agents.DeadError{Reason: "exit status 1"}, End{Truncated, BudgetLimit}, 2, StatusBudget, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStage(t)
			s.Consequences, s.Default = Consequences{Budget: test.follows, Error: ConsequencePass}, ask(2)
			c, spent := runsDry(1, test.err)
			s.sit("c", c)
			s.Seats[2].Spent = spent
			out := s.run()
			if out.End != test.end || out.State.Turn != test.turns {
				t.Errorf("it ends %+v in turn %d, want %+v in turn %d", out.End, out.State.Turn, test.end, test.turns)
			}
			checkStatuses(t, out, map[string]Status{"c": test.status})
			found := of(s.events(), KindBudget, "c")
			if len(found) != test.times || !strings.Contains(string(found[0].Proc), `"reason":"the budget of c is spent"`) {
				t.Errorf("its events are %s", world.JSON(found))
			}
			s.verify()
		})
	}
}

func TestWhoIsLateForWantOfABudgetIsOutOfBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.Consequences.Budget = ConsequenceOut
		s.sit("c", inTurn(1, sleeps))
		s.Seats[2].Spent = func() string { return "the budget of c is spent" }
		out := s.run()
		checkStatuses(t, out, map[string]Status{"c": StatusBudget})
		s.verify()
	})
}

func TestAnEpisodeEndsWhenNobodyHasABudgetLeft(t *testing.T) {
	for _, free := range []bool{false, true} {
		inBubble(t, func(t *testing.T, s *stage) {
			s.Free, s.Consequences.Budget = free, ConsequenceOut
			for i, name := range five {
				a, spent := runsDry(2, errors.New("API Error: 403"))
				act := a.do
				a.do = func(ctx context.Context, obs world.Observation) (world.Action, error) {
					time.Sleep(time.Second) // of the bubble, so nobody acts twice before all have acted
					return act(ctx, obs)
				}
				s.sit(name, a)
				s.Seats[i].Spent = spent
			}
			out := s.run()
			if want := (End{Truncated, BudgetLimit}); out.End != want {
				t.Errorf("free %t: it ends %+v, want %+v", free, out.End, want)
			}
			for _, seat := range out.Seats {
				if seat.Status != StatusBudget {
					t.Errorf("free %t: %s is %s", free, seat.Name, seat.Status)
				}
			}
			s.verify()
		})
	}
}

func TestWhatWasUsedAddsUp(t *testing.T) {
	amount := func(d float64) *float64 { return &d }
	used := func(name string, requests int64, dollars *float64) Metered {
		return Metered{
			ModelRequests: requests, TokensIn: 10 * requests, TokensOut: requests, Dollars: dollars,
			Models: map[string]ModelUse{name: {Requests: requests, Input: 10 * requests, Output: requests, Dollars: dollars}},
		}
	}
	a, b := used("m", 1, amount(0.1)), used("m", 2, amount(0.2))
	sum := Metered{Dollars: new(float64)}.Add(a).Add(b).Add(used("n", 3, nil))
	if sum.ModelRequests != 6 || sum.TokensIn != 60 || sum.TokensOut != 6 || sum.Dollars != nil || len(sum.Models) != 2 {
		t.Errorf("all is %+v", sum)
	}
	if m := sum.Models["m"]; m.Requests != 3 || m.Input != 30 || m.Dollars == nil || *m.Dollars != 0.3 || sum.Models["n"].Dollars != nil {
		t.Errorf("by model it is %+v", sum.Models)
	}
	if len(a.Models) != 1 || a.Models["m"].Requests != 1 {
		t.Errorf("the first summand has become %+v", a)
	}
}

func TestATurnSaysWhatItsAgentsHaveUsed(t *testing.T) {
	s := newStage(t)
	requests := int64(0)
	s.Seats[0].Meter = func() Metered {
		requests++
		return Metered{ModelRequests: requests}
	}
	s.run()
	var got []int64
	for _, ev := range s.events() {
		if used := UsedBy(ev); ev.Kind == world.KindTurn {
			got = append(got, used["a"].ModelRequests)
		} else if used != nil {
			t.Errorf("a %s event says it too: %+v", ev.Kind, used)
		}
	}
	if len(got) != 4 || got[0] != 1 || got[3] != 4 {
		t.Errorf("the turns say %v", got)
	}
}
