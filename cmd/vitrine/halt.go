package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

// A halt is what "pause", "step" and "stop" print with --json.
type halt struct {
	change
	State string `json:"state"` // one of the following
}

// What a halt has come to.
const (
	haltPaused = "paused"
	haltOver   = "over"
	haltAsked  = "asked" // nobody has waited for it, or nobody plays the run
)

// haltFlags returns a command after which a run stands still, and which waits until it does.
func haltFlags(what string) func(*flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	return func(flags *flag.FlagSet) func(context.Context, *app, []string) (any, error) {
		hurry := flags.Bool("no-wait", false, "do not wait until it is so")
		turn := new(bool)
		if what == arena.DoStep {
			turn = flags.Bool("turn", false, "play on to the end of the turn, and not just one step")
		}
		return func(ctx context.Context, a *app, args []string) (any, error) {
			if *turn {
				what = arena.DoTurn
			}
			done, err := a.intervene(ctx, args[0], arena.Command{Do: what})
			if err != nil {
				return nil, err
			}
			h := &halt{*done, haltAsked}
			if !*hurry {
				told := a.tellAwaited(ctx, args[0], what)
				err = h.wait(ctx, args[0], what)
				told()
			}
			if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
				err = stays(args[0], what)
			}
			if h.State == haltAsked {
				a.tellIdle(args[0])
			}
			fmt.Fprintf(a.out, "%s: %s (event %d, in turn %d)\n", args[0], h.State, h.Seq, h.Turn)
			return h, err // what is asked for is in the log, whatever came of the waiting
		}
	}
}

// stays says what becomes of a command to the run in dir when nobody waits for it any more.
func stays(dir, command string) error {
	what := "the " + command + " that was asked for stays"
	switch command {
	case arena.DoStop:
		return &failure{code: exitInterrupted, err: errors.New("interrupted; " + what)}
	case arena.DoStep:
		what = "the run plays that step all the same, and then it pauses"
	case arena.DoTurn:
		what = "the run plays on to the end of that turn all the same, and then it pauses"
	}
	return &failure{code: exitInterrupted, err: errors.New("interrupted; " + what), hint: fmt.Sprintf("%s continue %s takes the pause back", self(), relative(dir))}
}

// wait waits until the run in dir stands still because of the command, and has its result if that is its end. Or it finds that the run has stood still
// since before a pause, or that nobody plays it.
func (h *halt) wait(ctx context.Context, dir, what string) error {
	if what == arena.DoPause && world.Holder(dir) != nil {
		if stands, err := h.stood(dir); err != nil || stands {
			h.State = haltPaused
			return err
		}
	}
	seen := h.Seq
	for played := true; played && h.State == haltAsked && ctx.Err() == nil; {
		played = world.Holder(dir) != nil // if not, then all that it has come to is in the log
		var err error
		if seen, err = h.look(ctx, dir, what, seen, played); err != nil {
			return err
		}
	}
	switch h.State {
	case haltAsked:
		return ctx.Err()
	case haltOver:
		return awaitResult(ctx, dir)
	}
	return nil
}

// awaitResult waits until the run in dir, whose episode is over, has its result, or until nobody is there any more to write it, or ctx ends.
func awaitResult(ctx context.Context, dir string) error {
	for world.Holder(dir) != nil && ctx.Err() == nil {
		second, end := context.WithTimeout(ctx, time.Second) // nothing else tells of the end of who plays it
		for _, err := range world.Saves(second, arena.ResultFile(dir)) {
			end()
			return err
		}
		end()
	}
	return nil
}

// look looks for what the command has come to in the log in dir behind an event, however long that takes to read, and then, if it is played, for a second in
// what comes: nothing else tells of the end of who plays it. It returns the number of the last event that it has seen.
func (h *halt) look(ctx context.Context, dir, what string, after int64, played bool) (seen int64, err error) {
	seen, err = h.find(eventsAfter(dir, after), dir, what, after)
	if err != nil || h.State != haltAsked || !played {
		return seen, err
	}
	second, end := context.WithTimeout(ctx, time.Second)
	defer end()
	return h.find(world.Follow(second, dir, seen), dir, what, seen)
}

// find looks for what the command has come to in events that come after one.
func (h *halt) find(events iter.Seq2[world.Event, error], dir, what string, after int64) (seen int64, err error) {
	seen = after
	for ev, err := range events {
		if err != nil {
			return seen, err
		}
		seen = ev.Seq
		if c, err := arena.CommandOf(ev); err == nil && ev.Kind == arena.KindOperator && c.Do == arena.DoContinue && what != arena.DoStop {
			return seen, fmt.Errorf("%s: somebody has let it go on before it was paused (event %d, in turn %d)", dir, ev.Seq, ev.Turn)
		}
		state := map[string]string{arena.KindHeld: haltPaused, arena.KindEnd: haltOver}[ev.Kind]
		if state != "" {
			h.State, h.Seq, h.Turn = state, ev.Seq, ev.Turn
			break
		}
	}
	return seen, nil
}

// stood says whether the run in dir stood still already when the command came.
func (h *halt) stood(dir string) (stands bool, err error) {
	for ev, err := range world.Turn(dir, h.Turn) {
		switch {
		case err != nil:
			return false, err
		case ev.Seq >= h.Seq:
			return stands, nil
		case ev.Kind == arena.KindHeld:
			stands = true
		case ev.Kind != arena.KindOperator:
			stands = false
		default:
			c, _ := arena.CommandOf(ev) // it is what it was written from
			stands = stands && (!c.Steers() || c.Do == arena.DoPause)
		}
	}
	return stands, nil
}

// tellAwaited says what a command waits for that halts the run in dir, if that takes more than a moment. What it returns ends that.
func (a *app) tellAwaited(ctx context.Context, dir, command string) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var telling sync.WaitGroup
	telling.Go(func() {
		select {
		case <-time.After(time.Second):
			a.tell("waiting until %s", awaited(dir, command))
		case <-ctx.Done():
		}
	})
	return func() {
		cancel()
		telling.Wait()
	}
}

// awaited says until when a command waits that halts the run in dir.
func awaited(dir, command string) string {
	switch command {
	case arena.DoStop: // what agents are thinking about is lost
		return "the episode is over"
	case arena.DoTurn:
		return "the turn is over" + longest(dir)
	}
	return "the step is over" + longest(dir)
}

// longest says how long an act of the run in dir may take at most; empty: nobody knows.
func longest(dir string) string {
	m, err := arena.ReadManifest(dir)
	if err != nil {
		return ""
	}
	s, err := reparse(m)
	if err != nil {
		return ""
	}
	act, most := s.Limits.Act, time.Duration(0)
	for _, phase := range s.Phases {
		act = max(act, phase.Act)
	}
	for _, agent := range s.Agents {
		most = max(most, cmp.Or(agent.Act, act)+agent.Overtime)
	}
	return fmt.Sprintf(": an act may take up to %v", most)
}
