package arena

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/vitrine-sim/vitrine/world"
)

// What an operator can do to a game.
const (
	DoSet      = "set"      // a fact gets another value
	DoAdd      = "add"      // a fact comes into being
	DoDelete   = "delete"   // a fact goes
	DoTell     = "tell"     // an agent gets a message
	DoPause    = "pause"    // nobody acts any more after the step that is being played
	DoStep     = "step"     // one step more is played, then it pauses
	DoTurn     = "turn"     // it plays on to the end of a turn more, then it pauses
	DoContinue = "continue" // the game goes on
	DoStop     = "stop"     // the episode is truncated; what agents are thinking about is lost
	DoRevise   = "revise"   // other rules hold from now on
)

// A Command is what an operator does, and the data of its event.
type Command struct {
	Do    string          `json:"do"`              // one of the above
	Path  string          `json:"path,omitempty"`  // of the fact to set or delete
	Value json.RawMessage `json:"value,omitempty"` // of the fact to set
	To    string          `json:"to,omitempty"`    // the agent to tell something
	Text  string          `json:"text,omitempty"`  // what it is told; at most maxTold characters

	Source string `json:"source,omitempty"` // of the rules, the whole file

	After int64 `json:"-"` // the number of the event that must be the last one; 0: any may be
}

// ErrMoved is the error of a command after another event than the one that it names.
var ErrMoved = errors.New("something has happened meanwhile")

// AsksRules says whether the rules of the game have a say in the command. [Game.Intervene] asks them for nothing else.
func (c Command) AsksRules() bool {
	return slices.Contains([]string{DoSet, DoAdd, DoDelete, DoRevise}, c.Do)
}

// Steers says whether the command says how the game goes on, and nothing else.
func (c Command) Steers() bool {
	return slices.Contains([]string{DoPause, DoStep, DoTurn, DoContinue, DoStop}, c.Do)
}

const maxTold = 10_000

const (
	pauseFact = "run/pause" // where the game pauses, see pausing; missing: nowhere
	stopFact  = "run/stop"  // true once an operator has ended the episode; "budget" once a budget has
)

// A pausing is what the fact pauseFact holds: the game is held when that turn has begun and no steps are left to be played in it.
type pausing struct {
	Turn  int `json:"turn"`
	Steps int `json:"steps"`
}

// pausingOf returns how the game pauses, and whether it does.
func pausingOf(st world.State) (p pausing, ok bool) {
	return p, st.Get(pauseFact, &p) == nil
}

// facts returns the facts of a game that pauses so.
func (p pausing) facts() map[string]json.RawMessage {
	return map[string]json.RawMessage{pauseFact: world.JSON(p)}
}

// countStep makes the event of a step say that there is one less to be played before the game pauses, if it counts.
func countStep(st world.State, ev *world.Event) {
	if p, ok := pausingOf(st); ok && p.Steps > 0 && st.Turn >= p.Turn {
		p.Steps--
		if ev.Set == nil {
			ev.Set = make(map[string]json.RawMessage)
		}
		maps.Copy(ev.Set, p.facts())
	}
}

// A RefusedError says why an operator's command has no effect.
type RefusedError struct {
	Reason  string
	Unknown string // path of the fact that there is not; empty: that is not the reason
}

func (e *RefusedError) Error() string { return "refused: " + e.Reason }

func refuse(format string, args ...any) error {
	return &RefusedError{Reason: fmt.Sprintf(format, args...)}
}

// Intervene does what an operator wants, in the game that store holds, from any process and at any time: agents see it in the step after the
// one that is being played. It returns the state after it. What the game or its rules do not allow is a [*RefusedError]; rules that do not
// compile are the error of [Revisions], and [ErrMoved] is that of a command that is for another state.
func (g *Game) Intervene(ctx context.Context, store *world.Store, c Command) (world.State, error) {
	return store.Commit(ctx, func(st world.State) ([]world.Event, error) {
		if c.After != 0 && c.After != st.Seq {
			return nil, ErrMoved
		}
		ev, err := g.operate(st, c)
		if err != nil {
			return nil, err
		}
		return []world.Event{ev}, nil
	})
}

// operate returns the event of an operator's command.
func (g *Game) operate(st world.State, c Command) (world.Event, error) {
	if err := g.isOpen(st); err != nil {
		return world.Event{}, err
	}
	ev := world.Event{Kind: KindOperator, Agent: world.Operator}
	var err error
	switch c.Do {
	case DoSet, DoAdd, DoDelete:
		err = g.edit(st, c, &ev)
	case DoTell:
		ev.Set, err = g.tell(st, c)
	case DoPause:
		ev.Set = pausing{}.facts()
	case DoStep:
		p, _ := pausingOf(st)
		p.Steps++
		ev.Set = p.facts()
	case DoTurn:
		p, _ := pausingOf(st)
		p.Turn = max(p.Turn, st.Turn) + 1
		ev.Set = p.facts()
	case DoContinue:
		if _, ok := st.Fact(pauseFact); !ok {
			err = refuse("it is not paused")
		}
		ev.Del = []string{pauseFact}
	case DoRevise:
		err = g.revise(st, c, &ev)
	case DoStop:
		ev.Set = map[string]json.RawMessage{stopFact: world.JSON(true)}
	default:
		err = refuse("there is no command %.40q", c.Do)
	}
	if err != nil {
		return world.Event{}, err
	}
	ev.Data = world.JSON(c)
	return ev, nil
}

