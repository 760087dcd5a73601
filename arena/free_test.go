package arena

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/world"
)

// An abacus is rules that count actions, and show the count to everybody. It ends the part of the agent "b" at a count, if that
// is not 0, and of everybody at another.
type abacus struct{ endOfB, end int }

func (abacus) Reset(uint64, []string) ([]world.Event, error) { return nil, nil }

func (abacus) count(st world.State) (n int) {
	_ = st.Get("count", &n) // none: 0
	return n
}

func (r abacus) Observe(st world.State, agent string) (world.Observation, error) {
	n := r.count(st)
	over := r.end > 0 && n >= r.end || r.endOfB > 0 && n >= r.endOfB && agent == "b"
	return world.Observation{
		Agent: agent, Turn: st.Turn, View: world.JSON(n), Terminated: over, Actions: []world.ActionSpec{{Name: "add"}},
	}, nil
}

func (r abacus) Step(st world.State, actions []world.Action) ([]world.Event, error) {
	n := r.count(st)
	for _, a := range actions {
		if a.Name == "add" {
			n++
		}
	}
	return []world.Event{{Kind: "count", Set: map[string]json.RawMessage{"count": world.JSON(n)}}}, nil
}

// stageFree returns an abacus that a, b, c and d add to in a bit more than a second each, and e in seven. No two are ever ready at once.
func stageFree(s *stage) map[string]time.Duration {
	s.Rules, s.Schedule, s.Free, s.Turns = abacus{}, nil, true, 6
	takes := make(map[string]time.Duration)
	for i, ms := range []time.Duration{1009, 1103, 1213, 1307, 7001} { // primes
		takes[five[i]] = ms * time.Millisecond
	}
	for _, name := range five {
		s.sit(name, adds(takes[name]))
	}
	return takes
}

// adds is the agent that adds, and takes its time.
func adds(takes time.Duration) *actor {
	return does(func(ctx context.Context, _ world.Observation) (world.Action, error) {
		select {
		case <-time.After(takes):
			return world.Action{Name: "add"}, nil
		case <-ctx.Done():
			return world.Action{}, ctx.Err()
		}
	})
}

func TestInAFreeGameWhoIsReadyActsAndTheLogHasTheOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		takes := stageFree(s)
		s.starts("c", func(context.Context, Fenced) (agents.Agent, error) {
			time.Sleep(time.Minute)
			return s.actors["c"], nil
		})
		began := time.Now()
		out := s.run()
		took := time.Since(began)
		checkEnd(t, out, End{Truncated, TurnLimit}, 6)
		checkStatuses(t, out, nil)

		// Who comes when, and what it has seen, computed by hand.
		ready, saw := make(map[string]time.Duration), make(map[string]string)
		for name := range takes {
			ready[name], saw[name] = takes[name], "0 "
		}
		var want []string
		now := time.Duration(0)
		for n := range 6 * len(five) {
			first := slices.MinFunc(five, func(a, b string) int { return int(ready[a] - ready[b]) })
			now = ready[first]
			want = append(want, fmt.Sprint(first, n/len(five)))
			ready[first] = now + takes[first]
			saw[first] += fmt.Sprint(n+1, " ")
		}
		var got []string
		for _, ev := range of(s.events(), KindAction, "") {
			got = append(got, fmt.Sprint(ev.Agent, ev.Turn))
		}
		if !slices.Equal(got, want) {
			t.Errorf("they acted in the order\n%v, want\n%v", got, want)
		}
		if now += time.Minute; took != now {
			t.Errorf("it took %v, want %v: nobody begins before all have started", took, now)
		}
		for _, name := range five {
			var views strings.Builder
			for _, obs := range s.actors[name].seen {
				views.WriteString(string(obs.View) + " ")
			}
			// Nobody is asked again after the last act of all.
			if last := want[len(want)-1]; strings.HasPrefix(last, name) {
				saw[name] = strings.TrimSuffix(saw[name], fmt.Sprint(len(want), " "))
			}
			if views.String() != saw[name] {
				t.Errorf("%s saw %s, want %s: the newest state when it is asked", name, views.String(), saw[name])
			}
		}
		if v := s.verify(); !v.Over || v.Turns != 6 {
			t.Errorf("verified: %+v", v)
		}
	})
}

func TestInAFreeGameMisbehaviourIsThatOfOneAgent(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		stageFree(s)
		s.Act, s.Consequences.Timeout = 2*time.Second, ConsequenceOut
		s.sit("a", does(func(context.Context, world.Observation) (world.Action, error) {
			return world.Action{}, &agents.DeadError{Reason: "signal: killed"}
		}))
		s.sit("b", does(func(_ context.Context, obs world.Observation) (world.Action, error) {
			time.Sleep(time.Second)
			return world.Action{}, errors.New("out of ink")
		}))
		out := s.run()
		checkEnd(t, out, End{Truncated, TurnLimit}, 6)
		checkStatuses(t, out, map[string]Status{"a": StatusError, "e": StatusTimeout})
		if told := s.actors["b"].refusals(); len(told) < 2 || told[1] != "you passed: out of ink" {
			t.Errorf("b was told %q", told)
		}
		if n := len(s.actors["a"].seen) + len(s.actors["e"].seen); n != 2 {
			t.Errorf("those who are out were asked %d times, want once each", n)
		}
		s.verify()
	})
}

