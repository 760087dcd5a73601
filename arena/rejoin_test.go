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
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/world"
)

// cutTo makes the stage's folder that of a run whose log ends after some lines.
func (s *stage) cutTo(lines ...[]byte) {
	s.t.Helper()
	if err := s.Store.Close(); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, logFile), bytes.Join(lines, nil), 0o600); err != nil {
		s.t.Fatal(err)
	}
	store, err := world.Open(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = store.Close() })
	s.Store = store
}

func TestAnEpisodeThatWasCutAnywhereGoesOnToTheSameLog(t *testing.T) {
	talks := func(obs world.Observation) world.Action {
		switch {
		case obs.Agent == "a":
			return say(fmt.Sprintf("turn %d, told %d", obs.Turn, len(obs.Messages)))
		case obs.Agent == "b" && obs.Turn%2 == 1:
			return say("psst", "a", "d")
		}
		return world.Action{Name: world.Pass}
	}
	lazy := func(s *stage) {
		s.Consequences = Consequences{Timeout: ConsequenceDefault, Invalid: ConsequencePass, Error: ConsequenceOut}
		s.Default = ask(1)
		s.sit("b", inTurn(1, sleeps))
		s.sit("c", inTurn(2, func(context.Context) (world.Action, error) { return ask(-1), nil }))
		s.sit("d", inTurn(1, func(context.Context) (world.Action, error) { return world.Action{}, errors.New("out of ink") }))
	}
	for _, test := range []struct {
		name  string
		stage func(t *testing.T) *stage
	}{
		{"parallel", newStage},
		{"sequential", func(t *testing.T) *stage { s := newStage(t); s.Schedule = Sequential; return s }},
		{"shuffled", func(t *testing.T) *stage { s := newStage(t); s.Schedule = Shuffled(s.Seed, ""); return s }},
		{"with phases and messages", func(t *testing.T) *stage {
			s := stageTalk(t, talks)
			s.Phases[0].Schedule = Rotated(s.Seed)
			return s
		}},
		{"with misbehaviour", func(t *testing.T) *stage { s := newStage(t); s.Schedule = Sequential; lazy(s); return s }},
	} {
		t.Run(test.name, func(t *testing.T) {
			var lines [][]byte
			var want string
			seen := make(map[string][]world.Observation)
			synctest.Test(t, func(t *testing.T) {
				s := test.stage(t)
				s.Turns = 3
				s.run()
				want = s.Store.Hash()
				raw, err := os.ReadFile(filepath.Join(s.dir, logFile))
				if err != nil {
					t.Fatal(err)
				}
				lines = slices.Collect(bytes.Lines(raw))
				for _, name := range five {
					seen[name] = s.actors[name].seen
				}
			})
			for cut := range len(lines) + 1 {
				synctest.Test(t, func(t *testing.T) {
					s := test.stage(t)
					s.Turns = 3
					s.cutTo(lines[:cut]...)
					done := make(map[string]int) // acts that are in the log, whose commit is whole
					for _, ev := range s.events() {
						if _, err := actOf(ev, 0); err == nil && ev.Agent != "" && ev.Kind != KindInvalid {
							done[ev.Agent]++
						}
					}
					s.run()
					if got := s.Store.Hash(); got != want {
						t.Fatalf("cut after line %d: the hash is %s, not %s", cut, got, want)
					}
					s.verify()
					for _, name := range five {
						got, rest := s.actors[name].seen, seen[name][done[name]:]
						if string(world.JSON(got)) != string(world.JSON(rest)) && len(got)+len(rest) > 0 {
							t.Errorf("cut after line %d: %s is shown\n%s, not\n%s", cut, name, world.JSON(got), world.JSON(rest))
						}
					}
				})
			}
		})
	}
}

