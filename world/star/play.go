package star

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"

	"go.starlark.net/starlark"

	"github.com/vitrine-sim/vitrine/world"
)

// Policies returns the players that the file defines, by name. One that fails asks for an action that no rules have, whose name is the error; so the
// refusal of it shows what went wrong.
func (r *Rules) Policies() map[string]world.Policy {
	all := make(map[string]world.Policy)
	for name, fn := range r.policies {
		all[name] = func(obs world.Observation, random *rand.Rand) world.Action {
			act, err := r.decide(fn, obs, random)
			if err != nil {
				act = world.Action{Name: err.Error()}
			}
			act.Agent = obs.Agent
			return act
		}
	}
	return all
}

// decide returns what a policy does.
func (r *Rules) decide(fn *starlark.Function, obs world.Observation, random *rand.Rand) (world.Action, error) {
	act := world.Action{Name: world.Pass}
	seen, err := newSeen(obs)
	if err != nil {
		return act, err
	}
	thread, done := newThread(r.budget)
	defer done()
	take := func(v starlark.Value) error {
		m, _ := v.(made)
		does, ok := m.value.(world.Action)
		if !ok && v != starlark.None {
			return fmt.Errorf("it returns %s, want act(name, ...) or None to pass", article(v))
		}
		if ok {
			act = does
		}
		return nil
	}
	return act, r.call(thread, fn, take, seen, newRandom(random))
}

// Metrics returns what [Rules.Measure] computes.
func (r *Rules) Metrics() []world.Metric { return slices.Clone(r.metrics) }

// Measure computes the [Rules.Metrics] of an episode from the events of its log, in their order. It holds one of them at a time. An error
// from the sequence is passed on.
func (r *Rules) Measure(events iter.Seq2[world.Event, error]) (map[string]float64, error) {
	values := make(map[string]float64)
	if r.measure == nil {
		return values, nil
	}
	thread, done := newThread(r.budget)
	defer done()
	next, stop := iter.Pull2(events)
	defer stop()
	log := &eventLog{opaque: opaque{"events"}, thread: thread, next: next}
	err := r.call(thread, r.measure, func(v starlark.Value) error { return r.takeMetrics(v, values) }, log)
	switch {
	case log.err != nil:
		return nil, log.err
	case log.again:
		return nil, mistake(r.measure.Position(), "measure: the events can be gone through only once")
	}
	return values, err
}

// takeMetrics reads the values of the metrics from a dict.
func (r *Rules) takeMetrics(v starlark.Value, values map[string]float64) error {
	dict, ok := v.(*starlark.Dict)
	if !ok {
		return fmt.Errorf("it returns %s, want a dict with the metrics", article(v))
	}
	for _, m := range r.metrics {
		v, found, _ := dict.Get(starlark.String(m.Name))
		f, ok := starlark.AsFloat(v)
		if !found || !ok || !finite(f) {
			return fmt.Errorf("it returns no finite number %q", m.Name)
		}
		values[m.Name] = f
	}
	if dict.Len() != len(r.metrics) {
		return fmt.Errorf("it returns %v, of which metrics has only %d", starlark.NewList(dict.Keys()), len(r.metrics))
	}
	return nil
}

// An eventLog is the events of a log as the file goes through them: once.
type eventLog struct {
	opaque
	thread *starlark.Thread
	next   func() (world.Event, error, bool)
	err    error // of reading them
	begun  bool  // somebody goes through them
	again  bool  // and has come again
}

// Iterate implements [starlark.Iterable].
func (l *eventLog) Iterate() starlark.Iterator {
	l.begun, l.again = true, l.begun
	return l
}

// Next implements [starlark.Iterator]. Each event has the budget of a call of its own.
func (l *eventLog) Next(v *starlark.Value) bool {
	ev, err, ok := l.next()
	if !ok || err != nil {
		l.err = err
		return false
	}
	refill(l.thread)
	*v = newHappened(ev)
	return true
}

// Done implements [starlark.Iterator].
func (l *eventLog) Done() {}
