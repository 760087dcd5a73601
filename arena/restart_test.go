package arena

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/world"
)

// killed is what is known of a process that was killed.
func killed() error {
	return &agents.DeadError{
		Reason: "signal: killed", Detail: "out of memory",
		Ending: agents.Ending{Exit: "signal: killed", PeakMemory: 3 << 20, Memory: 2 << 20, Lived: 1500 * time.Millisecond},
	}
}

// crashesIn returns actors that share a list of turns: in each of them one crashes, once.
func crashesIn(turns ...int) func() *actor {
	return func() *actor {
		return does(func(_ context.Context, obs world.Observation) (world.Action, error) {
			if len(turns) > 0 && turns[0] == obs.Turn {
				turns = turns[1:]
				return world.Action{}, killed()
			}
			return ask(5), nil
		})
	}
}

// told returns what the log says of an agent's acts, a word for each: its kind, and for an action its turn.
func told(events []world.Event, agent string) string {
	var words []string
	for _, ev := range events {
		switch {
		case ev.Agent != agent || !IsAct(ev):
		case ev.Kind == KindAction:
			words = append(words, fmt.Sprint(ev.Turn))
		default:
			words = append(words, ev.Kind)
		}
	}
	return strings.Join(words, " ")
}

func TestWhoCrashesIsStartedAgainUnlessItDoesSoTooOften(t *testing.T) {
	for _, test := range []struct {
		name    string
		restart Restart
		crashes []int
		phases  bool
		want    string
		status  Status
	}{
		{"never", Restart{}, []int{1}, false, "0 crash", StatusError},
		{"at once", Restart{Max: 2, Window: 10}, []int{1}, false, "0 crash 2 3 4 5 6 7", StatusDone},
		{"in the same turn", Restart{Max: 2, Window: 10}, []int{1}, true, "0 0 crash 1 2 2 3 3 4 4 5 5 6 6 7 7", StatusDone},
		{"in the next turn", Restart{Max: 2, Window: 10, Backoff: 1, MaxBackoff: 8}, []int{1}, true, "0 0 crash backoff 2 2 3 3 4 4 5 5 6 6 7 7", StatusDone},
		{"twice as late each time", Restart{Max: 3, Window: 10, Backoff: 1, MaxBackoff: 8}, []int{0, 1, 3}, false, "crash crash backoff crash backoff backoff backoff 7", StatusDone},
		{"not later than that", Restart{Max: 3, Window: 10, Backoff: 1, MaxBackoff: 2}, []int{0, 1, 3}, false, "crash crash backoff crash backoff 5 6 7", StatusDone},
		{"too often", Restart{Max: 2, Window: 4}, []int{1, 2, 4}, false, "0 crash crash 3 crash", StatusQuarantined},
		{"often, but not at a time", Restart{Max: 2, Window: 3}, []int{1, 2, 4, 5, 7}, false, "0 crash crash 3 crash crash 6 crash", StatusDone},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				s.Restart, s.Turns = test.restart, 8
				if test.phases {
					s.Phases = []Phase{{Name: "one", Schedule: Parallel}, {Name: "two", Schedule: Sequential}}
				}
				s.anew("b", crashesIn(test.crashes...))
				out := s.run()
				checkStatuses(t, out, map[string]Status{"b": test.status})
				if got := told(s.events(), "b"); got != test.want {
					t.Errorf("b acts %q, want %q", got, test.want)
				}
				if v := s.verify(); !v.Over || v.End != out.End {
					t.Errorf("verified: %+v", v)
				}
				tallies, err := Count(world.Events(s.dir))
				words := strings.Fields(test.want)
				count := func(word string) int {
					return len(slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w != word }))
				}
				if b := tallies["b"]; err != nil || b.Crashes != count(KindCrash) || b.Backoffs != count(KindBackoff) || b.Restarts != len(s.lives)-1 || b.Errors != 0 {
					t.Errorf("counted %+v, %v; there were %d lives", b, err, len(s.lives))
				}
				recorded := again(t, s.dir, s.Game, true)
				recorded.run()
				sameLog(t, recorded.events(), s.events())
			})
		})
	}
}

func TestACrashSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.Restart, s.Default, s.Consequences.Error = Restart{Max: 1, Window: 10, Backoff: 2, MaxBackoff: 2}, ask(1), ConsequenceDefault
		s.Turns = 5
		var why []string
		s.anew("b", crashesIn(2))
		s.Seats[1].Restart = func(ctx context.Context, fenced Fenced, reason string) (agents.Agent, error) {
			why = append(why, reason)
			time.Sleep(3 * time.Second)
			return s.Seats[1].Start(ctx, fenced)
		}
		s.run()
		s.verify()
		crash := of(s.events(), KindCrash, "b")
		if len(crash) != 1 || string(crash[0].Data) != `{"args":{"tons":1},"consequence":"default","name":"fish"}` {
			t.Fatalf("the crash is %s", world.JSON(crash))
		}
		const want = `"crash":{"exit":"signal: killed","last_action":"fish","last_turn":1,"lived_ms":1500,"memory_bytes":2097152,"peak_memory_bytes":3145728}` +
			`,"detail":"out of memory"`
		if !strings.Contains(string(crash[0].Proc), want) || reasonOf(t, crash[0]) != "agent is gone: signal: killed" {
			t.Errorf("the process facts are %s", crash[0].Proc)
		}
		if turn, ok := AgainAfter(crash[0]); turn != 4 || !ok {
			t.Errorf("it is started again in turn %d, %v", turn, ok)
		}
		if !slices.Equal(why, []string{"agent is gone: signal: killed"}) {
			t.Errorf("the one that takes its place is told %q", why)
		}
		seen := s.lives[1].seen
		if len(seen) != 1 || seen[0].Turn != 4 || seen[0].Refused != "agent is gone: signal: killed; the default action was done in its place" {
			t.Errorf("it sees %s", world.JSON(seen))
		}
		acts := of(s.events(), KindAction, "b")
		if last := acts[len(acts)-1]; !strings.Contains(string(last.Proc), `"started":{"ms":3000},"wall_ms":3000`) {
			t.Errorf("its first act says %s", last.Proc)
		}
	})
}

func TestNobodyWaitsForARestartLongerThanForAnAct(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.Restart, s.Turns = Restart{Max: 1, Window: 10}, 6
		s.anew("b", crashesIn(1))
		s.Seats[1].Restart = func(ctx context.Context, fenced Fenced, _ string) (agents.Agent, error) {
			time.Sleep(150 * time.Second)
			return s.Seats[1].Start(ctx, fenced)
		}
		began := time.Now()
		s.run()
		if got := told(s.events(), "b"); got != "0 crash timeout timeout 4 5" {
			t.Errorf("b acts %q", got)
		}
		if took := time.Since(began); took != 150*time.Second {
			t.Errorf("it took %v", took)
		}
		s.verify()
	})
}

func TestWhoDoesNotStartAgainHasCrashedOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.Restart = Restart{Max: 1, Window: 10}
		s.anew("b", crashesIn(1))
		s.Seats[1].Restart = func(context.Context, Fenced, string) (agents.Agent, error) { return nil, errors.New("no room") }
		checkStatuses(t, s.run(), map[string]Status{"b": StatusQuarantined})
		crashes := of(s.events(), KindCrash, "b")
		if len(crashes) != 2 || reasonOf(t, crashes[1]) != "did not start: no room" {
			t.Errorf("the crashes are %s", world.JSON(crashes))
		}
		s.verify()
	})
}

func TestNobodyIsStartedBesideWhoIsStillThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.Restart = Restart{Max: 1, Window: 10}
		next := crashesIn(1)
		s.anew("b", next)
		started := 0
		s.Seats[1].Start = func(context.Context, Fenced) (agents.Agent, error) {
			started++
			return stubborn{next()}, nil
		}
		out, err := s.Run(t.Context())
		if !errors.Is(err, errStubborn) || started != 1 {
			t.Errorf("b was started %d times, and the run ends with %v", started, err)
		}
		checkStatuses(t, out, map[string]Status{"b": StatusQuarantined})
		if crashes := of(s.events(), KindCrash, "b"); len(crashes) != 2 || !strings.Contains(reasonOf(t, crashes[1]), "did not start: close b: still there") {
			t.Errorf("the crashes are %s", world.JSON(crashes))
		}
	})
}

