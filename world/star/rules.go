package star

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"go.starlark.net/starlark"

	"github.com/vitrine-sim/vitrine/world"
)

// Rules are the law of a world as a file says it. They implement [world.Rules] and [world.Checker]. They can be asked from several goroutines.
// What goes wrong in the file is an [*Error].
type Rules struct {
	file   string
	budget uint64         // steps of a call
	given  map[string]any // parameters from outside
	params map[string]any // all parameters

	simultaneous bool // all must act in one step

	reset, observe, step *starlark.Function
	check, hidden        *starlark.Function // may be nil, as may the next one
	measure              *starlark.Function
	policies             map[string]*starlark.Function
	metrics              []world.Metric
}

// Params returns the parameters of the rules by name: bools, int64s, float64s and strings.
func (r *Rules) Params() map[string]any { return maps.Clone(r.params) }

// Simultaneous says whether all that is done in a turn must be done in one step, for the rules to be right.
func (r *Rules) Simultaneous() bool { return r.simultaneous }

// Place returns the line and the column at which the file defines a function of rules, such as "step"; 0 if there is none of that name.
func (r *Rules) Place(function string) (line, col int) {
	fn := map[string]*starlark.Function{
		resetName: r.reset, observeName: r.observe, stepName: r.step, checkName: r.check, hiddenName: r.hidden, measureName: r.measure,
	}[function]
	if fn == nil {
		return 0, 0
	}
	return int(fn.Position().Line), int(fn.Position().Col)
}

// call calls a function of the file, and take with what it returns.
func (r *Rules) call(thread *starlark.Thread, fn *starlark.Function, take func(starlark.Value) error, args ...starlark.Value) error {
	for _, arg := range args {
		arg.Freeze()
	}
	v, err := starlark.Call(thread, fn, args, nil)
	if err != nil {
		return r.failed(thread, err)
	}
	if err := take(v); err != nil {
		e := mistake(fn.Position(), fn.Name()+": "+err.Error())
		var hinted *hintedError
		if errors.As(err, &hinted) {
			e.Hint = hinted.hint
		}
		return e
	}
	return nil
}

// Reset implements [world.Rules]. The source of chance that the file gets is that of the stream "reset".
func (r *Rules) Reset(seed uint64, agents []string) ([]world.Event, error) {
	thread, done := newThread(r.budget)
	defer done()
	var events []world.Event
	names := make([]starlark.Value, len(agents))
	for i, name := range agents {
		names[i] = starlark.String(name)
	}
	take := func(v starlark.Value) (err error) {
		events, err = takeEvents(v, events)
		return err
	}
	err := r.call(thread, r.reset, take, starlark.NewList(names), newRandom(world.NewRand(seed, 0, resetName)))
	return events, err
}

// takeEvents adds what a function returned to events.
func takeEvents(v starlark.Value, events []world.Event) ([]world.Event, error) {
	list, ok := v.(*starlark.List)
	if !ok {
		return nil, fmt.Errorf("it returns %s, want a list of events", article(v))
	}
	if list.Len() > maxEvents {
		return nil, fmt.Errorf("it returns %d events; the most are %d", list.Len(), maxEvents)
	}
	for v := range starlark.Elements(list) {
		m, _ := v.(made)
		ev, ok := m.value.(world.Event)
		if !ok {
			return nil, &hintedError{fmt.Sprintf("it returns a list with %s, want events", article(v)), `write event("kind", ...) or refuse(action, "why")`}
		}
		events = append(events, ev)
	}
	return events, nil
}

// Observe implements [world.Rules].
func (r *Rules) Observe(st world.State, agent string) (world.Observation, error) {
	o, err := r.look(st, agent)
	if err != nil {
		return world.Observation{}, err
	}
	if o == nil {
		e := mistake(r.observe.Position(), fmt.Sprintf("no agent %q in this world: observe returns None for it", agent))
		e.Hint = "reset gets the names of all who play"
		return world.Observation{}, e
	}
	return o.obs, nil
}

