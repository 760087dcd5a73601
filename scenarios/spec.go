package scenarios

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"
)

// A spec is what the tags of a field say of its value.
type spec struct {
	required, open, optional, reserved bool
	min, max, or                       string
	enum                               []string
	pattern, hint                      string
	def, doc, short                    string
}

// specOf reads the tags of a field.
func specOf(tag reflect.StructTag) spec {
	s := spec{
		required: tag.Get("required") == "true", open: tag.Get("open") == "true", optional: tag.Get("optional") == "true", reserved: tag.Get("reserved") == "true",
		min: tag.Get("min"), max: tag.Get("max"), or: tag.Get("or"),
		pattern: tag.Get("pattern"), hint: tag.Get("hint"),
		def: tag.Get("default"), doc: tag.Get("doc"), short: tag.Get("short"),
	}
	if enum := tag.Get("enum"); enum != "" {
		s.enum = strings.Split(enum, ",")
	}
	return s
}

// help returns the hint for whoever got a value wrong; where there is none, what the value is by default, which v holds if no tag says it.
func (s spec) help(v reflect.Value) string {
	switch {
	case s.hint != "":
		return s.hint
	case s.def != "":
		return "the default is " + s.def
	case !v.IsZero():
		return fmt.Sprintf("the default is %v", v.Interface())
	}
	return ""
}

// outside says what x should be if it is outside of the spec's bounds, and is empty otherwise.
func outside[T cmp.Ordered](x T, spec spec, parse func(string) (T, error)) string {
	low, hasLow := bound(spec.min, parse)
	high, hasHigh := bound(spec.max, parse)
	or, hasOr := bound(spec.or, parse)
	if (!hasLow || x >= low) && (!hasHigh || x <= high) || hasOr && x == or {
		return ""
	}
	var want string
	if hasOr {
		want = spec.or + " or "
	}
	if x < low && hasLow {
		return want + "at least " + spec.min
	}
	return want + "at most " + spec.max
}

// bound parses a bound, if there is one.
func bound[T any](s string, parse func(string) (T, error)) (T, bool) {
	if s == "" {
		var none T
		return none, false
	}
	b, err := parse(s)
	if err != nil {
		panic(fmt.Sprintf("internal error: the tag %q is no %T", s, b))
	}
	return b, true
}
