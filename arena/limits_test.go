package arena

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/world"
)

// inBubble runs a test on a clock of its own, which also fails if a goroutine is left behind.
func inBubble(t *testing.T, test func(t *testing.T, s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newStage(t)) })
}

func checkEnd(t *testing.T, out Outcome, want End, turn int) {
	t.Helper()
	if out.End != want || out.State.Turn != turn {
		t.Errorf("the episode ended with %+v in turn %d, want %+v in turn %d", out.End, out.State.Turn, want, turn)
	}
}

func TestTheRulesEndAnEpisode(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.Turns = 100
		out := s.run()
		checkEnd(t, out, End{Terminated, "by the rules"}, 12)
		checkStatuses(t, out, nil)
		events := s.events()
		last := events[len(events)-1]
		if last.Kind != KindEnd || string(last.Data) != `{"reason":"by the rules","status":"terminated"}` {
			t.Errorf("the last event is %s", world.JSON(last))
		}
		if v := s.verify(); !v.Over || v.Turns != 12 || v.Events != int64(len(events)) {
			t.Errorf("verified: %+v", v)
		}
	})
}

func TestTheLimitOfTimeEndsAnEpisodeInTheMiddleOfAStep(t *testing.T) {
	for _, test := range []struct {
		name     string
		schedule Schedule
		acted    string // those whose actions of turn 1 are in the log
	}{
		{"parallel: nobody has acted", Parallel, ""},
		{"sequential: those before have acted", Sequential, "ab"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *stage) {
				s.Schedule, s.Act, s.Time = test.schedule, 2*time.Hour, time.Hour
				s.sit("c", inTurn(1, sleeps))
				began := time.Now()
				out := s.run()
				if took := time.Since(began); took != s.Time {
					t.Errorf("the episode took %v, want %v", took, s.Time)
				}
				checkEnd(t, out, End{Truncated, TimeLimit}, 1)
				checkStatuses(t, out, nil)
				var acted strings.Builder
				for _, ev := range of(s.events(), KindAction, "") {
					if ev.Turn == 1 {
						acted.WriteString(ev.Agent)
					}
				}
				if acted.String() != test.acted {
					t.Errorf("%q acted in turn 1, want %q", acted.String(), test.acted)
				}
				if v := s.verify(); !v.Over || v.Turns != 1 {
					t.Errorf("verified: %+v", v)
				}
			})
		})
	}
}

func TestTheLimitOfTimeEndsAnEpisodeWhoseAgentsAreStillStarting(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.starts("c", func(ctx context.Context, fenced Fenced) (agents.Agent, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		out := s.run()
		checkEnd(t, out, End{Truncated, TimeLimit}, 0)
		checkStatuses(t, out, nil)
		s.verify()
	})
}

func TestAnAgentCanHaveClocksOfItsOwn(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.Overtime, s.Turns = 30*time.Second, 2
		s.Phases = []Phase{{Name: "short", Schedule: Parallel, Act: time.Second}, {Name: "long", Schedule: Parallel}}
		s.Seats[1].Clocks = &Clocks{Act: 10 * time.Second, Overtime: 5 * time.Second} // b
		s.Seats[2].Clocks = &Clocks{}                                                 // c has no bank, and the clocks of all
		for _, name := range five[:3] {
			s.sit(name, does(func(ctx context.Context, _ world.Observation) (world.Action, error) {
				return sleeps(ctx)
			}))
		}
		checkStatuses(t, s.run(), nil)
		got := make(map[string][]string)
		for _, ev := range of(s.events(), KindTimeout, "") {
			got[ev.Agent] = append(got[ev.Agent], reasonOf(t, ev))
		}
		want := map[string][]string{
			"a": {"no action within 1s and the 30s of overtime that were left", "no action within 1m0s", "no action within 1s", "no action within 1m0s"},
			"b": {"no action within 10s and the 5s of overtime that were left", "no action within 10s", "no action within 10s", "no action within 10s"},
			"c": {"no action within 1s", "no action within 1m0s", "no action within 1s", "no action within 1m0s"},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("late were %v, want %v", got, want)
		}
		s.verify()
	})
}

