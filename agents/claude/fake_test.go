package claude

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/confine"
	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/world"
)

// TestMain lets the test binary be an MCP server, and stand in for a Claude Code that misbehaves in ways the real one does not. Its mode is the name
// of its model.
func TestMain(m *testing.M) {
	confine.Main()
	if len(os.Args) > 1 && os.Args[1] == NotesServer {
		serveNotes()
		return
	}
	for _, arg := range os.Args {
		if mode, ok := strings.CutPrefix(arg, "--model=fake-"); ok {
			(&fake{mode: mode, in: bufio.NewReader(os.Stdin)}).play()
			return
		}
	}
	os.Exit(m.Run())
}

// Kept returns the process that a keeper keeps.
func Kept(t *testing.T, keeper int) int {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", keeper, keeper))
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(raw), &pid); err != nil {
		t.Fatalf("the children of keeper %d are %q: %v", keeper, raw, err)
	}
	return pid
}

type fake struct {
	mode    string
	in      *bufio.Reader
	users   int // messages so far
	answers int // what it heard about its actions so far
}

func (f *fake) say(v any) { fmt.Printf("%s\n", world.JSON(v)) }

func (f *fake) mcp(id string, message map[string]any) {
	message["jsonrpc"] = "2.0"
	f.say(map[string]any{"type": "control_request", "request_id": id, "request": map[string]any{
		"subtype": "mcp_message", "server_name": serverName, "message": message,
	}})
}

func (f *fake) act(id string, n int) {
	f.call(id, n, map[string]any{"action": "fish", "args": map[string]any{"tons": n}})
}

// call calls act as the tool use with that id.
func (f *fake) call(id string, n int, arguments any) {
	f.mcp(id, map[string]any{"id": n, "method": "tools/call", "params": map[string]any{
		"name": toolName, "arguments": arguments, "_meta": map[string]any{"claudecode/toolUseId": id},
	}})
}

// reply is a reply of the model that holds the tool uses with those ids.
func (f *fake) reply(id string, toolUses ...string) {
	var content []map[string]any
	for _, use := range toolUses {
		content = append(content, map[string]any{"type": "tool_use", "id": use})
	}
	f.say(map[string]any{"type": "assistant", "message": map[string]any{"id": id, "content": content}})
}

func (f *fake) result() { f.say(map[string]any{"type": "result", "subtype": "success"}) }

// play answers line for line until its input ends.
func (f *fake) play() {
	for {
		line, err := f.in.ReadBytes('\n')
		if err != nil {
			return
		}
		var in inbound
		_ = json.Unmarshal(line, &in)
		switch {
		case in.Type == "control_request" && in.Request.Subtype == "initialize":
			f.say(map[string]any{"type": "control_response", "response": map[string]any{"subtype": "success", "request_id": in.RequestID}})
			f.mcp("hello", map[string]any{"id": 0, "method": "initialize", "params": map[string]any{
				"protocolVersion": "2025-06-18", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "fake", "version": "1"},
			}})
			f.mcp("hello again", map[string]any{"method": "notifications/initialized"})
		case in.Type == "control_request" && in.Request.Subtype == "end_session":
			if f.mode == "clinging" { // acts once more, and stays until it is killed
				f.act("last", 9)
				time.Sleep(time.Hour)
			}
			return
		default:
			f.misbehave(in)
		}
	}
}

func (f *fake) misbehave(in inbound) {
	if in.Type == "user" {
		f.users++
	}
	switch f.mode {
	case "talkative": // ends more turns than it was given
		if in.Type == "user" {
			for range 100 {
				f.result()
			}
		}
	case "broken": // its model breaks off, answers, breaks off, and is then out of order
		failed := map[string]any{"type": "result", "subtype": "success", "is_error": true, "result": "broken", "api_error_status": nil}
		switch {
		case in.Type == "user" && f.users == 1, in.Response.RequestID == "one":
			f.say(failed)
		case in.Type == "user" && f.users == 2:
			f.act("one", 1)
		case in.Type == "user":
			failed["api_error_status"] = 500
			f.say(failed)
		}
	case "mute": // closes its output and lives on
		if in.Type == "user" {
			os.Stdout.Close()
		}
	case "flood": // a line without an end
		if in.Type == "user" {
			for chunk := []byte(strings.Repeat("x", 1<<20)); ; {
				if _, err := os.Stdout.Write(chunk); err != nil {
					return
				}
			}
		}
	case "late": // acts when it is interrupted, and again on the next observation
		switch {
		case in.Request.Subtype == "interrupt":
			f.act("late", 1)
		case in.Response.RequestID == "late":
			f.result()
		case in.Type == "user" && f.users == 2:
			f.act("in time", 2)
		}
	case "twice": // acts again in a reply that has acted, and then in another
		switch {
		case in.Type == "user":
			f.reply("r1", "one", "two")
			f.act("one", 1)
		case in.Response.RequestID == "one":
			f.act("two", 2)
		case in.Response.RequestID == "two":
			f.reply("r2", "three")
			f.act("three", 3)
		}
	case "hasty": // acts twice at once, and then in another reply
		switch {
		case in.Type == "user":
			f.reply("r1", "one", "two")
			f.act("one", 1)
			f.act("two", 2)
		case in.Response.RequestID == "one", in.Response.RequestID == "two":
			f.answers++
			if f.answers == 2 {
				f.reply("r2", "three")
				f.act("three", 3)
			}
		}
	case "unbidden", "clinging": // acts, and again when the test says so
		switch {
		case in.Type == "user":
			f.act("one", 1)
		case in.Request.Subtype == "act unbidden":
			f.act("two", 2)
		}
	case "swarm": // says what is nothing, calls what there is not, and acts far too often
		if in.Type == "user" {
			for n := range 100 {
				fmt.Printf("{\"type\"\x00%d\n", n)
				f.say(map[string]any{"type": "control_request", "request_id": fmt.Sprint("q", n), "request": map[string]any{"subtype": "hook"}})
			}
			f.mcp("other", map[string]any{"id": 1000, "method": "tools/call", "params": map[string]any{"name": "observe", "arguments": map[string]any{}}})
			for n := range 500 {
				f.act(fmt.Sprint("act", n), n+1)
			}
		}
	case "forger": // says that it is somebody else
		if in.Type == "user" {
			f.call("forged", 1, map[string]any{
				"agent": "b", "Agent": "b", "seat": 1, "action": "fish", "args": map[string]any{"tons": 1, "agent": "b"},
			})
		}
	case "strange": // fields of other types, other requests, the same request twice
		switch {
		case in.Type == "user":
			f.say(map[string]any{"type": "control_request", "request_id": "q", "request": map[string]any{"subtype": "can_use_tool"}})
		case in.Response.RequestID == "q" && in.Response.Subtype == "error":
			f.act("one", 7)
			f.act("two", 7)
		}
	}
}

