package arena

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/vitrine-sim/vitrine/world"
)

// stageTalk returns a stage of so many turns on which everybody first talks and then fishes. What an agent says comes from
// says; nothing is a pass.
func stageTalk(t *testing.T, says func(obs world.Observation) world.Action) *stage {
	t.Helper()
	s := newStage(t)
	s.Talk = Talk{Turn: 1, Length: 20}
	s.Phases = []Phase{{Name: "talk", Schedule: Parallel, Actions: []string{Say}}, {Name: "fish", Schedule: Parallel, Actions: []string{"fish"}}}
	for _, name := range five {
		s.sit(name, does(func(_ context.Context, obs world.Observation) (world.Action, error) {
			if slices.ContainsFunc(obs.Actions, func(spec world.ActionSpec) bool { return spec.Name == "fish" }) {
				return ask(5), nil
			}
			return says(obs), nil
		}))
	}
	return s
}

func say(text string, to ...string) world.Action {
	args := map[string]any{"text": text}
	if len(to) > 0 {
		args["to"] = to
	}
	return world.Action{Name: Say, Args: world.JSON(args)}
}

// heardBy returns what an actor was told, observation by observation, as "from: text" with the names of those it is for.
func heardBy(a *actor) []string {
	var all []string
	for _, obs := range a.seen {
		line := []string{}
		for _, m := range obs.Messages {
			line = append(line, fmt.Sprintf("%s%v: %s", m.From, m.To, m.Text))
		}
		all = append(all, strings.Join(line, "; "))
	}
	return all
}

func TestMessagesReachThoseTheyAreForOnceInTheirNextObservation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stageTalk(t, func(obs world.Observation) world.Action {
			switch {
			case obs.Turn == 0 && obs.Agent == "a":
				return say("to all")
			case obs.Turn == 0 && obs.Agent == "b":
				return say("to two", "d", "c")
			case obs.Turn == 1 && obs.Agent == "c":
				return say("to one", "b")
			}
			return world.Action{Name: world.Pass}
		})
		s.Turns = 3
		s.run()
		s.verify()
		for name, want := range map[string][]string{ // in the talk and the fish phase of each turn
			"a": {"", "", "", "", "", ""},
			"b": {"", "a[]: to all", "", "c[b]: to one", "", ""},
			"c": {"", "a[]: to all; b[c d]: to two", "", "", "", ""},
			"d": {"", "a[]: to all; b[c d]: to two", "", "", "", ""},
			"e": {"", "a[]: to all", "", "", "", ""},
		} {
			got := heardBy(s.actors[name])
			for i := range got { // which of two was said first is drawn
				parts := strings.Split(got[i], "; ")
				slices.Sort(parts)
				got[i] = strings.Join(parts, "; ")
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s hears %q, want %q", name, got, want)
			}
		}
		if left := s.Store.State().Paths(mailFact + "/"); len(left) > 0 {
			t.Errorf("these messages still wait: %v", left)
		}
	})
}

func TestAMessageIsAnEventOfWhoSaysItAndWhoItIsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stageTalk(t, func(obs world.Observation) world.Action {
			if obs.Agent == "a" && obs.Turn == 0 {
				return say("psst", "e")
			}
			return world.Action{Name: world.Pass}
		})
		s.run()
		events := of(s.events(), KindMessage, "")
		if len(events) != 1 || events[0].Agent != "a" || string(events[0].Data) != `{"text":"psst","to":["e"]}` {
			t.Errorf("the events are %v", events)
		}
		tallies, err := Count(world.Events(s.dir))
		if err != nil || tallies["a"].Messages != 1 || tallies["e"].Messages != 0 {
			t.Errorf("counted %+v, %v", tallies, err)
		}
	})
}

