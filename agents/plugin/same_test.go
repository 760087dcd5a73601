package plugin

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/agentstest"
	pb "github.com/vitrine-sim/vitrine/agents/plugin/proto/vitrine/v1"
	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/fishery"
	"github.com/vitrine-sim/vitrine/world/worldtest"
)

// python returns the command of an example in Python.
func python(t *testing.T, file string) []string {
	t.Helper()
	const interpreter = "/usr/bin/python3"
	if out, err := exec.CommandContext(t.Context(), interpreter, "-c", "import grpc, google.protobuf").CombinedOutput(); err != nil {
		t.Fatalf("apt-get install python3-grpcio python3-protobuf: %v: %s", err, out)
	}
	path, err := filepath.Abs(filepath.Join("..", "..", "examples", "plugin-python", file))
	if err != nil {
		t.Fatal(err)
	}
	return []string{interpreter, path}
}

// elsewhere are rules that are asked in a goroutine which is there before whoever asks: a test with a clock of its own can share no channels with
// the connection of a plugin.
type elsewhere struct {
	rules *Rules
	do    chan<- func()
	done  <-chan bool
}

func (e elsewhere) ask(f func()) {
	e.do <- f
	<-e.done
}

func (e elsewhere) Reset(seed uint64, agents []string) (events []world.Event, err error) {
	e.ask(func() { events, err = e.rules.Reset(seed, agents) })
	return events, err
}

func (e elsewhere) Observe(st world.State, agent string) (obs world.Observation, err error) {
	e.ask(func() { obs, err = e.rules.Observe(st, agent) })
	return obs, err
}

func (e elsewhere) Step(st world.State, actions []world.Action) (events []world.Event, err error) {
	e.ask(func() { events, err = e.rules.Step(st, actions) })
	return events, err
}

func (e elsewhere) Check(st world.State) (err error) {
	e.ask(func() { err = e.rules.Check(st) })
	return err
}

func TestRulesOfAPluginKeepTheContract(t *testing.T) {
	for _, c := range []struct {
		name   string
		config Config
		agents []string
	}{
		{"go", config("good", 0), []string{"a", "b", "c", "d", "e"}},
		{"python", Config{Command: python(t, "lake.py")}, []string{"a", "b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := rulesOf(t, c.config)
			do, done := make(chan func()), make(chan bool)
			go func() { // ends with the test
				for f := range do {
					f()
					done <- true
				}
			}()
			defer close(do)
			worldtest.TestRules(t, func() (world.Rules, error) {
				e := elsewhere{r, do, done}
				e.ask(func() { r.knows = false }) // as for a new value of the rules
				return e, nil
			}, c.agents)
		})
	}
}

func TestAgentsInPluginsAreAgents(t *testing.T) {
	good := Config{Command: []string{os.Args[0]}, Env: []string{part + "=good"}}
	for name, cfg := range map[string]Config{"go": good, "python": {Command: python(t, "fisher.py")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			obs := seen(0)
			obs.View = world.JSON(map[string]int{"tons": 100, "agents": 5})
			agentstest.TestAgent(t, obs, func() agents.Agent {
				cfg.Dir = t.TempDir()
				a, err := StartAgent(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				return a
			})
		})
	}
}

// Lots are drawn in these episodes, so they show that chance is the same everywhere too.
func TestTheFisheryInAPluginGivesTheSameBytes(t *testing.T) {
	for _, plugin := range []*Rules{rulesOf(t, config("good", 0)), rulesOf(t, Config{Command: python(t, "lake.py")})} {
		builtIn, err := fishery.New(fishery.Default())
		if err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(5) {
			for _, policy := range []string{"steady", "greedy", "random"} {
				want, got := episode(t, builtIn, policy, seed), episode(t, plugin, policy, seed)
				if want != got {
					t.Fatalf("seed %d, %s:\ngot  %s\nwant %s", seed, policy, got, want)
				}
				if policy == "greedy" && !strings.Contains(want, "contested") {
					t.Error("no lots are drawn")
				}
			}
		}
	}
}

// episode plays 12 turns and returns all that was seen and all that happened.
func episode(t *testing.T, rules world.Rules, policy string, seed uint64) string {
	t.Helper()
	agents := []string{"a", "b", "c"}
	var st world.State
	var log strings.Builder
	commit := func(events []world.Event, err error) {
		if err == nil {
			events, err = st.Stamp(events)
		}
		if err != nil {
			t.Fatal(err)
		}
		log.Write(world.JSON(events))
		st = st.Apply(events...)
	}
	commit([]world.Event{{Kind: "seed", Set: map[string]json.RawMessage{world.SeedFact: world.JSON(seed)}}}, nil)
	commit(rules.Reset(seed, agents))
	for range 12 {
		var actions []world.Action
		for _, agent := range agents {
			obs, err := rules.Observe(st, agent)
			if err != nil {
				t.Fatal(err)
			}
			log.Write(world.JSON(obs))
			actions = append(actions, fishery.Policies()[policy].Decide(seed, obs))
		}
		commit(rules.Step(st, actions))
		commit([]world.Event{{Kind: world.KindTurn}}, nil)
	}
	return log.String()
}

