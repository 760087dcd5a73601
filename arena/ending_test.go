package arena

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/world"
)

// A looked at world is rules that tell a test each time that somebody looks, who may keep them from answering.
type lookedAt struct {
	world.Rules
	look func(st world.State, obs *world.Observation) error
}

func (r lookedAt) Observe(st world.State, agent string) (world.Observation, error) {
	obs, err := r.Rules.Observe(st, agent)
	if err == nil {
		err = r.look(st, &obs)
	}
	return obs, err
}

func TestAnEpisodeWhoseEndCannotBeWrittenHasNotEnded(t *testing.T) {
	s := newStage(t)
	s.Rules = lookedAt{s.Rules, func(st world.State, _ *world.Observation) error {
		if st.Turn == s.Turns {
			_ = s.Store.Close() // once; what is done with it again is as good
		}
		return nil
	}}
	out, err := s.Run(t.Context())
	if !errors.Is(err, os.ErrClosed) || out.End != (End{}) {
		t.Errorf("it ends %+v: %v", out.End, err)
	}
}

// deaf returns rules that say of a state whether everybody's part has ended, and who answer no more after they were asked so often: nobody waits for them then.
func deaf(rules world.Rules, over func(world.State) bool, left int, cancel func()) world.Rules {
	return lookedAt{rules, func(st world.State, obs *world.Observation) error {
		obs.Terminated = over(st)
		if left--; left < 0 {
			cancel()
			return context.Canceled
		}
		return nil
	}}
}

func TestRulesThatAreNotWaitedForAnyMoreEndNothing(t *testing.T) {
	gone := func(st world.State) bool { _, ok := st.Fact("lake/gone"); return ok }
	for _, test := range []struct {
		name  string
		over  func(world.State) bool
		stage func(*stage)
	}{
		{"everybody is out", func(st world.State) bool { return st.Turn > 0 }, func(s *stage) {
			s.Consequences.Error = ConsequenceOut
			for _, name := range five {
				s.sit(name, does(func(context.Context, world.Observation) (world.Action, error) {
					return world.Action{}, errors.New("out of ink")
				}))
			}
		}},
		{"the time is up", gone, func(s *stage) {
			s.Time = s.Act / 2
			for _, name := range five {
				s.sit(name, asks(5))
			}
			s.sit("a", inTurn(0, func(ctx context.Context) (world.Action, error) {
				_ = s.intervene(Command{Do: DoAdd, Path: "lake/gone", Value: json.RawMessage("true")}) // it may be there already
				return sleeps(ctx)
			}))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for asked, ended := 0, false; !ended; asked++ {
				synctest.Test(t, func(t *testing.T) {
					s := newStage(t)
					test.stage(s)
					rules := s.Rules
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					s.Rules = deaf(rules, test.over, asked, cancel)
					out, err := s.Run(ctx)
					if err != nil && !errors.Is(err, context.Canceled) {
						t.Fatal(err)
					}
					ended = ctx.Err() == nil
					s.Rules = deaf(rules, test.over, math.MaxInt, nil)
					if out.Status == Interrupted {
						if s.verify().Over {
							t.Fatalf("asked %d times they have ended it", asked)
						}
						test.stage(s)
						out = s.run()
					}
					if s.verify(); out.End != (End{Terminated, byTheRules}) {
						t.Errorf("asked %d times it ends %+v", asked, out.End)
					}
				})
			}
		})
	}
}

func TestRulesThatAreNotWaitedForAnyMoreProveNothing(t *testing.T) {
	s := newStage(t)
	s.run()
	game := s.Game
	for asked, proved := 0, false; !proved; asked++ {
		interrupted := false
		game.Rules = deaf(s.Rules, func(world.State) bool { return false }, asked, func() { interrupted = true })
		v, err := Verify(s.dir, game)
		if proved = err == nil && !interrupted; !proved && (!interrupted || !errors.Is(err, context.Canceled)) {
			t.Fatalf("asked %d times: %+v, %v", asked, v, err)
		}
	}
}

// A log that is written again goes on while agents are asked: what an operator did then comes before what they do.
func TestTheOutcomeOfAnInterruptedReplayIsThatOfItsWholeLog(t *testing.T) {
	s := newStage(t)
	s.during("c", 1, func() { s.must(Command{Do: DoTell, To: "d", Text: "hello"}) })
	s.run()
	r := again(t, s.dir, s.Game, false)
	ctx, cancel := context.WithCancel(t.Context())
	r.anew("c", func() *actor {
		return inTurn(1, func(ctx context.Context) (world.Action, error) {
			cancel()
			return sleeps(ctx)
		})
	})
	if out := r.runIn(ctx); out.Status != Interrupted || out.State.Seq != r.Store.State().Seq {
		t.Errorf("it is %+v at event %d, and the log has %d", out.End, out.State.Seq, r.Store.State().Seq)
	}
}

func TestAnAgentThatDoesNotCloseKeepsNothingOutOfTheLog(t *testing.T) {
	s := newStage(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.starts("b", func(_ context.Context, fenced Fenced) (agents.Agent, error) {
		s.actors["b"].do = func(ctx context.Context, _ world.Observation) (world.Action, error) {
			cancel()
			fenced("fish", "too late", false)
			return sleeps(ctx)
		}
		return unclosed{s.actors["b"]}, nil
	})
	out, err := s.Run(ctx)
	if out.Status != Interrupted || err == nil || !strings.Contains(err.Error(), "close b: it stays") {
		t.Errorf("it is %+v: %v", out.End, err)
	}
	if fenced := of(s.events(), KindFenced, "b"); len(fenced) != 1 {
		t.Errorf("the log tells %v", fenced)
	}
}

// An unclosed agent says that it does not go.
type unclosed struct{ *actor }

func (a unclosed) Close() (agents.Usage, error) {
	usage, _ := a.actor.Close()
	return usage, errors.New("it stays")
}
