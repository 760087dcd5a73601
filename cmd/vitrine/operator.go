package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"time"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world"
)

// A change is what commands print with --json that change a run from outside.
type change struct {
	Seq  int64 `json:"seq"`  // of the operator's event
	Turn int   `json:"turn"` // in which it came
}

// intervene does in the run in dir what an operator wants.
func (a *app) intervene(ctx context.Context, dir string, c arena.Command) (*change, error) {
	m, _, err := openRun(dir)
	if err == nil {
		err = refuseCommands(dir, m)
	}
	if err != nil {
		return nil, err
	}
	var s *setup
	if c.AsksRules() {
		s, err = a.reload(ctx, m)
	} else { // so that a run can be stopped whose rules are a program that is gone, or that hangs
		s = new(setup)
		s.Scenario, err = reparse(m)
	}
	if err != nil {
		return nil, fmt.Errorf("the scenario in the manifest: %w", err)
	}
	defer s.close()
	store, err := world.Open(dir)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	game := s.game()
	st, err := game.Intervene(ctx, store, c)
	if err != nil {
		return nil, nearestFact(dir, c, err)
	}
	return &change{Seq: st.Seq, Turn: st.Turn}, nil
}

// operate returns a command that does what an operator wants, and then says so.
func operate(command func(args []string) arena.Command, say string) func(*flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	return noFlags(func(ctx context.Context, a *app, args []string) (any, error) {
		done, err := a.intervene(ctx, args[0], command(args))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(a.out, "%s: %s (event %d, in turn %d)\n", args[0], say, done.Seq, done.Turn)
		a.tellIdle(args[0])
		return done, nil
	})
}

// idle says that nobody plays a run, and what to do about it; empty: somebody plays it, or it is over.
func idle(dir string) string {
	if world.Holder(dir) != nil || isOver(dir) {
		return ""
	}
	return "nobody plays this run now; " + onward(dir)
}

// isOver says whether the episode in dir has ended. Of a run that nobody plays any more it is asked after that is known, for it may end at any moment.
func isOver(dir string) bool { return howEnded(dir) != "" }

// tellIdle says it if nobody plays a run.
func (a *app) tellIdle(dir string) {
	if idle := idle(dir); idle != "" {
		a.tell("%s", idle)
	}
}

func do(what string) func([]string) arena.Command {
	return func([]string) arena.Command { return arena.Command{Do: what} }
}

func tellFlags(flags *flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	return operate(func(args []string) arena.Command {
		return arena.Command{Do: arena.DoTell, To: args[1], Text: strings.Join(args[2:], " ")}
	}, "it reads this when it acts next")(flags)
}

// A halt is what "pause", "step" and "stop" print with --json.
type halt struct {
	change
	State string `json:"state"` // "paused" or "over", or haltAsked
}

// haltAsked is the state of a halt for which nobody has waited, or that nobody plays.
const haltAsked = "asked"

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
				stays := &failure{code: exitInterrupted, err: fmt.Errorf("interrupted; the %s that was asked for stays", what)}
				if what == arena.DoPause {
					stays.hint = fmt.Sprintf("%s continue %s takes it back", self(), relative(args[0]))
				}
				err = stays
			}
			if h.State == haltAsked {
				a.tellIdle(args[0])
			}
			fmt.Fprintf(a.out, "%s: %s (event %d, in turn %d)\n", args[0], h.State, h.Seq, h.Turn)
			return h, err // what is asked for is in the log, whatever came of the waiting
		}
	}
}

