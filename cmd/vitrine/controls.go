package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/vitrine-sim/vitrine/agents/lines"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/viewer/web"
	"github.com/vitrine-sim/vitrine/world"
)

const (
	seatPatience = 2 * time.Second // for a seat to say that it is its turn, and for it to refuse an action
	fastest      = 50.0            // turns in a second that a run is slowed down to, at most
	slowest      = 0.001           // likewise, at least
)

// controls are what an operator does from the viewer to the run in dir.
type controls struct {
	*app
	dir string

	mu   sync.Mutex  // is held while it is changed how the run goes on
	slow func() bool // ends the slowing down, and says whether the run stands still by nothing else; nil: it goes as fast as it can
}

// do does what an operator wants, all of it, even if whoever has asked for it goes meanwhile. Of what does not work it says why, and what to do about it.
func (c *controls) do(ctx context.Context, want web.Command) (string, error) {
	ctx = context.WithoutCancel(ctx)
	_, result, err := openRun(c.dir)
	if idle := idle(c.dir); err == nil && result == nil && idle != "" {
		err = errors.New(idle) // it would have no effect
	}
	if err == nil {
		err = c.try(ctx, want)
	}
	return hint(err), err
}

func (c *controls) try(ctx context.Context, want web.Command) error {
	switch want.Do {
	case web.DoPause, web.DoContinue, web.DoStep, web.DoStop:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.hasten()
		what := want.Do // which the arena calls the same
		if want.Do == web.DoStep && want.Turn {
			what = arena.DoTurn
		}
		return c.operate(ctx, arena.Command{Do: what})
	case web.DoTell:
		return c.tell(ctx, want)
	case web.DoSet:
		return c.operate(ctx, setFact(want.Path, want.Value, want.New)) // a new one must be wanted as such
	case web.DoDelete:
		return c.operate(ctx, arena.Command{Do: arena.DoDelete, Path: want.Path})
	case web.DoAct:
		return c.act(ctx, want)
	case web.DoSpeed:
		return c.speed(ctx, want.Value)
	}
	return fmt.Errorf("there is no command %.40q", want.Do)
}

func (c *controls) operate(ctx context.Context, command arena.Command) error {
	_, err := c.intervene(ctx, c.dir, command)
	return err
}

// tell tells an agent something, or everybody who still plays.
func (c *controls) tell(ctx context.Context, want web.Command) error {
	if want.Agent != "" {
		return c.operate(ctx, arena.Command{Do: arena.DoTell, To: want.Agent, Text: want.Text})
	}
	m, _, err := openRun(c.dir)
	if err != nil {
		return err
	}
	var told bool
	for _, agent := range m.Agents {
		tellErr := c.operate(ctx, arena.Command{Do: arena.DoTell, To: agent.Name, Text: want.Text})
		told, err = told || tellErr == nil, errors.Join(err, tellErr)
	}
	if told {
		return nil // the others are out
	}
	return err
}

// act does an action in a seat that is played by hand, and leaves the seat again.
func (c *controls) act(ctx context.Context, want web.Command) error {
	if err := isSeat(c.dir, want.Agent); err != nil {
		return err
	}
	conn, err := lines.Dial(ctx, arena.AgentDir(c.dir, want.Agent))
	if err != nil {
		return fmt.Errorf("%w; %s", err, whoPlays(c.dir))
	}
	defer lines.Leave(conn)
	if err := conn.SetDeadline(time.Now().Add(seatPatience)); err != nil {
		return err
	}
	said := bufio.NewReader(conn)
	asked, err := hear(said)
	if err != nil {
		return misuse("wait until it is its turn", "nobody waits for %s to act: %w", want.Agent, err)
	}
	if asked.Observation == nil {
		return errors.New(asked.Refused)
	}
	answer := map[string]any{"id": asked.ID, "action": want.Name}
	if len(want.Args) > 0 && string(want.Args) != "null" {
		answer["args"] = want.Args
	}
	st, err := world.Now(c.dir)
	if err != nil {
		return err
	}
	if err := reply(conn, said, world.JSON(answer)); err != nil {
		return err
	}
	return c.refusal(ctx, want.Agent, st.Seq)
}

