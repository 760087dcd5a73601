package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	pb "github.com/vitrine-sim/vitrine/agents/plugin/proto/vitrine/v1"
	"github.com/vitrine-sim/vitrine/world"
)

// Rules are the law of a world in another program. They implement [world.Rules] and [world.Checker], and can be asked from several goroutines, one
// at a time. What an agent was not offered is refused here, before the program is asked. An error is a [*RulesError].
type Rules struct {
	program  *program
	dir      string          // made for it
	patience context.Context // when it ends an answer must come within a moment
	client   pb.RulesClient
	about    description

	mu     sync.Mutex
	told   world.State            // the state whose facts the program has
	silent bool                   // it has not answered in the last moment; then it is not asked any more
	knows  bool                   // it has been told one, and nothing has gone wrong since
	offers map[string]observation // in that state, by agent
}

var (
	_ world.Rules   = (*Rules)(nil)
	_ world.Checker = (*Rules)(nil)
)

// A RulesError is what went wrong in a plugin of rules.
type RulesError struct {
	Doing string // such as "step"
	Err   error  // an [*agents.DeadError] if the program is gone
}

func (e *RulesError) Error() string {
	text := e.Err.Error()
	if dead := (*agents.DeadError)(nil); errors.As(e.Err, &dead) {
		lines := strings.Split(dead.Detail, "\n")
		if text = "it is gone: " + dead.Reason; dead.Detail != "" {
			text += ": " + lines[len(lines)-1]
		}
	}
	return fmt.Sprintf("plugin of rules: %s: %s", e.Doing, text)
}

func (e *RulesError) Unwrap() error { return e.Err }

// isSaid says whether an error is one that the plugin itself has answered.
func isSaid(err error) bool {
	said := (*saidError)(nil)
	return errors.As(err, &said)
}

// StartRules starts a plugin and asks it what rules it has. It gets a temporary folder, whatever cfg.Dir is. When ctx ends it is not waited for any
// more: one that starts is ended, and of one that runs each answer must come within a moment.
func StartRules(ctx context.Context, cfg Config) (*Rules, error) {
	dir, err := os.MkdirTemp("", "vitrine-rules")
	if err != nil {
		return nil, err
	}
	cfg.Dir = dir
	r := &Rules{dir: dir, patience: ctx, offers: make(map[string]observation)}
	if r.program, err = start(ctx, cfg, new(agents.Stderr)); err != nil {
		return nil, errors.Join(&RulesError{"start", err}, os.RemoveAll(dir))
	}
	r.client = pb.NewRulesClient(r.program.conn)
	if err := r.describe(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// KeepOutput makes a file of what the program says on its standard error.
func (r *Rules) KeepOutput(path string) error { return r.program.output.KeepIn(path) }

// Close ends the program.
func (r *Rules) Close() error {
	if r.silent {
		r.program.process.kill()
	}
	return errors.Join(r.program.close(), os.RemoveAll(r.dir))
}

// ask asks the program something, for as long as it may take. What the program knows of a state is uncertain when it has not answered.
func (r *Rules) ask(doing string, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), r.program.limit)
	defer cancel()
	if r.silent {
		return &RulesError{doing, errNoPatience}
	}
	defer context.AfterFunc(r.patience, func() { time.AfterFunc(lastGrace, cancel) })()
	err := r.program.call(ctx, ask)
	if err == nil {
		return nil
	}
	r.silent = errors.Is(err, errNoPatience)
	r.knows = r.knows && isSaid(err)
	return &RulesError{doing, err}
}

// Reset implements [world.Rules].
func (r *Rules) Reset(seed uint64, agents []string) ([]world.Event, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var events []world.Event
	err := r.ask("reset", func(ctx context.Context) error {
		answer, err := r.client.Reset(ctx, &pb.ResetRequest{Seed: seed, Agents: agents})
		if err == nil {
			events, err = readEvents(answer.GetJson())
		}
		return err
	})
	return events, err
}

// Observe implements [world.Rules].
func (r *Rules) Observe(st world.State, agent string) (world.Observation, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.tell(st); err != nil {
		return world.Observation{}, err
	}
	seen, err := r.observe(agent)
	if err == nil && !seen.plays {
		err = &RulesError{"observe", fmt.Errorf("no agent %q in this world", agent)}
	}
	return seen.Observation, err
}

