package gateway

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestTheTokensOfARequestBoundOnlyThoseOfItsKind(t *testing.T) {
	e := newEndpoint(t, &Gateway{Budget: Budget{Tokens: 1e6}}, "a", filepath.Join(t.TempDir(), recordName))
	text := strings.Repeat("x", 8000)
	request := func(model, more string) string {
		return fmt.Sprintf(`{"model":%q,"max_tokens":50%s,"messages":%q}`, model, more, text)
	}
	known := request(sonnet, "")
	e.remember(e.weigh([]byte(known)), "m1", Tokens{Input: 900})
	for name, other := range map[string]string{
		"another model, whose tokens are others":      request("claude-haiku-4-5", ""),
		"a tool, which is longer than its name":       request(sonnet, `,"tools":[{"type":"bash_20250124","name":"bash"}]`),
		"a conversation that was made shorter before": request(sonnet, `,"context_management":{}`),
	} {
		if got, least := e.weigh([]byte(other)).worst.Input, int64(len(other)); got < least {
			t.Errorf("%s: %d tokens at most, but there are %d bytes", name, got, least)
		}
	}
	e.remember(e.weigh([]byte(request("claude-haiku-4-5", ""))), "m2", Tokens{Input: 1200})
	if got := e.weigh([]byte(known)).worst.Input; got > 1000 {
		t.Errorf("the same again: %d tokens at most, but it had 900", got)
	}
}

func TestThoughtsThatWereLeftOutMayCountAfterwards(t *testing.T) {
	e := newEndpoint(t, &Gateway{Budget: Budget{Tokens: 1e6}}, "a", filepath.Join(t.TempDir(), recordName))
	thought := strings.Repeat("x", 3000)
	request := func(kind, last string) []byte {
		return fmt.Appendf(nil, `{"model":"m","max_tokens":50,"messages":[{"role":"user","content":"thinking"},{"role":"assistant","content":[`+
			`{"type":%q,"thinking":%q}]},{"role":"user","content":%s}]}`, kind, thought, last)
	}
	e.remember(e.weigh(request("thinking", `"go on"`)), "m1", Tokens{Input: 100}) // without the thought
	again := e.weigh(request("thinking", `[{"type":"tool_result","tool_use_id":"t","content":"yes"}]`)).worst.Input
	if again < 3000 || again > 3500 {
		t.Errorf("%d tokens at most, where 3000 bytes of thought may count", again)
	}
	if got := e.weigh(request("text", `"go on"`)).worst.Input; got < 3000 {
		t.Errorf("%d tokens at most", got)
	}
}

func TestARequestIsWeighedByWhatItSaysHoweverItIsWritten(t *testing.T) {
	e := newEndpoint(t, &Gateway{Budget: Budget{Cost: Dollars(9)}}, "a", filepath.Join(t.TempDir(), recordName))
	weigh := func(more string) asked {
		return e.weigh([]byte(`{"model":"m","max_tokens":50,"messages":[{"role":"user","content":[` + more + `]}]}`))
	}
	if a := weigh(`{"type":"text","text":"x","cach\u0065\u005Fcontrol":{"type":"ephemeral","ttl":"\u0031h"}}`); a.worst.CacheWrite1h == 0 {
		t.Errorf("what is written to the cache for an hour is not found: %+v", a.worst)
	}
	if a := weigh(`{"type":"document","source":{"type":"\u0075rl","url":"https://example.com"}}`); a.unbounded == "" {
		t.Error("a document elsewhere is not found")
	}
	if a := weigh(`{"type":"text","text":"\u001b[1m \u0022type\u0022:\u0022url\u0022 \\u0075"}`); a.unbounded != "" {
		t.Errorf("a text is taken for a document: %s", a.unbounded)
	}
}

func TestWhatCostsMoreThanItsPricesSayIsRefusedForABudget(t *testing.T) {
	e := newEndpoint(t, &Gateway{Budget: Budget{Cost: Dollars(9)}}, "a", filepath.Join(t.TempDir(), recordName))
	for more, refused := range map[string]bool{
		``:                    false,
		`,"speed":"standard"`: false,
		`,"speed":"fast"`:     true,
		`,"context_management":{"edits":[{"type":"clear_thinking_20251015"}]}`: false,
		`,"context_management":{"edits":[{"type":"compact_20260112"}]}`:        true,
	} {
		if a := e.weigh([]byte(requestOf(sonnet, 50, 400, more))); (a.unbounded != "") != refused {
			t.Errorf("%s: refused because %q", more, a.unbounded)
		}
	}
}

func TestTheWorstCostIsThatOfTheDearestKind(t *testing.T) {
	p := &Prices{Models: map[string]Price{"m": {
		Rates: Rates{Input: 3, CacheRead: 4, Output: 1}, Long: &LongPrice{Over: 10, Rates: Rates{Input: 1, Output: 1}},
	}}}
	for _, planned := range []Tokens{{Input: 100}, {CacheWrite5m: 100}, {CacheWrite1h: 100}} {
		for _, used := range []Tokens{{Input: 100}, {Input: 10}, {CacheRead: 10}} {
			if cost, _ := p.cost("m", "", used); p.worst("m", planned) < cost {
				t.Errorf("%+v costs %s, and at most %s was set aside for %+v", used, cost, p.worst("m", planned), planned)
			}
		}
	}
}

