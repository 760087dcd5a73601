package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	pb "github.com/vitrine-sim/vitrine/agents/plugin/proto/vitrine/v1"
	"github.com/vitrine-sim/vitrine/world"
)

// eventsAtOnce is how many events go to Measure in one message.
const eventsAtOnce = 256

// A description is what a plugin says of its rules.
type description struct {
	params   []string       // their names, in its order
	defaults map[string]any // by name
	policies []string
	metrics  []world.Metric
	checks   bool
	hides    bool
	together bool
}

// A ParamError is why a value that a scenario gives a parameter cannot be.
type ParamError struct {
	Param string // its name; may be empty
	Msg   string
}

func (e *ParamError) Error() string { return e.Msg }

// describe asks the program what there is.
func (r *Rules) describe() error {
	return r.ask("describe", func(ctx context.Context) error {
		said, err := r.client.Describe(ctx, &pb.DescribeRequest{})
		if err == nil {
			r.about, err = readDescription(said)
		}
		return err
	})
}

func readDescription(said *pb.Description) (description, error) {
	d := description{
		defaults: make(map[string]any), policies: said.GetPolicies(),
		checks: said.GetChecks(), hides: said.GetHides(), together: said.GetSimultaneous(),
	}
	for _, p := range said.GetParameters() {
		name := p.GetName()
		value, err := readParam(p)
		if _, twice := d.defaults[name]; name == "" || name == "name" || name == "plugin" || twice {
			err = fmt.Errorf("no parameter can be called so, or there are two")
		}
		if err != nil {
			return d, fmt.Errorf("parameter %.80q: %w", name, err)
		}
		d.params, d.defaults[name] = append(d.params, name), value
	}
	for _, m := range said.GetMetrics() {
		d.metrics = append(d.metrics, world.Metric{Name: m.GetName(), Unit: m.GetUnit(), Formula: m.GetFormula(), Source: m.GetSource()})
	}
	return d, nil
}

// readParam returns the value of a parameter: a bool, an int64, a float64 or a string.
func readParam(p *pb.Parameter) (any, error) {
	switch v := p.GetValue().(type) {
	case *pb.Parameter_Boolean:
		return v.Boolean, nil
	case *pb.Parameter_Integer:
		return v.Integer, nil
	case *pb.Parameter_Number:
		if math.IsNaN(v.Number) || math.IsInf(v.Number, 0) {
			return nil, fmt.Errorf("%v is no finite number", v.Number)
		}
		return v.Number, nil
	case *pb.Parameter_Text:
		return v.Text, nil
	}
	return nil, fmt.Errorf("it has no value")
}

// newParam is the reverse of readParam.
func newParam(name string, value any) (*pb.Parameter, error) {
	p := &pb.Parameter{Name: name}
	switch v := value.(type) {
	case bool:
		p.Value = &pb.Parameter_Boolean{Boolean: v}
	case int64:
		p.Value = &pb.Parameter_Integer{Integer: v}
	case float64:
		p.Value = &pb.Parameter_Number{Number: v}
	case string:
		p.Value = &pb.Parameter_Text{Text: v}
	default:
		return nil, fmt.Errorf("parameter %q is a %T, want a bool, an int64, a float64 or a string", name, value)
	}
	return p, nil
}

// Params returns the parameters of the rules, with the values that they have by default: bools, int64s, float64s and strings.
func (r *Rules) Params() map[string]any { return maps.Clone(r.about.defaults) }

// Simultaneous says whether the rules need all that is done in a turn in one step.
func (r *Rules) Simultaneous() bool { return r.about.together }