// reply answers what a seat has said, and returns why the seat refuses that.
func reply(conn net.Conn, said *bufio.Reader, answer []byte) error {
	if err := conn.SetDeadline(time.Now().Add(seatPatience)); err != nil { // that to hear of its turn may be over
		return err
	}
	if _, err := conn.Write(append(answer, '\n')); err != nil {
		return err
	}
	if next, err := hear(said); err == nil && next.Observation == nil { // else it was taken, or the next one has to be waited for
		return errors.New(next.Refused)
	}
	return nil
}

// refusal returns why the rules have refused what an agent did after an event, as soon as that can be known; nil if they have not, or if others have to act first.
func (c *controls) refusal(ctx context.Context, agent string, after int64) error {
	ctx, cancel := context.WithTimeout(ctx, seatPatience)
	defer cancel()
	acted := false
	for ev, err := range world.Follow(ctx, c.dir, after) {
		if err != nil {
			return nil // it is not known yet
		}
		var refused struct{ Reason string }
		if ev.Agent == agent && ev.Kind == world.KindRefusal && json.Unmarshal(ev.Data, &refused) == nil {
			return fmt.Errorf("%s is refused that: %s", agent, refused.Reason)
		}
		if acted = acted || ev.Agent == agent; acted && !ev.More {
			return nil
		}
	}
	return nil
}

// hear reads what a seat says.
func hear(said *bufio.Reader) (q asked, err error) {
	raw, err := said.ReadBytes('\n')
	if err != nil {
		return q, err
	}
	return q, json.Unmarshal(raw, &q)
}

// speed makes turns follow each other so many a second, by steps of one turn; with 0 the run goes on as fast as it can.
func (c *controls) speed(ctx context.Context, value json.RawMessage) error {
	var perSecond float64
	if err := json.Unmarshal(value, &perSecond); err != nil || perSecond != 0 && perSecond < slowest || perSecond > fastest {
		return misuse(fmt.Sprintf("a number of turns in a second, %v to %v; 0: as fast as it goes", slowest, fastest), "%s is no speed", value)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hasten()
	if perSecond == 0 {
		return c.operate(ctx, arena.Command{Do: arena.DoContinue})
	}
	paused, err := c.intervene(ctx, c.dir, arena.Command{Do: arena.DoPause})
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(context.WithoutCancel(ctx))
	own := make(chan bool, 1)
	go func() { own <- c.pace(ctx, paused.Seq, time.Duration(float64(time.Second)/perSecond)) }() // until another command, or the run is over
	c.slow = func() bool {
		end()
		return <-own
	}
	return nil
}

// pace lets a turn be played each time that so much has passed and the one before is over, until somebody else says how the run goes on after an event. It
// returns whether nobody has when ctx ends.
func (c *controls) pace(ctx context.Context, after int64, every time.Duration) bool {
	own := after // its last event
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return !c.overruled(after, own)
		case <-tick.C:
		}
		st, err := world.Now(c.dir)
		if err != nil || c.overruled(after, own) {
			return false
		}
		after = st.Seq
		if !arena.Held(st) {
			continue
		}
		turn, err := c.another(ctx, st)
		switch {
		case errors.Is(err, arena.ErrMoved):
			continue
		case err != nil:
			return ctx.Err() != nil // else it is over
		}
		own = turn.Seq
	}
}

// another lets a turn more be played of the run that stands still in a state, if nobody has done anything since: it may have been a pause.
func (c *controls) another(ctx context.Context, st world.State) (*change, error) {
	return c.intervene(ctx, c.dir, arena.Command{Do: arena.DoTurn, After: st.Seq})
}

// overruled says whether somebody has said how the run goes on in an event after one of them, other than by the own one.
func (c *controls) overruled(after, own int64) bool {
	for ev, err := range eventsAfter(c.dir, after) {
		if err != nil {
			return true
		}
		if ev.Kind != arena.KindOperator || ev.Seq == own {
			continue
		}
		if command, err := arena.CommandOf(ev); err != nil || command.Steers() {
			return true
		}
	}
	return false
}

// hurry ends the slowing down, if there is any, and lets the run go on: now, or when somebody plays it on that nobody plays any more.
func (c *controls) hurry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hasten() {
		_ = c.operate(context.Background(), arena.Command{Do: arena.DoContinue}) // it may be over by now
	}
}

// hasten ends the slowing down, for those who hold the lock. It says whether the run stands still by that, and by nothing else.
func (c *controls) hasten() (stands bool) {
	if c.slow != nil {
		stands = c.slow()
		c.slow = nil
	}
	return stands
}
