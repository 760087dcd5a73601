package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-sim/vitrine/agents/tamper"
)

const (
	token = "agent-token-7c1d"
	key   = "sk-ant-the-real-key"
)

// roundTrip makes an upstream of a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answer is a whole response of an upstream.
func answer(r *http.Request, text string) (*http.Response, error) {
	return respond(r, http.StatusOK, "application/json", []byte(text)), nil
}

// open opens an endpoint in a folder of its own and returns a client that dials it.
func open(t testing.TB, g *Gateway, name string) (*Endpoint, *http.Client) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "api.sock")
	e, err := g.Open(name, socket, token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := os.Stat(socket); err == nil {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return e, dialer(t, socket)
}

// dialer returns a client whose requests all go to the socket, however long its path.
func dialer(t testing.TB, socket string) *http.Client {
	t.Helper()
	dir, err := os.Open(filepath.Dir(socket))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{
		DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(socket)))
		},
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		dir.Close()
	})
	return &http.Client{Transport: transport}
}

// ask sends a request with the right token and returns the answer, whose body is still to be read.
func ask(ctx context.Context, c *http.Client, path, text string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://gateway"+path, strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	return c.Do(r)
}

// read returns the whole body of an answer.
func read(t testing.TB, resp *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// errorType returns the type of an error in the form of the Messages API.
func errorType(t testing.TB, text string) string {
	t.Helper()
	var e struct {
		Type  string
		Error struct{ Type, Message string }
	}
	if err := json.Unmarshal([]byte(text), &e); err != nil || e.Type != "error" || e.Error.Message == "" {
		t.Fatalf("no error body: %q", text)
	}
	return e.Error.Type
}

// server is an upstream over the network with the real key.
func server(t testing.TB, h http.HandlerFunc) *API {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body) // only a server that has read all notices that its client goes away
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(raw))
		h(w, r)
	}))
	api, err := NewAPI(s.URL, key, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		api.transport.CloseIdleConnections()
		s.Close()
	})
	return api
}

// logBuffer is a log that may be read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func TestAnUpstreamKnowsWhoAsks(t *testing.T) {
	g := &Gateway{Upstream: roundTrip(func(r *http.Request) (*http.Response, error) { return answer(r, AgentOf(r.Context())) })}
	for _, name := range []string{"a", "b"} {
		_, client := open(t, g, name)
		resp, err := ask(t.Context(), client, messagesPath, "{}")
		if got := read(t, resp, err); got != name {
			t.Errorf("a request of %s is one of %q", name, got)
		}
	}
	if got := AgentOf(t.Context()); got != "" {
		t.Errorf("a request of nobody is one of %q", got)
	}
}

