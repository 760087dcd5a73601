package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

// A change is what commands print with --json that change a run from outside.
type change struct {
	Seq  int64 `json:"seq"`  // of the operator's event
	Turn int   `json:"turn"` // in which it came
}

// intervene does in the run in dir what an operator wants.
func intervene(ctx context.Context, dir string, c arena.Command) (*change, error) {
	m, _, err := openRun(dir)
	if err != nil {
		return nil, err
	}
	s, err := reload(m)
	if err != nil {
		return nil, fmt.Errorf("the scenario in the manifest: %w", err)
	}
	store, err := world.Open(dir)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	game := s.game()
	st, err := game.Intervene(ctx, store, c)
	if err != nil {
		return nil, err
	}
	return &change{Seq: st.Seq, Turn: st.Turn}, nil
}

// operate returns a command that does what an operator wants, and then says so.
func operate(command func(args []string) arena.Command, say string) func(*flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	return noFlags(func(ctx context.Context, a *app, args []string) (any, error) {
		done, err := intervene(ctx, args[0], command(args))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(a.out, "%s: %s (event %d, in turn %d)\n", args[0], say, done.Seq, done.Turn)
		if world.Holder(args[0]) == nil {
			a.tell("nobody plays this run now; %s resume %s does", self(), args[0])
		}
		return done, nil
	})
}

func do(what string) func([]string) arena.Command {
	return func([]string) arena.Command { return arena.Command{Do: what} }
}

func tellFlags(flags *flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	return operate(func(args []string) arena.Command {
		return arena.Command{Do: arena.DoTell, To: args[1], Text: args[2]}
	}, "it reads this when it acts next")(flags)
}

func stepFlags(flags *flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	turn := flags.Bool("turn", false, "play on to the end of the turn, and not just one step")
	return operate(func([]string) arena.Command {
		if *turn {
			return arena.Command{Do: arena.DoTurn}
		}
		return arena.Command{Do: arena.DoStep}
	}, "it goes on, and pauses again")(flags)
}

// worldSet gives a fact a value.
func worldSet(ctx context.Context, a *app, args []string) (any, error) {
	if !json.Valid([]byte(args[2])) {
		return nil, misuse(fmt.Sprintf("text is JSON in its quotes: '%s'", world.JSON(args[2])), "%s is not JSON", args[2])
	}
	command := func(args []string) arena.Command {
		return arena.Command{Do: arena.DoSet, Path: args[1], Value: json.RawMessage(args[2])}
	}
	return operate(command, args[1]+" is "+args[2])(nil)(ctx, a, args)
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
	facts := make(map[string]json.RawMessage)
	for _, path := range st.Paths(prefix) {
		facts[path], _ = st.Fact(path)
		fmt.Fprintf(a.out, "%s %s\n", path, facts[path])
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
			events = world.Events(args[0])
		}
		for ev, err := range events {
			switch {
			case err != nil:
				return nil, err
			case ev.Seq <= *after:
				continue
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

// worldExport keeps the facts of a run as files.
func worldExport(ctx context.Context, a *app, args []string) (any, error) {
	dir := args[0]
	if _, _, err := openRun(dir); err != nil {
		return nil, err
	}
	a.tell("the facts of %s are files in %s now; save one to change it, Ctrl-C to end", dir, args[1])
	err := world.Export(ctx, dir, args[1], func(ctx context.Context, path string, value json.RawMessage) error {
		done, err := intervene(ctx, dir, arena.Command{Do: arena.DoSet, Path: path, Value: value})
		var refused *arena.RefusedError
		switch {
		case errors.As(err, &refused):
			a.tell("%s", printable(fmt.Sprintf("%s: %v", path, err)))
		case err == nil:
			fmt.Fprintln(a.out, printable(fmt.Sprintf("%s is %s (event %d, in turn %d)", path, value, done.Seq, done.Turn)))
		}
		return err
	})
	return struct{}{}, err
}
