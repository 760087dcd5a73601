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

func do(what string) func([]string) arena.Command {
	return func([]string) arena.Command { return arena.Command{Do: what} }
}

func tellFlags(flags *flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	return operate(func(args []string) arena.Command {
		return arena.Command{Do: arena.DoTell, To: args[1], Text: strings.Join(args[2:], " ")}
	}, "it reads this when it acts next")(flags)
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