func TestAnEpisodeThatGoesOnHasUsedItsTime(t *testing.T) {
	for name, clocks := range map[string]func(*stage){
		"those of all": func(s *stage) { s.Overtime = 25 * time.Second },
		"its own": func(s *stage) {
			s.Act, s.Overtime = time.Hour, time.Hour
			s.Seats[0].Clocks = &Clocks{Act: time.Minute, Overtime: 25 * time.Second}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow := func(ctx context.Context, _ world.Observation) (world.Action, error) {
					select {
					case <-time.After(70 * time.Second): // of which the bank pays 10
						return ask(5), nil
					case <-ctx.Done():
						return world.Action{}, ctx.Err()
					}
				}
				s := newStage(t)
				s.Time, s.Turns = 10*time.Minute, 20
				clocks(s)
				s.Seats[0].Meter = func() Metered { return Metered{ModelRequests: 3, TokensIn: 100, TokensOut: 10} }
				s.sit("a", does(slow))
				ctx, cancel := context.WithCancel(t.Context())
				s.OnTurn = func(st world.State) {
					if st.Turn == 1 {
						cancel()
					}
				}
				if out := s.runIn(ctx); out.Status != Interrupted {
					t.Fatalf("it is %+v", out.End)
				}
				s.OnTurn = nil
				s.sit("a", does(slow))
				for _, name := range five[1:] {
					s.sit(name, asks(0))
				}
				out := s.run()
				s.verify()
				var ends []string
				for _, ev := range s.events() {
					if ev.Agent == "a" && (ev.Kind == KindTimeout || ev.Kind == KindAction) {
						ends = append(ends, ev.Kind)
					}
				}
				// 70 s in turn 0; then 70 s, and from then on 65 s and 60 s to be late: 600 s are up in turn 9.
				if got := strings.Join(ends, " "); got != "action action"+strings.Repeat(" timeout", 7) || out.End != (End{Truncated, TimeLimit}) {
					t.Errorf("a does %s, and it ends %+v", got, out.End)
				}
				if got := out.Seats[0].ModelRequests; got != 3 {
					t.Errorf("%d requests are metered", got)
				}
			})
		})
	}
}

func TestAnEpisodeThatWasCutWhileItWasHeldIsHeldStill(t *testing.T) {
	s := newStage(t)
	s.during("a", 1, func() { s.must(Command{Do: DoPause}) })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan Outcome)
	go func() { ended <- s.runIn(ctx) }()
	s.await(world.KindTurn, 2)
	cancel()
	if out := <-ended; out.Status != Interrupted {
		t.Fatalf("it is %+v", out.End)
	}
	before := s.events()
	for _, name := range five {
		s.sit(name, asks(5))
	}
	told := 0
	s.OnHeld = func() { told++ }
	if out := s.runIn(ctx); out.Status != Interrupted || told != 1 || len(s.events()) != len(before) { // at once
		t.Errorf("it is %+v, and the log has %v behind %v", out.End, s.events()[len(before):], before[len(before)-1])
	}
	for _, name := range five {
		s.sit(name, asks(5))
	}
	go func() { ended <- s.run() }()
	s.must(Command{Do: DoSet, Path: "lake/tons", Value: json.RawMessage(`30`)})
	s.must(Command{Do: DoContinue})
	<-ended
	s.verify()
	if got := tons(t, s.actors["b"]); len(got) != 2 || got[0] != 60 {
		t.Errorf("b sees %v", got)
	}
}

func TestWhatNobodyAskedForIsAnEventWithoutEffect(t *testing.T) {
	s := newStage(t)
	var fenced Fenced
	s.starts("b", func(_ context.Context, f Fenced) (agents.Agent, error) { fenced = f; return s.actors["b"], nil })
	s.during("c", 1, func() {
		fenced("fish", "too late", false)
		fenced("fish", "too late", false)
		fenced("say", "twice", false)
	})
	s.run()
	s.verify()
	events := of(s.events(), KindFenced, "b")
	var got []string
	for _, ev := range events {
		got = append(got, string(ev.Data))
		if len(ev.Set)+len(ev.Del) > 0 {
			t.Errorf("it has an effect: %v", ev)
		}
	}
	if want := []string{`{"action":"fish","reason":"too late","times":2}`, `{"action":"say","reason":"twice","times":1}`}; !slices.Equal(got, want) {
		t.Errorf("the events are %s, want %s", got, want)
	}
	tallies, err := Count(world.Events(s.dir))
	if err != nil || tallies["b"].Fenced != 3 || tallies["b"].Actions != 4 {
		t.Errorf("counted %+v, %v", tallies["b"], err)
	}
}

