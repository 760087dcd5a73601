package star

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// What one call of the file may take. A step is one of the interpreter's; whoever makes values or goes through them pays one more for each
// value and for each 8 bytes of text. So the budget bounds memory too, and it ends a call at the same place on every machine.
const (
	callSteps  = 10_000_000
	maxText    = 1 << 16     // bytes of a text that an operator or a function makes
	maxBits    = 1024        // of a whole number that goes on in an operator
	maxDepth   = 100         // of lists and dicts in each other
	maxRange   = 1_000_000   // numbers in a range
	maxEvents  = 100_000     // events of a step
	maxActions = 1000        // actions in an observation
	maxTuple   = 1000        // values in a tuple, with those in the tuples in it
	callTime   = time.Minute // far more than the steps take; no call should come to it
)

// A meter is the budget of a thread.
type meter struct {
	budget uint64 // steps of a call
	end    uint64 // steps of the thread at which the budget is used up
	timer  *time.Timer
}

const meterLocal = "meter" // by which a thread carries its meter

// newThread returns a thread for one call of the file, and what to do when it is over.
func newThread(budget uint64) (thread *starlark.Thread, done func()) {
	thread = &starlark.Thread{Name: "rules"}
	timer := time.AfterFunc(callTime, func() { thread.Cancel(fmt.Sprintf("this took more than %v", callTime)) })
	thread.SetLocal(meterLocal, &meter{budget: budget, timer: timer})
	refill(thread)
	return thread, func() { timer.Stop() }
}

func meterOf(thread *starlark.Thread) *meter { return thread.Local(meterLocal).(*meter) }

// refill gives a thread the budget of a new call.
func refill(thread *starlark.Thread) {
	m := meterOf(thread)
	m.end = thread.ExecutionSteps() + m.budget
	m.timer.Reset(callTime)
	thread.SetMaxExecutionSteps(m.end)
}

// spend takes steps from the budget of a thread.
func spend(thread *starlark.Thread, steps int) error {
	thread.Steps += uint64(steps)
	if thread.Steps >= meterOf(thread).end {
		return errors.New("over the budget") // which Rules.failed puts into words
	}
	return nil
}

// A builtin is a function of this package as the file calls it.
type builtin = func(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error)

// guards returns the guards by their names; see guard.
func guards() starlark.StringDict {
	all := starlark.StringDict{
		guardCall: starlark.NewBuiltin("call", guardedCall),
		guardSlice: starlark.NewBuiltin("slice", func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
			return args[0], spend(thread, size(args[0]))
		}),
		guardTuple: starlark.NewBuiltin("tuple", func(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
			if tupleSize(args[0].(starlark.Tuple), maxTuple) > maxTuple {
				return nil, fmt.Errorf("a tuple holds at most %d values, with those in the tuples in it", maxTuple)
			}
			return args[0], nil
		}),
	}
	for op := syntax.PLUS; op <= syntax.GTGT; op++ {
		all[op.String()] = starlark.NewBuiltin(op.String(), operator(op))
		assigning := (op - syntax.PLUS + syntax.PLUS_EQ).String()
		all[assigning] = starlark.NewBuiltin(assigning, inPlace(op))
		all[guardEntry+assigning] = starlark.NewBuiltin(assigning, inEntry(op))
	}
	for _, op := range []syntax.Token{syntax.EQL, syntax.NEQ, syntax.LT, syntax.LE, syntax.GT, syntax.GE, syntax.IN, syntax.NOT_IN} {
		all[op.String()] = starlark.NewBuiltin(op.String(), operator(op))
	}
	return all
}

// operator returns the guard of an operator with two operands.
func operator(op syntax.Token) builtin {
	return func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		return operate(thread, op, args[0], args[1])
	}
}

func operate(thread *starlark.Thread, op syntax.Token, x, y starlark.Value) (starlark.Value, error) {
	if err := admit(thread, op, x, y); err != nil {
		return nil, err
	}
	switch op {
	case syntax.EQL, syntax.NEQ, syntax.LT, syntax.LE, syntax.GT, syntax.GE:
		ok, err := starlark.Compare(op, x, y)
		return starlark.Bool(ok), err
	case syntax.NOT_IN:
		found, err := starlark.Binary(syntax.IN, x, y)
		if err != nil {
			return nil, err
		}
		return !found.Truth(), nil
	}
	return starlark.Binary(op, x, y)
}

