package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vitrine-sim/vitrine/agents/claude"
	"github.com/vitrine-sim/vitrine/agents/gateway"
)

// A counter is a model whose answers report what a test says.
type counter struct {
	next atomic.Pointer[answers] // to the next requests, one after the other
}

type answers struct {
	n    atomic.Int64
	each []reported
}

// A reported is an answer that reports so much, in the form of the Messages API.
type reported struct {
	usage string
	out   int
	cut   bool // the stream breaks off before its end
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	var request struct {
		Model  string
		Stream bool
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return nil, err
	}
	all := c.next.Load()
	n := all.n.Add(1) - 1
	if n >= int64(len(all.each)) {
		return nil, fmt.Errorf("request %d is one too many", n)
	}
	a, id := all.each[n], fmt.Sprintf("msg_%p_%d", all, n)
	message := func(content, stop string, out int) string {
		return fmt.Sprintf(`{"id":%q,"type":"message","role":"assistant","model":%q,"content":%s,"stop_reason":%s,"stop_sequence":null,"usage":{%s,"output_tokens":%d}}`,
			id, request.Model, content, stop, a.usage, out)
	}
	resp := &http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"text/event-stream"}}, Request: r, ContentLength: -1}
	if !request.Stream {
		resp.Header.Set("Content-Type", "application/json")
		resp.Body = io.NopCloser(strings.NewReader(message(`[{"type":"text","text":"It is."}]`, `"end_turn"`, a.out)))
		return resp, nil
	}
	var stream strings.Builder
	event := func(kind, data string) {
		fmt.Fprintf(&stream, "event: %s\ndata: {\"type\":%q%s}\n\n", kind, kind, data)
	}
	event("message_start", `,"message":`+message("[]", "null", 1))
	event("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`)
	event("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":"It is."}`)
	if a.cut {
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(stream.String()), cutOff{}))
		return resp, nil
	}
	event("content_block_stop", `,"index":0`)
	event("message_delta", fmt.Sprintf(`,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{%s,"output_tokens":%d}`, a.usage, a.out))
	event("message_stop", "")
	resp.Body = io.NopCloser(strings.NewReader(stream.String()))
	return resp, nil
}

type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// theirs is what Claude Code says it has used of a model.
type theirs struct {
	Input    int64   `json:"inputTokens"`
	Output   int64   `json:"outputTokens"`
	Read     int64   `json:"cacheReadInputTokens"`
	Created  int64   `json:"cacheCreationInputTokens"`
	Searches int64   `json:"webSearchRequests"`
	Cost     float64 `json:"costUSD"`
}

// A claudeCode is a Claude Code process that talks to a model through a gateway.
type claudeCode struct {
	*gateway.Endpoint
	stdin  io.Writer
	stdout *bufio.Reader
}

// converse starts a Claude Code process.
func converse(t *testing.T, g *gateway.Gateway, model string) *claudeCode {
	t.Helper()
	binary, err := claude.Locate(t.Context(), os.Getenv("VITRINE_TEST_CLAUDE"), slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	endpoint, err := g.Open("a", claude.Socket(dir), "token-of-a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, binary.Path, "-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose",
		"--model="+model, "--tools=", "--strict-mcp-config", "--setting-sources=", "--disable-slash-commands", "--system-prompt=Be brief.")
	cmd.Dir = work
	cmd.Env = append(claude.GatewayEnv("token-of-a"), "PATH=/usr/bin:/bin", "HOME="+dir, "TMPDIR="+dir, "MAX_THINKING_TOKENS=0",
		"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1", "DISABLE_AUTOUPDATER=1", "CLAUDE_CODE_MAX_RETRIES=2")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		if err := endpoint.Close(); err != nil {
			t.Error(err)
		}
	})
	return &claudeCode{endpoint, stdin, bufio.NewReader(stdout)}
}

// ask asks something, and returns what Claude Code says it has used so far, and what that has cost.
func (c *claudeCode) ask(t *testing.T) (models map[string]theirs, cost float64) {
	t.Helper()
	if _, err := io.WriteString(c.stdin, `{"type":"user","message":{"role":"user","content":"Is it?"}}`+"\n"); err != nil {
		t.Fatal(err)
	}
	for {
		line, err := c.stdout.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		var result struct {
			Type   string
			Models map[string]theirs `json:"modelUsage"`
			Cost   float64           `json:"total_cost_usd"`
		}
		if json.Unmarshal(line, &result) == nil && result.Type == "result" {
			return result.Models, result.Cost
		}
	}
}

// Claude Code counts what it uses as well. Both agree, but where it cannot know: the gateway sees streams that broke off.
func TestTheMeterAgreesWithClaudeCode(t *testing.T) {
	const model = "claude-sonnet-4-5"
	const plain = `"input_tokens":1000,"cache_creation_input_tokens":0,"cache_read_input_tokens":0`
	const cached = `"input_tokens":10,"cache_creation_input_tokens":200,"cache_read_input_tokens":3000,"cache_creation":{"ephemeral_5m_input_tokens":200,"ephemeral_1h_input_tokens":0}`
	const hour = `"input_tokens":10,"cache_creation_input_tokens":200,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":50,"ephemeral_1h_input_tokens":150}`
	const searched = plain + `,"server_tool_use":{"web_search_requests":2}`
	tests := []struct {
		name   string
		each   []reported
		theirs theirs         // what is more than before
		ours   gateway.Tokens // the same
		cut    int64
	}{
		{"a plain answer", []reported{{plain, 40, false}}, theirs{Input: 1000, Output: 40}, gateway.Tokens{Input: 1000, Output: 40}, 0},
		{
			"with a cache",
			[]reported{{cached, 40, false}},
			theirs{Input: 10, Read: 3000, Created: 200, Output: 40},
			gateway.Tokens{Input: 10, CacheRead: 3000, CacheWrite5m: 200, Output: 40},
			0,
		},
		{
			"with a cache for an hour",
			[]reported{{hour, 40, false}},
			theirs{Input: 10, Created: 200, Output: 40},
			gateway.Tokens{Input: 10, CacheWrite5m: 50, CacheWrite1h: 150, Output: 40},
			0,
		},
		{
			"with a search",
			[]reported{{searched, 40, false}},
			theirs{Input: 1000, Searches: 2, Output: 40},
			gateway.Tokens{Input: 1000, WebSearches: 2, Output: 40},
			0,
		},
		{ // a stream that breaks off, which it asks for again as a document: of the first it knows nothing
			"cut",
			[]reported{{plain, 40, true}, {plain, 50, false}},
			theirs{Input: 1000, Output: 50},
			gateway.Tokens{Input: 2000, Output: 50 + 1},
			1,
		},
	}
	prices, err := gateway.ParsePrices(gateway.ShippedPrices())
	if err != nil {
		t.Fatal(err)
	}
	upstream := new(counter)
	c := converse(t, &gateway.Gateway{Upstream: upstream, Prices: prices}, model)
	var theirs theirs
	var ours gateway.Tokens
	var cut int64
	for _, test := range tests {
		upstream.next.Store(&answers{each: test.each})
		models, cost := c.ask(t)
		theirs.add(test.theirs)
		ours, cut = add(ours, test.ours), cut+test.cut
		got, used := models[model], c.Models()[model]
		theirs.Cost = got.Cost
		if len(models) != 1 || got != theirs {
			t.Errorf("%s: Claude Code says %+v, want %+v", test.name, models, theirs)
		}
		if len(c.Models()) != 1 || used.Tokens != ours || used.Cut != cut {
			t.Errorf("%s: the gateway says %+v, want %+v", test.name, used, ours)
		}
		if used.Assumed.Tokens != 30*cut { // 31 bytes of the stream are the model's, of which a token is reported
			t.Errorf("%s: %+v are assumed", test.name, used.Assumed)
		}
		if same := math.Abs(used.Cost.Dollars()-cost) < 1e-9; same != (cut == 0) {
			t.Errorf("%s: %v by the gateway, %v dollars by Claude Code", test.name, used.Cost, cost)
		}
	}
}

func (t *theirs) add(u theirs) {
	t.Input, t.Output, t.Read, t.Created, t.Searches = t.Input+u.Input, t.Output+u.Output, t.Read+u.Read, t.Created+u.Created, t.Searches+u.Searches
}

func add(t, u gateway.Tokens) gateway.Tokens {
	return gateway.Tokens{
		Input: t.Input + u.Input, CacheWrite5m: t.CacheWrite5m + u.CacheWrite5m, CacheWrite1h: t.CacheWrite1h + u.CacheWrite1h,
		CacheRead: t.CacheRead + u.CacheRead, Output: t.Output + u.Output, WebSearches: t.WebSearches + u.WebSearches,
	}
}
