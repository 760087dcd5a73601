package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/vitrine-sim/vitrine/agents"
	pb "github.com/vitrine-sim/vitrine/agents/plugin/proto/vitrine/v1"
	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/fishery"
)

// Started with this variable, the test binary is a plugin that plays the part of that name.
const part = "VITRINE_TEST_PART"

// patience is how long a test waits for something that must happen.
const patience = time.Minute

// begins is the limit of a plugin that keeps it until it begins to do wrong; see demand.
const begins = 5 * time.Second

func TestMain(m *testing.M) {
	if name := os.Getenv(part); name != "" {
		play(name)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// play is a plugin that does something wrong, unless its part is "good".
func play(name string) {
	line := func(version int, network, address string) {
		fmt.Printf("1|%d|%s|%s|grpc\n", version, network, address)
	}
	socket := filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "s")
	switch name {
	case "crashes":
		fmt.Fprintln(os.Stderr, "the pen is dry\nout of ink")
		os.Exit(3)
	case "crashes before its child":
		leaveChild()
		fmt.Fprintln(os.Stderr, "out of ink")
		os.Exit(3)
	case "greets":
		fmt.Println("hello")
		select {}
	case "babbles":
		for {
			fmt.Print(strings.Repeat("x", 1000))
		}
	case "is mute":
		select {}
	case "speaks another version":
		line(7, "unix", socket)
		select {}
	case "listens on a port":
		line(Version, "tcp", "127.0.0.1:1")
		select {}
	case "does not answer":
		if _, err := net.Listen("unix", socket); err != nil {
			panic(err)
		}
		line(Version, "unix", socket)
		select {}
	case "does not listen":
		line(Version, "unix", socket)
		select {}
	case "talks nonsense":
		listener, err := net.Listen("unix", socket)
		if err != nil {
			panic(err)
		}
		line(Version, "unix", socket)
		for {
			conn, err := listener.Accept()
			if err != nil {
				panic(err)
			}
			_, _ = conn.Write(bytes.Repeat([]byte("nonsense"), 1<<10))
		}
	case "closes its output":
		os.Stdout.Close()
		select {}
	}
	asked := make(chan bool) // closed when the player is shown turn 2
	Serve(lawOf(name), func(ctx context.Context, obs world.Observation) (world.Action, error) {
		return acts(ctx, name, obs, asked)
	})
}

// leaveChild starts a process that keeps the standard error open.
func leaveChild() {
	child := exec.Command("sleep", "1000")
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		panic(err)
	}
}

// lawOf is the fishery, but for what the part does wrong.
func lawOf(name string) *Law {
	return &Law{
		Params: map[string]any{"capacity": int64(100), "collapse": int64(5), "turns": int64(12), "rate": 1.0, "word": "so", "open": true},
		New: func(params map[string]any) (world.Rules, error) {
			rules, err := fishery.New(fishery.Config{
				Capacity: int(params["capacity"].(int64)), Collapse: int(params["collapse"].(int64)), Turns: int(params["turns"].(int64)),
			})
			if err != nil {
				return nil, &ParamError{"capacity", err.Error()}
			}
			switch name {
			case "good":
				return rules, nil
			case "hides":
				return hiding{rules}, nil
			}
			return &faulty{name: name, Rules: rules}, nil
		},
		Policies: map[string]world.Policy{
			"steady": fishery.Policies()["steady"],
			"dicey": func(_ world.Observation, random *rand.Rand) world.Action {
				return world.Action{Name: "fish", Args: world.JSON(map[string]int{"tons": random.IntN(100)})}
			},
		},
		Metrics: fishery.Metrics(), Measure: fishery.Measure, Simultaneous: name == "hides",
	}
}

// hiding rules say that an agent must not learn how much the others have caught.
type hiding struct{ *fishery.Rules }

func (hiding) Hidden(st world.State, agent string) ([]string, error) {
	return slices.DeleteFunc(st.Paths("agents/"), func(path string) bool {
		return strings.HasPrefix(path, "agents/"+agent+"/") || !strings.HasSuffix(path, "/total")
	}), nil
}

