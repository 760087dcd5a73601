package scripted

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/world"
)

// A Recording is what the agents of an episode did, by agent and turn. As a file it is JSON lines, one for each action:
//
//	{"turn":0,"agent":"a","action":"fish","args":{"tons":10}}
//
// Several actions of one agent in one turn are played in the order of their lines.
type Recording map[string]map[int][]world.Action

// A recordedAction is a line of a recording.
type recordedAction struct {
	Turn   *int            `json:"turn"`
	Agent  string          `json:"agent"`
	Action string          `json:"action"`
	Args   json.RawMessage `json:"args"`
}

// ReadRecording reads a recording; name is that of its file, for errors, which come all at once, each as "name:line: what"; of
// more than ten of them only the first.
func ReadRecording(name string, r io.Reader) (Recording, error) {
	rec := make(Recording)
	var errs []error
	lines := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if err := rec.add(line); err != nil {
				errs = append(errs, fmt.Errorf("%s:%d: %w", name, n, err))
			}
		}
		if errors.Is(err, io.EOF) {
			if most := 10; len(errs) > most {
				errs = append(errs[:most], fmt.Errorf("%s: and %d more lines", name, len(errs)-most))
			}
			return rec, errors.Join(errs...)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
}

func (rec Recording) add(line []byte) error {
	var in recordedAction
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return fmt.Errorf("not an action: %s", mistake(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one action on a line")
	}
	switch {
	case in.Turn == nil || *in.Turn < 0:
		return errors.New(`"turn" must be a number from 0`)
	case in.Agent == "":
		return errors.New(`"agent" is missing`)
	case in.Action == "":
		return errors.New(`"action" is missing`)
	}
	turns := rec[in.Agent]
	if turns == nil {
		turns = make(map[int][]world.Action)
		rec[in.Agent] = turns
	}
	turns[*in.Turn] = append(turns[*in.Turn], world.Action{Agent: in.Agent, Name: in.Action, Args: in.Args})
	return nil
}

// mistake says what is wrong with a line, in words that do not speak of Go's types.
func mistake(err error) string {
	var wrong *json.UnmarshalTypeError
	switch {
	case !errors.As(err, &wrong):
		return err.Error()
	case wrong.Field == "":
		return "the line is of the wrong type: " + wrong.Value
	}
	return fmt.Sprintf("%q is of the wrong type: %s", wrong.Field, wrong.Value)
}

// Agents returns the names of the agents in the recording, sorted.
func (rec Recording) Agents() []string { return slices.Sorted(maps.Keys(rec)) }

// Len returns how many actions are recorded.
func (rec Recording) Len() int {
	n := 0
	for _, turns := range rec {
		for _, actions := range turns {
			n += len(actions)
		}
	}
	return n
}

// Player returns the agent that repeats what the agent of that name did. It passes where nothing is recorded.
func (rec Recording) Player(agent string) *Player {
	return &Player{turns: rec[agent], turn: -1}
}

// A Player repeats recorded actions. It implements [agents.Immediate].
type Player struct {
	turns map[int][]world.Action
	turn  int            // being played
	left  []world.Action // of this turn

	played int
}

var _ agents.Immediate = (*Player)(nil)

// Act implements [agents.Agent].
func (p *Player) Act(ctx context.Context, obs world.Observation) (world.Action, error) {
	return act(ctx, p, obs)
}

// ActNow implements [agents.Immediate].
func (p *Player) ActNow(obs world.Observation) (world.Action, error) {
	if obs.Turn != p.turn {
		p.turn, p.left = obs.Turn, p.turns[obs.Turn]
	}
	if len(p.left) == 0 {
		return world.Action{Name: world.Pass}, nil
	}
	action := p.left[0]
	p.left = p.left[1:]
	p.played++
	return action, nil
}

// Played returns how many actions it has played so far.
func (p *Player) Played() int { return p.played }

// Close implements [agents.Agent].
func (*Player) Close() (agents.Usage, error) { return agents.Usage{}, nil }
