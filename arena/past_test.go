package arena

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/world"
)

// echoes returns for each of its lives the agent that does again what the agent of its name did in a log. It is late when that was late, and
// crashes when that did.
func echoes(events []world.Event, name string) func() *actor {
	lives := [][]world.Event{nil} // what it did in each
	for _, ev := range events {
		last := len(lives) - 1
		switch {
		case ev.Agent != name || !IsAct(ev) || ev.Kind == KindBackoff:
		case ev.Kind != KindCrash:
			lives[last] = append(lives[last], ev)
		default:
			lives = append(lives, nil)
		}
	}
	var mu sync.Mutex
	return func() *actor {
		acts, crashes := &lives[0], len(lives) > 1
		if crashes {
			lives = lives[1:]
		}
		return does(func(ctx context.Context, _ world.Observation) (world.Action, error) {
			mu.Lock()
			defer mu.Unlock()
			if len(*acts) == 0 && crashes {
				return world.Action{}, killed()
			}
			if len(*acts) == 0 {
				return sleeps(ctx)
			}
			a, err := actOf((*acts)[0], 0)
			*acts = (*acts)[1:]
			switch {
			case err != nil:
				return world.Action{}, err
			case a.kind == KindTimeout:
				return sleeps(ctx)
			case a.kind == KindInvalid:
				return world.Action{}, agents.ErrNoAction
			case a.kind == KindError || a.kind == KindBudget:
				return world.Action{}, errors.New("once more out of ink")
			}
			return a.action, nil
		})
	}
}

// again returns a stage on which the episode in a folder is played again, to its end, by agents that do again what they did, or that are not
// asked.
func again(t *testing.T, dir string, game Game, recorded bool) *stage {
	t.Helper()
	s := newStage(t)
	s.Game, s.Past = game, &Past{Dir: dir, Turns: -1}
	events := readEvents(t, dir)
	for i, name := range five {
		s.anew(name, echoes(events, name))
		s.Seats[i].Recorded = recorded
	}
	return s
}

func sameLog(t *testing.T, got, want []world.Event) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Fatalf("event %d is missing: %s", i, want[i].World())
		case i >= len(want):
			t.Fatalf("event %d is too much: %s", i, got[i].World())
		case string(got[i].World()) != string(want[i].World()):
			t.Fatalf("event %d is %s, want %s", i, got[i].World(), want[i].World())
		}
	}
}

func TestWhateverHappenedToAGameItHappensAgain(t *testing.T) {
	for seed := uint64(101); seed < 117; seed++ {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			c := newChaos(t, seed)
			game := c.Game
			if c.random.IntN(2) == 0 {
				c.runOnce(seed*100, time.Duration(c.random.IntN(30))*time.Millisecond, true)
			}
			out := c.runOnce(seed*100+50, 0, true)
			for _, recorded := range []bool{true, false} {
				s := again(t, c.dir, game, recorded)
				if got := s.run(); got.End != out.End {
					t.Errorf("it ends %v, and again %v", out.End, got.End)
				}
				sameLog(t, s.events(), c.events())
				for _, a := range s.lives {
					if recorded && len(a.seen) > 0 {
						t.Errorf("who is recorded is asked")
					}
				}
			}
			if out.State.Turn < 2 {
				return
			}
			c.branchAt(t, seed, game, 1+c.random.IntN(out.State.Turn-1))
		})
	}
}

// hasBranch says whether a branch has begun in a turn of the log in dir.
func hasBranch(dir string, turn int) bool {
	for ev, err := range world.Turn(dir, turn) {
		if err == nil && ev.Kind == KindBranch {
			return true
		}
	}
	return false
}

