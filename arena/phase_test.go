package arena

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

// A parley is rules in which one may say and vote at any time, and everybody sees the phase.
type parley struct{}

func (parley) Reset(uint64, []string) ([]world.Event, error) { return nil, nil }

func (parley) Observe(st world.State, agent string) (world.Observation, error) {
	phase, _ := st.Fact(world.PhaseFact)
	return world.Observation{
		Agent: agent, Turn: st.Turn, View: phase, Actions: []world.ActionSpec{{Name: "say"}, {Name: "vote"}},
	}, nil
}

func (parley) Step(st world.State, actions []world.Action) ([]world.Event, error) {
	var events []world.Event
	for _, a := range actions {
		if a.Name != world.Pass {
			phase, _ := st.Fact(world.PhaseFact)
			events = append(events, world.Event{Kind: "heard", Agent: a.Agent, Data: world.JSON(map[string]any{"in": phase, "what": a.Name})})
		}
	}
	slices.SortFunc(events, func(a, b world.Event) int { return strings.Compare(a.Agent, b.Agent) })
	return events, nil
}

// stageParley returns a parley of talk in seat order and a vote of three at once.
func stageParley(s *stage) {
	s.Rules = parley{}
	s.Turns = 2
	s.Phases = []Phase{
		{Name: "talk", Schedule: Sequential, Actions: []string{"say"}},
		{Name: "vote", Schedule: Parallel, Actions: []string{"vote"}, Agents: []string{"e", "a", "c"}, Act: 10 * time.Second},
	}
	for _, name := range five {
		s.sit(name, does(func(_ context.Context, obs world.Observation) (world.Action, error) {
			return world.Action{Name: obs.Actions[0].Name}, nil
		}))
	}
}

// story tells a log in words: who did what, a bar behind each commit.
func story(events []world.Event) string {
	var b strings.Builder
	for _, ev := range events {
		word := ev.Kind
		switch ev.Kind {
		case KindPhase:
			word = string(ev.Data)
		case "heard", KindStart, KindEnd:
			word = ""
		}
		fmt.Fprint(&b, ev.Agent, word)
		if b.WriteByte(' '); !ev.More {
			b.WriteString("| ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func TestATurnPassesThroughItsPhasesInTheirOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		stageParley(s)
		checkStatuses(t, s.run(), nil)
		talk := `aaction a | baction b | caction c | daction d | eaction e {"name":"vote"} | `
		vote := `aaction caction eaction a c e turn {"name":"talk"} | `
		if got, want := story(s.events()), `{"name":"talk"} | `+talk+vote+talk+vote+"|"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		for _, ev := range of(s.events(), "heard", "") {
			if data := string(ev.Data); data != `{"in":"talk","what":"say"}` && data != `{"in":"vote","what":"vote"}` {
				t.Errorf("%s: %s", ev.Agent, data)
			}
		}
		for name, want := range map[string]string{"a": `"talk" say, "vote" vote, `, "b": `"talk" say, `} {
			var got strings.Builder
			for _, obs := range s.actors[name].seen {
				fmt.Fprintf(&got, "%s %s, ", obs.View, obs.Actions[0].Name)
				if len(obs.Actions) != 1 {
					t.Errorf("%s may do %v", name, obs.Actions)
				}
			}
			if want += want; got.String() != want {
				t.Errorf("%s saw %s, want %s", name, got.String(), want)
			}
		}
		if v := s.verify(); !v.Over || v.Turns != 2 {
			t.Errorf("verified: %+v", v)
		}
	})
}

func TestAnActionOfAnotherPhaseIsRefusedWithItsReason(t *testing.T) {
	for _, test := range []struct {
		consequence Consequence
		told        string // in the next turn
		status      Status
		tally       Tally
	}{
		{ConsequencePass, `"vote" is no action of the phase "talk", which has say`, StatusDone, Tally{Actions: 2, Refusals: 1, Invalids: 1}},
		{
			ConsequenceDefault, `"vote" is no action of the phase "talk", which has say; the default action was done in its place`,
			StatusDone,
			Tally{Actions: 2, Refusals: 1, Invalids: 1, Defaults: 1},
		},
		{ConsequenceOut, "", StatusInvalid, Tally{Actions: 1, Refusals: 1, Invalids: 1}},
	} {
		t.Run(string(test.consequence), func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *stage) {
				stageParley(s)
				s.Consequences.Invalid, s.Default = test.consequence, world.Action{Name: "say"}
				s.sit("b", does(func(_ context.Context, obs world.Observation) (world.Action, error) {
					return world.Action{Name: []string{"vote", "say"}[obs.Turn]}, nil
				}))
				checkStatuses(t, s.run(), map[string]Status{"b": test.status})
				heard := 0
				for _, ev := range of(s.events(), "heard", "b") {
					if ev.Turn == 0 {
						heard++
					}
				}
				if want := test.tally.Defaults; heard != want {
					t.Errorf("b was heard %d times in turn 0, want %d", heard, want)
				}
				if told := s.actors["b"].refusals(); len(told) > 1 && told[1] != test.told {
					t.Errorf("b was told %q, want %q", told[1], test.told)
				}
				if tallies, err := Count(world.Events(s.dir)); err != nil || tallies["b"] != test.tally {
					t.Errorf("b's tally is %+v, %v; want %+v", tallies["b"], err, test.tally)
				}
				s.verify()
			})
		})
	}
}