// faulty rules do something wrong in the second step.
type faulty struct {
	*fishery.Rules
	name string
}

func (f *faulty) Observe(st world.State, agent string) (world.Observation, error) {
	obs, err := f.Rules.Observe(st, agent)
	if st.Turn == 1 {
		switch f.name {
		case "shows too much":
			obs.View = world.JSON(strings.Repeat("x", maxAnswer))
		case "offers twice":
			obs.Actions = append(obs.Actions, obs.Actions...)
		case "offers what is no schema":
			obs.Actions[0].Schema = world.JSON("tons")
		}
	}
	return obs, err
}

func (f *faulty) Step(st world.State, actions []world.Action) ([]world.Event, error) {
	events, err := f.Rules.Step(st, actions)
	if st.Turn != 1 {
		return events, err
	}
	switch f.name {
	case "exits before its child":
		leaveChild()
		os.Exit(4)
	case "hangs up":
		for fd := range 100 {
			_ = syscall.Shutdown(fd, syscall.SHUT_RDWR) // of those that are sockets
		}
		select {}
	case "exits":
		os.Exit(4)
	case "panics":
		panic("no such lake")
	case "hangs":
		select {}
	case "fails":
		return nil, errors.New("no such lake")
	case "prints":
		for range 4 << 10 {
			fmt.Println(strings.Repeat("out", 1000))
			fmt.Fprintln(os.Stderr, strings.Repeat("err", 1000))
		}
	case "ends the turn":
		events[0].Kind = world.KindTurn
	case "changes what is not its own":
		events[0].Set = map[string]json.RawMessage{"run/status/a": world.JSON("out")}
	}
	return events, err
}

// acts is a player that fishes a ton, but for what the part does wrong in turn 1.
func acts(ctx context.Context, name string, obs world.Observation, asked chan bool) (world.Action, error) {
	if obs.Turn == 1 {
		switch name {
		case "exits":
			os.Exit(4)
		case "hangs":
			select {}
		case "fails":
			return world.Action{}, errors.New("no idea")
		case "gives up":
			return world.Action{}, fmt.Errorf("it asked somebody else: %w", context.DeadlineExceeded)
		case "does nothing":
			return world.Action{}, nil
		case "babbles in arguments":
			return world.Action{Name: "fish", Args: []byte("{")}, nil
		case "says too much":
			return world.Action{Name: "fish", Args: world.JSON(strings.Repeat("x", maxAnswer))}, nil
		case "waits":
			<-ctx.Done() // the caller's deadline is the callee's
			<-asked
		}
	}
	if obs.Turn == 2 && name == "waits" {
		close(asked)
	}
	return world.Action{Name: "fish", Args: world.JSON(map[string]int{"tons": obs.Turn})}, nil
}

func config(name string, limit time.Duration) Config {
	return Config{Command: []string{os.Args[0]}, Env: []string{part + "=" + name, "GORACE=atexit_sleep_ms=0"}, Limit: limit}
}