func TestWhatAnAgentDoesWhosePartTheRulesHaveEndedMeanwhileIsNotHeard(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		stageFree(s)
		s.Rules = abacus{endOfB: 3}
		s.sit("b", adds(3*time.Second))
		out := s.run()
		checkEnd(t, out, End{Truncated, TurnLimit}, 6)
		if n := len(of(s.events(), KindAction, "b")); n > 0 {
			t.Errorf("b has acted %d times", n)
		}
		s.verify()
	})
}

func TestAFreeGameEndsWithItsRulesItsTimeOrAnInterruption(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(s *stage, interrupt func())
		want    End
		turn    int
	}{
		{"by the rules", func(s *stage, _ func()) { s.Rules = abacus{end: 8} }, End{Terminated, byTheRules}, 1},
		{"limit of time", func(s *stage, _ func()) { s.Time = 1500 * time.Millisecond }, End{Truncated, TimeLimit}, 0},
		{"interrupted", func(s *stage, interrupt func()) {
			s.sit("c", does(func(ctx context.Context, _ world.Observation) (world.Action, error) {
				interrupt()
				return sleeps(ctx)
			}))
		}, End{Interrupted, "in turn 0"}, 0},
		{"every agent is out", func(s *stage, _ func()) {
			s.Act, s.Consequences.Timeout = time.Millisecond, ConsequenceOut
		}, End{Truncated, allOut}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *stage) {
				ctx, interrupt := context.WithCancel(t.Context())
				defer interrupt()
				stageFree(s)
				test.prepare(s, interrupt)
				out := s.runIn(ctx)
				checkEnd(t, out, test.want, test.turn)
				if v := s.verify(); v.Over != (test.want.Status != Interrupted) {
					t.Errorf("verified: %+v", v)
				}
			})
		})
	}
}

// A ponderer is an abacus that takes a second to consider what follows.
type ponderer struct{ abacus }

func (r ponderer) Step(st world.State, actions []world.Action) ([]world.Event, error) {
	time.Sleep(time.Second)
	return r.abacus.Step(st, actions)
}

func TestAnActThatComesAsATurnEndsDrawsFromItsOvertimeOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.Rules, s.Free, s.Overtime = ponderer{}, true, time.Minute
		s.Agents, s.Seats = five[:2], s.Seats[:2]
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		acts := 0
		s.sit("a", does(func(context.Context, world.Observation) (world.Action, error) {
			if acts++; acts == 3 {
				time.Sleep(10 * time.Second)
				interrupt()
			}
			time.Sleep(44 * time.Second)
			return world.Action{Name: "add"}, nil
		}))
		s.sit("b", adds(89500*time.Millisecond)) // half a second after the second act of a, which ends the turn
		if out := s.runIn(ctx); out.Status != Interrupted {
			t.Fatalf("it ends %+v", out.End)
		}
		if got := of(s.events(), KindAction, "b"); len(got) != 1 || got[0].Turn != 1 {
			t.Fatalf("b does %s", world.JSON(got))
		}
		s.sit("a", adds(time.Second))
		s.sit("b", adds(time.Second))
		s.run()
		s.verify()
		turns := of(s.events(), world.KindTurn, "")
		for i, want := range []int64{0, 30_500, 30_500, 30_500} {
			var used soFar
			if err := json.Unmarshal(turns[i].Proc, &used); err != nil || used.OvertimeMS["b"] != want {
				t.Errorf("after turn %d b has %v ms of overtime left, want %d (0: all of it); %v", i, used.OvertimeMS, want, err)
			}
		}
	})
}

func TestVerifyTellsAFreeGameFromOneWithASchedule(t *testing.T) {
	f := finish(t, func(s *stage) { stageFree(s) })
	dir := t.TempDir()
	if _, err := f.check(t, dir, f.lines...); err != nil {
		t.Fatal(err)
	}
	other := f
	other.game.Free, other.game.Schedule = false, Sequential
	_, err := other.check(t, dir, f.lines...)
	if found := (*world.LogError)(nil); !errors.As(err, &found) || found.Line > lineOf(f, world.KindTurn) {
		t.Errorf("with a schedule: %v", err)
	}
	stranger := f
	stranger.game.Agents = five[:4]
	if err := os.WriteFile(filepath.Join(dir, logFile), bytes.Join(f.lines, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(dir, stranger.game); err == nil {
		t.Error("no error with an agent less")
	}
}