// look returns what an agent sees; nil for one that does not play.
func (r *Rules) look(st world.State, agent string) (*observed, error) {
	thread, done := newThread(r.budget)
	defer done()
	var seen *observed
	take := func(v starlark.Value) error {
		if v == starlark.None {
			return nil
		}
		m, _ := v.(made)
		o, ok := m.value.(observed)
		if !ok {
			return &hintedError{fmt.Sprintf("it returns %s, want an observation", article(v)), "write observation(view, actions, reward), or return None for somebody who does not play"}
		}
		o.obs.Agent, o.obs.Turn = agent, st.Turn
		seen = &o
		return nil
	}
	return seen, r.call(thread, r.observe, take, newState(thread, st), starlark.String(agent))
}

// Step implements [world.Rules]. What an agent was not offered in its observation is refused here, and comes first; passes do nothing. The file
// gets the rest; if there is none and the rules are simultaneous, nothing follows.
func (r *Rules) Step(st world.State, actions []world.Action) ([]world.Event, error) {
	var events []world.Event
	var legal []starlark.Value
	for _, asked := range actions {
		if asked.Name == world.Pass {
			continue
		}
		reason, err := r.refuses(st, asked)
		if err != nil {
			return nil, err
		}
		if reason != "" {
			events = append(events, asked.Refuse(reason))
			continue
		}
		v, err := newActed(asked)
		if err != nil {
			return nil, err
		}
		legal = append(legal, v)
	}
	if len(legal) == 0 && r.simultaneous {
		return events, nil
	}
	thread, done := newThread(r.budget)
	defer done()
	take := func(v starlark.Value) (err error) {
		events, err = takeEvents(v, events)
		return err
	}
	err := r.call(thread, r.step, take, newState(thread, st), starlark.NewList(legal))
	return events, err
}

// refuses says why an action is none of those that its agent is offered; empty if it is.
func (r *Rules) refuses(st world.State, a world.Action) (string, error) {
	o, err := r.look(st, a.Agent)
	if err != nil {
		return "", err
	}
	if o == nil {
		return fmt.Sprintf("no agent %.40q in this world", a.Agent), nil
	}
	var names []string
	for _, offered := range o.offers {
		if offered.spec.Name == a.Name {
			return offered.refuses(a.Args), nil
		}
		names = append(names, offered.spec.Name)
	}
	if len(names) == 0 {
		return "there is nothing that you may do now", nil
	}
	return fmt.Sprintf("there is no action %.40q now; there is %s", a.Name, strings.Join(names, ", ")), nil
}

// Check implements [world.Checker].
func (r *Rules) Check(st world.State) error {
	if r.check == nil {
		return nil
	}
	thread, done := newThread(r.budget)
	defer done()
	var why error
	take := func(v starlark.Value) error {
		reason, ok := starlark.AsString(v)
		if !ok && v != starlark.None {
			return fmt.Errorf("it returns %s, want None or why not", article(v))
		}
		if ok {
			why = errors.New(reason)
		}
		return nil
	}
	if err := r.call(thread, r.check, take, newState(thread, st)); err != nil {
		return err
	}
	return why
}

// Hidden returns the paths of the facts of which an agent must not learn anything, as far as the file says it.
func (r *Rules) Hidden(st world.State, agent string) ([]string, error) {
	if r.hidden == nil {
		return nil, nil
	}
	thread, done := newThread(r.budget)
	defer done()
	var paths []string
	take := func(v starlark.Value) error {
		list, ok := v.(*starlark.List)
		if !ok {
			return fmt.Errorf("it returns %s, want a list of the paths of facts", article(v))
		}
		for v := range starlark.Elements(list) {
			path, ok := starlark.AsString(v)
			if !ok {
				return fmt.Errorf("it returns a list with %s, want the paths of facts", article(v))
			}
			paths = append(paths, path)
		}
		return nil
	}
	return paths, r.call(thread, r.hidden, take, newState(thread, st), starlark.String(agent))
}
