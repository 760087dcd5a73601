package star

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"go.starlark.net/starlark"

	"github.com/vitrine-sim/vitrine/world"
)

// An opaque value is one of this package that the file can hand on, but neither look into nor change. Other values build on it.
type opaque struct{ kind string }

func (o opaque) String() string        { return "<" + o.kind + ">" }
func (o opaque) Type() string          { return o.kind }
func (o opaque) Freeze()               {}
func (o opaque) Truth() starlark.Bool  { return true }
func (o opaque) Hash() (uint32, error) { return 0, fmt.Errorf("a %s can be no key", o.kind) }

// A made value is what a function of this package returns to the file, to be returned by it.
type made struct {
	opaque
	value any // such as a [world.Event]
}

func newMade(kind string, value any) made { return made{opaque{kind}, value} }

// A state is a [world.State] as the file sees it.
type state struct {
	opaque
	thread *starlark.Thread // of the call for which it is there
	st     world.State
	facts  map[string]starlark.Value // read so far
}

func newState(thread *starlark.Thread, st world.State) *state {
	return &state{opaque{"state"}, thread, st, make(map[string]starlark.Value)}
}

// Get implements [starlark.Mapping]: state[path], and path in state.
func (s *state) Get(key starlark.Value) (v starlark.Value, found bool, err error) {
	path, ok := starlark.AsString(key)
	if !ok {
		return nil, false, fmt.Errorf("a path is a string, not %s", article(key))
	}
	if v, ok := s.facts[path]; ok {
		return v, true, nil
	}
	raw, ok := s.st.Fact(path)
	if !ok {
		return nil, false, &hintedError{fmt.Sprintf("no fact %q in the world", path), nearest(path, s.st.Paths(""))}
	}
	if err := spend(s.thread, len(raw)/8); err != nil {
		return nil, false, err
	}
	if v, err = fromJSON(raw); err != nil {
		return nil, false, fmt.Errorf("fact %q: %w", path, err)
	}
	s.facts[path] = v
	return v, true, nil
}

// AttrNames implements [starlark.HasAttrs].
func (s *state) AttrNames() []string { return []string{"get", "paths", "random", "turn"} }

// Attr implements [starlark.HasAttrs].
func (s *state) Attr(name string) (starlark.Value, error) {
	switch name {
	case "turn":
		return starlark.MakeInt(s.st.Turn), nil
	case "get":
		return method(s, name, s.get), nil
	case "paths":
		return method(s, name, s.paths), nil
	case "random":
		return method(s, name, s.random), nil
	}
	return nil, nil
}

// method returns a method of a value, whose function is called without it.
func method(receiver starlark.Value, name string, fn builtin) starlark.Value {
	return starlark.NewBuiltin(name, fn).BindReceiver(receiver)
}

func (s *state) get(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var path string
	var otherwise starlark.Value = starlark.None
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "path", &path, "default?", &otherwise); err != nil {
		return nil, err
	}
	if _, ok := s.st.Fact(path); !ok {
		return otherwise, nil
	}
	v, _, err := s.Get(starlark.String(path))
	return v, err
}

func (s *state) paths(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var prefix string
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "prefix?", &prefix); err != nil {
		return nil, err
	}
	var list []starlark.Value
	for _, path := range s.st.Paths(prefix) {
		list = append(list, starlark.String(path))
	}
	return starlark.NewList(list), spend(thread, len(list))
}

func (s *state) random(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var stream string
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "stream", &stream); err != nil {
		return nil, err
	}
	return newRandom(s.st.Rand(stream)), nil
}

// A random value is a source of chance as the file sees it.
type random struct {
	opaque
	source *rand.Rand
}

func newRandom(source *rand.Rand) *random { return &random{opaque{"random"}, source} }

// AttrNames implements [starlark.HasAttrs].
func (r *random) AttrNames() []string { return []string{"choice", "float", "int", "range", "shuffle"} }

// Attr implements [starlark.HasAttrs].
func (r *random) Attr(name string) (starlark.Value, error) {
	switch name {
	case "int":
		return method(r, name, r.int), nil
	case "range":
		return method(r, name, r.from), nil
	case "float":
		return method(r, name, r.float), nil
	case "choice":
		return method(r, name, r.choice), nil
	case "shuffle":
		return method(r, name, r.shuffle), nil
	}
	return nil, nil
}

func (r *random) int(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var n int64
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "n", &n); err != nil {
		return nil, err
	}
	if n < 1 || n > maxInt {
		return nil, fmt.Errorf("int: n is %d, want 1 to 2^53", n)
	}
	return starlark.MakeInt64(r.source.Int64N(n)), nil
}

func (r *random) from(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var first, end int64
	if err := starlark.UnpackArgs("range", args, kwargs, "start", &first, "stop", &end); err != nil {
		return nil, err
	}
	if first < -maxInt || end > maxInt || first >= end {
		return nil, fmt.Errorf("range: no whole number from %d to below %d, or one beyond 2^53", first, end)
	}
	return starlark.MakeInt64(first + r.source.Int64N(end-first)), nil
}

func (r *random) float(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if err := starlark.UnpackArgs("float", args, kwargs); err != nil {
		return nil, err
	}
	return starlark.Float(r.source.Float64()), nil
}

func (r *random) choice(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var list starlark.Indexable
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "list", &list); err != nil {
		return nil, err
	}
	if list.Len() == 0 {
		return nil, fmt.Errorf("choice: the list is empty")
	}
	return list.Index(r.source.IntN(list.Len())), nil
}

func (r *random) shuffle(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var list starlark.Iterable
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "list", &list); err != nil {
		return nil, err
	}
	all := slices.Collect(starlark.Elements(list))
	r.source.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return starlark.NewList(all), nil
}

// rounded returns a function of the file that makes a number of a number.
func rounded(f func(float64) float64) builtin {
	return func(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		var x starlark.Value
		if err := starlark.UnpackArgs(b.Name(), args, kwargs, "x", &x); err != nil {
			return nil, err
		}
		if _, ok := x.(starlark.Int); ok && b.Name() != "sqrt" {
			return x, nil
		}
		n, ok := starlark.AsFloat(x)
		if !ok {
			return nil, fmt.Errorf("%s: %s is no number", b.Name(), article(x))
		}
		n = f(n)
		if b.Name() == "sqrt" {
			if math.IsNaN(n) {
				return nil, fmt.Errorf("sqrt: %v has none", x)
			}
			return starlark.Float(n), nil
		}
		return starlark.NumberToInt(starlark.Float(n))
	}
}
