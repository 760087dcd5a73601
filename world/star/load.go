package star

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/vitrine-sim/vitrine/world"
)

const maxSource = 1 << 18 // bytes of a file

// Names of what the file defines.
const (
	paramsName       = "params"
	simultaneousName = "simultaneous"
	resetName        = "reset"
	observeName      = "observe"
	stepName         = "step"
	checkName        = "check"
	hiddenName       = "hidden"
	policiesName     = "policies"
	metricsName      = "metrics"
	measureName      = "measure"
)

// Load compiles the rules in source, whose name in messages is file. The values in params, which are bools, int64s, float64s and strings, take the
// place of those that the file gives its parameters. An error is [Errors].
func Load(file string, source []byte, params map[string]any) (*Rules, error) {
	return load(file, source, params, callSteps)
}

func load(file string, source []byte, params map[string]any, budget uint64) (*Rules, error) {
	r := &Rules{file: file, budget: budget, given: params, params: make(map[string]any)}
	start := syntax.MakePosition(&r.file, 1, 1)
	switch {
	case len(source) > maxSource:
		return nil, Errors{mistake(start, fmt.Sprintf("file is larger than %d bytes", maxSource))}
	case !utf8.Valid(source):
		return nil, Errors{mistake(start, "file is not UTF-8")}
	}
	options := &syntax.FileOptions{TopLevelControl: true}
	parsed, err := options.Parse(file, source, 0)
	if err != nil {
		return nil, unread(err, nil)
	}
	if errs := guard(parsed); errs != nil {
		return nil, errs
	}
	predeclared := r.predeclared()
	program, err := starlark.FileProgram(parsed, predeclared.Has)
	if err != nil {
		return nil, unread(err, append(predeclared.Keys(), starlark.Universe.Keys()...))
	}
	thread, done := newThread(budget)
	defer done()
	globals, err := program.Init(thread, predeclared)
	if err != nil {
		return nil, Errors{r.failed(thread, err)}
	}
	globals.Freeze()
	d := &defined{rules: r, globals: globals, places: places(parsed)}
	d.define()
	if len(d.errs) > 0 {
		return nil, d.errs
	}
	return r, nil
}

// setParams is called with the parameters that the file gives, and returns those that count.
func (r *Rules) setParams(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	own, ok := args[0].(*starlark.Dict)
	if !ok {
		return nil, fmt.Errorf("params is %s, want a dict", article(args[0]))
	}
	all := starlark.NewDict(own.Len())
	for _, item := range own.Items() {
		name, _ := starlark.AsString(item[0])
		if !actionName.MatchString(name) || name == "name" || name != strings.ToLower(name) {
			return nil, fmt.Errorf("params: a parameter is called by small letters, digits, _ and -, and not name; this is %.80s", item[0].String())
		}
		v := item[1]
		if given, ok := r.given[name]; ok {
			v = fromParam(given)
			if v.Type() != item[1].Type() {
				return nil, fmt.Errorf("params: %s is %s, and was given %s", name, article(item[1]), article(v))
			}
		}
		param, ok := toParam(v)
		if !ok {
			return nil, fmt.Errorf("params: %s is %s; a parameter is a bool, an int up to 2^53, a finite float or a string", name, article(v))
		}
		r.params[name] = param
		if err := all.SetKey(item[0], v); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.given)) {
		if _, ok := r.params[name]; !ok {
			return nil, fmt.Errorf("params: there is no %q, and it was given one", name)
		}
	}
	return all, nil
}

// toParam returns a parameter as a value of Go, and whether it can be one.
func toParam(v starlark.Value) (any, bool) {
	switch v := v.(type) {
	case starlark.Bool:
		return bool(v), true
	case starlark.Int:
		n, ok := v.Int64()
		return n, ok && n >= -maxInt && n <= maxInt
	case starlark.Float:
		return float64(v), finite(float64(v))
	case starlark.String:
		return string(v), utf8.ValidString(string(v))
	}
	return nil, false
}

func fromParam(v any) starlark.Value {
	switch v := v.(type) {
	case bool:
		return starlark.Bool(v)
	case int64:
		return starlark.MakeInt64(v)
	case float64:
		return starlark.Float(v)
	case string:
		return starlark.String(v)
	}
	panic(fmt.Sprintf("internal error: %T is no parameter", v))
}

// defined is what a file has defined, while it is looked through.
type defined struct {
	rules   *Rules
	globals starlark.StringDict
	places  map[string]syntax.Position // where the file gives its globals a value
	errs    Errors
}