func TestAnActThatTakesLongerDrawsFromTheOvertimeOfItsAgent(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.Overtime, s.Turns = 30*time.Second, 5
		needs := map[string][]time.Duration{ // beyond the clock of the act, turn by turn
			"b": {0, -time.Minute, 29 * time.Second, 2 * time.Second, 0},
			"c": {20 * time.Second, 20 * time.Second, time.Second, 0, -time.Second},
		}
		for name, beyond := range needs {
			s.sit(name, does(func(ctx context.Context, obs world.Observation) (world.Action, error) {
				select {
				case <-time.After(s.Act + beyond[obs.Turn] - time.Millisecond):
					return ask(5), nil
				case <-ctx.Done():
					return world.Action{}, ctx.Err()
				}
			}))
		}
		began := time.Now()
		checkStatuses(t, s.run(), nil)
		got := make(map[string]string)
		for _, ev := range of(s.events(), KindTimeout, "") {
			got[ev.Agent+fmt.Sprint(ev.Turn)] = reasonOf(t, ev)
		}
		want := map[string]string{
			"b3": "no action within 1m0s and the 1.001s of overtime that were left",
			"c1": "no action within 1m0s and the 10.001s of overtime that were left",
			"c2": "no action within 1m0s",
		}
		if !maps.Equal(got, want) {
			t.Errorf("late were %v, want %v", got, want)
		}
		if took, want := time.Since(began), 5*s.Act+(20_000-1+10_000+1+29_000-1+1000+1)*time.Millisecond-time.Millisecond; took != want {
			t.Errorf("the episode took %v, want %v", took, want)
		}
		s.verify()
	})
}

func TestAnInterruptedEpisodeIsNotOver(t *testing.T) {
	for _, schedule := range []Schedule{Parallel, Sequential} {
		inBubble(t, func(t *testing.T, s *stage) {
			s.Schedule = schedule
			ctx, interrupt := context.WithCancel(t.Context())
			s.sit("d", inTurn(2, func(ctx context.Context) (world.Action, error) {
				interrupt()
				return sleeps(ctx)
			}))
			out := s.runIn(ctx)
			checkEnd(t, out, End{Interrupted, "in turn 2"}, 2)
			checkStatuses(t, out, map[string]Status{
				"a": StatusActive, "b": StatusActive, "c": StatusActive, "d": StatusActive, "e": StatusActive,
			})
			if ends := of(s.events(), KindEnd, ""); len(ends) > 0 {
				t.Errorf("the log says %s", world.JSON(ends))
			}
			if v := s.verify(); v.Over || v.Turns != 2 || v.Events != out.State.Seq {
				t.Errorf("verified: %+v", v)
			}
		})
	}
}

func TestAnEpisodeThatIsInterruptedBeforeItBeginsIsNotPlayed(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		started := false
		for _, name := range five {
			s.starts(name, func(ctx context.Context, fenced Fenced) (agents.Agent, error) {
				started = started || ctx.Err() == nil
				return nil, ctx.Err()
			})
		}
		ctx, interrupt := context.WithCancel(t.Context())
		interrupt()
		checkEnd(t, s.runIn(ctx), End{Interrupted, "in turn 0"}, 0)
		if started {
			t.Error("an agent was started")
		}
		if v := s.verify(); v.Over || v.Events != 2 {
			t.Errorf("verified: %+v", v)
		}
	})
}

func TestAnAgentThatIsStillStartingWhenTheEpisodeIsInterruptedIsClosed(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		ctx, interrupt := context.WithCancel(t.Context())
		s.starts("b", func(ctx context.Context, fenced Fenced) (agents.Agent, error) {
			interrupt()
			time.Sleep(time.Minute) // of the bubble: it is too far on to be called off
			return s.actors["b"], nil
		})
		began := time.Now()
		checkEnd(t, s.runIn(ctx), End{Interrupted, "in turn 0"}, 0)
		if took := time.Since(began); took != time.Minute {
			t.Errorf("the episode took %v", took)
		}
		if n := len(s.actors["b"].seen); n != 0 {
			t.Errorf("b was asked %d times", n)
		}
	})
}

func TestStartsAreLimitedAndTheClockOfAnActBeginsWhenTheAgentIsReady(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		var mu sync.Mutex
		starting, most := 0, 0
		for _, name := range five {
			s.starts(name, func(context.Context, Fenced) (agents.Agent, error) {
				mu.Lock()
				starting++
				most = max(most, starting)
				mu.Unlock()
				time.Sleep(10 * s.Act)
				mu.Lock()
				starting--
				mu.Unlock()
				return s.actors[name], nil
			})
		}
		began := time.Now()
		out := s.run()
		if took := time.Since(began); most != s.Starts || took != 30*s.Act {
			t.Errorf("%d started at once, and all took %v; want %d and %v", most, took, s.Starts, 30*s.Act)
		}
		checkEnd(t, out, End{Truncated, "limit of turns"}, 4)
		checkStatuses(t, out, nil)
	})
}

