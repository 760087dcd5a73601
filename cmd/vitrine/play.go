package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/agents/lines"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world"
)

func playFlags(*flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	return func(ctx context.Context, a *app, args []string) (any, error) {
		return nil, play(ctx, a, args[0], args[1], os.Stdin)
	}
}

// play lets whoever is at the terminal play a seat. With --json it hands the lines of the protocol through, so that a program can play it.
func play(ctx context.Context, a *app, dir, seat string, in io.Reader) error {
	if err := isSeat(dir, seat); err != nil {
		return err
	}
	conn, err := lines.Dial(ctx, arena.AgentDir(dir, seat))
	if err != nil {
		return a.notTaken(ctx, dir, seat, world.Holder(dir), err)
	}
	defer conn.Close()
	context.AfterFunc(ctx, func() { conn.Close() }) // which ends what reads from it
	if a.json {
		go func() { _, _ = io.Copy(conn, in) }() // ends with the process
		return relay(a.stdout, conn)
	}
	t := &terminal{app: a, conn: conn, asked: make(chan asked, 1)}
	go func() { // ends with the process
		t.answer(in)
		_ = conn.CloseWrite() // who types no more leaves the seat, and can come back when it closes its end
	}()
	if err := t.listen(ctx); err != nil {
		return err
	}
	if over := howEnded(dir); over != "" {
		t.tell("it is over: %s%s", over, a.reward(ctx, dir, seat))
	} else {
		t.tell("the seat is closed: %s", whoPlays(dir))
	}
	return nil
}

// notTaken returns why nobody can take a seat, which is asked after it is known who plays the run: it may end at any moment.
func (a *app) notTaken(ctx context.Context, dir, seat string, held *world.HeldError, err error) error {
	over := howEnded(dir)
	switch {
	case over != "":
		return fmt.Errorf("%s is over: %s%s", dir, over, a.reward(ctx, dir, seat))
	case held == nil:
		return &failure{code: exitFailed, err: fmt.Errorf("nobody plays %s now", dir), hint: onward(dir)}
	}
	return fmt.Errorf("%w; %w", err, held)
}

// reward says what a seat of a run that is over has earned; empty if the rules cannot be asked.
func (a *app) reward(ctx context.Context, dir, seat string) string {
	_, s, err := a.openSetup(ctx, dir)
	if err != nil {
		return ""
	}
	defer s.close()
	st, err := world.Now(dir)
	if err != nil {
		return ""
	}
	game := s.game()
	status, reward, err := game.Standing(st, seat)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("; %s is %s, reward %s", seat, status, number(reward))
}

// relay hands on what a seat says. It is an error if that is only that somebody else has it.
func relay(to io.Writer, from io.Reader) error {
	seat := bufio.NewReader(from)
	first, _ := seat.ReadBytes('\n') // its error comes again
	if _, err := to.Write(first); err != nil {
		return err
	}
	n, err := io.Copy(to, seat)
	var q asked
	if err == nil && n == 0 && json.Unmarshal(first, &q) == nil && q.isRefused() {
		err = errors.New(q.Refused)
	}
	return err
}

// isSeat says why a seat of the run in dir is none that is played by hand.
func isSeat(dir, seat string) error {
	m, _, err := openRun(dir)
	if err != nil {
		return err
	}
	var seats []string
	for _, agent := range m.Agents {
		if agent.Kind == scenarios.Human {
			seats = append(seats, agent.Name)
		}
	}
	if slices.Contains(seats, seat) {
		return nil
	}
	hint := `a seat is played by hand if its agent has kind = "human"`
	if len(seats) > 0 {
		hint = "seats that are played by hand: " + strings.Join(seats, ", ")
	}
	return misuse(hint, "%s has no such seat: %s", dir, seat)
}

// An asked is what a seat says: an observation that waits for an action or, without one, why an action was refused.
type asked struct {
	ID          int64              `json:"id"`
	Observation *world.Observation `json:"observation"`
	Refused     string             `json:"refused"`
}