// startFake starts the test binary as a Claude Code with the given manners.
func startFake(t *testing.T, mode string) *Agent {
	t.Helper()
	return startFakeIn(t, t.TempDir(), mode, nil)
}

func startFakeIn(t *testing.T, dir, mode string, fenced func(world.Action, string, bool)) *Agent {
	t.Helper()
	return startFakeWith(t, dir, mode, func(cfg *Config) { cfg.Fenced = fenced })
}

func startFakeWith(t *testing.T, dir, mode string, configure func(*Config)) *Agent {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Binary: self, Dir: dir, Model: "fake-" + mode, Log: slog.New(slog.DiscardHandler)}
	configure(&cfg)
	a, err := Start(t.Context(), cfg)
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

func TestTurnsThatNobodyAskedForAreNotTurnEnds(t *testing.T) {
	a := startFake(t, "talkative")
	if _, err := a.Act(t.Context(), world.Observation{}); !errors.Is(err, agents.ErrNoAction) {
		t.Fatalf("act: %v, want %v", err, agents.ErrNoAction)
	}
	if len(a.results) != 0 || a.awaited.Load() != 0 {
		t.Errorf("%d results are left, %d awaited", len(a.results), a.awaited.Load())
	}
}

func TestChildThatClosesItsOutputOrFloodsItIsDead(t *testing.T) {
	for mode, why := range map[string]string{"mute": "it closed its output", "flood": "a line of more than"} {
		t.Run(mode, func(t *testing.T) {
			a := startFake(t, mode)
			_, err := a.Act(t.Context(), world.Observation{})
			var dead *agents.DeadError
			if !errors.As(err, &dead) || !strings.Contains(dead.Reason, why) {
				t.Errorf("act: %v, want a DeadError with %q", err, why)
			}
		})
	}
}

func TestAChildThatHasEndedByItselfWasNotKilledByUs(t *testing.T) {
	a := startFake(t, "idle")
	if err := a.process.Stdin.Close(); err != nil {
		t.Fatal(err)
	}
	<-a.process.Done()
	a.kill("it closed its output") // as where that is heard of late
	_, err := a.Act(t.Context(), world.Observation{})
	var dead *agents.DeadError
	if !errors.As(err, &dead) || dead.Reason != "exit status 0" {
		t.Errorf("act: %v, want a DeadError with its exit status", err)
	}
}

func TestAnAnswerThatBrokeOffIsAskedForOnceMore(t *testing.T) {
	a := startFake(t, "broken")
	if action, err := a.Act(t.Context(), world.Observation{}); err != nil || action.Name != "fish" {
		t.Errorf("act: %+v, %v", action, err)
	}
	for _, why := range []string{"a second failure in a row", "a failure that has a status"} {
		if _, err := a.Act(t.Context(), world.Observation{}); err == nil || err.Error() != "broken" {
			t.Errorf("act: %v, want an error after %s", err, why)
		}
	}
}

func TestStrangeLinesDoNoHarm(t *testing.T) {
	a := startFake(t, "strange")
	action, err := a.Act(t.Context(), world.Observation{})
	if err != nil || string(action.Args) != `{"tons":7}` {
		t.Errorf("act: %s, %v", action.Args, err)
	}
}

func TestAChildThatFloodsTheActToolIsBounded(t *testing.T) {
	evidence, fenced := new(tamper.Evidence), make(chan string, 10_000)
	a := startFakeWith(t, t.TempDir(), "swarm", func(cfg *Config) {
		cfg.Evidence, cfg.Fenced = evidence, func(_ world.Action, reason string, _ bool) { fenced <- reason }
	})
	if action, err := a.Act(t.Context(), world.Observation{Agent: "a"}); err != nil || action.Name != "fish" {
		t.Fatalf("act: %+v, %v", action, err)
	}
	seen := make(map[string]int)
	for deadline := time.Now().Add(time.Minute); seen[tamper.Acts] < 400 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		for _, s := range evidence.Take(func(string) bool { return true }) {
			seen[s.What] += s.Times
		}
	}
	if seen[tamper.Acts] < 400 || seen[tamper.Garbage] != 200 || seen[tamper.Tool] != 1 {
		t.Errorf("seen is %v", seen)
	}
	a.mcp.mu.Lock()
	defer a.mcp.mu.Unlock()
	if open := len(a.mcp.requests); open > maxOpen {
		t.Errorf("%d calls are open", open)
	}
}