// rulesOf starts rules in a part.
func rulesOf(t *testing.T, cfg Config) *Rules {
	t.Helper()
	r, err := StartRules(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestAPluginThatDoesNotStartIsAClearError(t *testing.T) {
	for _, c := range []struct {
		part  string
		limit time.Duration
		want  string
	}{
		{"crashes", 0, "plugin of rules: start: it is gone: exit status 3: out of ink"},
		{"crashes before its child", 0, "plugin of rules: start: it is gone: exit status 3: out of ink"},
		{"greets", 0, `plugin of rules: start: the first line that it prints is "hello", which should be like "1|1|unix|SOCKET|grpc"`},
		{"babbles", 0, `plugin of rules: start: the first line that it prints is "` + strings.Repeat("x", 100) + `", which`},
		{"is mute", time.Second, "plugin of rules: start: it has not said within 1s where it listens"},
		{"closes its output", time.Second, "plugin of rules: start: it has not said within 1s where it listens"},
		{"speaks another version", 0, `plugin of rules: start: it speaks version "7" of the protocol, not 1`},
		{"listens on a port", 0, `plugin of rules: start: it listens on tcp "127.0.0.1:1", not on a unix socket in $PLUGIN_UNIX_SOCKET_DIR`},
		{"does not answer", begins, "plugin of rules: start: it has said where it listens, and does not answer there within LIMIT"},
		{"talks nonsense", 0, "plugin of rules: start: nobody answers where it says that it listens"},
		{"does not listen", 0, "plugin of rules: start: nobody answers where it says that it listens"},
	} {
		t.Run(c.part, func(t *testing.T) {
			t.Parallel()
			demand(t, c.limit, c.want, func(limit time.Duration) error {
				_, err := StartRules(t.Context(), config(c.part, limit))
				return err
			})
		})
	}
	for _, command := range [][]string{nil, {"/none/such"}} {
		if _, err := StartRules(t.Context(), Config{Command: command}); err == nil {
			t.Errorf("%q starts", command)
		}
	}
}

// demand fails unless the error of try begins so, where there is LIMIT for the limit that it is given; empty: there is none. It tries again with twice the
// limit if that has shown itself too short for anything to begin.
func demand(t *testing.T, limit time.Duration, want string, try func(limit time.Duration) error) {
	t.Helper()
	for ; ; limit *= 2 {
		err := try(limit)
		want := strings.ReplaceAll(want, "LIMIT", limit.String())
		switch {
		case want == "" && err == nil, want != "" && err != nil && strings.HasPrefix(err.Error(), want):
			return
		case 0 < limit && limit < patience && err != nil && strings.Contains(err.Error(), "within "+limit.String()):
			continue
		}
		t.Errorf("the error is %v\nwant %s", err, want)
		return
	}
}

func TestWhatRulesDoWrongEndsTheCallAndNothingElse(t *testing.T) {
	for _, c := range []struct {
		part  string
		limit time.Duration
		want  string
	}{
		{"exits", 0, "plugin of rules: step: it is gone: exit status 4"},
		{"exits before its child", 0, "plugin of rules: step: it is gone: exit status 4"},
		{"hangs up", 0, "plugin of rules: step: it is gone: signal: killed"},
		{"panics", 0, "plugin of rules: step: it is gone: exit status 2: "},
		{"hangs", begins, "plugin of rules: step: no answer within LIMIT"},
		{"fails", 0, "plugin of rules: step: no such lake"},
		{"shows too much", 0, "plugin of rules: observe: its answer is too great"},
		{"offers twice", 0, `plugin of rules: observe: there are two actions "fish"`},
		{"offers what is no schema", 0, `plugin of rules: observe: schema of the action "fish": `},
		{"ends the turn", 0, `plugin of rules: step: its event 0 is a "turn", which is not for rules`},
		{"changes what is not its own", 0, `plugin of rules: step: its event 0, "lake", changes the fact "run/status/a", which is not for rules`},
		{"prints", 0, ""},
	} {
		t.Run(c.part, func(t *testing.T) {
			t.Parallel()
			kept := filepath.Join(t.TempDir(), "rules.log")
			demand(t, c.limit, c.want, func(limit time.Duration) error {
				r, err := StartRules(t.Context(), config(c.part, limit))
				if err != nil {
					return err
				}
				if err := r.KeepOutput(kept); err != nil {
					t.Fatal(err)
				}
				err = playTurns(r, 3)
				if info, err := os.Stat(kept); err != nil || info.Size() > 1<<20 || c.part == "prints" && info.Size() < 1<<20 {
					t.Errorf("%d bytes of its output are kept, %v", info.Size(), err)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
				return err
			})
		})
	}
}

func TestRulesThatNobodyHasPatienceWithAnyMoreAreNotWaitedFor(t *testing.T) {
	for _, part := range []string{"is mute", "does not answer"} {
		ctx, interrupt := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, interrupt) // it is about to start then, or starts
		began := time.Now()
		if _, err := StartRules(ctx, config(part, time.Hour)); !errors.Is(err, context.Canceled) || time.Since(began) > patience {
			t.Errorf("%s: after %v the error is %v", part, time.Since(began), err)
		}
	}
	ctx, interrupt := context.WithCancel(t.Context())
	r, err := StartRules(ctx, config("hangs", time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(100*time.Millisecond, interrupt)
	began := time.Now()
	if err := playTurns(r, 3); !errors.Is(err, context.Canceled) || time.Since(began) > patience {
		t.Errorf("after %v the error is %v", time.Since(began), err)
	}
	r.client = nil // it is not asked again
	if _, err := r.Reset(1, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("then the error is %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	// Whoever answers is asked all the same, within the moment that is left.
	for {
		ctx, interrupt = context.WithCancel(t.Context())
		if r, err = StartRules(ctx, config("good", time.Hour)); err != nil {
			t.Fatal(err)
		}
		interrupt()
		began := time.Now()
		err := playTurns(r, 3)
		took := time.Since(began)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err == nil {
			return
		}
		if took < lastGrace {
			t.Fatalf("good rules, after %v: %v", took, err)
		}
	}
}

// playTurns plays turns with two steady fishers.
func playTurns(rules world.Rules, turns int) error {
	agents := []string{"a", "b"}
	events, err := rules.Reset(1, agents)
	if err != nil {
		return err
	}
	st := world.State{}
	for range turns {
		if events, err = st.Stamp(events); err != nil {
			return err
		}
		st = st.Apply(events...)
		var actions []world.Action
		for _, agent := range agents {
			obs, err := rules.Observe(st, agent)
			if err != nil {
				return err
			}
			actions = append(actions, fishery.Policies()["steady"].Decide(1, obs))
		}
		if events, err = rules.Step(st, actions); err != nil {
			return err
		}
		events = append(events, world.Event{Kind: world.KindTurn})
	}
	return nil
}

func TestADeadPluginStaysDead(t *testing.T) {
	r := rulesOf(t, config("exits", 0))
	for range 2 {
		if err := playTurns(r, 3); err == nil || !strings.Contains(err.Error(), "it is gone: exit status 4") {
			t.Errorf("the error is %v", err)
		}
	}
}

// A forgetful program is a plugin of rules that fails at some of the changes of which it is told.
type forgetful struct {
	pb.RulesClient
	fails int // at that change from now on; 0: at none
}

func (f *forgetful) Update(ctx context.Context, change *pb.Change, options ...grpc.CallOption) (*pb.Updated, error) {
	if f.fails--; f.fails == 0 {
		return nil, status.Error(codes.Internal, "no room")
	}
	return f.RulesClient.Update(ctx, change, options...)
}

func TestAPluginThatHasTakenHalfOfAChangeIsToldAllAnew(t *testing.T) {
	r := rulesOf(t, config("good", 0))
	events, err := r.Reset(1, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	st := world.State{}.Apply(events...)
	want, err := r.Observe(st, "a")
	if err != nil {
		t.Fatal(err)
	}
	r.client = &forgetful{r.client, 2}
	after := st.Apply(world.Event{Set: map[string]json.RawMessage{"lake/tons": world.JSON(7), "x": world.JSON(strings.Repeat("x", maxChange))}})
	if _, err := r.Observe(after, "a"); err == nil || err.Error() != "plugin of rules: update: no room" {
		t.Fatalf("the error is %v", err)
	}
	if got, err := r.Observe(st, "a"); err != nil || string(got.View) != string(want.View) {
		t.Errorf("then it sees in the state before %s, %v\nwant %s", got.View, err, want.View)
	}
}

func TestNothingFollowsWhereNobodyActsInSimultaneousRules(t *testing.T) {
	for _, part := range []string{"good", "hides"} { // the latter are simultaneous
		r := rulesOf(t, config(part, 0))
		events, err := r.Reset(1, []string{"a"})
		if err != nil {
			t.Fatal(err)
		}
		st := world.State{}.Apply(events...)
		events, err = r.Step(st, []world.Action{{Agent: "a", Name: world.Pass}, {Agent: "a", Name: "sing"}})
		if err != nil || len(events) == 0 || events[0].Kind != world.KindRefusal || (len(events) == 1) != r.Simultaneous() {
			t.Errorf("%s: what follows is %s, %v", part, world.JSON(events), err)
		}
	}
}

func TestAPluginGetsNothingOfOurEnvironmentAndIsGoneWhenItIsClosed(t *testing.T) {
	t.Setenv("ANTHROPIC_API_KEY", "sk-canary")
	var r *Rules
	for asked := false; !asked; {
		var err error
		if r, err = StartRules(t.Context(), config("good", 0)); err != nil {
			t.Fatal(err)
		}
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", r.program.process.PID()))
		if err != nil || strings.Contains(string(environ), "canary") || !strings.Contains(string(environ), "HOME="+r.dir) {
			t.Errorf("its environment is %q, %v", environ, err)
		}
		began := time.Now()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		asked = time.Since(began) < 2*time.Second // which go-plugin gives whom it has asked to go
		if got := r.program.process.Exit(); asked && got != "exit status 0" {
			t.Errorf("it ends with %s, though it was asked to go", got)
		}
	}
	for _, dir := range []string{r.dir, r.program.sockets} {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", dir, err)
		}
	}
}

func TestAPluginHasOneConnection(t *testing.T) {
	r := rulesOf(t, config("good", 0))
	stream, err := r.program.conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/plugin.GRPCBroker/StartStream")
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("the stream by which it could ask for more is %v, %v", stream, err)
	}
}

func TestAnAgentKeepsItsClock(t *testing.T) {
	a := agentOf(t, "waits")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := a.Act(ctx, seen(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v", err)
	}
	if act, err := a.Act(t.Context(), seen(2)); err != nil || string(act.Args) != `{"tons":2}` {
		t.Errorf("then it does %s, %v", act.Args, err)
	}
}

// agentOf starts an agent in a part.
func agentOf(t *testing.T, name string) *Agent {
	t.Helper()
	cfg := config(name, 0)
	cfg.Dir = t.TempDir()
	a, err := StartAgent(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func seen(turn int) world.Observation {
	return world.Observation{Agent: "a", Turn: turn, View: world.JSON(map[string]int{"tons": 100}), Actions: []world.ActionSpec{{Name: "fish"}}}
}

func TestWhatAnAgentDoesWrongIsAnErrorOfItsOwn(t *testing.T) {
	for _, c := range []struct{ part, want string }{
		{"exits", "agent is gone: exit status 4"},
		{"hangs", context.DeadlineExceeded.Error()},
		{"fails", "no idea"},
		{"gives up", "it asked somebody else: context deadline exceeded"},
		{"does nothing", agents.ErrNoAction.Error()},
		{"babbles in arguments", `the arguments of its action "fish" are not JSON: "{"`},
		{"says too much", "its answer is too great"},
	} {
		t.Run(c.part, func(t *testing.T) {
			t.Parallel()
			a := agentOf(t, c.part)
			if act, err := a.Act(t.Context(), seen(0)); err != nil || act.Name != "fish" {
				t.Fatalf("in turn 0 it does %s, %v", act.Name, err)
			}
			limit := patience
			if c.part == "hangs" {
				limit = time.Second
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			_, err := a.Act(ctx, seen(1))
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("the error is %v, want %s", err, c.want)
			}
			act, err := a.Act(t.Context(), seen(2))
			if c.part == "exits" {
				if dead := (*agents.DeadError)(nil); !errors.As(err, &dead) {
					t.Errorf("then the error is %v", err)
				}
			} else if err != nil || string(act.Args) != `{"tons":2}` {
				t.Errorf("then it does %s, %v", act.Args, err)
			}
		})
	}
}