// wait waits until the run in dir stands still because of the command, and has its result if that is its end. Or it finds that the run has stood still
// since before a pause, or that nobody plays it.
func (h *halt) wait(ctx context.Context, dir, what string) error {
	if what == arena.DoPause && world.Holder(dir) != nil {
		if stands, err := h.stood(dir); err != nil || stands {
			h.State = "paused"
			return err
		}
	}
	for played := true; played && h.State == haltAsked && ctx.Err() == nil; {
		played = world.Holder(dir) != nil // if not, then all that it has come to is in the log
		if err := h.look(ctx, dir, what, played); err != nil {
			return err
		}
	}
	if h.State == haltAsked {
		return ctx.Err()
	}
	if h.State == "over" {
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

// look looks for what the command has come to in the log in dir and, if it is played, for a second in what comes: nothing else tells of the end of who plays it.
func (h *halt) look(ctx context.Context, dir, what string, played bool) error {
	events := eventsAfter(dir, h.Seq)
	if played {
		second, end := context.WithTimeout(ctx, time.Second)
		defer end()
		events = world.Follow(second, dir, h.Seq)
	}
	for ev, err := range events {
		if err != nil {
			return err
		}
		if c, err := arena.CommandOf(ev); err == nil && ev.Kind == arena.KindOperator && c.Do == arena.DoContinue && what != arena.DoStop {
			return fmt.Errorf("%s: somebody has let it go on before it was paused (event %d, in turn %d)", dir, ev.Seq, ev.Turn)
		}
		state := map[string]string{arena.KindHeld: "paused", arena.KindEnd: "over"}[ev.Kind]
		if state != "" {
			h.State, h.Seq, h.Turn = state, ev.Seq, ev.Turn
			return nil
		}
	}
	return nil
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

func worldSetFlags(flags *flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	add := flags.Bool("new", false, "a fact that there is not yet")
	return func(ctx context.Context, a *app, args []string) (any, error) { return worldSet(ctx, a, args, *add) }
}

// worldSet gives a fact a value.
func worldSet(ctx context.Context, a *app, args []string, add bool) (any, error) {
	if !json.Valid([]byte(args[2])) {
		return nil, misuse(fmt.Sprintf("text is JSON in its quotes: '%s'", world.JSON(args[2])), "%s is not JSON", args[2])
	}
	command := func(args []string) arena.Command { return setFact(args[1], json.RawMessage(args[2]), add) }
	return operate(command, args[1]+" is "+args[2])(nil)(ctx, a, args)
}

// setFact is the command that gives a fact a value, or adds one that there is not yet.
func setFact(path string, value json.RawMessage, add bool) arena.Command {
	c := arena.Command{Do: arena.DoSet, Path: path, Value: value}
	if add {
		c.Do = arena.DoAdd
	}
	return c
}

// nearestFact adds to the refusal of a path that is none of a fact which one may have been meant.
func nearestFact(dir string, c arena.Command, err error) error {
	var refused *arena.RefusedError
	if !errors.As(err, &refused) || refused.Unknown == "" {
		return err
	}
	st, readErr := world.Now(dir)
	if readErr != nil {
		return err
	}
	var hints []string
	if nearest := scenarios.Suggest(refused.Unknown, st.Paths("")); strings.HasPrefix(nearest, "did you mean") {
		hints = append(hints, nearest)
	}
	if c.Do == arena.DoSet {
		hints = append(hints, "--new makes one")
	}
	return &failure{code: exitFailed, err: err, hint: strings.Join(hints, " ")}
}

// worldDelete makes a fact go.
func worldDelete(ctx context.Context, a *app, args []string) (any, error) {
	command := func(args []string) arena.Command { return arena.Command{Do: arena.DoDelete, Path: args[1]} }
	return operate(command, args[1]+" is gone")(nil)(ctx, a, args)
}

// worldGet prints facts as they are now.
func worldGet(_ context.Context, a *app, args []string) (any, error) {
	if _, _, err := openRun(args[0]); err != nil {
		return nil, err
	}
	st, err := world.Now(args[0])
	if err != nil {
		return nil, err
	}
	prefix := ""
	if len(args) > 1 {
		prefix = args[1]
	}
	paths := st.Paths(prefix)
	if _, exact := st.Fact(prefix); exact {
		paths = []string{prefix}
	}
	facts := make(map[string]json.RawMessage)
	for _, path := range paths {
		facts[path], _ = st.Fact(path)
		fmt.Fprintln(a.out, printable(fmt.Sprintf("%s %s", path, facts[path])))
	}
	if len(facts) == 0 && prefix != "" {
		return nil, fmt.Errorf("%s: no fact begins with %q", args[0], prefix)
	}
	return struct {
		change
		Facts map[string]json.RawMessage `json:"facts"`
	}{change{st.Seq, st.Turn}, facts}, nil
}

func worldLogFlags(flags *flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	follow := flags.Bool("follow", false, "go on with what happens, until the episode is over")
	after := flags.Int64("after", 0, "begin behind event `N`")
	return func(ctx context.Context, a *app, args []string) (any, error) {
		if _, _, err := openRun(args[0]); err != nil {
			return nil, err
		}
		events := world.Follow(ctx, args[0], *after)
		if !*follow {
			events = eventsAfter(args[0], *after)
		}
		for ev, err := range events {
			switch {
			case err != nil:
				return nil, err
			case a.json:
				if err := json.NewEncoder(a.stdout).Encode(ev); err != nil {
					return nil, err
				}
			default:
				line := tell(ev)
				if line == "" {
					line = ev.Kind
				}
				if _, err := fmt.Fprintln(a.out, printable(fmt.Sprintf("%6d  turn %-4d %s", ev.Seq, ev.Turn, line))); err != nil {
					return nil, err
				}
			}
			if ev.Kind == arena.KindEnd {
				break
			}
		}
		return nil, ctx.Err()
	}
}

// eventsAfter returns the events of the log in dir behind that one, without reading those before it.
func eventsAfter(dir string, after int64) iter.Seq2[world.Event, error] {
	if after <= 0 {
		return world.Events(dir)
	}
	return func(yield func(world.Event, error) bool) {
		for commit, err := range world.Skim(dir, after) {
			if err != nil {
				yield(world.Event{}, err)
				return
			}
			for _, outline := range commit {
				if ev, err := outline.Event(); !yield(ev, err) || err != nil {
					return
				}
			}
		}
	}
}

// worldExport keeps the facts of a run as files until its episode is over.
func worldExport(ctx context.Context, a *app, args []string) (any, error) {
	dir := args[0]
	_, s, err := a.openSetup(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer s.close()
	game := s.game()
	st, err := world.Now(dir)
	if err != nil {
		return nil, err
	}
	if game.IsOver(st) {
		return nil, misuse(fmt.Sprintf("%s world get %s prints its facts", self(), dir), "%s is over: nobody can change it any more", dir)
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	go func() { // ends with ctx at the latest
		for ev, err := range world.Follow(ctx, dir, st.Seq) {
			if err != nil || ev.Kind == arena.KindEnd {
				end()
			}
		}
	}()
	a.tell("keeping the facts of %s as files in %s until it is over, or until Ctrl-C", dir, args[1])
	set := func(ctx context.Context, path string, value json.RawMessage) error {
		return a.save(ctx, dir, path, value)
	}
	refused := func(file string, reason error) { a.tell("%s: %v", filepath.Join(args[1], file), reason) }
	if err := world.Export(ctx, dir, args[1], set, refused); err != nil {
		return nil, err
	}
	return struct{}{}, nil
}

// save sets a fact that a designer has saved, or makes it go if there is no value.
func (a *app) save(ctx context.Context, dir, path string, value json.RawMessage) error {
	st, err := world.Now(dir)
	if err != nil {
		return err
	}
	_, exists := st.Fact(path)
	command, became := setFact(path, value, !exists), string(value)
	if value == nil {
		command, became = arena.Command{Do: arena.DoDelete, Path: path}, "gone"
	}
	done, err := a.intervene(ctx, dir, command)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.out, printable(fmt.Sprintf("%s is %s (event %d, in turn %d)", path, became, done.Seq, done.Turn)))
	return nil
}
