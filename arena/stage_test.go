package arena

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/fishery"
)

var five = []string{"a", "b", "c", "d", "e"}

// An actor is an agent that does what a test says, and remembers what it was shown.
type actor struct {
	do func(ctx context.Context, obs world.Observation) (world.Action, error)

	mu      sync.Mutex
	started int
	seen    []world.Observation
	acting  bool
	closed  int
	faults  []string // what the arena did that it must not
}

func (a *actor) Act(ctx context.Context, obs world.Observation) (world.Action, error) {
	a.enter(obs)
	defer a.leave()
	return a.do(ctx, obs)
}

func (a *actor) enter(obs world.Observation) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.acting || a.closed > 0 {
		a.faults = append(a.faults, fmt.Sprintf("act in turn %d while acting is %v, closed %d times", obs.Turn, a.acting, a.closed))
	}
	a.acting = true
	a.seen = append(a.seen, obs)
}

func (a *actor) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.acting = false
}

func (a *actor) Close() (agents.Usage, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.acting {
		a.faults = append(a.faults, "close during act")
	}
	a.closed++
	return agents.Usage{PeakMemory: 1 << 20}, nil
}

// ask returns the action of fishing so many tons.
func ask(tons int) world.Action {
	return world.Action{Name: "fish", Args: world.JSON(map[string]int{"tons": tons})}
}

// asks is the agent that always asks for so many tons.
func asks(tons int) *actor {
	return does(func(context.Context, world.Observation) (world.Action, error) { return ask(tons), nil })
}

func does(do func(context.Context, world.Observation) (world.Action, error)) *actor {
	return &actor{do: do}
}

// inTurn is the agent that asks for 5 tons except in one turn.
func inTurn(turn int, do func(context.Context) (world.Action, error)) *actor {
	return does(func(ctx context.Context, obs world.Observation) (world.Action, error) {
		if obs.Turn == turn {
			return do(ctx)
		}
		return ask(5), nil
	})
}

// sleeps acts so late that only the end of ctx ends it.
func sleeps(ctx context.Context) (world.Action, error) {
	<-ctx.Done()
	return world.Action{}, ctx.Err()
}

// A stage is an episode of the fishery in a folder, not played yet.
type stage struct {
	*Episode
	t      *testing.T
	dir    string
	actors map[string]*actor

	mu    sync.Mutex
	lives []*actor // those that were started by anew
}

// A guarded lake is one whose rules count their steps, and hold only as long as there are so many tons in it.
type guarded struct {
	*fishery.Rules
	least int
}

// guard returns the rules of a guarded lake, of which the source is a number of tons.
func guard(source string) (world.Rules, error) {
	least, err := strconv.Atoi(source)
	if err != nil {
		return nil, err
	}
	rules, err := fishery.New(fishery.Default())
	return guarded{rules, least}, err
}

func (g guarded) Check(st world.State) error {
	var tons int
	if err := st.Get("lake/tons", &tons); err != nil {
		return err
	}
	if tons < g.least {
		return fmt.Errorf("there are only %d tons", tons)
	}
	return g.Rules.Check(st)
}

func (g guarded) Step(st world.State, actions []world.Action) ([]world.Event, error) {
	var steps int
	_ = st.Get("guarded/steps", &steps) // 0 at first
	events, err := g.Rules.Step(st, actions)
	return append(events, world.Event{Kind: "guard", Set: map[string]json.RawMessage{"guarded/steps": world.JSON(steps + 1)}}), err
}

// newStage returns a lake of 100 tons with five agents that ask for 5 tons each, for 4 turns. Nobody is put out but the dead.
func newStage(t *testing.T) *stage {
	t.Helper()
	rules, err := fishery.New(fishery.Default())
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, dir: t.TempDir(), actors: make(map[string]*actor)}
	store, err := world.Open(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	s.Episode = &Episode{
		Game: Game{
			Rules: rules, Revisions: NewRevisions(guard), Schedule: Parallel, Seed: 7, Agents: five, Turns: 4,
			Consequences: Consequences{Timeout: ConsequencePass, Invalid: ConsequencePass, Error: ConsequencePass},
		},
		Dir: s.dir, Store: store, Act: time.Minute, Time: time.Hour, Starts: 2,
	}
	for _, name := range five {
		s.Seats = append(s.Seats, Seat{Name: name})
		s.sit(name, asks(5))
	}
	return s
}

