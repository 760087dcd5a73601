package arena

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/world"
)

// A misdeed is one way not to act as one should, done by c in turn 1.
type misdeed struct {
	name    string
	do      func(context.Context) (world.Action, error)
	kind    string // of the event it gives in the place of an action; KindAction: it is refused by the rules
	reason  string // in the event's process facts, or in the refusal
	refused string // what c is told in turn 2
}

func misdeeds() []misdeed {
	action := func(name, args string) func(context.Context) (world.Action, error) {
		return func(context.Context) (world.Action, error) {
			a := world.Action{Agent: "a", Name: name} // whoever it says it is, it is c
			if args != "" {
				a.Args = []byte(args)
			}
			return a, nil
		}
	}
	fails := func(err error) func(context.Context) (world.Action, error) {
		return func(context.Context) (world.Action, error) { return world.Action{}, err }
	}
	const want = `; want {"tons": n} with a whole number n`
	deep := `{"tons":` + strings.Repeat("[", 9998) + strings.Repeat("]", 9998) + `}`
	return []misdeed{
		{"is late", sleeps, KindTimeout, "no action within 1m0s", "you passed: no action within 1m0s"},
		{"is late and wraps the error", func(ctx context.Context) (world.Action, error) {
			<-ctx.Done()
			return world.Action{}, fmt.Errorf("ask the model: %w", ctx.Err())
		}, KindTimeout, "no action within 1m0s", "you passed: no action within 1m0s"},
		{
			"had a deadline of its own", fails(fmt.Errorf("ask the model: %w", context.DeadlineExceeded)), KindError,
			"ask the model: context deadline exceeded", "you passed: ask the model: context deadline exceeded",
		},
		{
			"ends its turn", fails(agents.ErrNoAction), KindInvalid,
			"ended its turn without an action", "you passed: ended its turn without an action",
		},
		{"errs", fails(errors.New("out of ink")), KindError, "out of ink", "you passed: out of ink"},
		{"errs in bytes that are no text", fails(errors.New("out\xff\x00")), KindError, "out\ufffd\x00", "you passed: out\ufffd\x00"},
		{
			"sends garbage", action("fish", `{"tons":`), KindInvalid,
			"the arguments of the action cannot be read: unexpected EOF", "you passed: the arguments of the action cannot be read: unexpected EOF",
		},
		{
			"sends two values", action("fish", `{"tons":1} {"tons":2}`), KindInvalid,
			"the arguments of the action cannot be read: something follows the JSON value at byte 12", "you passed: the arguments of the action cannot be read: something follows the JSON value at byte 12",
		},
		{
			"sends a number that is too large for any", action("fish", `{"tons":1e999}`), KindInvalid,
			"the arguments of the action cannot be read: strconv.ParseFloat: parsing \"1e999\": value out of range", "you passed: the arguments of the action cannot be read: strconv.ParseFloat: parsing \"1e999\": value out of range",
		},
		{
			"sends nested garbage", action("fish", deep), KindInvalid,
			"the arguments of the action cannot be read: nested deeper than 1000", "you passed: the arguments of the action cannot be read: nested deeper than 1000",
		},
		{"asks for nothing legal", action("fly", ""), KindAction, `there is no action "fly"; the only one is "fish"`, ""},
		{"names no action", action("", ""), KindAction, `there is no action ""; the only one is "fish"`, ""},
		{"names bytes that are no text", action("fi\xffsh", ""), KindAction, "there is no action \"fi\ufffdsh\"; the only one is \"fish\"", ""},
		{"asks for a part of a ton", action("fish", `{"tons": 2.50}`), KindAction, "tons is 2.5, not a whole number", ""},
		{"asks for a list", action("fish", `{"tons": [ 1, 2 ]}`), KindAction, "tons is [1,2]" + want, ""},
		{"escapes its text", action("fish", `{"tons":"\u0041\ud800"}`), KindAction, "tons is \"A\ufffd\"" + want, ""},
		{"sends null", action("fish", ` null `), KindAction, "tons is missing" + want, ""},
	}
}

func TestMisbehaviourIsAnEventWithItsDeclaredConsequenceAndTheEpisodeGoesOn(t *testing.T) {
	for _, consequence := range []Consequence{ConsequencePass, ConsequenceDefault, ConsequenceOut} {
		for _, m := range misdeeds() {
			t.Run(fmt.Sprintf("%s, %s", m.name, consequence), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testMisdeed(t, m, consequence) })
			})
		}
	}
}

