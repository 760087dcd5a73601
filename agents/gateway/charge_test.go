package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// A talk is a stream: an upstream for one answer, which ends where it says.
type talk struct {
	id      string
	in, out int64    // tokens that it reports
	texts   []string // that it says
	cut     bool     // it breaks off after them
}

func (a talk) events() [][]byte {
	event := func(text string, args ...any) []byte { return fmt.Appendf(nil, "data: "+text+"\n\n", args...) }
	events := [][]byte{event(`{"type":"message_start","message":{"id":%q,"usage":{"input_tokens":%d,"output_tokens":1}}}`, a.id, a.in)}
	for _, text := range a.texts {
		events = append(events, event(`{"type":"content_block_delta","delta":{"type":"text_delta","text":%q}}`, text))
	}
	if !a.cut {
		events = append(events, event(`{"type":"message_delta","usage":{"output_tokens":%d}}`, a.out), event(`{"type":"message_stop"}`))
	}
	return events
}

// answer is the answer of the upstream; one that is cut ends with an error.
func (a talk) answer(r *http.Request) *http.Response {
	resp := respond(r, http.StatusOK, "text/event-stream", a.events()...)
	if a.cut {
		resp.Body = io.NopCloser(io.MultiReader(resp.Body, broken{}))
	}
	return resp
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

const sonnet = "claude-sonnet-4-5"

// requestOf returns a request of an agent that is a certain number of bytes long.
func requestOf(model string, maxTokens, size int, more string) string {
	head := fmt.Sprintf(`{"model":%q,"max_tokens":%d,"stream":true%s,"messages":"`, model, maxTokens, more)
	return head + strings.Repeat("x", max(0, size-len(head)-2)) + `"}`
}

// sent sends a request and returns the status and what came of the answer.
func sent(t testing.TB, client *http.Client, request string) (int, string) {
	t.Helper()
	resp, err := ask(t.Context(), client, messagesPath, request)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body) // the end of one that is cut is an error
	return resp.StatusCode, string(raw)
}