func TestAnOutcomeSaysWhatWasWaitedForAndUsed(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.sit("e", does(func(ctx context.Context, _ world.Observation) (world.Action, error) {
			time.Sleep(s.Act / 2)
			return ask(5), nil
		}))
		var turns []int
		s.OnTurn = func(st world.State) { turns = append(turns, st.Turn) }
		s.Schedule = Sequential
		out := s.run()
		tallies, err := Count(world.Events(s.dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, seat := range out.Seats {
			want := time.Duration(0)
			if seat.Name == "e" {
				want = 4 * s.Act / 2
			}
			if waited := time.Duration(tallies[seat.Name].WallMS * float64(time.Millisecond)); waited != want || seat.Usage.PeakMemory != 1<<20 || seat.Reward != 20 {
				t.Errorf("%+v, %+v, want %v waited", seat, tallies[seat.Name], want)
			}
		}
		if !slices.Equal(turns, []int{0, 1, 2, 3}) {
			t.Errorf("told of the turns %v", turns)
		}
		if ev := of(s.events(), KindAction, "e")[0]; string(ev.Proc) != `{"wall_ms":30000}` && string(ev.Proc) != `{"elapsed_ms":30000,"wall_ms":30000}` {
			t.Errorf("the process facts are %s", ev.Proc)
		}
	})
}

// A stubborn agent cannot be closed.
type stubborn struct{ *actor }

func (s stubborn) Close() (agents.Usage, error) {
	usage, _ := s.actor.Close()
	return usage, errStubborn
}

var errStubborn = errors.New("still there")

func TestAnAgentThatCannotBeClosedIsAnErrorBesideTheOutcome(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.starts("b", func(context.Context, Fenced) (agents.Agent, error) { return stubborn{s.actors["b"]}, nil })
		out, err := s.Run(t.Context())
		if !errors.Is(err, errStubborn) || !strings.Contains(err.Error(), "close b: ") {
			t.Errorf("the error is %v", err)
		}
		s.checkActors()
		checkEnd(t, out, End{Truncated, "limit of turns"}, 4)
		checkStatuses(t, out, nil)
	})
}

func TestAnEpisodeThatCannotBeWrittenIsAnErrorAndItsAgentsAreClosed(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.sit("b", inTurn(1, func(context.Context) (world.Action, error) {
			return ask(5), s.Store.Close()
		}))
		out, err := s.Run(t.Context())
		if err == nil {
			t.Error("no error")
		}
		s.checkActors()
		if out.State.Turn != 1 || len(out.Seats) != 5 || out.Seats[0].Reward != 5 {
			t.Errorf("the outcome is %+v, want that of turn 1", out)
		}
	})
}

func TestAnEpisodeThatIsOverIsNotPlayedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		want := s.run()
		hash := s.Store.Hash()
		for _, name := range five {
			s.sit(name, asks(1))
		}
		if out := s.run(); out.End != want.End || out.State.Seq != want.State.Seq {
			t.Errorf("it ends %+v after %d events, want %+v after %d", out.End, out.State.Seq, want.End, want.State.Seq)
		}
		for _, name := range five {
			if s.actors[name].started > 0 {
				t.Errorf("%s was started", name)
			}
		}
		if s.Store.Hash() != hash {
			t.Error("the log has changed")
		}
	})
}

func TestASequentialTurnThatTheRulesEndEarlyVerifies(t *testing.T) {
	for i, name := range five {
		t.Run(fmt.Sprintf("%s ends it", name), func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *stage) {
				s.Schedule = Sequential
				s.sit(name, inTurn(1, func(context.Context) (world.Action, error) { return ask(100), nil }))
				out := s.run()
				checkEnd(t, out, End{Terminated, "by the rules"}, 2)
				checkStatuses(t, out, nil)
				acted := 0
				for _, ev := range of(s.events(), KindAction, "") {
					if ev.Turn == 1 {
						acted++
					}
				}
				if acted != i+1 {
					t.Errorf("%d acted in the last turn, want %d", acted, i+1)
				}
				if v := s.verify(); !v.Over || v.Turns != 2 {
					t.Errorf("verified: %+v", v)
				}
			})
		})
	}
}