func TestInAFreeGameNobodyIsHeldUpByWhoSitsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		takes := stageFree(s)
		s.Restart = Restart{Max: 5, Window: 10, Backoff: 2, MaxBackoff: 2}
		crash := crashesIn(1)
		s.anew("a", func() *actor {
			a, slow := crash(), adds(takes["a"])
			return does(func(ctx context.Context, obs world.Observation) (world.Action, error) {
				if _, err := a.do(ctx, obs); err != nil {
					return world.Action{}, err
				}
				return slow.do(ctx, obs)
			})
		})
		out := s.run()
		if got := told(s.events(), "a"); !strings.Contains(got, " crash 3 ") || strings.Contains(got, KindBackoff) || out.State.Turn != 6 {
			t.Errorf("a acts %q, to turn %d", got, out.State.Turn)
		}
		s.verify()
	})
}

func TestAFreeGameGoesOnIfAllSitOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.Rules, s.Schedule, s.Free, s.Turns = abacus{}, nil, true, 5
		s.Restart = Restart{Max: 5, Window: 10, Backoff: 3, MaxBackoff: 3}
		for _, name := range five {
			crash := crashesIn(0)
			s.anew(name, func() *actor {
				a := crash()
				return does(func(ctx context.Context, obs world.Observation) (world.Action, error) {
					_, err := a.do(ctx, obs)
					return world.Action{Name: "add"}, err
				})
			})
		}
		if out := s.run(); out.End != (End{Truncated, TurnLimit}) {
			t.Errorf("it ends %v", out.End)
		}
		events := s.events()
		if n, m := len(of(events, KindCrash, "")), len(of(events, KindBackoff, "")); n != 5 || m != 10 {
			t.Errorf("%d crashes, and %d times somebody sat out", n, m)
		}
		s.verify()
	})
}

func TestALogInWhichSomebodyActsWhoSitsOutDoesNotHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.Restart = Restart{Max: 1, Window: 10, Backoff: 2, MaxBackoff: 2}
		s.anew("b", crashesIn(1))
		s.run()
		for _, other := range []Restart{{}, {Max: 1, Window: 10}, {Max: 1, Window: 10, Backoff: 3, MaxBackoff: 3}} {
			g := s.Game
			g.Restart = other
			if _, err := Verify(s.dir, g); err == nil {
				t.Errorf("it holds with %+v", other)
			}
		}
		l := &recordedPlayers{game: &s.Game, state: world.State{}, unmatched: []world.Event{{Kind: KindBackoff, Agent: "b", Data: []byte(`{}`)}}}
		if _, err := l.actAt(0, "b"); err == nil || !strings.Contains(err.Error(), "it is a backoff event") {
			t.Errorf("who sits out for no reason: %v", err)
		}
	})
}

// A mute is an agent with a process that is heard or not.
type mute struct {
	*actor
	heard  func() int64
	killed []string
}

func (m *mute) Heard() int64 { return m.heard() }

func (m *mute) Kill(reason string) *agents.DeadError {
	if m.acting {
		m.faults = append(m.faults, "killed during act")
	}
	m.killed = append(m.killed, reason)
	return &agents.DeadError{Reason: reason, Ending: agents.Ending{Exit: "signal: killed"}}
}