func TestWhatCannotBeSaidIsRefusedWithAReason(t *testing.T) {
	for _, test := range []struct {
		name   string
		action world.Action
		want   string
	}{
		{"too long", say(strings.Repeat("ä", 21)), "a message has 1 to 20 characters, not 21"},
		{"empty", say(""), "a message has 1 to 20 characters, not 0"},
		{"to a stranger", say("hello", "zoe"), `"zoe" is none of b, c, d, e`},
		{"to oneself", say("hello", "a"), `"a" is none of b, c, d, e`},
		{"to nobody", world.Action{Name: Say, Args: json.RawMessage(`{"text":"hello","to":[]}`)}, `"to" names nobody; leave it out to talk to everybody`},
		{"to null", world.Action{Name: Say, Args: json.RawMessage(`{"text":"hello","to":null}`)}, `"to" names nobody; leave it out to talk to everybody`},
		{"not a list", world.Action{Name: Say, Args: json.RawMessage(`{"text":"hello","to":"b"}`)}, `its arguments are {"text": text, "to": [names]}`},
		{"another key", world.Action{Name: Say, Args: json.RawMessage(`{"text":"hello","from":"b"}`)}, `its arguments are {"text": text, "to": [names]}`},
		{"nothing", world.Action{Name: Say}, `its arguments are {"text": text, "to": [names]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := stageTalk(t, func(obs world.Observation) world.Action {
					if obs.Agent == "a" && obs.Turn == 0 {
						return test.action
					}
					return world.Action{Name: world.Pass}
				})
				s.run()
				s.verify()
				if got := s.actors["a"].refusals()[1]; got != test.want {
					t.Errorf("it is told %q, want %q", got, test.want)
				}
				if events := of(s.events(), KindMessage, ""); len(events) > 0 {
					t.Errorf("it was said: %v", events)
				}
			})
		})
	}
}

func TestTheSchemaOfSayAsksForANameWhereThereIsAList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stageTalk(t, func(world.Observation) world.Action { return world.Action{Name: world.Pass} })
		s.run()
		schema, err := world.ReadSchema(s.actors["a"].seen[0].Actions[0].Schema)
		if least := schema.Properties["to"].MinItems; err != nil || least == nil || *least != 1 {
			t.Errorf("at least %v names, error %v", least, err)
		}
	})
}

func TestWhoHasSaidAllThatItMayIsNotOfferedToSayMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.Talk, s.Turns = Talk{Turn: 2, Length: 20}, 2
		talk := Phase{Name: "talk", Schedule: Sequential, Actions: []string{Say}}
		s.Phases = []Phase{talk, talk, talk}
		for i := range s.Phases {
			s.Phases[i].Name = fmt.Sprint("talk", i)
		}
		for _, name := range five {
			s.sit(name, does(func(context.Context, world.Observation) (world.Action, error) { return say("hm"), nil }))
		}
		s.run()
		s.verify()
		for _, name := range five {
			for i, obs := range s.actors[name].seen {
				if may := len(obs.Actions) > 0; may != (i%3 < 2) {
					t.Errorf("%s, talk %d: may it talk? %v", name, i, may)
				}
			}
		}
		for _, ev := range of(s.events(), world.KindRefusal, "") {
			if !strings.Contains(string(ev.Data), "you have said all that you may say in one turn, 2 times") {
				t.Errorf("the refusal is %s", ev.Data)
			}
		}
		if n := len(of(s.events(), KindMessage, "")); n != 2*2*5 {
			t.Errorf("%d messages", n)
		}
	})
}

func TestMessagesWaitForWhoActsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.Talk, s.Turns = Talk{Turn: 5, Length: 100}, 2
		s.Schedule = Sequential
		for _, name := range five {
			s.sit(name, does(func(_ context.Context, obs world.Observation) (world.Action, error) {
				return say(fmt.Sprint(obs.Agent, obs.Turn)), nil
			}))
		}
		s.run()
		s.verify()
		want := []string{"a[]: a0; b[]: b0", "a[]: a1; b[]: b1; d[]: d0; e[]: e0"}
		got := heardBy(s.actors["c"])
		slices.Sort(want)
		for i := range got {
			parts := strings.Split(got[i], "; ")
			slices.Sort(parts)
			got[i] = strings.Join(parts, "; ")
		}
		if !slices.Equal(got, want) {
			t.Errorf("c hears %q, want %q", got, want)
		}
	})
}

func TestAFreeGameDeliversEachMessageOnce(t *testing.T) {
	s := newStage(t)
	s.Free, s.Talk, s.Turns = true, Talk{Turn: 100, Length: 100}, 30
	for _, name := range five {
		n := 0
		s.sit(name, does(func(context.Context, world.Observation) (world.Action, error) {
			n++
			return say(fmt.Sprint(name, n)), nil
		}))
	}
	s.run()
	s.verify()
	for _, name := range five {
		next := make(map[string]int)
		for _, obs := range s.actors[name].seen {
			for _, m := range obs.Messages {
				if next[m.From]++; m.Text != fmt.Sprint(m.From, next[m.From]) {
					t.Fatalf("%s hears %q, want message %d", name, m.Text, next[m.From])
				}
			}
		}
	}
}