func TestADefaultActionThatIsNoneOfThePhaseIsAPass(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		stageParley(s)
		s.Consequences.Timeout, s.Default = ConsequenceDefault, world.Action{Name: "vote"}
		s.sit("a", does(func(ctx context.Context, _ world.Observation) (world.Action, error) { return sleeps(ctx) }))
		began := time.Now()
		s.run()
		if took, want := time.Since(began), 2*(s.Act+10*time.Second); took != want {
			t.Errorf("it took %v, want %v: a phase has a clock of its own", took, want)
		}
		var got []string
		for _, ev := range of(s.events(), KindTimeout, "a") {
			got = append(got, string(ev.Data))
		}
		pass, vote := `{"consequence":"pass"}`, `{"consequence":"default","name":"vote"}`
		if want := []string{pass, vote, pass, vote}; !slices.Equal(got, want) {
			t.Errorf("the consequences are %v, want %v", got, want)
		}
		s.verify()
	})
}

func TestAPhaseInWhichNobodyIsLeftEndsAllTheSame(t *testing.T) {
	for _, schedule := range []Schedule{Parallel, Sequential, Rotated(1), Shuffled(1, "vote")} {
		inBubble(t, func(t *testing.T, s *stage) {
			stageParley(s)
			s.Phases[1].Schedule, s.Phases[1].Agents = schedule, []string{"b"}
			s.Consequences.Error = ConsequenceOut
			s.sit("b", does(func(context.Context, world.Observation) (world.Action, error) {
				return world.Action{}, context.Canceled
			}))
			out := s.run()
			checkEnd(t, out, End{Truncated, TurnLimit}, 2)
			if n := len(of(s.events(), KindPhase, "")); n != 5 {
				t.Errorf("%d phases have begun, want 5", n)
			}
			s.verify()
		})
	}
}

func TestAnEpisodeWithPhasesThatIsInterruptedVerifiesAsFarAsItGoes(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		stageParley(s)
		ctx, interrupt := context.WithCancel(t.Context())
		s.sit("c", does(func(ctx context.Context, obs world.Observation) (world.Action, error) {
			if string(obs.View) == `"vote"` {
				interrupt()
				return sleeps(ctx)
			}
			return world.Action{Name: "say"}, nil
		}))
		checkEnd(t, s.runIn(ctx), End{Interrupted, "in turn 0"}, 0)
		if v := s.verify(); v.Over || v.Turns != 0 {
			t.Errorf("verified: %+v", v)
		}
	})
}

// playPhases plays an episode of 2 turns of two phases, in the second of which agents misbehave and the default action is done.
func playPhases(t *testing.T) finished {
	t.Helper()
	return finish(t, func(s *stage) {
		s.Turns = 2
		s.Phases = []Phase{
			{Name: "talk", Schedule: Parallel, Actions: []string{"say"}, Agents: []string{"a", "b"}},
			{Name: "harvest", Schedule: Rotated(7)},
		}
		s.Consequences = Consequences{Timeout: ConsequenceDefault, Invalid: ConsequenceDefault, Error: ConsequenceDefault}
		s.Default = ask(2)
		s.sit("c", inTurn(1, func(context.Context) (world.Action, error) { return ask(-1), nil }))
		s.sit("d", inTurn(1, sleeps))
	})
}

func TestVerifyRefusesSealedAlterationsOfPhasesAndDefaultActions(t *testing.T) {
	f := playPhases(t)
	dir := t.TempDir()
	if _, err := f.check(t, dir, f.lines...); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, kind, agent, old, new string
	}{
		{"the name of a phase", KindPhase, "", `"name":"talk"`, `"name":"vote"`},
		{"the fact of a phase", KindPhase, "", `"run/phase":"talk"`, `"run/phase":"vote"`},
		{"why a phase refuses", world.KindRefusal, "a", "is no action", "is an action"},
		{"a default action", KindTimeout, "d", `"tons":2`, `"tons":3`},
		{"a default action for a pass", KindTimeout, "d", `"args":{"tons":2},"consequence":"default","name":"fish"`, `"consequence":"pass"`},
		{"a default action after a refusal", KindInvalid, "c", `"tons":2`, `"tons":3`},
		{"what a default action has caught", "catch", "d", `"asked":5`, `"asked":6`},
	} {
		i := slices.IndexFunc(f.events, func(ev world.Event) bool { return ev.Kind == test.kind && ev.Agent == test.agent })
		if i < 0 || !strings.Contains(string(f.lines[i]), test.old) {
			t.Errorf("%s: there is no %s of %q with %s", test.name, test.kind, test.agent, test.old)
			continue
		}
		lines := slices.Clone(f.lines)
		lines[i] = seal([]byte(strings.Replace(string(lines[i]), test.old, test.new, 1)))
		_, err := f.check(t, dir, lines...)
		wantLine(t, test.name, err, dir, i+1, "does not follow from the actions")
	}
}