// branchAt plays the chaos's episode again up to a turn, and then goes on by another game with other agents; and then plays all that again.
func (c *chaos) branchAt(t *testing.T, seed uint64, game Game, turn int) {
	t.Helper()
	b := newChaos(t, seed)
	b.Game, b.Past, b.Branches = game, &Past{Dir: c.dir, Turns: turn}, []Game{game}
	b.Branches[0].Seed, b.Branches[0].Turns = seed+1, game.Turns+1
	events := c.events()
	b.Paused = b.random.IntN(2) == 0
	b.sitAll(seed)
	branched, begins := context.WithCancel(t.Context())
	defer begins()
	for i, name := range five {
		lives, now := echoes(events, name), b.Seats[i].Start
		b.Seats[i].Start = func(ctx context.Context, fenced Fenced) (agents.Agent, error) {
			past := lives()
			live, err := now(ctx, fenced)
			return does(func(ctx context.Context, obs world.Observation) (world.Action, error) {
				if obs.Turn < turn {
					echo, end := context.WithCancel(ctx)
					defer end()
					defer context.AfterFunc(branched, end)()
					if action, err := past.do(echo, obs); err == nil || branched.Err() == nil {
						return action, err
					} // in a free game it may still think of what is in the past when the branch begins
				}
				return live.Act(ctx, obs)
			}), err
		}
	}
	entered := -1
	b.Past.Branched = func(index int) error { entered = index; begins(); return nil }
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan struct{})
	go func() { // somebody has to let it go on where an operator holds it
		defer close(done)
		b.awaitStart(ctx)
		store, err := world.Open(b.dir)
		if err != nil {
			t.Error(err)
			return
		}
		defer store.Close()
		for ctx.Err() == nil {
			if st, err := world.Now(b.dir); err == nil && Held(st) && hasBranch(b.dir, turn) {
				_, _ = game.Intervene(t.Context(), store, Command{Do: DoContinue})
			}
			select {
			case <-time.After(3 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}()
	out, err := b.Run(ctx)
	cancel()
	<-done
	if err != nil || out.Status == Interrupted || entered != 0 {
		t.Fatalf("the branch ends %v, entered %d: %v", out.End, entered, err)
	}
	got := b.events()
	at := slices.IndexFunc(got, func(ev world.Event) bool { return ev.Kind == KindBranch })
	if at < 0 || got[at].Turn != turn {
		t.Fatalf("the branch begins with event %d, want one of turn %d", at, turn)
	}
	sameLog(t, got[:at], events[:at])
	if _, err := Verify(b.dir, game, b.Branches...); err != nil {
		t.Errorf("verify: %v", err)
	}
	if _, err := Verify(b.dir, game); err == nil || !strings.Contains(err.Error(), "a branch begins here") {
		t.Errorf("verify as no branch: %v", err)
	}
	s := again(t, b.dir, game, false)
	s.Branches = []Game{b.Branches[0]}
	s.run()
	sameLog(t, s.events(), got)
}

func TestAnAgentThatDoesSomethingElseThanItDidEndsTheRepetition(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(context.Context) (world.Action, error)
		now  string
	}{
		{"another action", func(context.Context) (world.Action, error) { return ask(6), nil }, `{"args":{"tons":6},"name":"fish"}`},
		{"nothing", func(context.Context) (world.Action, error) { return world.Action{}, agents.ErrNoAction }, "nothing: invalid, ended its turn without an action"},
	} {
		synctest.Test(t, func(t *testing.T) {
			first := newStage(t)
			first.run()
			s := again(t, first.dir, first.Game, false)
			s.sit("b", inTurn(2, test.do))
			_, err := s.Run(t.Context())
			want := fmt.Sprintf("turn 2: agent \"b\" does something else than it did:\nrecorded: {\"args\":{\"tons\":5},\"name\":\"fish\"}\nnow:      %s", test.now)
			if departed := (*DepartedError)(nil); !errors.As(err, &departed) || departed.Error() != want {
				t.Errorf("%s: %v, want %s", test.name, err, want)
			}
			sameLog(t, s.events(), first.events()[:len(s.events())])
		})
	}
}

func TestARepetitionThatIsLeftHasComeToWhereItsLogEnds(t *testing.T) {
	for _, test := range []struct {
		name  string
		leave func(s *stage, interrupt func()) world.Action // in the turn in which an operator had been there
	}{
		{"interrupted", func(_ *stage, interrupt func()) world.Action { interrupt(); return ask(5) }},
		{"departed from", func(*stage, func()) world.Action { return ask(6) }},
		{"disturbed", func(s *stage, _ func()) world.Action { s.must(Command{Do: DoPause}); return ask(5) }},
	} {
		synctest.Test(t, func(t *testing.T) {
			first := newStage(t)
			first.during("c", 1, func() { first.must(Command{Do: DoTell, To: "a", Text: "hello"}) })
			first.run()
			s := again(t, first.dir, first.Game, false)
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			s.sit("b", inTurn(1, func(context.Context) (world.Action, error) { return test.leave(s, interrupt), nil }))
			out, err := s.Run(ctx)
			if events := s.events(); out.State.Turn != 1 || out.State.Seq != events[len(events)-1].Seq || s.Store.State().Seq != out.State.Seq {
				t.Errorf("%s: it has come to event %d, and its log to %d: %v, %v", test.name, out.State.Seq, len(events), out.End, err)
			}
		})
	}
}

func TestARepetitionTakesNoLongerThanItsAgentsAndEndsWhereItsRecordingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := newStage(t)
		first.sit("c", inTurn(1, sleeps))
		ctx, cancel := context.WithCancel(t.Context())
		first.sit("d", inTurn(2, func(ctx context.Context) (world.Action, error) {
			cancel()
			return sleeps(ctx)
		}))
		if out := first.runIn(ctx); out.Status != Interrupted {
			t.Fatalf("it ends %v", out.End)
		}
		began := time.Now()
		s := again(t, first.dir, first.Game, false)
		s.Time = time.Second // is no matter of the past
		if out := s.run(); out.End != (End{Interrupted, "the recording ends in turn 2"}) {
			t.Errorf("it ends %v", out.End)
		}
		sameLog(t, s.events(), first.events())
		if took := time.Since(began); took != time.Minute {
			t.Errorf("it takes %v, and c is late after a minute", took)
		}
	})
}