func TestALargeAnswerCountsThoughItsTokensAreNotFound(t *testing.T) {
	upstream := roundTrip(func(r *http.Request) (*http.Response, error) {
		text := `{"text":"` + strings.Repeat("x", maxKept) + `","usage":{"input_tokens":5,"output_tokens":7}}`
		return respond(r, http.StatusOK, "application/json", []byte(text)), nil
	})
	e := newEndpoint(t, &Gateway{Upstream: upstream}, "a", filepath.Join(t.TempDir(), recordName))
	request := strings.Replace(requestOf(sonnet, 50, 400, ""), "true", "false", 1)
	if answer, whole := forwarded(t, e, request); !whole || answer.status != http.StatusOK {
		t.Fatalf("status %d, whole: %t", answer.status, whole)
	}
	if got := e.Usage(); got.Cut != 1 || got.Assumed.Tokens < 50+400 {
		t.Errorf("it counts as %+v", got)
	}
}

func TestAStreamWithoutABeginningCounts(t *testing.T) {
	events := talk{texts: []string{"four", "five5"}}.events()
	upstream := roundTrip(func(r *http.Request) (*http.Response, error) {
		return respond(r, http.StatusOK, "text/event-stream", events[1:3]...), nil
	})
	e := newEndpoint(t, &Gateway{Upstream: upstream}, "a", filepath.Join(t.TempDir(), recordName))
	forwarded(t, e, requestOf(sonnet, 50, 400, ""))
	if got := e.Usage(); got.Cut != 1 || got.Assumed.Tokens != 400+hidden+9 {
		t.Errorf("it counts as %+v", got)
	}
}

func TestAnAnswerThatBreaksOffInItsHeaderCounts(t *testing.T) {
	e, client := open(t, &Gateway{Upstream: server(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-")
		conn.Close()
	})}, "a")
	sent(t, client, requestOf(sonnet, 50, 400, ""))
	eventually(t, e)
	if got := e.Usage(); got.Cut != 1 || got.Assumed.Tokens < 400 {
		t.Errorf("it counts as %+v", got)
	}
}

func TestModelsThatAreTooManyCountTogether(t *testing.T) {
	upstream := roundTrip(func(r *http.Request) (*http.Response, error) { return talk{in: 1, out: 1}.answer(r), nil })
	record := filepath.Join(t.TempDir(), recordName)
	e := newEndpoint(t, &Gateway{Upstream: upstream}, "a", record)
	const n = 100
	for i := range n {
		forwarded(t, e, requestOf(fmt.Sprint("m", i), 50, 400, ""))
	}
	forwarded(t, e, requestOf(strings.Repeat("m", 1000), 50, 2000, ""))
	again := newEndpoint(t, &Gateway{Upstream: upstream}, "a", record)
	for _, e := range []*Endpoint{e, again} {
		models := e.Models()
		if got := e.Usage(); got.Requests != n+1 || got.In() != n+1 {
			t.Errorf("together they have used %+v", got)
		}
		if len(models) > 51 || models[otherModels].Requests < n-50 {
			t.Errorf("%d models are told apart, and %d requests are not", len(models), models[otherModels].Requests)
		}
	}
}

func TestAnAgentHoldsSoManyRequestsInMemoryAndNoMore(t *testing.T) {
	record := filepath.Join(t.TempDir(), recordName)
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(t, &Gateway{}, "a", record)
		for range maxAtOnce {
			e.places <- struct{}{}
		}
		var read atomic.Bool
		body := readerFunc(func([]byte) (int, error) {
			read.Store(true)
			return 0, io.ErrUnexpectedEOF
		})
		go e.forward(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, messagesPath, body))
		if synctest.Wait(); read.Load() {
			t.Error("one more is read")
		}
		<-e.places
		if synctest.Wait(); !read.Load() || len(e.places) != maxAtOnce-1 {
			t.Errorf("there is a place for one more: it is read: %t, and %d places are held", read.Load(), len(e.places))
		}
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestAnAnswerThatABudgetCutIsRecordedAsCut(t *testing.T) {
	dir := t.TempDir()
	long := talk{id: "m1", in: 10, texts: []string{"event: message_stop", strings.Repeat("x", 5000)}}
	r := NewRecorder(dir, "/r", NewNormal("/r"), roundTrip(func(r *http.Request) (*http.Response, error) { return long.answer(r), nil }))
	e := newEndpoint(t, &Gateway{Upstream: r, Budget: Budget{Tokens: 5000}}, "a", filepath.Join(t.TempDir(), recordName))
	if _, whole := forwarded(t, e, requestOf(sonnet, 50, 400, "")); whole {
		t.Fatal("the answer was not cut")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := ReadCassette(dir, "a")
	if err != nil || len(c.Exchanges) != 1 || c.Exchanges[0].End != endCut {
		t.Errorf("%+v: %v", c, err)
	}
}

func TestADamagedCassetteIsAnErrorAndStaysAsItIs(t *testing.T) {
	dir := recorded(t, "/r", echo(), `"one"`, `"one, two"`, `"one, two, three"`)
	path := cassetteFile(dir, "a")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 0xff
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadCassette(dir, "a"); err == nil {
		t.Error("it is read as if it were whole")
	}
	r := NewRecorder(dir, "/r", NewNormal("/r"), echo())
	resp, err := as(t.Context(), t, r, "a", `"four"`)
	read(t, resp, err)
	if r.Close() == nil {
		t.Error("it is added to")
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, raw) {
		t.Error("it is changed")
	}
}