func TestOnlyTheMessagesAPIIsOpenAndOnlyWithTheToken(t *testing.T) {
	bearer := http.Header{"Authorization": {"Bearer " + token}}
	tests := []struct {
		method, path string
		header       http.Header
		status       int
		kind         string // of the error; empty: none
		upstream     bool
	}{
		{"HEAD", "/", nil, 200, "", false},
		{"POST", "/v1/messages", bearer, 200, "", true},
		{"POST", "/v1/messages?beta=true", bearer, 200, "", true},
		{"POST", "/v1/messages", http.Header{"X-Api-Key": {token}}, 200, "", true},
		{"POST", "/v1/messages", http.Header{"X-Api-Key": {token}, "Authorization": {"Bearer " + token}}, 200, "", true},
		{"POST", "/v1/messages/count_tokens", bearer, 200, "", true},
		{"POST", "/v1/messages", nil, 403, "permission_error", false},
		{"POST", "/v1/messages", http.Header{"Authorization": {"Bearer"}}, 403, "permission_error", false},
		{"POST", "/v1/messages", http.Header{"Authorization": {"Bearer " + token + "x"}}, 403, "permission_error", false},
		{"POST", "/v1/messages", http.Header{"X-Api-Key": {token[1:]}}, 403, "permission_error", false},
		{"POST", "/v1/messages/count_tokens", nil, 403, "permission_error", false},
		{"GET", "/v1/messages", bearer, 404, "not_found_error", false},
		{"GET", "/", bearer, 404, "not_found_error", false},
		{"POST", "/", bearer, 404, "not_found_error", false},
		{"POST", "/v1/messages/", bearer, 404, "not_found_error", false},
		{"POST", "//v1/messages", bearer, 404, "not_found_error", false},
		{"POST", "/v1/messages/batches", bearer, 404, "not_found_error", false},
		{"POST", "/v1/../v1/messages", bearer, 404, "not_found_error", false},
		{"POST", "/v1/complete", bearer, 404, "not_found_error", false},
		{"GET", "/v1/models", bearer, 404, "not_found_error", false},
		{"GET", "/v1/organizations/api_keys", bearer, 404, "not_found_error", false},
	}
	var upstream atomic.Int64
	var log logBuffer
	evidence := new(tamper.Evidence)
	_, client := open(t, &Gateway{
		Log: log.logger(),
		Upstream: roundTrip(func(r *http.Request) (*http.Response, error) {
			upstream.Add(1)
			return answer(r, "{}")
		}),
		Evidence: map[string]*tamper.Evidence{"a": evidence},
	}, "a")
	for _, test := range tests {
		r, err := http.NewRequestWithContext(t.Context(), test.method, "http://gateway"+test.path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if test.header != nil {
			r.Header = test.header
		}
		before := upstream.Load()
		resp, err := client.Do(r)
		text := read(t, resp, err)
		name := fmt.Sprintf("%s %s %v", test.method, test.path, test.header)
		want := map[int]string{http.StatusForbidden: tamper.Token, http.StatusNotFound: tamper.Garbage}[test.status]
		if seen := evidence.Take(every); len(seen) > 1 || len(seen) == 1 && seen[0].What != want || len(seen) == 0 && want != "" {
			t.Errorf("%s: it was seen to try %+v, want %q", name, seen, want)
		}
		if resp.StatusCode != test.status {
			t.Errorf("%s: status %d, want %d", name, resp.StatusCode, test.status)
		}
		if test.kind != "" && errorType(t, text) != test.kind {
			t.Errorf("%s: %s, want %s", name, text, test.kind)
		}
		if got := upstream.Load() > before; got != test.upstream {
			t.Errorf("%s: went upstream: %t, want %t", name, got, test.upstream)
		}
	}
	for _, want := range []string{"agent=a", "status=404", "status=403", "path=/v1/complete"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, log.String())
		}
	}
	if strings.Contains(log.String(), token) || strings.Contains(log.String(), token[1:]) {
		t.Errorf("the log holds the token:\n%s", log.String())
	}
}

func every(string) bool { return true }

func TestATokenOfAnotherAgentIsFencedOffTheSocketThatItCameTo(t *testing.T) {
	evidence := map[string]*tamper.Evidence{"a": new(tamper.Evidence), "b": new(tamper.Evidence)}
	g := &Gateway{
		Upstream: roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("it went upstream") }),
		Evidence: evidence,
	}
	a, client := open(t, g, "a")
	b, err := g.Open("b", filepath.Join(t.TempDir(), "b.sock"), "token-of-b")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var told []string
	for agent, e := range map[string]*Endpoint{"a": a, "b": b} {
		e.Fence(func(action, reason string) { told = append(told, agent+": "+action+": "+reason) })
	}
	const fenced = "a: a request to its model: it came with the token of b"
	for _, test := range []struct{ header, value, fenced string }{
		{"Authorization", "Bearer token-of-b", fenced},
		{"X-Api-Key", "token-of-b", fenced},
		{"X-Api-Key", "token-of-c", ""},
		{"X-Other", "token-of-b", ""},
	} {
		told = nil
		r, err := http.NewRequestWithContext(t.Context(), "POST", "http://gateway/v1/messages", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(test.header, test.value)
		resp, err := client.Do(r)
		if got := errorType(t, read(t, resp, err)); got != "permission_error" {
			t.Errorf("%v: %s", test, got)
		}
		seen := evidence["a"].Take(every)
		if test.fenced != "" && (len(seen) != 0 || !slices.Equal(told, []string{test.fenced})) {
			t.Errorf("%v: %q is told, and seen %+v", test, told, seen)
		}
		if test.fenced == "" && (len(told) != 0 || len(seen) != 1 || seen[0] != (tamper.Attempt{What: tamper.Token, Times: 1, Sample: notItsToken})) {
			t.Errorf("%v: %q is told, and seen %+v", test, told, seen)
		}
	}
	if seen := evidence["b"].Take(every); len(seen) != 0 || b.Usage() != (Usage{}) || a.Usage() != (Usage{}) {
		t.Errorf("b was seen to try %+v, and they have used %+v and %+v", seen, a.Usage(), b.Usage())
	}
}