func TestWhoIsLateAgainAndAgainWithoutASignOfLifeHasCrashed(t *testing.T) {
	n := int64(0)
	silent := func() int64 { return 7 }
	for _, test := range []struct {
		name  string
		hung  int
		heard func() int64
		asks  func() (int64, bool)
		want  string
	}{
		{"silent", 2, silent, nil, "timeout crash 2 3 4 5"},
		{"silent, but nobody minds", 0, silent, nil, "timeout timeout timeout timeout timeout timeout"},
		{"says something", 2, func() int64 { n++; return n }, nil, "timeout timeout timeout timeout timeout timeout"},
		{"asks its model", 2, silent, func() (int64, bool) { n++; return n, false }, "timeout timeout timeout timeout timeout timeout"},
		{"waits for its model", 2, silent, func() (int64, bool) { return 0, true }, "timeout timeout timeout timeout timeout timeout"},
		{"answers while another acts", 2, func() int64 { return (time.Now().Unix() - 10) / 90 }, nil, "timeout timeout timeout timeout timeout timeout"},
		{"asked its model once", 2, silent, func() (int64, bool) { return 3, false }, "timeout crash 2 3 4 5"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				s.Restart, s.Hung, s.Turns, s.Schedule = Restart{Max: 1, Window: 10}, test.hung, 6, Sequential
				s.sit("a", does(func(context.Context, world.Observation) (world.Action, error) { // so that a turn takes 90 s
					time.Sleep(30 * time.Second)
					return ask(5), nil
				}))
				m := &mute{actor: does(func(ctx context.Context, _ world.Observation) (world.Action, error) { return sleeps(ctx) }), heard: test.heard}
				s.sit("b", m.actor)
				s.Seats[1].Start = func(context.Context, Fenced) (agents.Agent, error) {
					m.started++
					return m, nil
				}
				s.Seats[1].Asks = test.asks
				next := asks(5)
				s.Seats[1].Restart = func(context.Context, Fenced, string) (agents.Agent, error) { return next, nil }
				s.run()
				if got := told(s.events(), "b"); got != test.want {
					t.Errorf("b acts %q, want %q", got, test.want)
				}
				crashed := strings.Contains(test.want, KindCrash)
				if len(m.killed) > 0 != crashed {
					t.Errorf("it is killed: %q", m.killed)
				}
				if crashed {
					crash := of(s.events(), KindCrash, "b")[0]
					if got := reasonOf(t, crash); got != "agent is gone: hung: late 2 times in a row, without a sign of life" {
						t.Errorf("the reason is %q", got)
					}
				}
				s.verify()
			})
		})
	}
}

// wasTold returns what those who were started anew were told last of their last action in each turn.
func (s *stage) wasTold() map[int]string {
	told := make(map[int]string)
	for _, a := range s.lives {
		for _, obs := range a.seen {
			told[obs.Turn] = obs.Refused
		}
	}
	return told
}

func TestARunThatIsResumedKnowsItsCrashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.Restart, s.Turns = Restart{Max: 2, Window: 20, Backoff: 3, MaxBackoff: 9}, 16
		turns := []int{1, 4, 10}
		s.anew("b", crashesIn(turns...))
		whole := s.run()
		want := told(s.events(), "b")
		if want != "0 crash backoff backoff crash backoff backoff backoff backoff backoff crash" {
			t.Errorf("b acts %q", want)
		}
		for _, stop := range []int{1, 2, 3, 4, 7, 10} {
			r := newStage(t)
			r.Restart, r.Turns = s.Restart, s.Turns
			ctx, cancel := context.WithCancel(t.Context())
			r.sit("a", inTurn(stop, func(ctx context.Context) (world.Action, error) {
				cancel()
				return sleeps(ctx)
			}))
			next := crashesIn(turns...)
			r.anew("b", next)
			if out := r.runIn(ctx); out.Status != Interrupted {
				t.Fatalf("it ends %v", out.End)
			}
			r.verify()
			r.sit("a", asks(5))
			r.actors["c"], r.actors["d"], r.actors["e"] = nil, nil, nil
			for _, name := range []string{"c", "d", "e"} {
				r.sit(name, asks(5))
			}
			at := slices.IndexFunc(turns, func(turn int) bool { return turn >= stop })
			r.anew("b", crashesIn(turns[max(at, 0):]...))
			if at < 0 {
				r.anew("b", crashesIn())
			}
			if out := r.run(); out.End != whole.End {
				t.Errorf("stopped in turn %d it ends %v", stop, out.End)
			}
			sameLog(t, r.events(), s.events())
			if got, want := r.wasTold(), s.wasTold(); !maps.Equal(got, want) {
				t.Errorf("stopped in turn %d, by turns b was told %v, want %v", stop, got, want)
			}
			cancel()
		}
	})
}
