package claude_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/claude"
	"github.com/vitrine-sim/vitrine/agents/confine"
	"github.com/vitrine-sim/vitrine/agents/gateway"
	"github.com/vitrine-sim/vitrine/world"
)

// A model is an upstream whose answers a test writes: it is asked with the request and its number, from 0.
type model struct {
	mu     sync.Mutex
	bodies [][]byte
	answer func(r *http.Request, n int) (blocks []block, status int)
}

// A block is one content block of the model's answer.
type block map[string]any

func act(id, action string, tons int) block {
	return block{
		"type": "tool_use", "id": id, "name": "mcp__world__act",
		"input": map[string]any{"action": action, "args": map[string]any{"tons": tons}},
	}
}

func text(s string) block { return block{"type": "text", "text": s} }

func (m *model) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	n := len(m.bodies)
	m.bodies = append(m.bodies, body)
	m.mu.Unlock()
	blocks, status := m.answer(r, n)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	resp := &http.Response{StatusCode: status, Header: http.Header{}, Request: r, ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1}
	if status != http.StatusOK {
		resp.Header.Set("Content-Type", "application/json")
		resp.Body = io.NopCloser(strings.NewReader(`{"type":"error","error":{"type":"test_error","message":"as the test wants"}}`))
		return resp, nil
	}
	resp.Header.Set("Content-Type", "text/event-stream")
	resp.Body = io.NopCloser(bytes.NewReader(stream(n, blocks)))
	return resp, nil
}

// requests returns the bodies of the requests so far.
func (m *model) requests() [][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.bodies)
}

func stream(n int, blocks []block) []byte {
	var buf bytes.Buffer
	event := func(kind string, fields map[string]any) {
		fields["type"] = kind
		fmt.Fprintf(&buf, "event: %s\ndata: %s\n\n", kind, world.JSON(fields))
	}
	event("message_start", map[string]any{"message": map[string]any{
		"id": fmt.Sprintf("msg_%d", n), "type": "message", "role": "assistant", "model": "test", "content": []any{},
		"usage": map[string]any{"input_tokens": 10, "output_tokens": 1},
	}})
	stop := "end_turn"
	for i, b := range blocks {
		start, delta := block{"type": "text", "text": ""}, block{"type": "text_delta", "text": b["text"]}
		if b["type"] == "tool_use" {
			stop = "tool_use"
			start = block{"type": "tool_use", "id": b["id"], "name": b["name"], "input": map[string]any{}}
			delta = block{"type": "input_json_delta", "partial_json": string(world.JSON(b["input"]))}
		}
		event("content_block_start", map[string]any{"index": i, "content_block": start})
		event("content_block_delta", map[string]any{"index": i, "delta": delta})
		event("content_block_stop", map[string]any{"index": i})
	}
	event("message_delta", map[string]any{
		"delta": map[string]any{"stop_reason": stop}, "usage": map[string]any{"output_tokens": 5},
	})
	event("message_stop", map[string]any{})
	return buf.Bytes()
}

// binary is the real Claude Code.
var binary = sync.OnceValues(func() (claude.Binary, error) {
	return claude.Locate(context.Background(), os.Getenv("VITRINE_TEST_CLAUDE"), slog.Default())
})

// boundary is the strongest that this machine has.
var boundary = sync.OnceValue(func() confine.Boundary { return confine.Find(context.Background()) })

// config runs a real Claude Code process.
func config(t *testing.T) claude.Config {
	t.Helper()
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return claude.Config{
		Binary: bin.Path, Version: "test", Dir: filepath.Join(t.TempDir(), "a"), Token: "token", Model: "claude-sonnet-4-5",
		Prompt: "You fish.", Log: slog.New(slog.DiscardHandler), Boundary: boundary(),
	}
}