// Under a budget as well, which reads the request and the answer, neither is changed.
func TestWhatTheGatewayDoesNotKnowPasses(t *testing.T) {
	const request = `{"model":"claude-sonnet-4-5","max_tokens":500, "new_field":{"a":[1,2.50,"\u00e9"]},"messages":[],"metadata":{"user_id":"x"}}`
	const stream = ": a comment\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\nevent: new_kind\r\ndata: {\"type\":\"new_kind\",\"x\":1}\r\n\r\n" +
		"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\nid: 5\nretry: 10\n\ndata: no end"
	var got string
	_, client := open(t, &Gateway{Budget: Budget{Tokens: 100_000}, Upstream: server(t, func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		got = string(raw) + r.Header.Get("Anthropic-Version") + r.Header.Get("Anthropic-Beta") + r.Header.Get("Anthropic-New")
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Anthropic-Organization-Id", "org")
		for _, b := range []byte(stream) {
			_, _ = w.Write([]byte{b})
		}
	})}, "a")
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://gateway/v1/messages?beta=true", strings.NewReader(request))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"X-Api-Key": {token}, "Anthropic-Version": {"2023-06-01"}, "Anthropic-Beta": {"a-2026,b"}, "Anthropic-New": {"c"}}
	resp, err := client.Do(r)
	if text := read(t, resp, err); text != stream || resp.Header.Get("Anthropic-Organization-Id") != "org" {
		t.Errorf("the answer is %q with %v", text, resp.Header)
	}
	if want := request + "2023-06-01a-2026,bc"; got != want {
		t.Errorf("the request is %q, want %q", got, want)
	}
}

func TestHeadersGoUpstreamWithoutTheAgentsCredentials(t *testing.T) {
	got := make(chan *http.Request, 1)
	_, client := open(t, &Gateway{Upstream: server(t, func(_ http.ResponseWriter, r *http.Request) { got <- r })}, "a")
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://gateway/v1/messages?beta=true&x=a%20b", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	kept := http.Header{
		"Anthropic-Version":        {"2023-06-01"},
		"Anthropic-Beta":           {"one,two", "three"},
		"Anthropic-Something-New":  {"yes"},
		"Content-Type":             {"application/json"},
		"Accept":                   {"application/json"},
		"User-Agent":               {"claude-cli/2"},
		"X-Claude-Code-Session-Id": {"11111111-2222"},
		"X-Stainless-Lang":         {"js"},
	}
	r.Header = kept.Clone()
	for name, value := range map[string]string{
		"Authorization": "Bearer " + token, "X-Api-Key": token, "Cookie": "a=b", "Accept-Encoding": "gzip, br",
		"Connection": "Upgrade, X-Hop", "Upgrade": "websocket", "X-Hop": "1", "Te": "trailers",
		"Proxy-Authorization": "Basic eA==", "Keep-Alive": "1", "X-Forwarded-For": "1.2.3.4",
	} {
		r.Header.Set(name, value)
	}
	r.Host = "gateway.example"
	resp, err := client.Do(r)
	read(t, resp, err)

	up := <-got
	if up.URL.String() != "/v1/messages?beta=true&x=a%20b" {
		t.Errorf("URL %s", up.URL)
	}
	if strings.Contains(up.Host, "gateway") {
		t.Errorf("host %s", up.Host)
	}
	kept.Set("X-Api-Key", key)
	kept.Set("Content-Length", "2")
	for name := range kept {
		if fmt.Sprint(up.Header[name]) != fmt.Sprint(kept[name]) {
			t.Errorf("%s: %q, want %q", name, up.Header[name], kept[name])
		}
	}
	for name := range up.Header {
		if kept[name] == nil {
			t.Errorf("%s: %q went upstream", name, up.Header[name])
		}
	}
}

