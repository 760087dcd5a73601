package conform

import (
	"fmt"
	"iter"
	"math/bits"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

// A call is one that the rules were asked.
type call struct {
	name    string
	seed    uint64
	turn    int // -1: before the first
	agent   string
	actions []world.Action
	begun   time.Time
	over    atomic.Bool // it has returned
}

// A panicError is a panic of the rules.
type panicError struct {
	value any
	at    string // file:line, if that is known
}

func (p *panicError) Error() string {
	if p.at == "" {
		return fmt.Sprintf("the rules panic: %v", p.value)
	}
	return fmt.Sprintf("the rules panic at %s: %v", p.at, p.value)
}

// A Concealer is rules that say what they keep from whom, so that it can be seen whether they do.
type Concealer interface {
	// Hidden returns the paths of the facts that an agent must not learn anything of in st: another value of one of them changes
	// nothing of what it observes, and nothing of the reasons for which it is refused.
	Hidden(st world.State, agent string) ([]string, error)
}

// ruled is all that rules can be asked.
type ruled interface {
	world.Rules
	world.Checker
	Concealer
}

// A guarded value is rules whose panics are errors, and whose last call is known.
type guarded struct {
	b       *bench
	subject Subject
}

// begin notes a call. The seed is that of the state; a state without one has that of the call before.
func (g guarded) begin(name string, st world.State, agent string, actions []world.Action) {
	c := &call{name: name, seed: g.b.now.Load().seed, turn: st.Turn, agent: agent, actions: actions, begun: time.Now()}
	var seed uint64
	if st.Get(world.SeedFact, &seed) == nil {
		c.seed = seed
	}
	g.b.now.Store(c)
}

// edge makes a panic an error. It is deferred around every call of the rules.
func (g guarded) edge(err *error) {
	value := recover()
	g.b.now.Load().over.Store(true)
	if value == nil {
		return
	}
	panicked := &panicError{value: value}
	callers := make([]uintptr, 32)
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers)])
	for {
		frame, more := frames.Next()
		if !strings.HasPrefix(frame.Function, "runtime.") && frame.File != "" {
			panicked.at = fmt.Sprintf("%s:%d", frame.File[strings.LastIndexByte(frame.File, '/')+1:], frame.Line)
			break
		}
		if !more {
			break
		}
	}
	*err = panicked
}

// Reset implements [world.Rules].
func (g guarded) Reset(seed uint64, agents []string) (events []world.Event, err error) {
	defer g.edge(&err)
	g.b.now.Store(&call{name: "reset", seed: seed, turn: -1, begun: time.Now()})
	return g.subject.Rules.Reset(seed, agents)
}

// Observe implements [world.Rules].
func (g guarded) Observe(st world.State, agent string) (obs world.Observation, err error) {
	defer g.edge(&err)
	g.begin("observe", st, agent, nil)
	return g.subject.Rules.Observe(st, agent)
}

// Step implements [world.Rules].
func (g guarded) Step(st world.State, actions []world.Action) (events []world.Event, err error) {
	defer g.edge(&err)
	g.begin("step", st, "", actions)
	g.b.actions.Add(int64(len(actions)))
	return g.subject.Rules.Step(st, actions)
}

// Check implements [world.Checker]; rules without one find every state possible.
func (g guarded) Check(st world.State) (err error) {
	defer g.edge(&err)
	g.begin("check", st, "", nil)
	if rules, ok := g.subject.Rules.(world.Checker); ok {
		return rules.Check(st)
	}
	return nil
}

// Hidden implements [Concealer]; rules without one hide nothing.
func (g guarded) Hidden(st world.State, agent string) (paths []string, err error) {
	defer g.edge(&err)
	g.begin("hidden", st, agent, nil)
	if rules, ok := g.subject.Rules.(Concealer); ok {
		return rules.Hidden(st, agent)
	}
	return nil, nil
}

func (g guarded) measure(events iter.Seq2[world.Event, error]) (values map[string]float64, err error) {
	defer g.edge(&err)
	g.begin("measure", world.State{Turn: -1}, "", nil)
	return g.subject.Measure(events)
}

// An alternating value of rules is one that answers half of the calls with another one.
type alternating struct {
	ruled
	other ruled
	calls *int
}

func (a alternating) turn() ruled {
	if *a.calls++; bits.OnesCount(uint(*a.calls))%2 == 0 { // no pattern that the order of agents could keep step with
		return a.other
	}
	return a.ruled
}

// Observe implements [world.Rules].
func (a alternating) Observe(st world.State, agent string) (world.Observation, error) {
	return a.turn().Observe(st, agent)
}

// Step implements [world.Rules].
func (a alternating) Step(st world.State, actions []world.Action) ([]world.Event, error) {
	return a.turn().Step(st, actions)
}

// A distracted value of rules begins and plays another episode before each call.
type distracted struct{ ruled }

func (d distracted) distract() {
	agents := []string{"stranger"}
	events, err := d.ruled.Reset(99, agents)
	if err != nil {
		return // rules for more agents than one
	}
	st := world.State{}.Apply(events...)
	if obs, err := d.ruled.Observe(st, agents[0]); err == nil {
		_, _ = d.ruled.Step(st, []world.Action{world.RandomAction(obs, world.NewRand(99, 0, ""))})
	}
}

// Observe implements [world.Rules].
func (d distracted) Observe(st world.State, agent string) (world.Observation, error) {
	d.distract()
	return d.ruled.Observe(st, agent)
}

// Step implements [world.Rules].
func (d distracted) Step(st world.State, actions []world.Action) ([]world.Event, error) {
	d.distract()
	return d.ruled.Step(st, actions)
}