func TestParametersMetricsAndPoliciesComeFromThePlugin(t *testing.T) {
	r := rulesOf(t, config("good", 0))
	params := r.Params()
	if got := string(world.JSON(params)); got != `{"capacity":100,"collapse":5,"open":true,"rate":1,"turns":12,"word":"so"}` {
		t.Errorf("the parameters are %s", got)
	}
	if _, ok := params["rate"].(float64); !ok {
		t.Errorf("the rate is a %T", params["rate"])
	}
	params["capacity"] = int64(-1)
	if err := r.Configure(params); fmt.Sprintf("%T %v", err, err) != "*plugin.ParamError capacity is -1, want 1 to 1000000\ncollapse is 5, want 0 to the capacity, -1" {
		t.Errorf("with a capacity of -1: %T %v", err, err)
	}
	params["capacity"] = int64(10)
	if err := r.Configure(params); err != nil {
		t.Fatal(err)
	}
	events, err := r.Reset(1, []string{"a"})
	if err != nil || string(events[0].Set["lake/tons"]) != "10" {
		t.Errorf("the lake holds %s tons, %v", events[0].Set["lake/tons"], err)
	}
	obs := world.Observation{Agent: "a", View: world.JSON(map[string]int{"tons": 100, "agents": 5}), Actions: []world.ActionSpec{{Name: "fish"}}}
	if act := r.Policies()["steady"].Decide(1, obs); string(act.Args) != `{"tons":10}` || act.Agent != "a" {
		t.Errorf("a steady player does %s", world.JSON(act))
	}
	dicey := r.Policies()["dicey"]
	if one, two := dicey.Decide(1, obs), dicey.Decide(2, obs); string(one.Args) == string(two.Args) || string(one.Args) != string(dicey.Decide(1, obs).Args) {
		t.Errorf("by chance of one seed it does %s, of another %s", one.Args, two.Args)
	}
	log := func(yield func(world.Event, error) bool) {
		yield(events[0], nil)
		for i := range 3 * eventsAtOnce {
			if !yield(world.Event{Kind: "catch", Agent: "a", Seq: int64(i), Data: world.JSON(map[string]int{"caught": 2})}, nil) {
				return
			}
		}
	}
	values, err := r.Measure(log)
	if err != nil || values["total"] != 6*eventsAtOnce {
		t.Errorf("the metrics are %v, %v", values, err)
	}
	_, err = r.Measure(func(yield func(world.Event, error) bool) { yield(world.Event{Kind: "catch"}, nil) })
	if err == nil || !strings.HasPrefix(err.Error(), "plugin of rules: measure: ") {
		t.Errorf("the error is %v", err)
	}
}

func TestRulesSayWhatTheyHideAndThatAllActAtOnce(t *testing.T) {
	for part, want := range map[string]string{"good": "null", "hides": `["agents/b/total","agents/c/total"]`} {
		r := rulesOf(t, config(part, 0))
		events, err := r.Reset(1, []string{"a", "b", "c"})
		if err != nil {
			t.Fatal(err)
		}
		paths, err := r.Hidden(world.State{}.Apply(events...), "a")
		if got := string(world.JSON(paths)); err != nil || got != want || r.Simultaneous() != (part == "hides") {
			t.Errorf("%s: hidden is %s, %v; simultaneous: %v", part, got, err, r.Simultaneous())
		}
	}
}

func TestAStateThatIsGreatComesInParts(t *testing.T) {
	set := make(map[string][]byte)
	for i := range 40 {
		set[fmt.Sprint(i)] = make([]byte, 100<<10)
	}
	set["huge"] = make([]byte, 3*maxChange)
	gone := []string{"x", "y"}
	seen := 0
	for _, change := range split(set, gone) {
		if size := proto.Size(change); size > maxChange+1000 && len(change.GetSet()) > 1 {
			t.Errorf("a message has %d bytes", size)
		}
		seen += len(change.GetSet()) + len(change.GetDelete())
	}
	if seen != 43 {
		t.Errorf("%d changes arrive, want 43", seen)
	}
	if got := len(split(map[string][]byte{}, nil)); got != 1 {
		t.Errorf("no change is %d messages", got)
	}
}

