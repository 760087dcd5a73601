package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/vitrine-sim/vitrine/agents/plugin/proto/vitrine/v1"
	"github.com/vitrine-sim/vitrine/world"
)

// A Law is rules as a program in Go has them for [Serve].
type Law struct {
	// Params are the parameters that there are, with their values by default: bools, int64s, float64s and strings.
	Params map[string]any
	// New returns the rules with all parameters. They are asked one thing at a time. An error, which may be a [*ParamError], says why these values
	// cannot be. If they are a [world.Checker], or have a method Hidden as [Rules] have, that counts.
	New      func(params map[string]any) (world.Rules, error)
	Policies map[string]world.Policy
	Metrics  []world.Metric
	// Simultaneous says that the rules need all that is done in a turn in one step.
	Simultaneous bool
	Measure      func(iter.Seq2[world.Event, error]) (map[string]float64, error) // nil: there are no metrics
}

// A Player is an agent as a program in Go has it for [Serve]: it is shown what it sees and returns what it does. The error says why it could not
// act this once.
type Player func(ctx context.Context, obs world.Observation) (world.Action, error)

// Serve makes a program a plugin with rules, a player, or both; what it has not is nil. It does not return: the program ends when it is told to go. If a
// person has started it, it says so and ends.
func Serve(law *Law, player Player) {
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: handshake(),
		Plugins:         goplugin.PluginSet{"vitrine": &services{law: law, player: player}},
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, grpc.MaxRecvMsgSize(1<<30))...) // whoever asks is trusted
		},
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Error, Output: os.Stderr}),
	})
}

// services are what a program has to offer, as go-plugin wants it.
type services struct {
	goplugin.NetRPCUnsupportedPlugin
	law    *Law
	player Player
}

// GRPCServer implements [goplugin.GRPCPlugin].
func (s *services) GRPCServer(_ *goplugin.GRPCBroker, server *grpc.Server) error {
	if s.law != nil {
		pb.RegisterRulesServer(server, &rulesServer{law: s.law})
	}
	if s.player != nil {
		pb.RegisterAgentServer(server, &agentServer{player: s.player})
	}
	return nil
}

// GRPCClient implements [goplugin.GRPCPlugin]. Nobody asks a plugin for it.
func (s *services) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.ErrUnsupported
}

// An agentServer is the service of a player.
type agentServer struct {
	pb.UnimplementedAgentServer
	player Player
}

func (s *agentServer) Act(ctx context.Context, asked *pb.Observation) (*pb.Action, error) {
	var obs world.Observation
	if err := json.Unmarshal(asked.GetJson(), &obs); err != nil {
		return nil, err
	}
	act, err := s.player(ctx, obs)
	return &pb.Action{Name: act.Name, Json: act.Args}, err
}

func (s *agentServer) Close(context.Context, *pb.CloseRequest) (*pb.Closed, error) {
	return &pb.Closed{}, nil
}

// A rulesServer is the service of rules.
type rulesServer struct {
	pb.UnimplementedRulesServer
	law *Law

	mu    sync.Mutex
	rules world.Rules // nil: nobody has asked for any yet
	state world.State
}

// ruled returns the rules, with their parameters as they are by default if nobody has configured them.
func (s *rulesServer) ruled() (world.Rules, error) {
	if s.rules != nil {
		return s.rules, nil
	}
	var err error
	s.rules, err = s.law.New(maps.Clone(s.law.Params))
	return s.rules, err
}

func (s *rulesServer) Describe(context.Context, *pb.DescribeRequest) (*pb.Description, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	said := &pb.Description{Policies: slices.Sorted(maps.Keys(s.law.Policies))}
	for _, name := range slices.Sorted(maps.Keys(s.law.Params)) {
		p, err := newParam(name, s.law.Params[name])
		if err != nil {
			return nil, err
		}
		said.Parameters = append(said.Parameters, p)
	}
	if s.law.Measure != nil {
		for _, m := range s.law.Metrics {
			said.Metrics = append(said.Metrics, &pb.Metric{Name: m.Name, Unit: m.Unit, Formula: m.Formula, Source: m.Source})
		}
	}
	rules, err := s.law.New(maps.Clone(s.law.Params))
	if err != nil {
		return nil, fmt.Errorf("the rules with their parameters as they are by default: %w", err)
	}
	_, said.Checks = rules.(world.Checker)
	_, said.Hides = rules.(concealer)
	said.Simultaneous = s.law.Simultaneous
	return said, nil
}