// start brings a real Claude Code process to life whose model is upstream.
func start(t *testing.T, upstream http.RoundTripper, configure func(*claude.Config)) *claude.Agent {
	t.Helper()
	cfg := config(t)
	if configure != nil {
		configure(&cfg)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	gw := &gateway.Gateway{Upstream: upstream}
	endpoint, err := gw.Open("a", claude.Socket(cfg.Dir), "token")
	if err != nil {
		t.Fatal(err)
	}
	agent, err := claude.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := agent.Close(); err != nil {
			t.Error(err)
		}
		if err := endpoint.Close(); err != nil {
			t.Error(err)
		}
		if err := syscall.Kill(agent.PID(), 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d is still there: %v", agent.PID(), err)
		}
	})
	return agent
}

func observe(turn int) world.Observation {
	return world.Observation{Agent: "a", Turn: turn, View: json.RawMessage(fmt.Sprintf(`{"marker":"m%d"}`, turn))}
}

// within is the time that an act may take in these tests.
func within(t *testing.T, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func mustAct(t *testing.T, a *claude.Agent, turn int) world.Action {
	t.Helper()
	action, err := a.Act(within(t, time.Minute), observe(turn))
	if err != nil {
		t.Fatalf("turn %d: %v", turn, err)
	}
	return action
}

func wantTons(t *testing.T, action world.Action, tons int) {
	t.Helper()
	if want := fmt.Sprintf(`{"tons":%d}`, tons); action.Name != "fish" || string(action.Args) != want {
		t.Errorf("action is %s %s, want fish %s", action.Name, action.Args, want)
	}
}

func TestOneRequestForEachAction(t *testing.T) {
	m := &model{answer: func(_ *http.Request, n int) ([]block, int) {
		return []block{text("Let me see."), act(fmt.Sprintf("toolu_%d", n), "fish", n)}, http.StatusOK
	}}
	agent := start(t, m, nil)
	const turns = 8
	for turn := range turns {
		wantTons(t, mustAct(t, agent, turn), turn)
	}
	requests := m.requests()
	if len(requests) != turns {
		t.Errorf("%d requests for %d actions", len(requests), turns)
	}
	for turn, body := range requests {
		if !bytes.Contains(body, fmt.Appendf(nil, `m%d\"`, turn)) || bytes.Contains(body, fmt.Appendf(nil, `m%d\"`, turn+1)) {
			t.Errorf("request %d does not end with observation %d: %s", turn, turn, body)
		}
	}
	if size := len(requests[0]); size > 4000 {
		t.Errorf("the first request has %d bytes, want a lean one", size)
	}
}

func TestLateAgentIsInterruptedAndPlaysOn(t *testing.T) {
	asked := make(chan struct{}, 1)
	m := &model{answer: func(r *http.Request, n int) ([]block, int) {
		if n == 1 {
			asked <- struct{}{}
			<-r.Context().Done() // the model thinks until it is interrupted
		}
		return []block{act(fmt.Sprintf("toolu_%d", n), "fish", n)}, http.StatusOK
	}}
	agent := start(t, m, nil)
	wantTons(t, mustAct(t, agent, 0), 0)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-asked
		cancel(nil)
	}()
	if _, err := agent.Act(ctx, observe(1)); !errors.Is(err, context.Canceled) {
		t.Fatalf("act without an answer: %v, want the context's error", err)
	}
	wantTons(t, mustAct(t, agent, 2), 2)
	if got := m.requests()[2]; !bytes.Contains(got, []byte(`m2\"`)) {
		t.Errorf("the observation after the late one is not in the request: %s", got)
	}
}

func TestAgentThatDoesNotActIsRemindedOnce(t *testing.T) {
	m := &model{answer: func(_ *http.Request, n int) ([]block, int) {
		if n == 1 {
			return []block{act("toolu_1", "fish", 1)}, http.StatusOK
		}
		return []block{text("I would rather talk.")}, http.StatusOK
	}}
	agent := start(t, m, nil)
	wantTons(t, mustAct(t, agent, 0), 1)
	if n := len(m.requests()); n != 2 {
		t.Errorf("%d requests, want the observation and the reminder", n)
	}
	if _, err := agent.Act(within(t, time.Minute), observe(1)); !errors.Is(err, agents.ErrNoAction) {
		t.Errorf("act of an agent that only talks: %v, want %v", err, agents.ErrNoAction)
	}
	if n := len(m.requests()); n != 4 {
		t.Errorf("%d requests, want 4", n)
	}
}