// Configure gives the parameters their values, all of them and before anything is asked. Values that cannot be are a [*ParamError].
func (r *Rules) Configure(params map[string]any) error {
	if len(r.about.params) == 0 {
		return nil
	}
	var all pb.Parameters
	for _, name := range r.about.params {
		p, err := newParam(name, params[name])
		if err != nil {
			return err
		}
		all.Parameters = append(all.Parameters, p)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var said *pb.Configured
	err := r.ask("configure", func(ctx context.Context) (err error) {
		said, err = r.client.Configure(ctx, &all)
		return err
	})
	if err == nil && said.GetMistake() != "" {
		err = &ParamError{said.GetParameter(), said.GetMistake()}
	}
	return err
}

// Policies returns the players that the program has, by name. One that fails asks for an action that no rules have, whose name is the error; so the
// refusal of it shows what went wrong. A decision may take as long as any call of the rules, and nobody can call it off before.
func (r *Rules) Policies() map[string]world.Policy {
	all := make(map[string]world.Policy)
	for _, name := range r.about.policies {
		all[name] = func(obs world.Observation, random *rand.Rand) world.Action {
			act, err := r.decide(name, obs, random)
			if err != nil {
				act = world.Action{Name: err.Error()}
			}
			act.Agent = obs.Agent
			return act
		}
	}
	return all
}

func (r *Rules) decide(policy string, obs world.Observation, random *rand.Rand) (world.Action, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	act := world.Action{Name: world.Pass}
	asked := &pb.DecideRequest{Policy: policy, Json: world.JSON(obs), High: random.Uint64(), Low: random.Uint64()}
	err := r.ask("decide", func(ctx context.Context) error {
		answer, err := r.client.Decide(ctx, asked)
		if err == nil && answer.GetName() != "" {
			act, err = readAction(answer)
		}
		return err
	})
	return act, err
}

// readAction reads what a player does.
func readAction(said *pb.Action) (world.Action, error) {
	act := world.Action{Name: said.GetName()}
	if raw := said.GetJson(); len(raw) > 0 {
		if !json.Valid(raw) {
			return act, fmt.Errorf("the arguments of its action %.40q are not JSON: %.80q", act.Name, raw)
		}
		act.Args = raw
	}
	return act, nil
}

// Metrics returns what [Rules.Measure] computes.
func (r *Rules) Metrics() []world.Metric { return slices.Clone(r.about.metrics) }

// Measure computes the [Rules.Metrics] of an episode from the events of its log, in their order. An error from the sequence is passed on.
func (r *Rules) Measure(events iter.Seq2[world.Event, error]) (map[string]float64, error) {
	values := make(map[string]float64)
	if len(r.about.metrics) == 0 {
		return values, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.silent {
		return nil, &RulesError{"measure", errNoPatience}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	late := time.AfterFunc(r.program.limit, func() { cancel(context.DeadlineExceeded) }) // not in all, but for each message
	defer late.Stop()
	var broken error // the sequence
	err := r.program.call(ctx, func(ctx context.Context) error {
		stream, err := r.client.Measure(ctx)
		if err != nil {
			return err
		}
		for some, err := range inParts(events) {
			if broken = err; err != nil {
				return nil
			}
			late.Reset(r.program.limit)
			if stream.Send(&pb.Events{Json: world.JSON(some)}) != nil {
				break // the answer says why
			}
		}
		late.Reset(r.program.limit)
		answer, err := stream.CloseAndRecv()
		values = answer.GetValues()
		return err
	})
	if context.Cause(ctx) == context.DeadlineExceeded {
		err = fmt.Errorf("no answer within %v", r.program.limit)
	}
	if broken != nil {
		return nil, broken
	}
	if err != nil {
		return nil, &RulesError{"measure", err}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if v := values[name]; math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, &RulesError{"measure", fmt.Errorf("%q is %v", name, v)}
		}
	}
	return values, nil
}

// A happened event is one for Measure: without what is of processes.
type happened struct {
	event
	Seq  int64 `json:"seq"`
	Turn int   `json:"turn"`
}

// inParts puts events into parts.
func inParts(events iter.Seq2[world.Event, error]) iter.Seq2[[]happened, error] {
	return func(yield func([]happened, error) bool) {
		var some []happened
		for ev, err := range events {
			if err != nil {
				yield(nil, err)
				return
			}
			some = append(some, happened{event{ev.Agent, ev.Data, ev.Del, ev.Kind, ev.Set}, ev.Seq, ev.Turn})
			if len(some) == eventsAtOnce {
				if !yield(some, nil) {
					return
				}
				some = nil
			}
		}
		if len(some) > 0 {
			yield(some, nil)
		}
	}
}