// isOpen says why nobody can intervene in a state, if so.
func (g *Game) isOpen(st world.State) error {
	if st.Seq == 0 {
		return refuse("the episode has not begun")
	}
	if g.IsOver(st) {
		return refuse("the episode is over")
	}
	return nil
}

// IsOver says whether nobody can act any more in a state of an episode that has begun.
func (g *Game) IsOver(st world.State) bool {
	return !slices.ContainsFunc(g.Agents, func(agent string) bool {
		status, err := statusOf(st, agent)
		return err == nil && status == StatusActive
	})
}

// edit makes ev set or delete a fact, unless the rules could not go on then.
func (g *Game) edit(st world.State, c Command, ev *world.Event) error {
	_, exists := st.Fact(c.Path)
	switch {
	case c.Path == "" || !utf8.ValidString(c.Path):
		return refuse("%q is no path of a fact", c.Path)
	case strings.HasPrefix(c.Path, world.RunFacts):
		return refuse("facts under %q are the episode's own", world.RunFacts)
	case exists == (c.Do == DoAdd):
		if exists {
			return refuse("there is a fact %q already", c.Path)
		}
		return &RefusedError{Reason: fmt.Sprintf("there is no fact %q", c.Path), Unknown: c.Path}
	case c.Do != DoDelete:
		value, err := world.Canonical(c.Value)
		if err == nil {
			_, err = world.Canonical(slices.Concat([]byte(`{"value":`), value, []byte("}"))) // so deep its event has it
		}
		if err != nil {
			return refuse("the value is not JSON: %v", err)
		}
		ev.Set = map[string]json.RawMessage{c.Path: value}
	default:
		ev.Del = []string{c.Path}
	}
	return g.allow(st, *ev)
}

// allow refuses what an operator wants if the rules could not go on after it.
func (g *Game) allow(st world.State, ev world.Event) error {
	ev.Seq = st.Seq + 1
	if err := g.check(st.Apply(ev)); err != nil {
		return refuse("the rules do not allow it: %v", err)
	}
	return nil
}

// check says why the rules cannot go on in a state, if so.
func (g *Game) check(st world.State) error {
	rules, err := g.law(st)
	if err != nil {
		return err
	}
	if checker, ok := rules.(world.Checker); ok {
		if err := checker.Check(st); err != nil {
			return err
		}
	}
	for _, agent := range g.Agents {
		if _, _, err := g.observe(st, agent); err != nil {
			return err
		}
	}
	return nil
}

// tell returns the facts of a message to one agent.
func (g *Game) tell(st world.State, c Command) (map[string]json.RawMessage, error) {
	if !slices.Contains(g.Agents, c.To) {
		return nil, refuse("%.40q is none of %s", c.To, strings.Join(g.Agents, ", "))
	}
	if status, _ := statusOf(st, c.To); status != StatusActive {
		return nil, refuse("%s is out: %s", c.To, status)
	}
	if n := utf8.RuneCountInString(c.Text); n == 0 || n > maxTold {
		return nil, refuse("a message has 1 to %d characters, not %d", maxTold, n)
	}
	box := openMailbox(st)
	return box.post(st, world.Message{From: world.Operator, To: []string{c.To}, Text: c.Text}), nil
}

// CommandOf reads a command from its event.
func CommandOf(ev world.Event) (Command, error) {
	var c Command
	dec := json.NewDecoder(bytes.NewReader(ev.Data))
	dec.DisallowUnknownFields()
	return c, dec.Decode(&c)
}

// Held says whether an operator holds the game in a state.
func Held(st world.State) bool {
	p, ok := pausingOf(st)
	return ok && p.Steps == 0 && st.Turn >= p.Turn && !Stopped(st)
}

// Stopped says whether the episode is ended in a state before its time is up, by an operator or a budget: it ends as soon as somebody plays it.
func Stopped(st world.State) bool { return whyStopped(st) != "" }

// whyStopped says why the episode is ended before its time is up; empty: it is not.
func whyStopped(st world.State) string {
	value, ok := st.Fact(stopFact)
	switch {
	case !ok:
		return ""
	case string(value) == "true":
		return byOperator
	}
	return BudgetLimit
}
