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
	"maps"
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
		return fmt.Errorf("%w; %s", err, cmp.Or(whoPlays(dir), "it is being played"))
	}
	defer conn.Close()
	context.AfterFunc(ctx, func() { conn.Close() }) // which ends what reads from it
	if a.json {
		go func() { _, _ = io.Copy(conn, in) }() // ends with the process
		return relay(a.stdout, conn)
	}
	t := &terminal{app: a, conn: conn, asked: make(chan int64, 1)}
	go func() { // ends with the process
		t.answer(in)
		_ = conn.CloseWrite() // who types no more leaves the seat, and can come back when it closes its end
	}()
	return t.listen(ctx)
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
	asked chan int64 // the observation that waits for an answer; has room for it
}

// listen shows what there is to see until the seat is closed.
func (t *terminal) listen(ctx context.Context) error {
	in := bufio.NewReader(t.conn)
	for newest := int64(0); ; {
		raw, err := in.ReadBytes('\n')
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			t.tell("the seat is closed")
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
			newest = q.ID
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
	for _, spec := range obs.Actions {
		fmt.Fprintf(t.out, "you may %s\n      %s\n", printable(spec.Name+arguments(spec.Schema)), printable(spec.Description))
	}
	fmt.Fprint(t.out, "you may pass\n> ")
}

// arguments says what the arguments of an action are, from their JSON Schema.
func arguments(schema json.RawMessage) string {
	s, err := world.ReadSchema(schema)
	if err != nil {
		return ""
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		what := p.Type
		if p.Minimum != nil && p.Maximum != nil {
			what += fmt.Sprintf(" %s to %s", number(*p.Minimum), number(*p.Maximum))
		}
		if len(p.Enum) > 0 {
			what = strings.Trim(string(world.JSON(p.Enum)), "[]")
		}
		if !slices.Contains(s.Required, name) {
			what += ", if you like"
		}
		fmt.Fprintf(&text, " %s=(%s)", name, what)
	}
	return text.String()
}

// answer sends what is typed, each line as the answer to one observation.
func (t *terminal) answer(in io.Reader) {
	typed := bufio.NewScanner(in)
	for id := range t.asked {
		var action world.Action
		for err := errors.New(""); err != nil; {
			if !typed.Scan() {
				return
			}
			if action, err = parseAction(typed.Text()); err != nil {
				t.tell("%v", err)
				fmt.Fprint(t.out, "> ")
			}
		}
		select {
		case id = <-t.asked: // what was typed is for what was on the screen last
		default:
		}
		answer := map[string]any{"id": id, "action": action.Name}
		if len(action.Args) > 0 {
			answer["args"] = action.Args
		}
		if _, err := t.conn.Write(append(world.JSON(answer), '\n')); err != nil {
			return // the seat is closed
		}
	}
}

// parseAction reads an action as people type it: its name, and then its arguments as a JSON object or as key=value, where a value is JSON or
// one plain word.
func parseAction(typed string) (world.Action, error) {
	const want = `type it like: fish tons=5, or fish {"tons":5}, or pass`
	name, rest, _ := strings.Cut(strings.TrimSpace(typed), " ")
	if name == "" {
		return world.Action{}, errors.New(want)
	}
	rest = strings.TrimSpace(rest)
	if strings.HasPrefix(rest, "{") {
		if !json.Valid([]byte(rest)) {
			return world.Action{}, fmt.Errorf("%s is not JSON; %s", rest, want)
		}
		return world.Action{Name: name, Args: json.RawMessage(rest)}, nil
	}
	args := make(map[string]json.RawMessage)
	for rest != "" {
		key, value, ok := strings.Cut(rest, "=")
		if !ok || key == "" || strings.ContainsAny(key, " \t") {
			return world.Action{}, fmt.Errorf("%q is no key=value; %s", rest, want)
		}
		dec := json.NewDecoder(strings.NewReader(value))
		var raw json.RawMessage
		if err := dec.Decode(&raw); err == nil {
			rest = strings.TrimSpace(value[dec.InputOffset():])
		} else {
			var word string
			word, rest, _ = strings.Cut(value, " ")
			raw, rest = world.JSON(word), strings.TrimSpace(rest)
		}
		args[key] = raw
	}
	if len(args) == 0 {
		return world.Action{Name: name}, nil
	}
	return world.Action{Name: name, Args: world.JSON(args)}, nil
}