func TestEachMessageCountsOnceAndEachRequestThatWasCut(t *testing.T) {
	var next func(*http.Request) (*http.Response, error)
	upstream := roundTrip(func(r *http.Request) (*http.Response, error) { return next(r) })
	request, other := requestOf(sonnet, 50, 400, ""), requestOf("claude-haiku-4-5", 50, 500, `,"thinking":{}`)
	streams := func(a talk) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) { return a.answer(r), nil }
	}
	document := func(text string) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) { return answer(r, text) }
	}
	status := func(code int) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) {
			return respond(r, code, "application/json", []byte(`{"type":"error","usage":{"input_tokens":1000}}`)), nil
		}
	}
	thoughts := talk{id: "m8", in: 20, cut: true}
	tests := []struct {
		name    string
		request string
		next    func(*http.Request) (*http.Response, error)
		want    Usage // what is more than before
	}{
		{"a stream", request, streams(talk{id: "m1", in: 100, out: 7, texts: []string{"a", "b"}}), Usage{Requests: 1, Tokens: Tokens{Input: 100, Output: 7}}},
		{"the same message again", request, streams(talk{id: "m1", in: 100, out: 7, texts: []string{"a", "b"}}), Usage{Requests: 1}},
		{"the same message, but longer", request, streams(talk{id: "m1", in: 100, out: 9}), Usage{Requests: 1, Tokens: Tokens{Output: 2}}},
		{"its id in answer to another request", other, streams(talk{id: "m1", in: 100, out: 7}), Usage{Requests: 1, Tokens: Tokens{Input: 100, Output: 7}}},
		{"another message", request, streams(talk{id: "m2", in: 100, out: 7}), Usage{Requests: 1, Tokens: Tokens{Input: 100, Output: 7}}},
		{"one without an id", request, streams(talk{in: 100, out: 7}), Usage{Requests: 1, Tokens: Tokens{Input: 100, Output: 7}}},
		{"one that is cut", request, streams(talk{id: "m3", in: 100, texts: []string{"four", "füü"}, cut: true}), Usage{Requests: 1, Cut: 1, Tokens: Tokens{Input: 100, Output: 1}, Assumed: Assumed{Tokens: 8}}},
		{"the same again, as a document", request, document(`{"id":"m4","usage":{"input_tokens":100,"output_tokens":8}}`), Usage{Requests: 1, Tokens: Tokens{Input: 100, Output: 8}}},
		{"one that is cut at once", request, streams(talk{id: "m5", in: 100, cut: true}), Usage{Requests: 1, Cut: 1, Tokens: Tokens{Input: 100, Output: 1}}},
		{"one that ends without an end", request, func(r *http.Request) (*http.Response, error) {
			a := talk{id: "m6", in: 100, texts: []string{"four"}}
			events := a.events()
			return respond(r, 200, "text/event-stream", events[:len(events)-2]...), nil
		}, Usage{Requests: 1, Cut: 1, Tokens: Tokens{Input: 100, Output: 1}, Assumed: Assumed{Tokens: 3}}},
		{"one that is cut while it thinks", request, func(r *http.Request) (*http.Response, error) {
			resp := thoughts.answer(r)
			block := strings.NewReader("data: {\"type\":\"content_block_start\",\"content_block\":{\"type\":\"thinking\"}}\n\n")
			resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(thoughts.events()[0]), block, broken{}))
			return resp, nil
		}, Usage{Requests: 1, Cut: 1, Tokens: Tokens{Input: 20, Output: 1}, Assumed: Assumed{Tokens: 49}}},
		{"429", request, status(429), Usage{Requests: 1}},
		{"500", request, status(500), Usage{Requests: 1}},
		{"an empty stream", request, func(r *http.Request) (*http.Response, error) { return respond(r, 200, "text/event-stream"), nil }, Usage{Requests: 1}},
		{"an error in a stream", request, func(r *http.Request) (*http.Response, error) {
			return respond(r, 200, "text/event-stream", []byte("data: {\"type\":\"error\"}\n\n")), nil
		}, Usage{Requests: 1}},
		{"a page", request, document("<html>"), Usage{Requests: 1}},
		{"no answer", request, func(*http.Request) (*http.Response, error) { return nil, errors.New("no") }, Usage{Requests: 1}},
		{"a model without a price", requestOf("m", 50, 400, ""), streams(talk{id: "m7", in: 5, out: 5}), Usage{Requests: 1, Unpriced: 1, Tokens: Tokens{Input: 5, Output: 5}}},
	}
	g := &Gateway{Upstream: upstream, Prices: shipped(t), Patience: -1}
	e, client := open(t, g, "a")
	var before Usage
	for _, test := range tests {
		next = test.next
		sent(t, client, test.request)
		eventually(t, e)
		now := e.Usage()
		got := now.plus(before, -1)
		got.Cost, got.Assumed.Cost, before = 0, 0, now
		if got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
	models := e.Models()
	if want, _ := g.Prices.cost(sonnet, "", models[sonnet].Tokens); len(models) != 3 || models[sonnet].Cost != want || models["m"].Cost != 0 {
		t.Errorf("by model: %+v, want %s for %s", models, want, sonnet)
	}
	if g.books.run.taken != before.amount() || g.books.run.open != 0 {
		t.Errorf("the run has used %+v, its agent %+v", g.books.run, before.amount())
	}
}