// places returns where a file gives its globals a value.
func places(f *syntax.File) map[string]syntax.Position {
	all := make(map[string]syntax.Position)
	for _, s := range f.Stmts {
		switch s := s.(type) {
		case *syntax.DefStmt:
			all[s.Name.Name] = s.Def
		case *syntax.AssignStmt:
			if name, ok := s.LHS.(*syntax.Ident); ok {
				all[name.Name] = name.NamePos
			}
		}
	}
	return all
}

// fail adds a mistake in a global, or in the file where there is none of that name.
func (d *defined) fail(name, format string, args ...any) {
	pos, ok := d.places[name]
	if !ok {
		pos = syntax.MakePosition(&d.rules.file, 1, 1)
	}
	d.errs = append(d.errs, mistake(pos, fmt.Sprintf(format, args...)))
}

func (d *defined) define() {
	r := d.rules
	d.simultaneous()
	r.reset = d.function(resetName, true, "agents", "random")
	r.observe = d.function(observeName, true, "state", "agent")
	r.step = d.function(stepName, true, "state", "actions")
	r.check = d.function(checkName, false, "state")
	r.hidden = d.function(hiddenName, false, "state", "agent")
	r.measure = d.function(measureName, false, "events")
	d.policies()
	d.metrics()
}

func (d *defined) simultaneous() {
	v, ok := d.globals[simultaneousName]
	if !ok {
		return
	}
	said, ok := v.(starlark.Bool)
	if !ok {
		d.fail(simultaneousName, "simultaneous is %s, want True or False", article(v))
	}
	d.rules.simultaneous = bool(said)
}

// function returns the function that the file calls by a name.
func (d *defined) function(name string, required bool, params ...string) *starlark.Function {
	signature := fmt.Sprintf("def %s(%s)", name, strings.Join(params, ", "))
	v, ok := d.globals[name]
	if !ok {
		if required {
			d.fail(name, "there is no %s", signature)
			d.errs[len(d.errs)-1].Hint = nearest(name, d.globals.Keys())
		}
		return nil
	}
	fn, ok := v.(*starlark.Function)
	switch {
	case !ok:
		d.fail(name, "%s is %s, want %s", name, article(v), signature)
	case !takes(fn, len(params)):
		d.fail(name, "%s takes other parameters, want %s", name, signature)
	}
	return fn
}

// takes says whether a function can be called with n arguments.
func takes(fn *starlark.Function, n int) bool {
	for i := range fn.NumParams() {
		if i >= n && fn.ParamDefault(i) == nil {
			return false
		}
	}
	return fn.NumParams() >= n && fn.NumKwonlyParams() == 0 && !fn.HasKwargs()
}

func (d *defined) policies() {
	v, ok := d.globals[policiesName]
	if !ok {
		return
	}
	dict, ok := v.(*starlark.Dict)
	if !ok {
		d.fail(policiesName, `policies is %s, want {"name": function}`, article(v))
		return
	}
	d.rules.policies = make(map[string]*starlark.Function)
	for _, item := range dict.Items() {
		name, _ := starlark.AsString(item[0])
		fn, ok := item[1].(*starlark.Function)
		switch {
		case !actionName.MatchString(name):
			d.fail(policiesName, "the name of a policy must match %s, not be %.80s", actionName, item[0].String())
		case !ok:
			d.fail(policiesName, "the policy %q is %s, want a function of obs and random", name, article(item[1]))
		case !takes(fn, 2):
			d.fail(policiesName, "the policy %q takes other parameters, want obs, random", name)
		}
		d.rules.policies[name] = fn
	}
}

func (d *defined) metrics() {
	v, ok := d.globals[metricsName]
	if ok != (d.rules.measure != nil) {
		name := metricsName
		if !ok {
			name = measureName
		}
		d.fail(name, "metrics = [...] and def measure(events) go together, and one of them is missing")
		return
	}
	if !ok {
		return
	}
	list, ok := v.(*starlark.List)
	if !ok {
		d.fail(metricsName, "metrics is %s, want a list", article(v))
		return
	}
	for v := range starlark.Elements(list) {
		m, _ := v.(made)
		metric, ok := m.value.(world.Metric)
		if !ok || slices.ContainsFunc(d.rules.metrics, func(other world.Metric) bool { return other.Name == metric.Name }) {
			d.fail(metricsName, `metrics holds %s, or two metrics %q; want metric("name", "unit", "formula"), each once`, article(v), metric.Name)
			return
		}
		d.rules.metrics = append(d.rules.metrics, metric)
	}
}