// sit gives a seat to an actor that starts at once.
func (s *stage) sit(name string, a *actor) {
	s.actors[name] = a
	s.starts(name, func(context.Context, Fenced) (agents.Agent, error) { return a, nil })
}

// starts gives a seat to whomever start brings to life.
func (s *stage) starts(name string, start func(context.Context, Fenced) (agents.Agent, error)) {
	s.Seats[slices.Index(five, name)].Start = func(ctx context.Context, fenced Fenced) (agents.Agent, error) {
		agent, err := start(ctx, fenced)
		if err == nil {
			a := s.actors[name]
			a.mu.Lock()
			defer a.mu.Unlock()
			a.started++
		}
		return agent, err
	}
}

// anew gives a seat to an actor, and after each crash to another one.
func (s *stage) anew(name string, next func() *actor) {
	s.actors[name] = does(nil)
	s.Seats[slices.Index(five, name)].Start = func(context.Context, Fenced) (agents.Agent, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		a := next()
		a.started++
		s.lives = append(s.lives, a)
		return a, nil
	}
}

// run plays the episode, which must not fail, and checks that every actor was treated as [agents.Agent] promises.
func (s *stage) run() Outcome {
	s.t.Helper()
	return s.runIn(s.t.Context())
}

func (s *stage) runIn(ctx context.Context) Outcome {
	s.t.Helper()
	out, err := s.Run(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	s.checkActors()
	return out
}

func (s *stage) checkActors() {
	s.t.Helper()
	for _, name := range s.Agents {
		if a := s.actors[name]; a.closed != a.started || a.started > 1 || len(a.faults) > 0 {
			s.t.Errorf("%s was started %d times and closed %d times; %q", name, a.started, a.closed, a.faults)
		}
	}
	for i, a := range s.lives {
		if a.closed != 1 || len(a.faults) > 0 {
			s.t.Errorf("life %d was closed %d times; %q", i, a.closed, a.faults)
		}
	}
}

// events returns the log as it is on the disk.
func (s *stage) events() []world.Event {
	s.t.Helper()
	return readEvents(s.t, s.dir)
}

func readEvents(t *testing.T, dir string) []world.Event {
	t.Helper()
	var all []world.Event
	for ev, err := range world.Events(dir) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, ev)
	}
	return all
}

// of returns the events of one kind about one agent, or about all with "".
func of(events []world.Event, kind, agent string) []world.Event {
	return slices.DeleteFunc(slices.Clone(events), func(ev world.Event) bool {
		return ev.Kind != kind || agent != "" && ev.Agent != agent
	})
}

// verify checks the log in the stage's folder by playing it again.
func (s *stage) verify() Verified {
	s.t.Helper()
	v, err := Verify(s.dir, s.Game)
	if err != nil {
		s.t.Fatalf("verify: %v", err)
	}
	if v.Hash != s.Store.Hash() {
		s.t.Errorf("the verified hash is %s, the store's %s", v.Hash, s.Store.Hash())
	}
	return v
}

// refusals returns why the agent was told, turn by turn, that its last action had no effect.
func (a *actor) refusals() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []string
	for _, obs := range a.seen {
		all = append(all, obs.Refused)
	}
	return all
}

// reasonOf returns the reason in the process facts of an event.
func reasonOf(t *testing.T, ev world.Event) string {
	t.Helper()
	var p proc
	if err := json.Unmarshal(ev.Proc, &p); err != nil {
		t.Fatal(err)
	}
	return p.Reason
}

var _ agents.Agent = (*actor)(nil)
