package arena

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/world"
)

// culprit plays an episode of one step an agent, in which b tries something many times in each of its turns and c once in one.
func culprit(t *testing.T, times int) *stage {
	s := newStage(t)
	s.Schedule = Sequential
	for i := range s.Seats {
		s.Seats[i].Evidence = new(tamper.Evidence)
	}
	s.Seats[3].Evidence = nil
	b, c := s.Seats[1].Evidence, s.Seats[2].Evidence
	s.sit("b", does(func(context.Context, world.Observation) (world.Action, error) {
		for i := range times {
			b.Sawf(tamper.Acts, "number %d", i)
		}
		return ask(5), nil
	}))
	s.sit("c", inTurn(1, func(context.Context) (world.Action, error) {
		c.Saw(tamper.File, "Read /etc/\x1bshadow")
		b.Saw(tamper.Token, "of c")
		b.Saw(tamper.Acts, "again in the same turn")
		return ask(5), nil
	}))
	s.sit("e", inTurn(3, func(context.Context) (world.Action, error) {
		b.Saw(tamper.Acts, "when the last turn is nearly over")
		return ask(5), nil
	}))
	s.run()
	s.verify()
	return s
}

func TestWhatAgentsTryIsAnEventForEachKindAndTurnWithACount(t *testing.T) {
	s := culprit(t, 1000)
	var got []string
	for _, ev := range of(s.events(), KindTamper, "") {
		got = append(got, fmt.Sprintf("%d %s %s %s", ev.Turn, ev.Agent, ev.Data, ev.Proc))
		if len(ev.Set)+len(ev.Del) > 0 {
			t.Errorf("it has an effect: %v", ev)
		}
	}
	const acts = `b {"what":"acts"} `
	want := []string{
		"0 " + acts + `{"sample":"number 0","times":1000}`,
		"1 " + acts + `{"sample":"number 0","times":1001}`, // c saw it as well
		`1 b {"what":"token"} {"sample":"of c","times":1}`,
		`1 c {"what":"file"} {"sample":"Read /etc/ shadow","times":1}`,
		"2 " + acts + `{"sample":"number 0","times":1000}`,
		"3 " + acts + `{"sample":"number 0","times":1001}`, // with those when it was nearly over
	}
	if !slices.Equal(got, want) {
		t.Errorf("the events are\n%q, want\n%q", got, want)
	}
	tallies, err := Count(world.Events(s.dir))
	if err != nil || tallies["b"].Tampers != 4003 || tallies["c"].Tampers != 1 || tallies["b"].Actions != 4 || tallies["a"].Tampers != 0 {
		t.Errorf("counted %+v, %v", tallies, err)
	}
}

func TestHowOftenAnAgentTriesChangesNothing(t *testing.T) {
	once, often := culprit(t, 1), culprit(t, 10_000)
	if a, b := once.Store.Hash(), often.Store.Hash(); a != b {
		t.Errorf("the hash is %s after few attempts, and %s after many", a, b)
	}
	again := newStage(t)
	again.Game, again.Past = often.Game, &Past{Dir: often.dir, Turns: -1}
	for i := range again.Seats {
		again.Seats[i].Evidence = new(tamper.Evidence)
		again.Seats[i].Evidence.Saw(tamper.Output, "only when it is played again")
	}
	again.run()
	if got := again.Store.Hash(); got != often.Store.Hash() {
		t.Errorf("played again the hash is %s, want %s", got, often.Store.Hash())
	}
	if tallies, err := Count(world.Events(again.dir)); err != nil || tallies["b"].Tampers != 40_003 {
		t.Errorf("counted %+v when it is played again, %v", tallies["b"], err)
	}
}