// observe returns what an agent sees in the state that was told.
func (r *Rules) observe(agent string) (observation, error) {
	var seen observation
	err := r.ask("observe", func(ctx context.Context) error {
		answer, err := r.client.Observe(ctx, &pb.ObserveRequest{Agent: agent})
		if err == nil {
			seen, err = readObservation(answer.GetJson())
		}
		return err
	})
	if err == nil {
		seen.Agent, seen.Turn = agent, r.told.Turn
		r.offers[agent] = seen
	}
	return seen, err
}

// Step implements [world.Rules]. What an agent was not offered in its observation is refused here, and comes first; passes do nothing. The program
// gets the rest; if there is none and the rules are simultaneous, nothing follows.
func (r *Rules) Step(st world.State, actions []world.Action) ([]world.Event, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.tell(st); err != nil {
		return nil, err
	}
	var refusals []world.Event
	legal := []world.Action{}
	for _, asked := range actions {
		if asked.Name == world.Pass {
			continue
		}
		reason, err := r.refuses(asked)
		if err != nil {
			return nil, err
		}
		if reason != "" {
			refusals = append(refusals, asked.Refuse(reason))
			continue
		}
		if len(asked.Args) == 0 {
			asked.Args = json.RawMessage("{}")
		}
		legal = append(legal, asked)
	}
	if len(legal) == 0 && r.about.together {
		return refusals, nil
	}
	var events []world.Event
	err := r.ask("step", func(ctx context.Context) error {
		answer, err := r.client.Step(ctx, &pb.StepRequest{Json: world.JSON(legal)})
		if err == nil {
			events, err = readEvents(answer.GetJson())
		}
		return err
	})
	return append(refusals, events...), err
}

// refuses says why an action is none of those that its agent is offered in the state that was told; empty if it is.
func (r *Rules) refuses(asked world.Action) (string, error) {
	seen, ok := r.offers[asked.Agent]
	if !ok {
		var err error
		if seen, err = r.observe(asked.Agent); isSaid(err) {
			return "you see nothing of this world: " + err.Error(), nil // rules may not know who asks
		} else if err != nil {
			return "", err
		}
	}
	return seen.refuses(asked), nil
}

// Check implements [world.Checker].
func (r *Rules) Check(st world.State) error {
	if !r.about.checks {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.tell(st); err != nil {
		return err
	}
	mistake := ""
	err := r.ask("check", func(ctx context.Context) error {
		answer, err := r.client.Check(ctx, &pb.CheckRequest{})
		mistake = answer.GetMistake()
		return err
	})
	if err == nil && mistake != "" {
		err = errors.New(mistake)
	}
	return err
}

// Hidden returns the paths of the facts of which an agent must not learn anything, as far as the program says it.
func (r *Rules) Hidden(st world.State, agent string) (paths []string, err error) {
	if !r.about.hides {
		return nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.tell(st); err != nil {
		return nil, err
	}
	err = r.ask("hidden", func(ctx context.Context) error {
		answer, err := r.client.Hidden(ctx, &pb.HiddenRequest{Agent: agent})
		paths = answer.GetPaths()
		return err
	})
	return paths, err
}

// An event is a [world.Event] as a plugin writes it.
type event struct {
	Agent string                     `json:"agent,omitempty"`
	Data  json.RawMessage            `json:"data,omitempty"`
	Del   []string                   `json:"del,omitempty"`
	Kind  string                     `json:"kind"`
	Set   map[string]json.RawMessage `json:"set,omitempty"`
}

// readEvents reads what a plugin says has happened.
func readEvents(raw []byte) ([]world.Event, error) {
	var all []event
	if err := read(raw, &all); err != nil {
		return nil, fmt.Errorf("what it answers are no events: %w", err)
	}
	events := make([]world.Event, len(all))
	for i, ev := range all {
		switch {
		case ev.Kind == "":
			return nil, fmt.Errorf("its event %d has no kind", i)
		case ev.Kind == world.KindTurn:
			return nil, fmt.Errorf("its event %d is a %q, which is not for rules", i, ev.Kind)
		}
		paths := slices.Clone(ev.Del)
		for path := range ev.Set {
			paths = append(paths, path)
		}
		slices.Sort(paths) // so that it is always the same that is complained about
		for _, path := range paths {
			if path == "" || strings.HasPrefix(path, world.RunFacts) {
				return nil, fmt.Errorf("its event %d, %q, changes the fact %q, which is not for rules", i, ev.Kind, path)
			}
		}
		events[i] = world.Event{Agent: ev.Agent, Data: ev.Data, Del: ev.Del, Kind: ev.Kind, Set: ev.Set}
	}
	return events, nil
}

// read reads one JSON document that has no other keys than v.
func read(raw []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("something follows the JSON value")
	}
	return nil
}