// isRefused says whether somebody else has the seat.
func (q asked) isRefused() bool { return q.Observation == nil && q.ID == 0 && q.Refused != "" }

// A terminal is where a person plays.
type terminal struct {
	*app
	conn  io.ReadWriter
	asked chan asked // the observation that waits for an answer; has room for it
}

// listen shows what there is to see until the seat is closed.
func (t *terminal) listen(ctx context.Context) error {
	in := bufio.NewReader(t.conn)
	for newest := (asked{}); ; {
		raw, err := in.ReadBytes('\n')
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return nil
		}
		var q asked
		if err := json.Unmarshal(raw, &q); err != nil {
			return fmt.Errorf("what the seat says: %w", err)
		}
		if q.isRefused() {
			return errors.New(q.Refused)
		}
		if q.Observation == nil {
			t.tell("refused: %s", q.Refused)
		} else {
			t.show(*q.Observation)
			newest = q
		}
		select {
		case <-t.asked: // nobody has answered the one before, and it is too late now
		default:
		}
		t.asked <- newest // also when the answer to another one was refused
	}
}

// show prints an observation.
func (t *terminal) show(obs world.Observation) {
	fmt.Fprintf(t.out, "\nturn %d, reward %s\n", obs.Turn, number(obs.Reward))
	var view bytes.Buffer
	if json.Indent(&view, obs.View, "", "  ") == nil {
		for line := range strings.Lines(view.String()) {
			fmt.Fprintf(t.out, "  %s\n", printable(strings.TrimSuffix(line, "\n")))
		}
	}
	for _, m := range obs.Messages {
		fmt.Fprintf(t.out, "%s\n", printable(m.From+" tells "+cmp.Or(strings.Join(m.To, ", "), "everybody")+": "+m.Text))
	}
	if obs.Refused != "" {
		fmt.Fprintf(t.out, "%s\n", printable("your last action had no effect: "+obs.Refused))
	}
	t.offer(obs.Actions)
}

// offer prints what can be done.
func (t *terminal) offer(actions []world.ActionSpec) {
	for _, spec := range actions {
		fmt.Fprintf(t.out, "you may %s\n      %s\n", printable(spec.Name+arguments(spec.Schema)), printable(spec.Description))
	}
	fmt.Fprint(t.out, "you may pass\n> ")
}

// answer sends what is typed, each line as the answer to one observation.
func (t *terminal) answer(in io.Reader) {
	typed := bufio.NewScanner(in)
	for q := range t.asked {
		var action world.Action
		for understood := false; !understood; {
			if !typed.Scan() {
				return
			}
			select {
			case q = <-t.asked: // what was typed is for what was on the screen last
			default:
			}
			action, understood = t.understand(typed.Text(), q.Observation)
		}
		answer := map[string]any{"id": q.ID, "action": action.Name}
		if len(action.Args) > 0 {
			answer["args"] = action.Args
		}
		if _, err := t.conn.Write(append(world.JSON(answer), '\n')); err != nil {
			return // the seat is closed
		}
	}
}

// understand reads what is typed as one of the actions of an observation. What is none it tells, and whoever asks for help what they are.
func (t *terminal) understand(typed string, obs *world.Observation) (world.Action, bool) {
	var actions []world.ActionSpec
	if obs != nil {
		actions = obs.Actions
	}
	named := func(name string) bool {
		return slices.ContainsFunc(actions, func(spec world.ActionSpec) bool { return spec.Name == name })
	}
	if word := strings.TrimSpace(typed); (word == "help" || word == "?") && !named(word) {
		t.offer(actions)
		return world.Action{}, false
	}
	action, err := parseAction(typed, actions)
	if err != nil {
		t.tell("%v", err)
		fmt.Fprint(t.out, "> ")
	}
	return action, err == nil
}