// inPlace returns the guard of an operator like +=, which changes a list or a dict and makes something new of all else.
func inPlace(op syntax.Token) builtin {
	return func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		return operateInPlace(thread, op, args[0], args[1])
	}
}

func operateInPlace(thread *starlark.Thread, op syntax.Token, x, y starlark.Value) (starlark.Value, error) {
	var method starlark.Value
	_, iterable := y.(starlark.Iterable)
	if list, ok := x.(*starlark.List); ok && op == syntax.PLUS && iterable {
		method, _ = list.Attr("extend")
	}
	if dict, ok := x.(*starlark.Dict); ok && op == syntax.PIPE {
		method, _ = dict.Attr("update")
	}
	if method == nil {
		return operate(thread, op, x, y)
	}
	if err := spend(thread, size(y)); err != nil {
		return nil, err
	}
	if list, ok := y.(*starlark.List); ok && y == x { // which cannot be gone through while it grows
		y = starlark.Tuple(slices.Collect(list.Elements()))
	}
	_, err := starlark.Call(thread, method, starlark.Tuple{y}, nil)
	return x, err
}

// inEntry returns the guard of an operator like += for an entry of a list or a dict.
func inEntry(op syntax.Token) builtin {
	return func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		switch x := args[0].(type) {
		case *starlark.Dict:
			old, found, err := x.Get(args[1])
			if err == nil && !found {
				err = fmt.Errorf("key %v not in dict", args[1])
			}
			if err != nil {
				return nil, err
			}
			v, err := operateInPlace(thread, op, old, args[2])
			if err != nil {
				return nil, err
			}
			return starlark.None, x.SetKey(args[1], v)
		case *starlark.List:
			i, err := starlark.AsInt32(args[1])
			if err != nil {
				return nil, fmt.Errorf("list index: %w", err)
			}
			if i < 0 {
				i += x.Len()
			}
			if i < 0 || i >= x.Len() {
				return nil, fmt.Errorf("list index %v out of range [%d:%d]", args[1], -x.Len(), x.Len())
			}
			v, err := operateInPlace(thread, op, x.Index(i), args[2])
			if err != nil {
				return nil, err
			}
			return starlark.None, x.SetIndex(i, v)
		}
		return nil, fmt.Errorf("the entries of a %s cannot be changed", args[0].Type())
	}
}

// guardedCall calls its first argument with the others.
func guardedCall(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	fn, args := args[0], args[1:]
	if err := spend(thread, len(args)+len(kwargs)); err != nil {
		return nil, err
	}
	b, ok := fn.(*starlark.Builtin)
	if !ok {
		return starlark.Call(thread, fn, args, kwargs)
	}
	for i, kwarg := range kwargs {
		if key, ok := kwarg[1].(starlark.Callable); ok && kwarg[0] == starlark.String("key") && len(args) > 0 {
			kwargs[i] = starlark.Tuple{kwarg[0], paidKey(key, starlark.Len(args[0]))}
		}
	}
	if err := admitCall(thread, b, args, kwargs); err != nil {
		return nil, fmt.Errorf("%s: %w", b.Name(), err)
	}
	result, err := starlark.Call(thread, fn, args, kwargs)
	if err == nil && b.Name() == "range" && starlark.Len(result) > maxRange {
		return nil, fmt.Errorf("range: at most %d numbers", maxRange)
	}
	return result, err
}

// paidKey returns a function that does as key does, and makes it be paid for that its results are compared by a function that sorts n values.
func paidKey(key starlark.Callable, n int) starlark.Callable {
	return starlark.NewBuiltin(key.Name(), func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		result, err := guardedCall(thread, nil, append(starlark.Tuple{key}, args...), kwargs)
		if err != nil {
			return nil, err
		}
		before := thread.ExecutionSteps()
		if err := walk(thread, result); err != nil {
			return nil, err
		}
		return result, spend(thread, int(thread.ExecutionSteps()-before)*bits.Len(uint(max(0, n))))
	})
}