// eventually waits until all requests of an endpoint are settled, which may be a moment after the agent has the answer.
func eventually(t testing.TB, e *Endpoint) {
	t.Helper()
	b := &e.gateway.books
	b.mu.Lock()
	defer b.mu.Unlock()
	for e.account.open > 0 {
		if err := b.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestARequestThatTheUpstreamMayHaveSeenCounts(t *testing.T) {
	for _, stream := range []bool{true, false} {
		e, client := open(t, &Gateway{Upstream: server(t, func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			conn.Close()
		})}, "a")
		request := strings.Replace(requestOf(sonnet, 50, 400, ""), "true", fmt.Sprint(stream), 1)
		if status, text := sent(t, client, request); status != http.StatusBadGateway {
			t.Fatalf("status %d: %s", status, text)
		}
		eventually(t, e)
		want := Usage{Requests: 1, Cut: 1, Assumed: Assumed{Tokens: int64(len(request)) + hidden}}
		if !stream {
			want.Assumed.Tokens += 50 // it may have been on its way as a whole
		}
		if got := e.Usage(); got != want {
			t.Errorf("stream %t: %+v, want %+v", stream, got, want)
		}
	}
}

func TestWhatWasUsedOutlivesTheProcess(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "api.sock")
	said := func(g *Gateway, more int) Usage {
		t.Helper()
		e, err := g.Open("a", socket, token)
		if err != nil {
			t.Fatal(err)
		}
		for range more {
			resp, err := ask(t.Context(), dialer(t, socket), messagesPath, requestOf(sonnet, 50, 400, ""))
			read(t, resp, err)
		}
		used := e.Usage()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		return used
	}
	n := 0
	talks := roundTrip(func(r *http.Request) (*http.Response, error) {
		n++
		return talk{id: fmt.Sprint("m", n), in: 100, out: 7}.answer(r), nil
	})
	first := said(&Gateway{Upstream: talks, Prices: shipped(t)}, 2)
	if want := (Usage{Requests: 2, Tokens: Tokens{Input: 200, Output: 14}, Cost: Dollars(0.00081)}); first != want {
		t.Fatalf("used %+v, want %+v", first, want)
	}
	record := filepath.Join(filepath.Dir(socket), recordName)
	raw, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	// A process that is killed while a request is upstream has written one line of three, and a part of another one.
	lines := bytes.SplitAfter(raw, []byte("\n"))
	raw = bytes.Join([][]byte{lines[0], lines[1], lines[2], lines[3], lines[0][:20]}, nil)
	if err := os.WriteFile(record, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	g := &Gateway{Upstream: talks, Prices: shipped(t), Budget: Budget{Requests: 3}}
	second := said(g, 0)
	if second.Requests != 2 || second.Cut != 1 || second.Output != 7 || second.Input != 100 || second.Assumed.Tokens != 100+64+50 || second.Assumed.Cost == 0 {
		t.Errorf("after a kill it has used %+v", second)
	}
	if g.books.run.taken != second.amount() {
		t.Errorf("the run has used %+v", g.books.run.taken)
	}
	third := said(&Gateway{Upstream: talks, Prices: shipped(t)}, 1)
	if third.Requests != 3 || third.Output != second.Output+7 {
		t.Errorf("then %+v", third)
	}
	if again := said(&Gateway{Upstream: talks}, 0); again != third {
		t.Errorf("then %+v, want %+v", again, third)
	}
}

func TestNoMoreIsAssumedOfARequestThatAKillCutThanNobodyKnows(t *testing.T) {
	request := requestOf(sonnet, 50, 400, "")
	worst := int64(len(request)) + hidden + 50
	events := talk{id: "m", in: 100, out: 7, texts: []string{"four"}}.events()
	tests := []struct {
		name    string
		come    int // events of the answer that have come when it is killed; less than 0: it is turned away, and waits to be sent again
		want    Usage
		offline Usage
	}{
		{"turned away", -1, Usage{Requests: 1}, Usage{Requests: 1}},
		{"sent", 0, Usage{Requests: 1, Cut: 1, Assumed: Assumed{Tokens: worst}}, Usage{}},
		{"begun", 1, Usage{Requests: 1, Cut: 1, Tokens: Tokens{Input: 100, Output: 1}, Assumed: Assumed{Tokens: 49}}, Usage{Requests: 1, Cut: 1, Tokens: Tokens{Input: 100, Output: 1}}},
		{"reported", len(events) - 1, Usage{Requests: 1, Tokens: Tokens{Input: 100, Output: 7}}, Usage{Requests: 1, Tokens: Tokens{Input: 100, Output: 7}}},
	}
	for _, test := range tests {
		for _, offline := range []bool{false, true} {
			path := filepath.Join(t.TempDir(), recordName)
			e := newEndpoint(t, &Gateway{Offline: offline}, "a", path)
			c, err := e.charge(t.Context(), e.weigh([]byte(request)))
			if err != nil {
				t.Fatal(err)
			}
			m := meter{stream: true, learn: c.learn}
			c.leave()
			if test.come < 0 {
				c.unsent()
			}
			for _, event := range events[:max(0, test.come)] {
				m.write(event)
			}
			want := test.want
			if offline {
				want = test.offline
			}
			if got := newEndpoint(t, new(Gateway), "a", path).Usage(); got != want {
				t.Errorf("%s, offline %t: after a kill %+v are used, want %+v", test.name, offline, got, want)
			}
		}
	}
}

func TestABudgetSaysWhatItAssumes(t *testing.T) {
	path := filepath.Join(t.TempDir(), recordName)
	lines := `{"n":0,"model":"m","requests":1,"input":100,"output":7,"cost":2000000000000}
{"n":1,"model":"m","requests":1,"cut":1,"assumed":{"tokens":4000,"cost":3000000000000}}
`
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		limit Budget
		want  string
	}{
		{Budget{Tokens: 5000}, "the budget of a is spent: 107 of 5000 tokens are used, 4000 more are assumed of requests that were cut, and 4546 more may be needed"},
		{Budget{Cost: Dollars(5.01)}, "the budget of a is spent: $2.00 of $5.01 are used, $3.00 more are assumed of requests that were cut, and $0.015662 more may be needed"},
	} {
		g := &Gateway{Budgets: map[string]Budget{"a": test.limit}, Prices: shipped(t)}
		e := newEndpoint(t, g, "a", path)
		if _, err := e.charge(t.Context(), e.weigh([]byte(requestOf(sonnet, 50, 400, "")))); err == nil || err.Error() != test.want {
			t.Errorf("%v, want %s", err, test.want)
		}
	}
}