func testMisdeed(t *testing.T, m misdeed, consequence Consequence) {
	s := newStage(t)
	// Only what is declared for this kind may count.
	s.Consequences = Consequences{Timeout: ConsequencePass, Invalid: ConsequencePass, Error: ConsequencePass}
	s.Default = ask(2)
	status := map[string]Status{KindTimeout: StatusTimeout, KindInvalid: StatusInvalid, KindError: StatusError, KindAction: StatusInvalid}[m.kind]
	switch m.kind {
	case KindTimeout:
		s.Consequences.Timeout = consequence
	case KindError:
		s.Consequences.Error = consequence
	default:
		s.Consequences.Invalid = consequence
	}
	if consequence != ConsequenceOut {
		status = StatusDone
	}
	s.sit("c", inTurn(1, m.do))
	out := s.run()
	if want := (End{Truncated, "limit of turns"}); out.End != want || out.State.Turn != 4 {
		t.Errorf("the episode ended with %+v in turn %d, want %+v in turn 4", out.End, out.State.Turn, want)
	}
	checkStatuses(t, out, map[string]Status{"c": status})

	events := s.events()
	found := of(events, m.kind, "c")
	found = slices.DeleteFunc(found, func(ev world.Event) bool { return ev.Turn != 1 })
	if len(found) != 1 {
		t.Fatalf("%d %s events of c in turn 1: %v", len(found), m.kind, found)
	}
	reason, refused := m.reason, m.refused
	if m.kind == KindAction {
		refusals := of(events, world.KindRefusal, "c")
		if len(refusals) != 1 || refusals[0].Turn != 1 || !strings.Contains(string(refusals[0].Data), string(world.JSON(reason))) {
			t.Errorf("refusals are %s, want %q", world.JSON(refusals), reason)
		}
		if consequence != ConsequencePass {
			found = of(events, KindInvalid, "c")
		}
		refused = reason
	} else if got := reasonOf(t, found[0]); got != reason {
		t.Errorf("the event's reason is %q, want %q", got, reason)
	}
	data := fmt.Sprintf(`{"consequence":%q}`, consequence)
	if consequence == ConsequenceDefault {
		data = `{"args":{"tons":2},"consequence":"default","name":"fish"}`
		refused = strings.TrimPrefix(refused, "you passed: ") + "; the default action was done in its place"
	}
	if m.kind != KindAction || consequence != ConsequencePass {
		if len(found) != 1 || string(found[0].Data) != data || found[0].Turn != 1 {
			t.Errorf("the events of the consequence are %s, want one with %s", world.JSON(found), data)
		}
	}
	if harvests := of(events, "lake", ""); len(harvests) != 4 {
		t.Errorf("%d harvests in 4 turns", len(harvests))
	}
	want := []string{"", "", refused, ""}
	reward := 15.0
	switch consequence {
	case ConsequenceOut:
		want, reward = want[:2], 5
	case ConsequenceDefault:
		reward = 17
	}
	if got := s.actors["c"].refusals(); !slices.Equal(got, want) {
		t.Errorf("c was told %q, want %q", got, want)
	}
	for _, seat := range out.Seats {
		if seat.Name == "c" && seat.Reward != reward || seat.Name != "c" && seat.Reward != 20 {
			t.Errorf("the reward of %s is %v", seat.Name, seat.Reward)
		}
	}
	if v := s.verify(); !v.Over || v.Turns != 4 || v.Events != out.State.Seq {
		t.Errorf("verified: %+v", v)
	}
}

// checkStatuses checks that all are done but for those in other.
func checkStatuses(t *testing.T, out Outcome, other map[string]Status) {
	t.Helper()
	if len(out.Seats) != len(five) {
		t.Fatalf("the outcome has %d seats", len(out.Seats))
	}
	for i, seat := range out.Seats {
		want, ok := other[seat.Name]
		if !ok {
			want = StatusDone
		}
		if seat.Name != five[i] || seat.Status != want {
			t.Errorf("seat %d: %s is %s, want %s as %s", i, seat.Name, seat.Status, five[i], want)
		}
	}
}

func TestTheDeadAreAlwaysOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.Consequences.Error, s.Default = ConsequenceDefault, ask(1)
		s.sit("b", inTurn(2, func(context.Context) (world.Action, error) {
			return world.Action{}, fmt.Errorf("act: %w", &agents.DeadError{Reason: "signal: killed", Detail: "out of memory"})
		}))
		out := s.run()
		checkStatuses(t, out, map[string]Status{"b": StatusError})
		dead := of(s.events(), KindCrash, "b")
		if len(dead) != 1 || dead[0].Turn != 2 || string(dead[0].Data) != `{"consequence":"out"}` {
			t.Fatalf("the events are %s", world.JSON(dead))
		}
		if got := reasonOf(t, dead[0]); got != "agent is gone: signal: killed" || !strings.Contains(string(dead[0].Proc), `"detail":"out of memory"`) {
			t.Errorf("the process facts are %s", dead[0].Proc)
		}
		if n := len(s.actors["b"].seen); n != 3 {
			t.Errorf("b was asked %d times, want 3", n)
		}
		if !s.verify().Over {
			t.Error("not over")
		}
	})
}