func TestWhatIsTriedInATurnThatIsNotPlayedToItsEndIsToldBeforeTheEnd(t *testing.T) {
	s := newStage(t)
	s.Schedule, s.Consequences.Error = Sequential, ConsequenceOut
	b := new(tamper.Evidence)
	s.Seats[1].Evidence = b
	for _, name := range five {
		s.sit(name, does(func(context.Context, world.Observation) (world.Action, error) {
			b.Saw(tamper.Shell, "no")
			return world.Action{}, fmt.Errorf("%s is broken", name)
		}))
	}
	s.Turns = 1
	s.run()
	s.verify()
	events := s.events()
	tampers, ends := of(events, KindTamper, "b"), of(events, KindEnd, "")
	if tallies, err := Count(world.Events(s.dir)); err != nil || tallies["b"].Tampers != 5 || len(tampers) != 1 || ends[0].Seq != events[len(events)-1].Seq {
		t.Errorf("counted %+v from %v, %v", tallies["b"], tampers, err)
	}
}

// watchful rules tell when an agent is looked at.
type watchful struct {
	world.Rules
	looks func(st world.State)
}

func (w watchful) Observe(st world.State, agent string) (world.Observation, error) {
	w.looks(st)
	return w.Rules.Observe(st, agent)
}

func TestWhatIsTriedAfterTheLastTurnIsToldOnlyIfThatTurnDoesNotTellItAlready(t *testing.T) {
	s := newStage(t)
	b := new(tamper.Evidence)
	s.Seats[1].Evidence, s.Turns = b, 2
	s.sit("b", does(func(context.Context, world.Observation) (world.Action, error) {
		b.Saw(tamper.Garbage, "while it acts")
		return ask(5), nil
	}))
	rules := s.Rules
	s.Rules = watchful{rules, func(st world.State) {
		if st.Turn == 2 {
			b.Saw(tamper.Garbage, "still")
			b.Saw(tamper.Shell, "late")
		}
	}}
	s.run()
	s.Rules = rules
	s.verify()
	var got []string
	for _, ev := range of(s.events(), KindTamper, "b") {
		got = append(got, fmt.Sprintf("%d %s %s", ev.Turn, ev.Data, ev.Proc))
	}
	want := []string{
		`0 {"what":"garbage"} {"sample":"while it acts","times":1}`,
		`1 {"what":"garbage"} {"sample":"while it acts","times":1}`,
		`2 {"what":"shell"} {"sample":"late","times":5}`, // once for each agent that was looked at
	}
	if !slices.Equal(got, want) {
		t.Errorf("the events are %q, want %q", got, want)
	}
}

func TestWhatIsTriedInATurnThatIsInterruptedIsTold(t *testing.T) {
	s := newStage(t)
	b := new(tamper.Evidence)
	s.Seats[1].Evidence = b
	ctx, interrupt := context.WithCancel(t.Context())
	s.sit("b", inTurn(1, func(ctx context.Context) (world.Action, error) {
		b.Saw(tamper.Shell, "no")
		interrupt()
		return sleeps(ctx)
	}))
	out := s.runIn(ctx)
	if v := s.verify(); v.Events != out.State.Seq || len(of(s.events(), KindTamper, "b")) != 1 {
		t.Errorf("%d events, verified %+v", out.State.Seq, v)
	}
}

func TestAForgedAttemptIsRefused(t *testing.T) {
	s := culprit(t, 1)
	events := s.events()
	f := finished{game: s.Game, events: events}
	for _, ev := range events {
		f.lines = append(f.lines, lineOfEvent(t, ev))
	}
	i := lineOf(f, KindTamper)
	for name, change := range map[string]func(*world.Event){
		"a stranger":          func(ev *world.Event) { ev.Agent = "zoe" },
		"nothing":             func(ev *world.Event) { ev.Data = json.RawMessage(`{}`) },
		"no object":           func(ev *world.Event) { ev.Data = json.RawMessage(`[]`) },
		"more than there is":  func(ev *world.Event) { ev.Data = json.RawMessage(`{"times":2,"what":"acts"}`) },
		"something that does": func(ev *world.Event) { ev.Set = map[string]json.RawMessage{"run/status/a": json.RawMessage(`"error"`)} },
	} {
		lines, ev := slices.Clone(f.lines), events[i-1]
		ev.Set = maps.Clone(ev.Set)
		change(&ev)
		lines[i-1] = lineOfEvent(t, ev)
		if _, err := f.check(t, t.TempDir(), lines...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