func TestObservationThatClaudeCodeWouldCutIsRefused(t *testing.T) {
	m := &model{answer: func(_ *http.Request, n int) ([]block, int) {
		return []block{act(fmt.Sprintf("toolu_%d", n), "fish", n)}, http.StatusOK
	}}
	agent := start(t, m, nil)
	wantTons(t, mustAct(t, agent, 0), 0)
	obs := observe(1)
	obs.View = world.JSON(strings.Repeat("x", 50_000))
	if _, err := agent.Act(within(t, time.Minute), obs); err == nil || !strings.Contains(err.Error(), "50") {
		t.Errorf("act on 50 kB: %v, want an error that says how much", err)
	}
	obs.View = world.JSON(strings.Repeat("x", 39_000))
	action, err := agent.Act(within(t, time.Minute), obs)
	if err != nil {
		t.Fatal(err)
	}
	wantTons(t, action, 1)
	if got := m.requests()[1]; !bytes.Contains(got, bytes.Repeat([]byte("x"), 39_000)) {
		t.Error("an observation of 39 kB does not reach the model whole")
	}
}

func TestSecondActionOfOneReplyIsRefused(t *testing.T) {
	m := &model{answer: func(_ *http.Request, n int) ([]block, int) {
		if n == 0 {
			return []block{act("toolu_a", "fish", 10), act("toolu_b", "fish", 66)}, http.StatusOK
		}
		return []block{act(fmt.Sprintf("toolu_%d", n), "fish", n)}, http.StatusOK
	}}
	fenced := make(chan string, 10)
	agent := start(t, m, func(cfg *claude.Config) {
		cfg.Fenced = func(action world.Action, reason string, _ bool) { fenced <- string(action.Args) + ": " + reason }
	})
	wantTons(t, mustAct(t, agent, 0), 10)
	wantTons(t, mustAct(t, agent, 1), 1)
	if got, want := <-fenced, `{"tons":66}: one action for each observation`; !strings.HasPrefix(got, want) || len(fenced) != 0 {
		t.Errorf("told of %q and %d more, want %q", got, len(fenced), want)
	}
	if got := m.requests()[1]; !bytes.Contains(got, []byte("had not seen the newest")) {
		t.Errorf("the model is not told that its second action was refused: %s", got)
	}
}

func TestMalformedActionCanBeMended(t *testing.T) {
	m := &model{answer: func(_ *http.Request, n int) ([]block, int) {
		if n == 0 {
			return []block{{"type": "tool_use", "id": "toolu_x", "name": "mcp__world__act", "input": map[string]any{"action": 7}}}, http.StatusOK
		}
		return []block{act("toolu_y", "fish", 3)}, http.StatusOK
	}}
	agent := start(t, m, func(cfg *claude.Config) {
		cfg.Fenced = func(action world.Action, reason string, _ bool) { t.Errorf("%+v was fenced: %s", action, reason) }
	})
	wantTons(t, mustAct(t, agent, 0), 3)
}

func TestErrorOfTheModelIsAnErrorOfOneAct(t *testing.T) {
	m := &model{answer: func(_ *http.Request, n int) ([]block, int) {
		if n == 0 {
			return nil, http.StatusForbidden
		}
		return []block{act("toolu_1", "fish", 4)}, http.StatusOK
	}}
	agent := start(t, m, nil)
	_, err := agent.Act(within(t, time.Minute), observe(0))
	var dead *agents.DeadError
	if err == nil || errors.As(err, &dead) || !strings.Contains(err.Error(), "as the test wants") {
		t.Fatalf("act with a model that refuses: %v, want the model's error", err)
	}
	wantTons(t, mustAct(t, agent, 1), 4)
}