func TestGeneratedCodeIsThatOfTheProtocol(t *testing.T) {
	if _, err := exec.LookPath("protoc"); err != nil {
		t.Fatalf("apt-get install protobuf-compiler: %v", err)
	}
	set := filepath.Join(t.TempDir(), "set")
	cmd := exec.CommandContext(t.Context(), "protoc", "-I", "proto", "vitrine/v1/vitrine.proto", "--descriptor_set_out="+set)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	raw, err := os.ReadFile(set)
	var written descriptorpb.FileDescriptorSet
	if err == nil {
		err = proto.Unmarshal(raw, &written)
	}
	if err != nil {
		t.Fatal(err)
	}
	script := `import sys; from vitrine.v1 import vitrine_pb2; sys.stdout.buffer.write(vitrine_pb2.DESCRIPTOR.serialized_pb)`
	cmd = exec.CommandContext(t.Context(), python(t, "lake.py")[0], "-c", script)
	cmd.Dir = filepath.Join("..", "..", "examples", "plugin-python")
	if raw, err = cmd.Output(); err != nil {
		t.Fatal(err)
	}
	var inPython descriptorpb.FileDescriptorProto
	if err := proto.Unmarshal(raw, &inPython); err != nil {
		t.Fatal(err)
	}
	inGo := protodesc.ToFileDescriptorProto(pb.File_vitrine_v1_vitrine_proto)
	want := plain(written.GetFile()[0])
	for name, generated := range map[string]*descriptorpb.FileDescriptorProto{"Go": inGo, "Python": &inPython} {
		if !proto.Equal(plain(generated), want) {
			t.Errorf("the code in %s is of another vitrine.proto: make proto", name)
		}
	}
}

// plain returns a file without the names that JSON would have, which not every generator says.
func plain(file *descriptorpb.FileDescriptorProto) *descriptorpb.FileDescriptorProto {
	messages := slices.Clone(file.GetMessageType())
	for len(messages) > 0 {
		for _, field := range messages[0].GetField() {
			field.JsonName = nil
		}
		messages = append(messages[1:], messages[0].GetNestedType()...)
	}
	return file
}

// What a schema allows is legal, and all else has a reason.
func TestArgumentsAreHeldToTheirSchema(t *testing.T) {
	seen, err := readObservation([]byte(`{"view":{},"actions":[{"name":"wait"},{"name":"go","schema":{"type":"object","additionalProperties":false,
		"required":["n"],"properties":{"n":{"type":"integer","minimum":0,"maximum":5},"f":{"type":"number"},"to":{"enum":["x",1]},
		"s":{"type":"string","minLength":1,"maxLength":3},"l":{"type":"array","maxItems":2,"items":{"type":"boolean"}},"any":{},"o":{"type":"object","required":["k"]}}}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		`{"n":5}`: "", `{"n":1e0,"f":0.5,"to":1,"s":"äöü","l":[true,false],"any":null,"o":{"k":1}}`: "",
		``: "n is missing; want any, f, l, n, o, s, to", `[]`: "the arguments are no JSON object", `{"n":`: "the arguments are no JSON object",
		`{"n":0.5}`: "n is 0.5; it must be of type integer", `{"n":6}`: "n is 6; it must be from 0 to 5", `{"n":"1"}`: `n is "1"; it must be of type integer`,
		`{"n":1,"to":"y"}`: `to is "y"; it must be one of ["x",1]`, `{"n":1,"s":""}`: `s is ""; it must have from 1 to 3 characters`,
		`{"n":1,"l":[1]}`: "l.0 is 1; it must be of type boolean", `{"n":1,"l":[true,true,true]}`: "l is [true,true,true]; it must have at most 2 entries",
		`{"n":1,"m":1}`: `unknown argument "m"; want any, f, l, n, o, s, to`, `{"n":1,"o":{}}`: "o.k is missing; want none", `{"n":1e400}`: "the arguments are no JSON object",
	} {
		if got := seen.refuses(world.Action{Agent: "a", Name: "go", Args: []byte(args)}); got != want {
			t.Errorf("%s: %q, want %q", args, got, want)
		}
	}
	if got := seen.refuses(world.Action{Name: "stay"}); got != `there is no action "stay" now; there is wait, go` {
		t.Error(got)
	}
	if got := seen.refuses(world.Action{Name: "wait"}); got != "" {
		t.Error(got)
	}
}

func FuzzReadObservation(f *testing.F) {
	f.Add([]byte(`{"view":{},"actions":[{"name":"go","schema":{"type":"object","properties":{"n":{"type":"integer"}}}}]}`), []byte(`{"n":1}`))
	f.Fuzz(func(t *testing.T, raw, args []byte) {
		seen, err := readObservation(raw)
		if err != nil {
			return
		}
		for _, spec := range seen.Actions {
			_ = seen.refuses(world.Action{Name: spec.Name, Args: args})
		}
		if _, err := world.Canonical(seen.View); seen.plays && err != nil {
			t.Errorf("the view is %q", seen.View)
		}
	})
}

func FuzzReadEvents(f *testing.F) {
	f.Add([]byte(`[{"kind":"lake","agent":"a","data":{},"set":{"lake/tons":1},"del":["x"]}]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		events, err := readEvents(raw)
		if err == nil && slices.ContainsFunc(events, func(ev world.Event) bool { return ev.Kind == "" || ev.Kind == world.KindTurn }) {
			t.Errorf("%q is taken for events", raw)
		}
	})
}
