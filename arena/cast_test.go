package arena

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/world"
)

func TestArgumentsOfAnActionMustLeaveRoomForWhatTheRulesMakeOfThem(t *testing.T) {
	for _, c := range []struct {
		args string
		ok   bool
	}{
		{strings.Repeat("[", 900) + strings.Repeat("]", 900), true},
		{strings.Repeat("[", 950) + strings.Repeat("]", 950), false},
		{strings.Repeat(`{"a":`, 950) + "1" + strings.Repeat("}", 950), false},
		{"[" + strings.Repeat("[],", 2000) + "{}]", true},
		{`["` + strings.Repeat("[{", 2000) + `"]`, true},
	} {
		a, err := asLogged(world.Action{Name: "add", Args: []byte(c.args)})
		if (err == nil) != c.ok || c.ok && string(a.Args) != c.args {
			t.Errorf("%.20s...: error %v", c.args, err)
		}
	}
}

func TestWhoIsCalledOffBeforeItIsAskedIsLate(t *testing.T) {
	a := does(func(ctx context.Context, _ world.Observation) (world.Action, error) { return sleeps(ctx) })
	start := func(context.Context, Fenced) (agents.Agent, error) { return a, nil }
	c := newCast([]Seat{{Name: "a", Start: start}}, 0, 0)
	c.start(t.Context(), 1, world.State{}, nil)
	c.wait()
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if got := c.players[0].act(ctx, time.Minute, 0, world.Observation{Agent: "a"}); got.agent != "a" || got.kind != KindTimeout || len(a.seen) != 1 {
		t.Errorf("its act is %+v, and it was shown %d observations", got, len(a.seen))
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}

// A watched abacus counts how often somebody is shown it.
type watched struct {
	abacus
	looks *atomic.Int64
}

func (w watched) Observe(st world.State, agent string) (world.Observation, error) {
	w.looks.Add(1)
	return w.abacus.Observe(st, agent)
}

func TestAFreeActIsNotAReasonToObserveEverybody(t *testing.T) {
	perAct := func(clerks int) float64 {
		const turns = 20
		looks := new(atomic.Int64)
		s := newStage(t)
		s.Game = Game{Rules: watched{looks: looks}, Free: true, Turns: turns}
		s.Act, s.Time = time.Minute, time.Hour
		s.Agents, s.Seats = seated(clerks)
		if out, err := s.Run(t.Context()); err != nil || out.State.Turn != turns {
			t.Fatalf("the episode ended in turn %d: %v", out.State.Turn, err)
		}
		played := looks.Load()
		s.verify()
		if again := looks.Load() - played; again > 2*played {
			t.Errorf("to verify takes %d looks, to play %d", again, played)
		}
		return float64(played) / float64(turns*clerks)
	}
	if few, many := perAct(4), perAct(40); many > 6 || many > 1.5*few {
		t.Errorf("an act of 40 agents takes %.1f looks, one of 4 takes %.1f", many, few)
	}
}