func TestABudgetRefusesWhatDoesNotFit(t *testing.T) {
	request := requestOf(sonnet, 50, 400, "")
	tests := []struct {
		name    string
		all     Budget // of the run
		own     Budget // of the agent
		request string
		served  int // requests that are answered
		want    string
	}{
		{"requests", Budget{}, Budget{Requests: 3}, request, 3, "the budget of a is spent: 3 of 3 requests are made"},
		{"requests of all", Budget{Requests: 2}, Budget{Requests: 3}, request, 2, "the budget of the run is spent: 2 of 2 requests are made"},
		// A request may use 400 + 4096 and 50, and after the first one 100 + 64 and 50; it does use 107.
		{"tokens", Budget{}, Budget{Tokens: 4546}, request, 41, "the budget of a is spent: 4387 of 4546 tokens are used, and 214 more may be needed"},
		{"too few tokens", Budget{}, Budget{Tokens: 4545}, request, 0, "0 of 4545 tokens are used, and 4546 more"},
		{"dollars", Budget{Cost: Dollars(0.016)}, Budget{}, request, 37, "the budget of the run is spent: $0.014985 of $0.016 are used, and $0.001366 more may be needed"},
		{"dollars for a cache", Budget{Cost: Dollars(0.016)}, Budget{}, requestOf(sonnet, 50, 400, `,"x":{"cache_control":{}}`), 0, "$0.00 of $0.016 are used, and $0.019371 more"},
		{"dollars for a long cache", Budget{Cost: Dollars(0.02)}, Budget{}, requestOf(sonnet, 50, 400, `,"x":{"cache_control":{"ttl":"1h"}}`), 0, "$0.030499 more"},
		{"a model without a price", Budget{}, Budget{Cost: Dollars(100)}, requestOf("m", 50, 400, ""), 0, `the model "m" has no price, and a has a budget in dollars`},
		{"the same, with tokens", Budget{}, Budget{Tokens: 4546, Requests: 1}, requestOf("m", 50, 400, ""), 1, "1 of 1 requests"},
		{"no max_tokens", Budget{Tokens: 1e6}, Budget{}, `{"model":"m"}`, 0, "max_tokens is not from 1 to"},
		{"two of them", Budget{Tokens: 5000}, Budget{}, `{"model":"m","max_tokens":50,"max_tokens":5000}`, 0, "9"},
		{"in capitals", Budget{Tokens: 5000}, Budget{}, `{"model":"m","max_tokens":5000,"MAX_TOKENS":50}`, 0, "9"},
		{"no JSON", Budget{Tokens: 1e6}, Budget{}, `{"model`, 0, "no JSON"},
		{"a tool of the upstream", Budget{Tokens: 1e6}, Budget{}, requestOf("m", 50, 400, `,"tools":[{"name":"x"},{"type":"web_search_20260209"}]`), 0, `the tool "web_search_20260209" of`},
		{"a tool of the agent", Budget{Requests: 1, Tokens: 1e6}, Budget{}, requestOf("m", 50, 400, `,"tools":[{"type":"custom"},{"type":"bash_20250124"}]`), 1, "1 of 1"},
		{"servers of the upstream", Budget{Tokens: 1e6}, Budget{}, requestOf("m", 50, 400, `,"mcp_servers":[{}]`), 0, "MCP servers"},
		{"a document elsewhere", Budget{Tokens: 1e6}, Budget{}, `{"model":"m","max_tokens":5,"messages":[{"source":{"type": "url"}}]}`, 0, "only names"},
	}
	for _, test := range tests {
		n := 0
		e, client := open(t, &Gateway{
			Budget: test.all, Budgets: map[string]Budget{"a": test.own}, Prices: shipped(t),
			Upstream: roundTrip(func(r *http.Request) (*http.Response, error) {
				n++
				return talk{id: fmt.Sprint("m", n), in: 100, out: 7}.answer(r), nil
			}),
		}, "a")
		for i := 0; ; i++ {
			status, text := sent(t, client, test.request)
			if status == http.StatusOK && i <= test.served {
				if why := e.Spent(); why != "" {
					t.Errorf("%s: it is spent when it answers: %s", test.name, why)
				}
				continue
			}
			if status != http.StatusForbidden || errorType(t, text) != "permission_error" || !strings.Contains(text, test.want) && !strings.Contains(e.Spent(), test.want) {
				t.Errorf("%s: status %d: %s, want %q", test.name, status, text, test.want)
			}
			if i != test.served || n != i || e.Usage().Requests != int64(i) {
				t.Errorf("%s: %d requests are answered, want %d; %d went upstream: %s", test.name, i, test.served, n, text)
			}
			if e.Spent() == "" {
				t.Errorf("%s: it is not spent", test.name)
			}
			break
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAnswersOfARecordingCountAndAreNotRefused(t *testing.T) {
	dir := t.TempDir()
	normal := NewNormal(dir)
	live := roundTrip(func(r *http.Request) (*http.Response, error) { return talk{id: "m", in: 100, out: 7}.answer(r), nil })
	limits := Budget{Requests: 2, Tokens: 1e6}
	record := func(upstream http.RoundTripper, limit Budget, recorded func() bool) (said []string, used Usage) {
		e, client := open(t, &Gateway{Upstream: upstream, Budget: limit, Recorded: recorded}, "a")
		for i := range 4 {
			status, text := sent(t, client, requestOf(sonnet, 50, 400+i, ""))
			said = append(said, fmt.Sprint(status, text))
		}
		eventually(t, e)
		return said, e.Usage()
	}
	recorder := NewRecorder(dir, dir, normal, live)
	first, used := record(recorder, limits, nil)
	if err := recorder.Close(); err != nil {
		t.Fatal(err)
	}
	if used.Requests != 2 || !strings.Contains(first[2], "2 of 2 requests") {
		t.Fatalf("%+v are used: %q", used, first)
	}
	player, err := NewPlayer(dir, dir, normal, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	again, used := record(player, Budget{Requests: 1}, player.Recorded)
	if !slices.Equal(again, first) || player.Mismatch() != nil {
		t.Errorf("answers were %q, and are %q: %v", first, again, player.Mismatch())
	}
	if used.Requests != 4 || used.Input != 200 {
		t.Errorf("%+v are used", used)
	}
	if player.GoLive(live); player.Recorded() {
		t.Error("it is live, and recorded")
	}
}

func TestARequestWaitsForWhatOthersGiveBack(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		g := &Gateway{Budget: Budget{Tokens: 10_000}, Prices: shipped(t)}
		var charges []*charge
		enter := func(name string) *Endpoint {
			return newEndpoint(t, g, name, filepath.Join(dir, name))
		}
		for i := range 3 {
			e := enter(fmt.Sprint(i))
			go func() { // ends when there is enough for it
				c, err := e.charge(t.Context(), e.weigh([]byte(requestOf(sonnet, 50, 400, ""))))
				if err != nil {
					t.Error(err)
					return
				}
				charges = append(charges, c)
			}()
			synctest.Wait()
		}
		if len(charges) != 2 { // of 4546 each
			t.Fatalf("%d requests have what they need", len(charges))
		}
		charges[0].learn(seen{begun: true, tokens: Tokens{Input: 5000, Output: 1}})
		synctest.Wait()
		charges[0].learn(seen{begun: true, final: true, tokens: Tokens{Input: 100, Output: 7}})
		charges[0].settle()
		synctest.Wait()
		if len(charges) != 3 {
			t.Fatal("the third request still waits")
		}
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		e := enter("gone")
		go func() { // ends when ctx does
			_, err := e.charge(ctx, e.weigh([]byte(requestOf(sonnet, 50, 400, ""))))
			gone <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("one who gives up gets %v", err)
		}
		for _, c := range charges[1:] {
			c.seen.nothing = true
			c.settle()
		}
		if want := (Budget{Requests: 3, Tokens: 107, Cost: Dollars(0.000405)}); g.books.run.taken != want || g.books.run.open != 0 {
			t.Errorf("%+v, want %+v", g.books.run, want)
		}
	})
}

// newEndpoint returns an endpoint without a socket.
func newEndpoint(t testing.TB, g *Gateway, name, record string) *Endpoint {
	t.Helper()
	r, models, err := openRecord(record)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.file.Close() })
	e := &Endpoint{
		gateway: g, name: name, log: slog.New(slog.DiscardHandler), account: account{whose: name, limit: g.Budgets[name]},
		record: r, models: models, answers: make(map[given]Tokens), places: make(chan struct{}, maxAtOnce),
		large: make(chan struct{}, 1),
	}
	e.account.add(e.Usage())
	g.books.join(g.Budget, Usage{})
	return e
}