func TestWhoWasLateInAFreeGameIsLateAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stages []*stage
		for range 2 {
			s := newStage(t)
			s.Free = true
			for i, name := range five {
				s.sit(name, slowly(time.Duration(65-10*i)*time.Second)) // a is late
			}
			if stages = append(stages, s); len(stages) == 2 {
				s.Past = &Past{Dir: stages[0].dir, Turns: -1}
			}
			began := time.Now()
			s.run()
			if took, most := time.Since(began), 4*time.Minute; took > most {
				t.Errorf("it takes %v", took)
			}
		}
		sameLog(t, stages[1].events(), stages[0].events())
	})
}

func TestAFreeGameThatWasInterruptedIsPlayedAgainByAgentsThatDoWhatTheySee(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sit := func(s *stage) {
			for name, takes := range stageFree(s) {
				s.sit(name, does(func(ctx context.Context, obs world.Observation) (world.Action, error) {
					select {
					case <-time.After(takes):
						return world.Action{Name: "add", Args: world.JSON(string(obs.View) + obs.Refused)}, nil
					case <-ctx.Done():
						return world.Action{}, ctx.Err()
					}
				}))
			}
		}
		first := newStage(t)
		for _, played := range []time.Duration{2500 * time.Millisecond, 7500 * time.Millisecond, time.Hour} {
			sit(first)
			first.Act = 5 * time.Second // so e is late
			ctx, interrupt := context.WithTimeout(t.Context(), played)
			defer interrupt()
			first.runIn(ctx)
		}
		first.verify()
		s := newStage(t)
		sit(s)
		s.Act, s.Past = first.Act, &Past{Dir: first.dir, Turns: -1}
		if out := s.run(); out.End != (End{Truncated, TurnLimit}) {
			t.Errorf("it ends %v", out.End)
		}
		sameLog(t, s.events(), first.events())
	})
}

func TestARepetitionCanBeInterruptedWhoeverPlaysIt(t *testing.T) {
	for _, free := range []bool{false, true} {
		first := newStage(t)
		first.Free = free
		first.run()
		s := again(t, first.dir, first.Game, true)
		ctx, interrupt := context.WithCancel(t.Context())
		s.OnTurn = func(st world.State) {
			if st.Turn == 1 {
				interrupt()
			}
		}
		if out := s.runIn(ctx); out.End != (End{Interrupted, "in turn 1"}) {
			t.Errorf("free %t: it ends %v", free, out.End)
		}
	}
}

// branched returns a stage on which an episode of four turns goes on otherwise from turn 2 on.
func branched(t *testing.T) *stage {
	first := newStage(t)
	first.run()
	s := again(t, first.dir, first.Game, true)
	s.Past.Turns, s.Branches = 2, []Game{first.Game}
	return s
}

func TestWhatWasRefusedBeforeABranchWasInterruptedIsToldInItsLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := branched(t)
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		var late Fenced
		a := inTurn(3, func(ctx context.Context) (world.Action, error) {
			late("fish", "too late", false)
			s.Seats[0].Evidence.Saw(tamper.Acts, "in its last turn")
			interrupt()
			return sleeps(ctx)
		})
		for _, name := range five[1:] {
			s.sit(name, asks(5))
		}
		s.actors["a"] = a
		s.starts("a", func(_ context.Context, fenced Fenced) (agents.Agent, error) { late = fenced; return a, nil })
		s.Seats[0].Evidence = new(tamper.Evidence)
		if out := s.runIn(ctx); out.Status != Interrupted {
			t.Fatalf("it ends %v", out.End)
		}
		for _, kind := range []string{KindFenced, KindTamper} {
			if got := of(s.events(), kind, "a"); len(got) != 1 || got[0].Turn != 3 {
				t.Errorf("the %s events are %s", kind, world.JSON(got))
			}
		}
	})
}