func TestCookiesOfTheUpstreamReachNoAgent(t *testing.T) {
	_, client := open(t, &Gateway{Upstream: server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "session=secret")
		w.Header().Set("Request-Id", "1")
	})}, "a")
	resp, err := ask(t.Context(), client, "/v1/messages", "{}")
	read(t, resp, err)
	if resp.Header.Get("Set-Cookie") != "" || resp.Header.Get("Request-Id") != "1" {
		t.Errorf("it gets %v", resp.Header)
	}
}

func TestAnAnswerPassesUnchanged(t *testing.T) {
	const text = `{"type":"error", "error":{"type":"rate_limit_error","message":"slow <down>"}}` + "\n"
	_, client := open(t, &Gateway{Patience: -1, Upstream: server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "17")
		w.Header().Set("Request-Id", "req_1")
		w.Header().Set("Anthropic-Ratelimit-Requests-Remaining", "0")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, text)
	})}, "a")
	resp, err := ask(t.Context(), client, "/v1/messages", "{}")
	if got := read(t, resp, err); got != text || resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("status %d, body %q", resp.StatusCode, got)
	}
	for name, want := range map[string]string{
		"Retry-After": "17", "Request-Id": "req_1", "Anthropic-Ratelimit-Requests-Remaining": "0", "Content-Type": "application/json",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestAChunkReachesTheAgentBeforeTheNextIsSent(t *testing.T) {
	const chunks = 20
	seen := make(chan bool)
	e, client := open(t, &Gateway{Upstream: server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range chunks {
			fmt.Fprintf(w, "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":%d}}\n\n", i+1)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-seen:
			case <-r.Context().Done():
				return
			}
		}
	})}, "a")
	resp, err := ask(t.Context(), client, "/v1/messages", `{"stream":true}`)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for i := range chunks {
		var got strings.Builder
		for !strings.HasSuffix(got.String(), "\n\n") {
			p := make([]byte, 4096)
			n, err := resp.Body.Read(p)
			if got.Write(p[:n]); err != nil {
				t.Fatalf("chunk %d: %v", i, err)
			}
		}
		if out := e.Usage().Output; out != int64(i+1) {
			t.Errorf("chunk %d was seen when %d tokens were counted", i, out)
		}
		seen <- true
	}
}

func TestAClientThatGoesAwayCancelsTheUpstream(t *testing.T) {
	canceled := make(chan error, 1)
	gateway := &Gateway{InFlight: 1, Upstream: server(t, func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		if string(raw) == "second" {
			return
		}
		_, _ = io.WriteString(w, ": hello\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		canceled <- r.Context().Err()
	})}
	_, client := open(t, gateway, "a")
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := ask(ctx, client, "/v1/messages", "first")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	cancel()
	<-canceled
	resp, err = ask(t.Context(), client, "/v1/messages", "second") // needs the one place
	read(t, resp, err)
}