func (s *rulesServer) Configure(_ context.Context, asked *pb.Parameters) (*pb.Configured, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	params := make(map[string]any)
	for _, p := range asked.GetParameters() {
		value, err := readParam(p)
		if err != nil {
			return nil, err
		}
		params[p.GetName()] = value
	}
	rules, err := s.law.New(params)
	if mistake := (*ParamError)(nil); errors.As(err, &mistake) {
		return &pb.Configured{Mistake: mistake.Msg, Parameter: mistake.Param}, nil
	}
	if err != nil {
		return &pb.Configured{Mistake: err.Error()}, nil
	}
	s.rules = rules
	return &pb.Configured{}, nil
}

func (s *rulesServer) Reset(_ context.Context, asked *pb.ResetRequest) (*pb.Events, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rules, err := s.ruled()
	if err != nil {
		return nil, err
	}
	return newEvents(rules.Reset(asked.GetSeed(), asked.GetAgents()))
}

// newEvents returns events for who asked. Those that are no JSON are an error, not the end of the program.
func newEvents(events []world.Event, err error) (*pb.Events, error) {
	if err != nil {
		return nil, err
	}
	all := make([]event, len(events))
	for i, ev := range events {
		all[i] = event{ev.Agent, ev.Data, ev.Del, ev.Kind, ev.Set}
	}
	raw, err := json.Marshal(all)
	return &pb.Events{Json: raw}, err
}

func (s *rulesServer) Update(_ context.Context, told *pb.Change) (*pb.Updated, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if told.GetWhole() {
		s.state = world.State{}
	}
	set := make(map[string]json.RawMessage, len(told.GetSet()))
	for path, raw := range told.GetSet() { // order does not matter
		set[path] = raw
	}
	s.state = s.state.Apply(world.Event{Set: set, Del: told.GetDelete()})
	s.state.Seq, s.state.Turn = told.GetSeq(), int(told.GetTurn())
	return &pb.Updated{}, nil
}

func (s *rulesServer) Observe(_ context.Context, asked *pb.ObserveRequest) (*pb.Observed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rules, err := s.ruled()
	if err != nil {
		return nil, err
	}
	obs, err := rules.Observe(s.state, asked.GetAgent())
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(map[string]any{"view": obs.View, "actions": obs.Actions, "reward": obs.Reward, "terminated": obs.Terminated})
	return &pb.Observed{Json: raw}, err
}

func (s *rulesServer) Step(_ context.Context, asked *pb.StepRequest) (*pb.Events, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rules, err := s.ruled()
	if err != nil {
		return nil, err
	}
	var actions []world.Action
	if err := json.Unmarshal(asked.GetJson(), &actions); err != nil {
		return nil, err
	}
	return newEvents(rules.Step(s.state, actions))
}

func (s *rulesServer) Check(context.Context, *pb.CheckRequest) (*pb.Checked, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rules, err := s.ruled()
	if err != nil {
		return nil, err
	}
	var checked pb.Checked
	if checker, ok := rules.(world.Checker); ok {
		if err := checker.Check(s.state); err != nil {
			checked.Mistake = err.Error()
		}
	}
	return &checked, nil
}

// A concealer is rules that say what nobody else may know.
type concealer interface {
	Hidden(st world.State, agent string) ([]string, error)
}

func (s *rulesServer) Hidden(_ context.Context, asked *pb.HiddenRequest) (*pb.Paths, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rules, err := s.ruled()
	if err != nil {
		return nil, err
	}
	var paths []string
	if rules, ok := rules.(concealer); ok {
		paths, err = rules.Hidden(s.state, asked.GetAgent())
	}
	return &pb.Paths{Paths: paths}, err
}

func (s *rulesServer) Decide(_ context.Context, asked *pb.DecideRequest) (*pb.Action, error) {
	policy, ok := s.law.Policies[asked.GetPolicy()]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "no policy %q", asked.GetPolicy())
	}
	var obs world.Observation
	if err := json.Unmarshal(asked.GetJson(), &obs); err != nil {
		return nil, err
	}
	act := policy(obs, rand.New(rand.NewPCG(asked.GetHigh(), asked.GetLow())))
	return &pb.Action{Name: act.Name, Json: act.Args}, nil
}

func (s *rulesServer) Measure(stream grpc.ClientStreamingServer[pb.Events, pb.Measured]) error {
	values, err := s.law.Measure(eventsOf(stream))
	if err != nil {
		return err
	}
	return stream.SendAndClose(&pb.Measured{Values: values})
}

// eventsOf returns the events of a stream.
func eventsOf(stream grpc.ClientStreamingServer[pb.Events, pb.Measured]) iter.Seq2[world.Event, error] {
	return func(yield func(world.Event, error) bool) {
		for {
			message, err := stream.Recv()
			if err == io.EOF {
				return
			}
			var events []world.Event
			if err == nil {
				err = json.Unmarshal(message.GetJson(), &events)
			}
			if err != nil {
				yield(world.Event{}, err)
				return
			}
			for _, ev := range events {
				if !yield(ev, nil) {
					return
				}
			}
		}
	}
}