// A recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	text   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(p []byte) (int, error) { return r.text.Write(p) }
func (r *recorder) Flush()                      {}
func (r *recorder) WriteHeader(status int)      { r.status = status }

// forwarded returns the answer to a request, and whether it has an end.
func forwarded(t testing.TB, e *Endpoint, request string) (answer *recorder, whole bool) {
	t.Helper()
	answer = &recorder{header: make(http.Header)}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, messagesPath, strings.NewReader(request))
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			panic(p)
		}
	}()
	e.forward(answer, r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, new(http.Server)))) // as a server does, so that it aborts
	return answer, true
}

// A babbler is an upstream that talks more than it was asked for, in pieces and tokens of any size, and that now and then breaks off. What it
// reports is what it has said.
type babbler struct {
	random *rand.Rand
	share  float64 // tokens of a byte of a request
	ids    int
	last   talk
	said   []int64 // tokens of the texts in it
}

func (b *babbler) RoundTrip(r *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	b.ids++
	a := talk{id: fmt.Sprint("m", b.ids), in: int64(b.share * float64(len(raw))), cut: b.random.IntN(4) == 0}
	b.said = []int64{0}
	for range b.random.IntN(60) {
		tokens := b.random.IntN(20)
		a.out += int64(tokens)
		b.said = append(b.said, a.out)
		a.texts = append(a.texts, strings.Repeat("ab c"[:1+b.random.IntN(4)], tokens))
	}
	if b.last = a; b.random.IntN(3) == 0 {
		return respond(r, http.StatusOK, "application/json", fmt.Appendf(nil, `{"id":%q,"text":%q,"usage":{"input_tokens":%d,"output_tokens":%d}}`,
			a.id, strings.Join(a.texts, ""), a.in, a.out)), nil
	}
	return a.answer(r), nil
}