func TestAnUpstreamThatDoesNotAnswerIsCut(t *testing.T) {
	for _, gateway := range []*Gateway{{Idle: 50 * time.Millisecond}, {Total: 50 * time.Millisecond}} {
		gateway.InFlight = 1
		gateway.Upstream = server(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		e, client := open(t, gateway, "a")
		for range 2 { // a cut answer gives its place back
			resp, err := ask(t.Context(), client, messagesPath, "{}")
			if got := errorType(t, read(t, resp, err)); got != "timeout_error" || resp.StatusCode != http.StatusGatewayTimeout {
				t.Errorf("idle %v, in all %v: status %d, %s", gateway.Idle, gateway.Total, resp.StatusCode, got)
			}
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAnAnswerThatStallsOrNeverEndsIsCut(t *testing.T) {
	hello := func(ctx context.Context) io.ReadCloser { return thenEnds(ctx, []byte("hello"), never, io.EOF) }
	endless := func(ctx context.Context) io.ReadCloser {
		return &paced{ctx: ctx, next: func() ([]byte, time.Duration, error) { return []byte(": ping\n\n"), time.Second, nil }}
	}
	for name, test := range map[string]struct {
		gateway *Gateway
		body    func(context.Context) io.ReadCloser
		after   time.Duration
		why     error
	}{
		"silent after a chunk": {&Gateway{Idle: time.Minute}, hello, time.Minute, errStalled},
		"never ending":         {&Gateway{Idle: time.Minute, Total: time.Hour}, endless, time.Hour, errTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logBuffer
				g := test.gateway
				g.Log, g.InFlight = log.logger(), 1
				g.Upstream = roundTrip(func(r *http.Request) (*http.Response, error) {
					resp := respond(r, http.StatusOK, eventStream)
					resp.Body = test.body(r.Context())
					return resp, nil
				})
				_, client, end := asking(t, g)
				defer end()
				for range 2 { // a cut answer gives its place back
					began := time.Now()
					resp, err := ask(t.Context(), client, messagesPath, "{}")
					if err != nil {
						t.Fatal(err)
					}
					raw, err := io.ReadAll(resp.Body)
					resp.Body.Close()
					if took := time.Since(began); took != test.after || resp.StatusCode != http.StatusOK || !errors.Is(err, io.ErrUnexpectedEOF) {
						t.Errorf("status %d; the stream ended with %v after %d bytes and %v", resp.StatusCode, err, len(raw), took)
					}
				}
				if !strings.Contains(log.String(), test.why.Error()) {
					t.Errorf("the log does not say why:\n%s", log.String())
				}
			})
		})
	}
}

func TestAClientThatDoesNotReadDoesNotHoldItsPlace(t *testing.T) {
	t.Parallel()
	full := make([]byte, 1<<20)
	gateway := &Gateway{InFlight: 1, Upstream: roundTrip(func(r *http.Request) (*http.Response, error) {
		raw, _ := io.ReadAll(r.Body)
		if string(raw) == "second" {
			return answer(r, "{}")
		}
		return respond(r, http.StatusOK, eventStream, full, full, full, full, full, full, full, full), nil
	})}
	gateway.Idle = 10 * time.Second // in which the second must be answered, on any machine
	_, client := open(t, gateway, "a")
	resp, err := ask(t.Context(), client, messagesPath, "first")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() // and nobody reads it
	resp, err = ask(t.Context(), client, messagesPath, "second")
	read(t, resp, err)
}

func TestARequestThatIsTooLargeIsRefused(t *testing.T) {
	_, client := open(t, &Gateway{Upstream: roundTrip(func(r *http.Request) (*http.Response, error) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return nil, err
		}
		return answer(r, fmt.Sprint(n))
	})}, "a")
	send := func(size int) (*http.Response, error) {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "http://gateway/v1/messages", bytes.NewReader(make([]byte, size)))
		if err != nil {
			return nil, err
		}
		r.Header.Set("X-Api-Key", token)
		r.Header.Set("Expect", "100-continue") // so that the refusal is read before the request is written
		return client.Do(r)
	}
	resp, err := send(maxRequest)
	if got := read(t, resp, err); got != fmt.Sprint(maxRequest) {
		t.Errorf("a request of the largest size: %d %s", resp.StatusCode, got)
	}
	resp, err = send(maxRequest + 1)
	if got := read(t, resp, err); resp.StatusCode != 413 || errorType(t, got) != "request_too_large" {
		t.Errorf("a larger request: %d %s", resp.StatusCode, got)
	}
}

