package star

import (
	"cmp"
	"fmt"
	"math/bits"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// admit makes an operation pay, and refuses one that would make too much.
func admit(thread *starlark.Thread, op syntax.Token, x, y starlark.Value) error {
	if err := cmp.Or(smallInt(x), smallInt(y)); err != nil {
		return err
	}
	xText, xIsText := starlark.AsString(x)
	yText, yIsText := starlark.AsString(y)
	switch op {
	case syntax.EQL, syntax.NEQ, syntax.LT, syntax.LE, syntax.GT, syntax.GE:
		if starlark.Len(x) < 0 || starlark.Len(y) < 0 {
			return nil // one of them is a single value
		}
		return walk(thread, x)
	case syntax.IN, syntax.NOT_IN:
		if _, ok := y.(starlark.Mapping); ok {
			return nil
		}
		return walk(thread, y)
	case syntax.PLUS:
		if xIsText && yIsText {
			return makeText(thread, len(xText)+len(yText))
		}
		return spend(thread, size(x)+size(y))
	case syntax.STAR:
		if xIsText || yIsText {
			return makeText(thread, times(len(xText)+len(yText), x, y))
		}
		return spend(thread, times(size(x)+size(y), x, y))
	case syntax.PERCENT:
		if !xIsText {
			return nil
		}
		n, err := textSize(thread, y)
		if err != nil {
			return err
		}
		return makeText(thread, len(xText)+(1+strings.Count(xText, "%"))*n)
	}
	return spend(thread, size(x)+size(y))
}

// times returns n times the whole number among the factors x and y, or, where that is far too much, something that is too.
func times(n int, x, y starlark.Value) int {
	for _, factor := range []starlark.Value{x, y} {
		if i, ok := factor.(starlark.Int); ok {
			many, ok := i.Int64()
			if !ok {
				many = int64(i.Sign()) << 30
			}
			return n * int(max(0, min(many, 1<<30)))
		}
	}
	return n
}

func smallInt(x starlark.Value) error {
	i, ok := x.(starlark.Int)
	if !ok {
		return nil
	}
	if _, ok := i.Int64(); ok || i.BigInt().BitLen() <= maxBits {
		return nil
	}
	return fmt.Errorf("a whole number has at most %d bits", maxBits)
}

// admitCall makes a call of a builtin function pay, and refuses one that would make too much.
func admitCall(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) error {
	given := args
	if b.Receiver() != nil {
		given = append(starlark.Tuple{b.Receiver()}, args...)
	}
	switch b.Name() {
	case "append", "get", "pop", "setdefault", "len", "type", "bool", "abs", "float", "range", "hasattr", "getattr", "startswith", "endswith", "choice":
		return nil // at once, whatever they are given
	case "sorted":
		before := thread.ExecutionSteps()
		if err := walk(thread, given); err != nil || len(given) == 0 {
			return err
		}
		return spend(thread, int(thread.ExecutionSteps()-before)*bits.Len(uint(size(given[0]))))
	case "min", "max", "index", "remove", "zip", "enumerate", "tuple", "dict", "update":
		return walk(thread, given) // they compare, or make tuples, or keys
	case "str", "repr", "fail":
		n, err := textSize(thread, given)
		if err != nil {
			return err
		}
		return makeText(thread, n)
	case "join":
		n, err := textSize(thread, args)
		if sep, _ := starlark.AsString(b.Receiver()); err == nil && len(args) > 0 {
			n += len(sep) * max(0, starlark.Len(args[0]))
		}
		return cmp.Or(err, makeText(thread, n))
	case "format":
		text, _ := starlark.AsString(b.Receiver())
		n, err := textSize(thread, args)
		for _, kwarg := range kwargs {
			more, moreErr := textSize(thread, kwarg[1])
			n, err = n+more, cmp.Or(err, moreErr)
		}
		return cmp.Or(err, makeText(thread, len(text)+(1+strings.Count(text, "{"))*n))
	case "replace":
		text, _ := starlark.AsString(b.Receiver())
		n := len(text)
		if len(args) > 1 {
			old, _ := starlark.AsString(args[0])
			by, _ := starlark.AsString(args[1])
			n += strings.Count(text, old) * len(by)
		}
		return makeText(thread, n)
	}
	cost := 0
	for _, x := range given {
		cost += size(x)
	}
	return spend(thread, cost)
}

// makeText makes a text of n bytes be paid for. It is an error if that is too long.
func makeText(thread *starlark.Thread, n int) error {
	if n > maxText {
		return fmt.Errorf("a text of %d bytes; the longest is %d", n, maxText)
	}
	return spend(thread, n/8)
}

// size returns what it costs to go through a value, but not through those in it.
func size(x starlark.Value) int {
	if text, ok := starlark.AsString(x); ok {
		return len(text) / 8
	}
	return max(0, starlark.Len(x))
}

// walk makes it be paid for that somebody goes through a value and all that is in it.
func walk(thread *starlark.Thread, x starlark.Value) error {
	return visit(thread, x, 0, func(starlark.Value) error { return nil })
}

// textSize returns about how long a value is as text, and makes it be paid for.
func textSize(thread *starlark.Thread, x starlark.Value) (int, error) {
	n := 0
	err := visit(thread, x, 0, func(x starlark.Value) error {
		switch x := x.(type) {
		case starlark.String:
			n += len(x) + 4
		case starlark.Int:
			n += x.BigInt().BitLen()/3 + 4
		case starlark.Sequence:
			n += 4
		default:
			n += 24
		}
		if n > maxText {
			return fmt.Errorf("a text of more than %d bytes", maxText)
		}
		return nil
	})
	return n, err
}

// visit calls do for a value and for all that is in it, each of which has to be paid for.
func visit(thread *starlark.Thread, x starlark.Value, depth int, do func(starlark.Value) error) error {
	if depth > maxDepth {
		return fmt.Errorf("values are nested deeper than %d, or in themselves", maxDepth)
	}
	cost := 1
	if text, ok := starlark.AsString(x); ok {
		cost += len(text) / 8
	}
	if err := cmp.Or(spend(thread, cost), do(x)); err != nil {
		return err
	}
	switch x := x.(type) {
	case starlark.IterableMapping:
		for _, item := range x.Items() {
			for _, part := range item {
				if err := visit(thread, part, depth+1, do); err != nil {
					return err
				}
			}
		}
	case starlark.Sequence:
		iter := x.Iterate()
		defer iter.Done()
		for entry := starlark.Value(nil); iter.Next(&entry); {
			if err := visit(thread, entry, depth+1, do); err != nil {
				return err
			}
		}
	}
	return nil
}

// tupleSize returns how many values are in a tuple and in the tuples in it, but no more than a little over most.
func tupleSize(t starlark.Tuple, most int) int {
	n := len(t)
	for _, x := range t {
		if inner, ok := x.(starlark.Tuple); ok && n <= most {
			n += tupleSize(inner, most-n)
		}
	}
	return n
}