// heard returns the tokens of the last answer that an agent has, and of the request.
func (b *babbler) heard(answer *recorder, whole bool) int64 {
	switch {
	case answer.status != http.StatusOK:
		return 0
	case answer.header.Get("Content-Type") != "application/json":
		return b.last.in + b.said[strings.Count(answer.text.String(), "content_block_delta")]
	case whole:
		return b.last.in + b.last.out
	}
	return b.last.in
}

func TestNoBudgetIsOverdrawnInAThousandRuns(t *testing.T) {
	prices := shipped(t)
	refused, cut, close := 0, 0, 0
	for run := range 1000 {
		random := rand.New(rand.NewPCG(uint64(run), 1))
		budget := func() Budget {
			b := Budget{Requests: random.Int64N(30), Tokens: 5000 + random.Int64N(20_000), Cost: Dollars(0.02 + random.Float64()/5)}
			for _, none := range []*int64{&b.Requests, &b.Tokens} {
				if random.IntN(3) == 0 {
					*none = 0
				}
			}
			return b
		}
		babbler := &babbler{random: random, share: random.Float64()}
		g := &Gateway{Upstream: babbler, Prices: prices, Budget: budget(), Budgets: map[string]Budget{"a": budget(), "b": budget()}}
		var all Budget
		var heard int64
		dir := t.TempDir()
		for _, name := range []string{"a", "b"} {
			e := newEndpoint(t, g, name, filepath.Join(dir, name))
			request := ""
			for range 20 {
				if len(request) > 4000 || request == "" {
					request = requestOf([]string{sonnet, "claude-haiku-4-5"}[random.IntN(2)], 1+random.IntN(300), 200+random.IntN(800), "")
				}
				request = request[:len(request)-2] + strings.Repeat("y", random.IntN(200)) + `"}`
				answer, whole := forwarded(t, e, request)
				heard += babbler.heard(answer, whole)
				if answer.status == http.StatusForbidden {
					refused++
				} else if !whole {
					cut++
				}
			}
			used := e.Usage().amount()
			all = all.plus(used, 1)
			checkWithin(t, run, name, used, g.Budgets[name])
			if e.account.taken != used {
				t.Fatalf("run %d: %s has used %+v, and %+v are taken", run, name, used, e.account.taken)
			}
		}
		checkWithin(t, run, "what agents have heard", Budget{Tokens: heard}, g.Budget)
		checkWithin(t, run, "the run", all, g.Budget)
		if g.books.run.taken != all {
			t.Fatalf("run %d: used are %+v, and %+v are taken", run, all, g.books.run.taken)
		}
		if g.Budget.Tokens > 0 && all.Tokens > g.Budget.Tokens*9/10 {
			close++
		}
	}
	t.Logf("%d requests refused, %d answers broken off or cut, %d of 1000 runs used more than nine tenths of their tokens", refused, cut, close)
	if refused == 0 || cut == 0 || close == 0 {
		t.Error("the budgets were never in the way")
	}
}

// checkWithin demands that a budget is kept.
func checkWithin(t *testing.T, run int, whose string, used, limit Budget) {
	t.Helper()
	if limit.Requests > 0 && used.Requests > limit.Requests || limit.Tokens > 0 && used.Tokens > limit.Tokens || limit.Cost > 0 && used.Cost > limit.Cost {
		t.Fatalf("run %d: %s has used %+v of %+v", run, whose, used, limit)
	}
}