// What comes of an interruption alone is in no log: the agents are asked again, and do again what was refused of what they were asked.
func TestAnInterruptionLeavesNothingInTheLogThatWouldNotBeThereWithoutIt(t *testing.T) {
	type refuse func(agent, reason string, newest bool)
	for _, test := range []struct {
		name    string
		moment  func(refuse refuse, interrupt func()) // of turn 1, in which d acts
		closing bool                                  // d answers as it is closed
		again   bool                                  // d does the same when it is asked again
		want    map[string]int                        // acts that are refused, by how the turn is played
	}{
		{"it answers twice before it", func(refuse refuse, interrupt func()) {
			refuse("d", "the second answer", true)
			interrupt()
		}, false, true, map[string]int{"parallel": 1, "sequential": 1}},
		{"it answers as it is called off", func(refuse refuse, interrupt func()) {
			interrupt()
			refuse("d", "too late", true)
		}, false, false, nil},
		{"it answers as it is closed", func(_ refuse, interrupt func()) { interrupt() }, true, false, nil},
		{"it answers before it what it was asked in an earlier turn", func(refuse refuse, interrupt func()) {
			refuse("d", "too late", false)
			interrupt()
		}, false, false, map[string]int{"parallel": 1, "sequential": 1}},
		{"it answers behind it what it was asked in an earlier turn", func(refuse refuse, interrupt func()) {
			interrupt()
			refuse("d", "too late", false)
		}, false, false, map[string]int{"parallel": 1, "sequential": 1}},
		{"one that has acted before answers again", func(refuse refuse, interrupt func()) {
			refuse("b", "the second answer", true)
			interrupt()
		}, false, false, map[string]int{"sequential": 1}},
		{"one that has acted before answers again behind it", func(refuse refuse, interrupt func()) {
			interrupt()
			refuse("b", "the second answer", true)
		}, false, false, map[string]int{"sequential": 1}},
	} {
		for how, schedule := range map[string]Schedule{"parallel": Parallel, "sequential": Sequential} {
			t.Run(test.name+", "+how, func(t *testing.T) {
				want := test.want[how]
				var hashes []string
				for _, interrupted := range []bool{false, true} {
					synctest.Test(t, func(t *testing.T) {
						s := newStage(t)
						s.Schedule = schedule
						ctx, interrupt := context.WithCancel(t.Context())
						defer interrupt()
						var fenced [5]atomic.Pointer[Fenced]
						refuse := func(agent, reason string, newest bool) {
							(*fenced[slices.Index(five, agent)].Load())("fish", reason, newest)
						}
						sit := func(interrupt func(), happens, closes bool) {
							s.Seats[3].Evidence = new(tamper.Evidence)
							for i, name := range five {
								a := asks(5)
								if name == "d" {
									a = inTurn(1, func(ctx context.Context) (world.Action, error) {
										if happens {
											time.Sleep(time.Second) // the others have acted
											test.moment(refuse, interrupt)
										}
										return ask(5), ctx.Err()
									})
								}
								s.actors[name] = a
								s.starts(name, func(_ context.Context, f Fenced) (agents.Agent, error) {
									if fenced[i].Store(&f); name == "d" && closes {
										return closing{a, func() {
											f("fish", "too late", true)
											s.Seats[3].Evidence.Saw(tamper.Garbage, "bye")
										}}, nil
									}
									return a, nil
								})
							}
						}
						if interrupted {
							sit(interrupt, true, test.closing)
							if out := s.runIn(ctx); out.Status != Interrupted {
								t.Fatalf("it is %+v", out.End)
							}
						}
						sit(func() {}, test.again || !interrupted && want > 0, false)
						s.run()
						s.verify()
						if got := of(s.events(), KindFenced, ""); len(got) != want {
							t.Errorf("interrupted %v: what was refused is %s", interrupted, world.JSON(got))
						}
						if got := of(s.events(), KindResume, ""); len(got) > 0 {
							t.Errorf("interrupted %v: nobody has intervened, and the log says %s", interrupted, world.JSON(got))
						}
						hashes = append(hashes, s.Store.Hash())
					})
				}
				if hashes[0] != hashes[1] {
					t.Errorf("the hash is %s, and without the interruption %s", hashes[1], hashes[0])
				}
			})
		}
	}
}

// A closing agent does something as it is closed.
type closing struct {
	*actor
	do func()
}

func (a closing) Close() (agents.Usage, error) {
	a.do()
	return a.actor.Close()
}