func TestABranchGoesOnWhereItWasCutWhoeverIntervenedAsItBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := branched(t)
		first, branch := s.Game, s.Branches[0]
		branch.Turns = 6
		s.Branches[0] = branch
		s.Past.Branched = func(int) error {
			s.must(Command{Do: DoSet, Path: "lake/tons", Value: json.RawMessage(`30`)})
			return nil
		}
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		s.Seats[0].Recorded = false
		s.sit("a", does(func(ctx context.Context, obs world.Observation) (world.Action, error) {
			if obs.Turn == 2 {
				interrupt()
			}
			return slowly(30*time.Second).do(ctx, obs)
		}))
		for _, name := range five[1:] {
			s.sit(name, asks(5))
		}
		if out := s.runIn(ctx); out.Status != Interrupted || out.Time != time.Minute {
			t.Fatalf("it ends %v after %v", out.End, out.Time)
		}
		if out, err := Verify(s.dir, first, branch); err != nil || out.Turns != 2 {
			t.Fatalf("verified %+v, %v", out, err)
		}
		s.Game, s.Past, s.Branches = branch, nil, nil
		for _, name := range five {
			s.sit(name, asks(1))
		}
		out := s.run()
		if out.End != (End{Truncated, TurnLimit}) || out.State.Turn != 6 || out.Time != time.Minute {
			t.Errorf("it ends %v in turn %d after %v", out.End, out.State.Turn, out.Time)
		}
		if _, err := Verify(s.dir, first, branch); err != nil {
			t.Error(err)
		}
	})
}

func TestABranchThatNobodyPlaysEndsEvenIfItShallBeHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := newStage(t)
		first.Consequences.Error = ConsequenceOut
		for _, name := range five {
			first.sit(name, inTurn(1, func(context.Context) (world.Action, error) { return world.Action{}, errors.New("out of ink") }))
		}
		first.run()
		s := again(t, first.dir, first.Game, true)
		s.Past.Turns, s.Branches, s.Paused = 2, []Game{first.Game}, true
		if out := s.run(); out.End != (End{Truncated, allOut}) {
			t.Errorf("it ends %v", out.End)
		}
	})
}

func TestABranchOfATurnThatNeverWasIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := newStage(t)
		first.run()
		s := again(t, first.dir, first.Game, true)
		s.Past.Turns, s.Branches = 5, []Game{first.Game}
		if _, err := s.Run(t.Context()); err == nil {
			t.Error("it is played")
		}
	})
}

// slowly is the agent that asks for 5 tons, and takes its time.
func slowly(takes time.Duration) *actor {
	return does(func(ctx context.Context, _ world.Observation) (world.Action, error) {
		select {
		case <-time.After(takes):
			return ask(5), nil
		case <-ctx.Done():
			return world.Action{}, ctx.Err()
		}
	})
}

func TestWhoActsWhenABranchBeginsHasNoMoreTimeThanItsClockAndItsOvertime(t *testing.T) {
	for _, test := range []struct{ overtime, takes, slower time.Duration }{
		{0, time.Hour, 0},
		{30 * time.Second, time.Hour, 0},
		{30 * time.Second, 80 * time.Second, 0},
		{5 * time.Minute, 3 * time.Minute, 0},
		{30 * time.Second, 80 * time.Second, 20 * time.Second}, // so it acts before the branch begins
		{0, 80 * time.Second, 20 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			first := newStage(t)
			first.Free, first.Overtime = true, test.overtime
			for i, name := range five {
				first.sit(name, slowly(time.Duration(10*i)*time.Second))
			}
			first.sit("a", slowly(time.Hour))
			first.Turns = 2
			first.run()
			s := again(t, first.dir, first.Game, false)
			s.Overtime, s.Past.Turns, s.Branches = test.overtime, 2, []Game{first.Game}
			s.Branches[0].Turns = 12
			for i, name := range five {
				s.sit(name, slowly(time.Duration(10*i)*time.Second))
			}
			s.sit("a", slowly(test.takes))
			s.sit("b", slowly(10*time.Second+test.slower))
			s.run()
			events := s.events()
			acts := slices.DeleteFunc(slices.Clone(events), func(ev world.Event) bool { return ev.Agent != "a" || !IsAct(ev) })
			if len(acts) == 0 {
				t.Fatal("it does nothing")
			}
			a, err := actOf(acts[0], 0)
			want := min(test.takes, s.Act+test.overtime)
			if err != nil || a.took() != want && test.slower == 0 || (a.kind == KindTimeout) != (test.takes > want) {
				t.Errorf("overtime of %v: its act is %v after %v, want one after %v; %v", test.overtime, a, a.took(), want, err)
			}
			var used soFar
			at := slices.IndexFunc(events, func(ev world.Event) bool { return ev.Kind == world.KindTurn && ev.Turn > acts[0].Turn })
			if err := json.Unmarshal(events[at].Proc, &used); err != nil {
				t.Fatal(err)
			}
			if left, drew := used.OvertimeMS["a"]; drew != (want > s.Act) || left != (s.Act+test.overtime-want).Milliseconds() {
				t.Errorf("overtime of %v: %v ms are left after an act of %v", test.overtime, left, want)
			}
		})
	}
}
