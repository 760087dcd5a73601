package arena

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

// intervene lets an operator do something from a store of its own, as another process would.
func (s *stage) intervene(c Command) error {
	s.t.Helper()
	store, err := world.Open(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	defer store.Close()
	game := s.Game
	if !c.AsksRules() {
		game.Rules = nil
	}
	_, err = game.Intervene(s.t.Context(), store, c)
	return err
}

// must intervene without an error.
func (s *stage) must(c Command) {
	s.t.Helper()
	if err := s.intervene(c); err != nil {
		s.t.Errorf("%+v: %v", c, err)
	}
}

// during makes an agent do something else in a turn before it acts.
func (s *stage) during(agent string, turn int, do func()) {
	s.sit(agent, does(func(_ context.Context, obs world.Observation) (world.Action, error) {
		if obs.Turn == turn {
			do()
		}
		return ask(5), nil
	}))
}

// tons returns the stock that an agent was shown, observation by observation.
func tons(t *testing.T, a *actor) []int {
	t.Helper()
	var all []int
	for _, obs := range a.seen {
		var view struct{ Tons int }
		if err := json.Unmarshal(obs.View, &view); err != nil {
			t.Fatal(err)
		}
		all = append(all, view.Tons)
	}
	return all
}

func TestWhatAnOperatorSetsIsSeenInTheNextStep(t *testing.T) {
	s := newStage(t)
	s.during("c", 1, func() { s.must(Command{Do: DoSet, Path: "lake/tons", Value: json.RawMessage(`20`)}) })
	s.run()
	s.verify()
	if got := tons(t, s.actors["e"]); !slices.Equal(got, []int{100, 100, 30, 10}) { // what the harvest before left is doubled, then 25 are caught
		t.Errorf("the stock is %v", got)
	}
	for _, ev := range of(s.events(), KindAction, "") {
		if saw := strings.Contains(string(ev.Data), `"saw":`); saw != (ev.Turn == 1) {
			t.Errorf("turn %d: %s", ev.Turn, ev.Data)
		}
	}
}

func TestRulesThatAnOperatorRevisesHoldFromTheNextStep(t *testing.T) {
	s := newStage(t)
	s.during("c", 0, func() { s.must(Command{Do: DoRevise, Source: "10"}) })
	s.during("d", 1, func() {
		for source, want := range map[string]string{"many": "invalid syntax", "101": "refused: the rules do not allow it: there are only 75 tons", "\xff": "refused: the rules are not UTF-8"} {
			if err := s.intervene(Command{Do: DoRevise, Source: source}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v", source, err)
			}
		}
	})
	s.run()
	s.verify()
	if guards := of(s.events(), "guard", ""); len(guards) != 4 || string(guards[3].Set["guarded/steps"]) != "4" {
		t.Errorf("the new rules made %v", guards)
	}
	s.Game.Revisions = nil
	if _, err := Verify(s.dir, s.Game); err == nil || !strings.Contains(err.Error(), "cannot be changed") {
		t.Errorf("rules that cannot be changed were changed: %v", err)
	}
}

func TestAnOperatorTellsOneAgentSomething(t *testing.T) {
	s := newStage(t)
	s.during("c", 1, func() { s.must(Command{Do: DoTell, To: "d", Text: "the lake\nis ill"}) })
	s.run()
	s.verify()
	for _, name := range five {
		for i, got := range heardBy(s.actors[name]) {
			want := ""
			if name == "d" && i == 2 {
				want = "operator[d]: the lake\nis ill"
			}
			if got != want {
				t.Errorf("%s is told %q in turn %d, want %q", name, got, i, want)
			}
		}
	}
}

func TestWhatTheRulesOrTheGameDoNotAllowIsRefusedToAnOperator(t *testing.T) {
	s := newStage(t)
	refused := func(c Command, want string) {
		t.Helper()
		err := s.intervene(c)
		if why := (*RefusedError)(nil); !errors.As(err, &why) || !strings.Contains(why.Reason, want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
	set := func(path, value string) Command { return Command{Do: DoSet, Path: path, Value: json.RawMessage(value)} }
	refused(Command{Do: DoPause}, "has not begun")
	s.sit("b", inTurn(1, func(context.Context) (world.Action, error) { return world.Action{}, errors.New("broken") }))
	s.Consequences.Error = ConsequenceOut
	s.during("c", 2, func() {
		refused(set("lake/tons", `"many"`), "the rules do not allow it")
		refused(set("lake/tons", `-1`), "the rules do not allow it")
		refused(set("lake/tons", `4`+strings.Repeat("0", 400)), "the rules do not allow it")
		refused(set("lake/tons", `{`), "the value is not JSON")
		refused(set("", `1`), "is no path")
		refused(set("run/seed", `1`), "the episode's own")
		refused(set("run/status/a", `"done"`), "the episode's own")
		refused(Command{Do: DoDelete, Path: "lake/tons"}, "the rules do not allow it")
		refused(Command{Do: DoDelete, Path: "lake/ghost"}, "there is no fact")
		refused(set("lake/ghost", `1`), "there is no fact")
		refused(Command{Do: DoAdd, Path: "lake/tons", Value: json.RawMessage(`1`)}, "there is a fact")
		refused(Command{Do: DoTell, To: "zoe", Text: "hello"}, "none of a, b, c, d, e")
		refused(Command{Do: DoTell, To: "b", Text: "hello"}, "b is out: error")
		refused(Command{Do: DoTell, To: "a"}, "1 to 10000 characters, not 0")
		refused(Command{Do: DoTell, To: "a", Text: strings.Repeat("x", 10_001)}, "not 10001")
		refused(Command{Do: DoContinue}, "not paused")
		refused(Command{Do: "fly"}, "no command")
	})
	s.run()
	if n := len(of(s.events(), KindOperator, "")); n != 0 {
		t.Errorf("%d operator's events", n)
	}
	refused(Command{Do: DoPause}, "the episode is over")
	s.verify()
}

// await waits until the log has so many events of that kind.
func (s *stage) await(kind string, count int) {
	s.t.Helper()
	for ev, err := range world.Follow(s.t.Context(), s.dir, 0) {
		if err != nil {
			s.t.Fatal(err)
		}
		if ev.Kind == kind {
			count--
		}
		if count == 0 && !ev.More {
			return
		}
	}
}

func TestAGameThatIsHeldPlaysStepByStep(t *testing.T) {
	for _, test := range []struct {
		name string
		free bool
		do   string
		acts int // that it takes before it is held again
	}{
		{"one agent", false, DoStep, 1}, {"a turn", false, DoTurn, 5}, {"one act of a free game", true, DoStep, 1}, {"a turn of a free game", true, DoTurn, 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStage(t)
			s.Schedule, s.Free, s.Turns = Sequential, test.free, 6
			begin := make(chan bool)
			for _, name := range five {
				s.sit(name, does(func(context.Context, world.Observation) (world.Action, error) {
					<-begin
					return ask(5), nil
				}))
			}
			ended := make(chan Outcome)
			go func() { ended <- s.run() }()
			s.await(KindStart, 1)
			s.must(Command{Do: DoTurn})
			close(begin)
			s.await(world.KindTurn, 1)
			acts := 5
			for range 4 {
				s.must(Command{Do: DoSet, Path: "lake/tons", Value: json.RawMessage(`90`)}) // while it is held
				s.must(Command{Do: test.do})
				acts += test.acts
				s.await(KindAction, acts)
			}
			s.must(Command{Do: DoContinue})
			checkEnd(t, <-ended, End{Truncated, TurnLimit}, 6)
			s.verify()
			var last Command
			for _, ev := range s.events() {
				switch {
				case ev.Kind == KindOperator:
					last, _ = CommandOf(ev)
				case ev.Kind == KindAction && last.Do == DoSet:
					t.Errorf("event %d: %s acts while the game is held", ev.Seq, ev.Agent)
				}
			}
		})
	}
}

func TestStepsThatAreAskedForAtOnceAreAllPlayed(t *testing.T) {
	s := newStage(t)
	s.Schedule, s.Paused = Sequential, true
	ended := make(chan Outcome)
	go func() { ended <- s.run() }()
	s.await(KindHeld, 1)
	for _, do := range []string{DoTurn, DoStep, DoStep, DoStep} {
		s.must(Command{Do: do})
	}
	s.await(KindHeld, 2)
	if n := len(of(s.events(), KindAction, "")); n != 8 {
		t.Errorf("%d acts, want those of a turn and three more", n)
	}
	if st, err := world.Now(s.dir); err != nil || !Held(st) {
		t.Errorf("it is not held: %v", err)
	}
	s.must(Command{Do: DoStop})
	if out := <-ended; out.End != (End{Truncated, "stopped by the operator"}) || out.State.Turn != 1 {
		t.Errorf("it ends %+v in turn %d", out.End, out.State.Turn)
	}
	s.verify()
}

// Whoever lets it go on and pauses it again, before it is said that it is held, waits for the step that is played in between.
func TestAGameIsNotSaidToBeHeldWhileAStepIsToBePlayed(t *testing.T) {
	s := newStage(t)
	p := newLivePlayers(s.Episode, t.Context(), func(error) {})
	if _, err := p.commit(s.opening); err != nil {
		t.Fatal(err)
	}
	s.must(Command{Do: DoPause})
	held, err := world.Now(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	s.must(Command{Do: DoContinue})
	s.must(Command{Do: DoPause})
	st, err := p.later(held)
	p.clock.stop()
	if said := of(s.events(), KindHeld, ""); err != nil || Held(st) || len(said) > 0 {
		t.Errorf("it goes on after event %d, and is said to be held by %v: %v", st.Seq, said, err)
	}
}

func TestWhatIsSetWhileTheGameIsHeldIsSeenWhenItGoesOn(t *testing.T) {
	s := newStage(t)
	s.during("a", 0, func() { s.must(Command{Do: DoPause}) })
	ended := make(chan Outcome)
	go func() { ended <- s.run() }()
	s.await(world.KindTurn, 1)
	s.must(Command{Do: DoSet, Path: "lake/tons", Value: json.RawMessage(`30`)})
	s.must(Command{Do: DoTell, To: "a", Text: "it is 60"})
	s.must(Command{Do: DoContinue})
	<-ended
	s.verify()
	if got := tons(t, s.actors["a"]); !slices.Equal(got[:2], []int{100, 60}) {
		t.Errorf("a sees %v", got)
	}
	if got := heardBy(s.actors["a"]); got[1] != "operator[a]: it is 60" {
		t.Errorf("a hears %q", got)
	}
}

func TestAnOperatorEndsAnEpisode(t *testing.T) {
	for _, test := range []struct {
		name string
		free bool
		held bool
	}{{name: "while agents think"}, {name: "while agents think, each by itself", free: true}, {name: "while it is held", held: true}} {
		t.Run(test.name, func(t *testing.T) {
			s := newStage(t)
			s.Free = test.free
			thinking := make(chan bool, 1)
			for _, name := range five { // all, since in a free-running game the others would go on without b, and without having waited for it
				s.sit(name, inTurn(1, func(ctx context.Context) (world.Action, error) {
					if name == "b" {
						thinking <- true
					}
					return sleeps(ctx)
				}))
			}
			if test.held {
				s.during("b", 0, func() { s.must(Command{Do: DoPause}) })
			}
			ended := make(chan Outcome)
			go func() { ended <- s.run() }()
			if test.held {
				s.await(world.KindTurn, 1)
			} else {
				<-thinking
			}
			s.must(Command{Do: DoStop})
			out := <-ended
			if out.End != (End{Truncated, "stopped by the operator"}) {
				t.Errorf("it ends %+v", out.End)
			}
			checkStatuses(t, out, nil)
			if v := s.verify(); !v.Over || v.End != out.End {
				t.Errorf("verified: %+v", v)
			}
		})
	}
}

func TestTheClockOfAnEpisodeStandsStillWhileItIsHeld(t *testing.T) {
	c := clock{limit: 1 << 40, up: func() {}}
	c.start()
	c.stop()
	used := c.elapsed()
	if used != c.elapsed() {
		t.Error("it goes on")
	}
	c.start()
	c.stop()
	if c.elapsed() < used {
		t.Error("it went back")
	}
}

func TestAForgedEventFromOutsideIsRefused(t *testing.T) {
	f := finish(t, func(s *stage) {
		s.during("c", 1, func() { s.must(Command{Do: DoSet, Path: "lake/tons", Value: json.RawMessage(`40`)}) })
	})
	i := lineOf(f, KindOperator)
	for name, change := range map[string]func(*world.Event){
		"another fact than it says":   func(ev *world.Event) { ev.Set = map[string]json.RawMessage{"lake/tons": json.RawMessage("41")} },
		"a fact of the episode":       func(ev *world.Event) { ev.Set["run/status/a"] = json.RawMessage(`"error"`) },
		"a command that there is not": func(ev *world.Event) { ev.Data = json.RawMessage(`{"do":"fly"}`) },
		"what the rules refuse": func(ev *world.Event) {
			ev.Data, ev.Set = json.RawMessage(`{"do":"set","path":"lake/tons","value":-1}`), map[string]json.RawMessage{"lake/tons": json.RawMessage("-1")}
		},
		"another key":                     func(ev *world.Event) { ev.Data = json.RawMessage(`{"do":"pause","why":1}`) },
		"somebody else":                   func(ev *world.Event) { ev.Agent = "a" },
		"a stranger who was fenced":       func(ev *world.Event) { *ev = fencedLike(*ev, "zoe", `{"action":"fish","reason":"late","times":1}`) },
		"somebody fenced, with an effect": func(ev *world.Event) { ev.Kind, ev.Agent = KindFenced, "a" },
	} {
		lines := slices.Clone(f.lines)
		ev := f.events[i-1]
		ev.Set = maps.Clone(ev.Set)
		change(&ev)
		lines[i-1] = lineOfEvent(t, ev)
		if _, err := f.check(t, t.TempDir(), lines...); err == nil {
			t.Errorf("%s: no error", name)
		} else if found := (*world.LogError)(nil); !errors.As(err, &found) || found.Line != i {
			t.Errorf("%s: %v, want line %d", name, err, i)
		}
	}
}

// lineOfEvent returns the line of an event in a log.
func lineOfEvent(t *testing.T, ev world.Event) []byte {
	t.Helper()
	raw := ev.World()
	return seal(fmt.Appendf(nil, `%s,"time":"%s"`, raw[:len(raw)-1], ev.Time.UTC().Format(time.RFC3339Nano)))
}

func fencedLike(ev world.Event, agent, data string) world.Event {
	ev.Kind, ev.Agent, ev.Data, ev.Set = KindFenced, agent, json.RawMessage(data), nil
	return ev
}