func TestAKeyThatIsRefusedIsNotTriedAgain(t *testing.T) {
	const text = `{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}`
	var log logBuffer
	_, client := open(t, &Gateway{Log: log.logger(), Upstream: server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, text)
	})}, "a")
	for range 3 {
		resp, err := ask(t.Context(), client, "/v1/messages", "{}")
		if got := read(t, resp, err); got != text || resp.StatusCode != http.StatusForbidden {
			t.Errorf("status %d, body %q; want 403 and the upstream's words", resp.StatusCode, got)
		}
	}
	if n := strings.Count(log.String(), "refused the key"); n != 1 {
		t.Errorf("logged %d times, want once:\n%s", n, log.String())
	}
}

func TestAFailedUpstreamTellsNoSecrets(t *testing.T) {
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := dead.Addr().String()
	dead.Close()
	api, err := NewAPI("http://"+address+"/prefix", key, key)
	if err != nil {
		t.Fatal(err)
	}
	var log logBuffer
	e, client := open(t, &Gateway{Upstream: api, Log: log.logger()}, "a")
	resp, err := ask(t.Context(), client, "/v1/messages", "{}")
	text := read(t, resp, err)
	if resp.StatusCode != http.StatusBadGateway || errorType(t, text) != "api_error" {
		t.Errorf("status %d, body %s", resp.StatusCode, text)
	}
	if strings.Contains(text, address) {
		t.Errorf("the agent learns of the upstream: %s", text)
	}
	if !strings.Contains(log.String(), "refused") {
		t.Errorf("the log does not say what happened:\n%s", log.String())
	}
	for _, secret := range []string{key, token} {
		if strings.Contains(text+log.String()+fmt.Sprint(resp.Header), secret) {
			t.Errorf("%q was told:\n%s\n%s", secret, text, log.String())
		}
	}
	if got := e.Usage(); got != (Usage{Requests: 1}) {
		t.Errorf("usage %+v", got)
	}
}

func TestUsageCountsModelRequestsOnly(t *testing.T) {
	e, client := open(t, &Gateway{Upstream: server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == countPath {
			_, _ = io.WriteString(w, `{"input_tokens":1000,"usage":{"input_tokens":1000}}`)
			return
		}
		_, _ = io.WriteString(w, `{"usage":{"input_tokens":1,"cache_creation_input_tokens":20,"cache_read_input_tokens":300,"output_tokens":4}}`)
	})}, "a")
	for range 3 {
		resp, err := ask(t.Context(), client, "/v1/messages/count_tokens", "{}")
		read(t, resp, err)
		resp, err = ask(t.Context(), client, "/v1/messages", "{}")
		read(t, resp, err)
	}
	resp, err := ask(t.Context(), client, "/v1/other", "{}")
	read(t, resp, err)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := e.Usage(), (Usage{Requests: 3, Tokens: Tokens{Input: 3, CacheWrite5m: 60, CacheRead: 900, Output: 12}}); got != want {
		t.Errorf("usage %+v, want %+v", got, want)
	}
}

func TestInFlightBoundsTheRequestsOfAllAgents(t *testing.T) {
	const limit, agents, requests = 3, 8, 5
	var inside, most atomic.Int64
	full := make(chan struct{}) // closed when the limit is reached
	var once sync.Once
	gateway := &Gateway{InFlight: limit, Upstream: roundTrip(func(r *http.Request) (*http.Response, error) {
		n := inside.Add(1)
		defer inside.Add(-1)
		if n == limit {
			once.Do(func() { close(full) })
		}
		for {
			old := most.Load()
			if n <= old || most.CompareAndSwap(old, n) {
				break
			}
		}
		<-full
		return answer(r, "{}")
	})}
	var all sync.WaitGroup
	for i := range agents {
		e, client := open(t, gateway, fmt.Sprint(i))
		for range requests {
			all.Go(func() {
				resp, err := ask(t.Context(), client, "/v1/messages", "{}")
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
			})
		}
		defer func() {
			if got := e.Usage().Requests; got != requests {
				t.Errorf("agent %d: %d requests counted, want %d", i, got, requests)
			}
		}()
	}
	all.Wait()
	if most.Load() != limit {
		t.Errorf("%d were upstream at once, want %d", most.Load(), limit)
	}
}