func TestKilledAgentIsDead(t *testing.T) {
	asked := make(chan struct{}, 1)
	m := &model{answer: func(r *http.Request, _ int) ([]block, int) {
		asked <- struct{}{}
		<-r.Context().Done()
		return nil, http.StatusOK
	}}
	agent := start(t, m, nil)
	pid := claude.Kept(t, agent.PID())
	go func() {
		<-asked
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}()
	_, err := agent.Act(within(t, time.Minute), observe(0))
	var dead *agents.DeadError
	if !errors.As(err, &dead) || dead.Reason != "signal: killed" {
		t.Fatalf("act of a killed agent: %v, want a DeadError for its signal", err)
	}
	if _, err := agent.Act(t.Context(), observe(1)); !errors.As(err, &dead) {
		t.Errorf("act after death: %v, want a DeadError", err)
	}
}

func TestFileToolsReachTheWorkdirOnly(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside.txt")
	if err := os.WriteFile(outside, []byte("a secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	var work string
	use := func(id, name string, input map[string]any) block {
		return block{"type": "tool_use", "id": id, "name": name, "input": input}
	}
	m := &model{answer: func(_ *http.Request, n int) ([]block, int) {
		switch n {
		case 0:
			return []block{
				use("t1", "Write", map[string]any{"file_path": filepath.Join(work, "notes.txt"), "content": "mine"}),
				use("t2", "Write", map[string]any{"file_path": outside + ".new", "content": "escaped"}),
				use("t3", "Read", map[string]any{"file_path": outside}),
				use("t4", "Bash", map[string]any{"command": "cat " + outside}),
				use("t5", "Glob", map[string]any{"pattern": "*", "path": filepath.Dir(outside)}),
				use("t6", "Grep", map[string]any{"pattern": "secret", "path": filepath.Dir(outside), "output_mode": "content"}),
			}, http.StatusOK
		default:
			return []block{act("t9", "fish", 1)}, http.StatusOK
		}
	}}
	agent := start(t, m, func(cfg *claude.Config) {
		cfg.Tools = []string{"Read", "Write", "Edit", "Glob", "Grep"}
		work = filepath.Join(cfg.Dir, "work")
	})
	wantTons(t, mustAct(t, agent, 0), 1)
	if got, err := os.ReadFile(filepath.Join(work, "notes.txt")); err != nil || string(got) != "mine" {
		t.Errorf("write in the workdir: %q, %v", got, err)
	}
	if _, err := os.Stat(outside + ".new"); err == nil {
		t.Error("a file was written outside of the workdir")
	}
	if got := m.requests()[1]; bytes.Contains(got, []byte("a secret")) {
		t.Errorf("a file outside of the workdir was read: %s", got)
	}
}

func TestProcessHoldsNoKeyAndKeepsItsTranscript(t *testing.T) {
	t.Setenv("ANTHROPIC_API_KEY", "canary-key")
	m := &model{answer: func(_ *http.Request, n int) ([]block, int) {
		return []block{act(fmt.Sprintf("toolu_%d", n), "fish", n)}, http.StatusOK
	}}
	dir := filepath.Join(t.TempDir(), "a")
	t.Run("play", func(t *testing.T) {
		agent := start(t, m, func(cfg *claude.Config) { cfg.Dir = dir })
		mustAct(t, agent, 0)
		for _, file := range []string{"environ", "cmdline"} {
			raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", claude.Kept(t, agent.PID()), file))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(raw, []byte("canary-key")) {
				t.Errorf("the key is in the process's %s", file)
			}
		}
	})
	raw, err := os.ReadFile(filepath.Join(dir, claude.TranscriptName))
	if err != nil || !bytes.Contains(raw, []byte(`m0`)) {
		t.Errorf("transcript: %q, %v", raw, err)
	}
}

func TestStartOfWhatIsNotClaudeFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	cfg := claude.Config{Binary: "/bin/false", Dir: dir, Log: slog.New(slog.DiscardHandler)}
	if _, err := claude.Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("start of /bin/false: %v, want its exit status", err)
	}
}