func TestAnAgentThatDoesNotStartIsOutAndNotClosed(t *testing.T) {
	for _, test := range []struct {
		name  string
		agent agents.Agent // returned with the error
	}{
		{"no agent", nil},
		{"an agent that is a nil pointer", (*actor)(nil)},
		{"an agent with a process that is a nil pointer", (*mute)(nil)},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				s.starts("d", func(context.Context, Fenced) (agents.Agent, error) {
					return test.agent, errors.New("no such executable")
				})
				out := s.run()
				checkStatuses(t, out, map[string]Status{"d": StatusError})
				failed := of(s.events(), KindCrash, "d")
				if len(failed) != 1 || failed[0].Turn != 0 || reasonOf(t, failed[0]) != "did not start: no such executable" {
					t.Errorf("the events are %s", world.JSON(failed))
				}
				s.verify()
			})
		})
	}
}

func TestAnEpisodeIsTruncatedWhenEverybodyIsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.Consequences = Consequences{Timeout: ConsequenceOut, Invalid: ConsequenceOut, Error: ConsequenceOut}
		fail := func(err error) func(context.Context) (world.Action, error) {
			return func(context.Context) (world.Action, error) { return world.Action{}, err }
		}
		s.sit("a", inTurn(1, sleeps))
		s.sit("b", inTurn(1, fail(agents.ErrNoAction)))
		s.sit("c", inTurn(0, fail(errors.New("out of ink"))))
		s.sit("d", inTurn(0, fail(&agents.DeadError{Reason: "exit status 1"})))
		s.sit("e", inTurn(1, func(context.Context) (world.Action, error) { return world.Action{Name: "fly"}, nil }))
		out := s.run()
		if want := (End{Truncated, "every agent is out"}); out.End != want || out.State.Turn != 2 {
			t.Errorf("the episode ended with %+v in turn %d", out.End, out.State.Turn)
		}
		checkStatuses(t, out, map[string]Status{
			"a": StatusTimeout, "b": StatusInvalid, "c": StatusError, "d": StatusError, "e": StatusInvalid,
		})
		if v := s.verify(); !v.Over {
			t.Errorf("verified: %+v", v)
		}
	})
}

func TestADefaultActionIsCountedApartFromWhatWasAskedFor(t *testing.T) {
	for _, test := range []struct {
		name   string
		action world.Action
	}{{"legal", ask(1)}, {"refused", ask(-1)}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				s.Consequences = Consequences{Timeout: ConsequenceDefault, Invalid: ConsequenceDefault, Error: ConsequenceDefault}
				s.Default = test.action
				s.sit("b", inTurn(2, func(context.Context) (world.Action, error) { return world.Action{Name: "fly"}, nil }))
				s.sit("c", inTurn(2, sleeps))
				out := s.run()
				checkStatuses(t, out, nil)
				tallies, err := Count(world.Events(s.dir))
				if err != nil {
					t.Fatal(err)
				}
				for name, want := range map[string]Tally{
					"a": {Actions: 4}, "b": {Actions: 4, Refusals: 1, Invalids: 1, Defaults: 1}, "c": {Actions: 3, Timeouts: 1, Defaults: 1, WallMS: 60_000},
				} {
					if tallies[name] != want {
						t.Errorf("%s: %+v, want %+v", name, tallies[name], want)
					}
				}
				s.verify()
			})
		})
	}
}

func TestWhoseDefaultActionIsRefusedIsNotOutForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.Consequences = Consequences{Timeout: ConsequenceDefault, Invalid: ConsequenceOut, Error: ConsequencePass}
		s.Default = ask(-1)
		s.sit("b", inTurn(1, sleeps))
		s.sit("c", inTurn(1, func(context.Context) (world.Action, error) { return ask(-1), nil }))
		checkStatuses(t, s.run(), map[string]Status{"c": StatusInvalid})
		s.verify()
	})
}

func TestCountCountsWhatWasAskedForAndRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.sit("b", inTurn(2, func(context.Context) (world.Action, error) { return world.Action{Name: "fly"}, nil }))
		s.sit("c", inTurn(2, sleeps))
		s.run()
		tallies, err := Count(world.Events(s.dir))
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]Tally{
			"a": {Actions: 4}, "b": {Actions: 4, Refusals: 1, Invalids: 1}, "c": {Actions: 3, Timeouts: 1, WallMS: 60_000},
		} {
			if tallies[name] != want {
				t.Errorf("%s: %+v, want %+v", name, tallies[name], want)
			}
		}
		if _, err := Count(world.Events(t.TempDir())); err == nil {
			t.Error("no error without a log")
		}
	})
}

func TestWhatIsInvalidIsCountedOnceWhateverFollows(t *testing.T) {
	for _, follows := range []Consequence{ConsequencePass, ConsequenceDefault, ConsequenceOut} {
		for name, do := range map[string]func(context.Context) (world.Action, error){
			"illegal": func(context.Context) (world.Action, error) { return world.Action{Name: "fly"}, nil },
			"nothing": func(context.Context) (world.Action, error) { return world.Action{}, agents.ErrNoAction },
		} {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				s.Consequences.Invalid, s.Default = follows, ask(1)
				s.sit("b", inTurn(3, do))
				s.run()
				tallies, err := Count(world.Events(s.dir))
				if b := tallies["b"]; err != nil || b.Invalids != 1 {
					t.Errorf("%s, then %s: %+v, %v", name, follows, b, err)
				}
			})
		}
	}
}