func TestCloseCutsOpenStreamsAndRemovesTheSocket(t *testing.T) {
	gone := make(chan struct{})
	gateway := &Gateway{Upstream: server(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "hello")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(gone)
	})}
	socket := filepath.Join(t.TempDir(), "api.sock")
	e, err := gateway.Open("a", socket, token)
	if err != nil {
		t.Fatal(err)
	}
	client := dialer(t, socket)
	resp, err := ask(t.Context(), client, "/v1/messages", "{}")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	<-gone
	if raw, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("the stream ended well with %q", raw)
	}
	if _, err := os.Lstat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	if _, err := ask(t.Context(), client, "/v1/messages", "{}"); err == nil {
		t.Error("a closed endpoint answered")
	}
}

func TestCloseWaitsForWhatIsStillGoingOn(t *testing.T) {
	begun := make(chan struct{})
	var ended atomic.Bool
	e, client := open(t, &Gateway{Upstream: roundTrip(func(r *http.Request) (*http.Response, error) {
		close(begun)
		<-r.Context().Done()
		for range 10_000 { // takes its time, so that a Close that does not wait is found out
			runtime.Gosched()
		}
		ended.Store(true)
		return nil, r.Context().Err()
	})}, "a")
	asked := make(chan error)
	go func() { // ends when the endpoint does
		resp, err := ask(t.Context(), client, "/v1/messages", "{}")
		if err == nil {
			resp.Body.Close()
		}
		asked <- err
	}()
	<-begun
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if !ended.Load() {
		t.Error("the request went on")
	}
	if err := <-asked; err == nil {
		t.Error("a request that was cut got an answer")
	}
}

func TestASocketMayHaveALongPathAndBelongsToItsOwner(t *testing.T) {
	dir := t.TempDir()
	for len(dir) < 200 {
		dir = filepath.Join(dir, "a-folder-with-a-name")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "api.sock")
	gateway := &Gateway{Upstream: roundTrip(func(r *http.Request) (*http.Response, error) { return answer(r, "yes") })}
	e, err := gateway.Open("a", socket, token)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(socket)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	resp, err := ask(t.Context(), dialer(t, socket), "/v1/messages", "{}")
	if got := read(t, resp, err); got != "yes" {
		t.Errorf("answer %q", got)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestOpenRefusesWhatCannotWork(t *testing.T) {
	gateway := &Gateway{Upstream: NewOffline(nil, 1)}
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken.sock")
	if err := os.WriteFile(taken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	living := filepath.Join(dir, "living.sock")
	first, err := gateway.Open("first", living, token)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ socket, token, want string }{
		{filepath.Join(dir, "api.sock"), "", "empty token"},
		{filepath.Join(dir, "none", "api.sock"), token, "no such file"},
		{taken, token, taken + ": there is something else of that name"},
		{living, token, living + ": somebody listens there already"},
		{filepath.Join(dir, strings.Repeat("x", 120)), token, "invalid argument"},
	} {
		e, err := gateway.Open("ann", test.socket, test.token)
		if err == nil {
			e.Close()
			t.Errorf("%s was opened", test.socket)
		} else if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), `"ann"`) {
			t.Errorf("error %q, want %q", err, test.want)
		}
	}
	resp, err := ask(t.Context(), dialer(t, living), "/", "")
	if got := errorType(t, read(t, resp, err)); got != "not_found_error" {
		t.Errorf("the first to open answers %q", got)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
}

func TestTheSocketOfAKilledProcessIsReplaced(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "api.sock")
	killed, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket})
	if err != nil {
		t.Fatal(err)
	}
	killed.SetUnlinkOnClose(false)
	if err := killed.Close(); err != nil {
		t.Fatal(err)
	}
	gateway := &Gateway{Upstream: roundTrip(func(r *http.Request) (*http.Response, error) { return answer(r, "yes") })}
	e, err := gateway.Open("a", socket, token)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := ask(t.Context(), dialer(t, socket), "/v1/messages", "{}")
	if got := read(t, resp, err); got != "yes" {
		t.Errorf("answer %q", got)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}
