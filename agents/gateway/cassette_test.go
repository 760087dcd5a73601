package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
)

// claudeBody is a request as Claude Code makes it in a run's folder, on a day, in a session, with words of the conversation.
func claudeBody(run, date, session, sum string, words ...string) string {
	var messages []string
	for i, word := range words {
		messages = append(messages, string(marshal(object{"role": []string{"user", "assistant"}[i%2], "content": word})))
	}
	return `{"model":"m","messages":[{"role":"user","content":"# currentDate\nToday's date is ` + date + `.\n"},` + strings.Join(messages, ",") +
		`],"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1.197.` + sum + `; cc_entrypoint=sdk-cli; cch=` + sum + `;"},` +
		`{"type":"text","text":"cwd ` + run + `/agents/a/work, results in ` + run + `/agents/a/home/.claude/projects/` +
		noLetter.ReplaceAllString(run, "-") + `-agents-a-work/` + session + `/tool-results"}],` +
		`"metadata":{"user_id":"{\"device_id\":\"` + hash([]byte(session)) + `\",\"session_id\":\"` + session + `\"}"},"max_tokens":100}`
}

const (
	session1 = "e029ce43-0fc0-44f5-aaef-f94fd22f3b6c"
	session2 = "c13f18f1-946f-43a2-ba65-54cb9584d263"
)

// as makes a request one of an agent and sends it to an upstream.
func as(ctx context.Context, t testing.TB, upstream http.RoundTripper, agent, body string) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.WithValue(ctx, agentKey{}, agent), http.MethodPost, messagesPath+"?beta=true", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return upstream.RoundTrip(r)
}

// recorded records what an upstream answers an agent to some requests in a run, and returns the folder of the cassettes.
func recorded(t testing.TB, run string, upstream http.RoundTripper, bodies ...string) string {
	t.Helper()
	dir := t.TempDir()
	r := NewRecorder(dir, run, NewNormal(run), upstream)
	for _, body := range bodies {
		resp, err := as(t.Context(), t, r, "a", body)
		if err != nil {
			continue // it is recorded as such
		}
		_, _ = io.ReadAll(resp.Body)
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// player plays in a run what was recorded of agent a.
func player(t testing.TB, dir, run string) *Player {
	t.Helper()
	p, err := NewPlayer(dir, run, NewNormal(run), []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// echo answers with the number of the request and what it was asked.
func echo() http.RoundTripper {
	n := 0
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		raw, err := io.ReadAll(r.Body)
		n++
		resp, _ := answer(r, fmt.Sprintf("answer %d to %d bytes", n, len(raw)))
		resp.StatusCode = 200 + n
		resp.Header.Set("Retry-After", "7")
		resp.Header.Set("Set-Cookie", "secret")
		return resp, err
	})
}

func TestARecordingPlaysInAnotherFolderOnAnotherDay(t *testing.T) {
	const here, there = "/home/ada/runs/one", "/srv/two three"
	dir := recorded(t, here, echo(), claudeBody(here, "2026-11-22", session1, "7ef", "hi"), claudeBody(here, "2026-11-22", session1, "7ef", "hi", "ho", "hey"))
	p := player(t, dir, there)
	for i, words := range [][]string{{"hi"}, {"hi", "ho", "hey"}} {
		resp, err := as(t.Context(), t, p, "a", claudeBody(there, "2027-01-02", session2, "0a1", words...))
		if got := read(t, resp, err); !strings.HasPrefix(got, fmt.Sprintf("answer %d to ", i+1)) || resp.StatusCode != 201+i {
			t.Errorf("request %d is answered %d %q", i, resp.StatusCode, got)
		}
		if resp.Header.Get("Retry-After") != "7" || resp.Header.Get("Set-Cookie") != "" {
			t.Errorf("header is %v", resp.Header)
		}
	}
	if err := p.Mismatch(); err != nil || p.Unasked("a") != 0 {
		t.Errorf("%d requests are left: %v", p.Unasked("a"), err)
	}
}

func TestWhatANormalDoesNotListIsAMismatch(t *testing.T) {
	const run = "/home/ada/runs/one"
	body := claudeBody(run, "2026-11-22", session1, "7ef", "hi", "ho", "I have 10 tons")
	dir := recorded(t, run, echo(), body)
	tests := []struct{ name, body, where string }{
		{"a word", strings.Replace(body, "10 tons", "11 tons", 1), "at messages.3.content (byte"},
		{"another model", strings.Replace(body, `"model":"m"`, `"model":"n"`, 1), "at model (byte"},
		{"a field more", strings.Replace(body, `"max_tokens":100`, `"max_tokens":100,"top_k":1`, 1), "at top_k (byte"},
		{"a version", strings.Replace(body, "2.1.197", "2.1.198", 1), "at system.0.text (byte"},
		{"a folder outside", strings.Replace(body, "cwd "+run+"/agents", "cwd /elsewhere/agents", 1), "at system.1.text (byte"},
		{"a date in words of its own", strings.Replace(body, "I have", "On 2026-11-22 I have", 1), "at messages.3.content (byte"},
		{"nothing", "", "at the body (byte 0)"},
	}
	for _, tt := range tests {
		p := player(t, dir, run)
		var told error
		p.Mismatched = func(err error) { told = err }
		resp, err := as(t.Context(), t, p, "a", tt.body)
		if got := read(t, resp, err); resp.StatusCode != http.StatusBadRequest || errorType(t, got) != "invalid_request_error" {
			t.Errorf("%s is answered %d %s", tt.name, resp.StatusCode, got)
		}
		if told == nil || told != p.Mismatch() || !strings.Contains(told.Error(), tt.where) ||
			!strings.HasPrefix(told.Error(), `agent "a", request 1 of 1, at `) {
			t.Errorf("%s is the mismatch %v, want %q", tt.name, told, tt.where)
		}
	}
}

func TestAMismatchShowsWhereARequestDiffers(t *testing.T) {
	dir := recorded(t, "/r", echo(), `{"messages":[{"content":"the lake has 100 tons of fish in it"}]}`)
	p := player(t, dir, "/r")
	_, _ = as(t.Context(), t, p, "a", `{"messages":[{"content":"the lake has 90 tons of fish in it"}]}`)
	const want = `agent "a", request 1 of 1, at messages.0.content (byte 38):
recorded: {"messages":[{"content":"the lake has 100 tons of fish in it"}]}
now:      {"messages":[{"content":"the lake has 90 tons of fish in it"}]}`
	if got := p.Mismatch(); got == nil || got.Error() != want {
		t.Errorf("mismatch is\n%v\nwant\n%s", got, want)
	}
	_, _ = as(t.Context(), t, p, "b", "{}")
	if got := p.Mismatch(); got.Error() != want {
		t.Errorf("another mismatch takes the place of the first: %v", got)
	}
}

func TestOneRequestMoreThanWasRecordedIsAMismatch(t *testing.T) {
	p := player(t, recorded(t, "/r", echo(), `"first"`), "/r")
	for range 2 {
		_, _ = as(t.Context(), t, p, "a", `"first"`)
	}
	if got, want := fmt.Sprint(p.Mismatch()), "agent \"a\": one more request than the 1 that were recorded; it ends with:\n\"first\""; got != want {
		t.Errorf("mismatch is %s, want %s", got, want)
	}
	p = player(t, t.TempDir(), "/r")
	_, _ = as(t.Context(), t, p, "b", `"first"`)
	if got, want := fmt.Sprint(p.Mismatch()), "agent \"b\": a request, and none was recorded:\n\"first\""; got != want {
		t.Errorf("mismatch is %s, want %s", got, want)
	}
}

func TestACassetteGrowsWithWhatIsSaid(t *testing.T) {
	const turns = 300
	dir := t.TempDir()
	r := NewRecorder(dir, "/r", NewNormal("/r"), echo())
	size := func() int64 {
		info, err := os.Stat(cassetteFile(dir, "a"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	words := []string{"begin"}
	var sent, half int
	var atHalf int64
	for turn := range turns {
		body := claudeBody("/r", "2026-11-22", session1, "7ef", words...)
		sent += len(body)
		resp, err := as(t.Context(), t, r, "a", body)
		read(t, resp, err)
		words = append(words, fmt.Sprintf("I fish %d", turn), strings.Repeat(fmt.Sprintf("turn %d: the lake has %d tons. ", turn, turn*7919%101), 30))
		if turn == turns/2-1 {
			atHalf, half = size(), sent
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d requests of %d bytes take %d bytes", turns, sent, size())
	if sent < 3*half {
		t.Fatalf("requests of %d and %d bytes do not repeat what was said before", half, sent)
	}
	if size() > atHalf*9/4 {
		t.Errorf("half of the requests take %d bytes, all of them %d", atHalf, size())
	}
	c, err := ReadCassette(dir, "a")
	if err != nil || len(c.Exchanges) != turns || c.Agent != "a" || c.Run != "/r" {
		t.Fatalf("cassette of %q in %q with %d exchanges: %v", c.Agent, c.Run, len(c.Exchanges), err)
	}
	want := NewNormal("/r").Request([]byte(claudeBody("/r", "2026-11-22", session1, "7ef", words[:2*turns-1]...)))
	if got := c.Request(turns - 1); !bytes.Equal(got, want) || hash(got) != c.Exchanges[turns-1].SHA256 {
		t.Errorf("the last request is not what was asked: %.200s", got)
	}
}

func TestATornTailOfACassetteIsCut(t *testing.T) {
	dir := recorded(t, "/r", echo(), `"one"`, `"one, two"`, `"one, two, three"`)
	path := cassetteFile(dir, "a")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := range len(raw) {
		if err := os.WriteFile(path, raw[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		before := 0
		if c, err := ReadCassette(dir, "a"); err == nil {
			before = len(c.Exchanges)
		}
		r := NewRecorder(dir, "/r", NewNormal("/r"), echo())
		resp, err := as(t.Context(), t, r, "a", `"one, two, four"`)
		read(t, resp, err)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		c, err := ReadCassette(dir, "a")
		if err != nil || len(c.Exchanges) != before+1 || string(c.Request(before)) != `"one, two, four"` {
			t.Fatalf("of %d bytes there were %d exchanges, and with one more %d: %v", size, before, len(c.Exchanges), err)
		}
	}
}

func TestAnAnswerEndsAsItDid(t *testing.T) {
	cut := func(err error) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			resp, _ := answer(r, "half of it")
			resp.Body = &brokenBody{resp.Body, func() error { return err }}
			return resp, nil
		})
	}
	p := player(t, recorded(t, "/r", cut(io.ErrUnexpectedEOF), `"x"`), "/r")
	resp, err := as(t.Context(), t, p, "a", `"x"`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(resp.Body); string(got) != "half of it" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("what was cut is %q: %v", got, err)
	}

	failed := roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") })
	p = player(t, recorded(t, "/r", failed, `"x"`), "/r")
	if resp, err := as(t.Context(), t, p, "a", `"x"`); err == nil {
		t.Errorf("what failed is answered %v", resp)
	}

	dir := t.TempDir()
	r := NewRecorder(dir, "/r", NewNormal("/r"), roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("canceled") }))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStalled)
	if resp, err := as(ctx, t, r, "a", `"x"`); err == nil {
		t.Errorf("what was silent is answered %v", resp)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	resp, err = as(t.Context(), t, player(t, dir, "/r"), "a", `"x"`)
	if got := read(t, resp, err); resp.StatusCode != http.StatusGatewayTimeout || errorType(t, got) != "timeout_error" {
		t.Errorf("what was silent is answered %d %s", resp.StatusCode, got)
	}
}

func TestAnAgentThatWentAwayIsToldOf(t *testing.T) {
	dir := t.TempDir()
	r := NewRecorder(dir, "/r", NewNormal("/r"), roundTrip(func(r *http.Request) (*http.Response, error) { return answer(r, "half of it") }))
	resp, err := as(t.Context(), t, r, "a", `"x"`)
	if err == nil {
		_, err = resp.Body.Read(make([]byte, 4))
	}
	if err = errors.Join(err, resp.Body.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	p := player(t, dir, "/r")
	ctx, cancel := context.WithCancel(t.Context())
	left := ""
	p.Left = func(agent string) {
		left = agent
		cancel()
	}
	resp, err = as(ctx, t, p, "a", `"x"`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(resp.Body); string(got) != "half" || !errors.Is(err, context.Canceled) || left != "a" {
		t.Errorf("what %q left is %q: %v", left, got, err)
	}
}

func TestARecordingHoldsNoSecrets(t *testing.T) {
	const secret = "sk-ant-canary-in-an-answer"
	var stream strings.Builder
	stream.WriteString("event: message_start\ndata: {\"type\":\"message_start\"}\n\n")
	for i, piece := range []string{"I know sk-ant-ca", "nary-in-an", "-answer, and <b>", secret} {
		stream.WriteString(fmt.Sprintf("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":%d,\"delta\":{\"type\":\"text_delta\",\"text\":%q}}\n\n", i/3, piece))
	}
	stream.WriteString("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":7,\"delta\":{\"type\":\"text_delta\",\"text\":\"bye\"}}\n\n")
	dir := t.TempDir()
	normal := NewNormal("/r")
	normal.AddSecret(secret)
	normal.AddSecret(token)
	normal.AddSecret("short") // and no secret
	r := NewRecorder(dir, "/r", normal, roundTrip(func(r *http.Request) (*http.Response, error) {
		return respond(r, http.StatusOK, "text/event-stream", []byte(stream.String())), nil
	}))
	g := &Gateway{Upstream: r}
	_, client := open(t, g, "a")
	resp, err := ask(t.Context(), client, messagesPath, `{"said":"`+token+`, short"}`)
	if got := read(t, resp, err); got != stream.String() {
		t.Errorf("the agent is told %q", got)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := ReadCassette(dir, "a")
	if err != nil {
		t.Fatal(err)
	}
	answer := string(c.Exchanges[0].Answer)
	if got := string(c.Request(0)); got != `{"said":"{secret}, short"}` {
		t.Errorf("the request is %s", got)
	}
	if strings.Contains(answer, "canary") || !strings.Contains(answer, `"text":"I know {secret}, and <b>"`) || !strings.Contains(answer, `"text":"bye"`) {
		t.Errorf("the answer is %s", answer)
	}
	for i, ev := range strings.SplitAfter(answer, "\n\n") {
		if key, _ := deltaOf([]byte(ev)); i == 2 && key.index != 1 {
			t.Errorf("event %d is %q", i, ev)
		}
	}
}

func TestAnAnswerSpeaksOfTheFolderThatThereIs(t *testing.T) {
	var stream strings.Builder
	for _, piece := range []string{`{"file_path":"/ol`, `d/agen`, `ts/a/work/notes"`, `}`} {
		stream.WriteString("event: content_block_delta\ndata: " + string(unescaped(object{
			"type": "content_block_delta", "index": 0, "delta": object{"type": "input_json_delta", "partial_json": piece},
		})) + "\n\n")
	}
	dir := recorded(t, "/old", roundTrip(func(r *http.Request) (*http.Response, error) {
		return respond(r, http.StatusOK, "text/event-stream", []byte(stream.String())), nil
	}), `"x"`)
	resp, err := as(t.Context(), t, player(t, dir, "/a new"), "a", `"x"`)
	const want = `"partial_json":"{\"file_path\":\"/a new/agents/a/work/notes\"}"`
	if got := read(t, resp, err); !strings.Contains(got, want) || strings.Count(got, "event:") != 1 {
		t.Errorf("the answer is %s, want %s", got, want)
	}
}

func TestARecordingHoldsNoKeyOfItsUpstream(t *testing.T) {
	api := server(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "your key is ", r.Header.Get("X-Api-Key")) })
	faults, err := NewFaults(api, "529@9", 1)
	if err != nil {
		t.Fatal(err)
	}
	normal := NewNormal("/r")
	normal.AddKeys(faults)
	dir := t.TempDir()
	r := NewRecorder(dir, "/r", normal, api)
	resp, err := as(t.Context(), t, r, "a", `"`+key+`"`)
	read(t, resp, err)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := ReadCassette(dir, "a")
	if err != nil || string(c.Exchanges[0].Answer) != "your key is "+strings.Repeat("*", len(key)) || string(c.Request(0)) != `"{secret}"` {
		t.Errorf("cassette is %+v: %v", c, err)
	}
}

func TestACassetteKnowsHowOftenItWasTakenUp(t *testing.T) {
	dir := recorded(t, "/r", echo(), `"one"`, `"two"`)
	r := NewRecorder(dir, "/elsewhere", NewNormal("/r"), echo())
	resp, err := as(t.Context(), t, r, "a", `"three"`)
	read(t, resp, err)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := ReadCassette(dir, "a")
	if err != nil || len(c.Exchanges) != 3 || len(c.Parts) != 2 || c.Parts[0] != 0 || c.Parts[1] != 2 || c.Run != "/elsewhere" {
		t.Errorf("cassette is %+v: %v", c, err)
	}
}

func TestWhatTheGatewayAskedAgainIsAnsweredAtOnce(t *testing.T) {
	n := 0
	busy := roundTrip(func(r *http.Request) (*http.Response, error) {
		if n++; n < 3 {
			resp := respond(r, http.StatusTooManyRequests, "application/json", errorBody("rate_limit_error", "too much"))
			resp.Header.Set("Retry-After", "0")
			return resp, nil
		}
		return answer(r, fmt.Sprint("answer ", n))
	})
	dir := t.TempDir()
	r := NewRecorder(dir, "/r", NewNormal("/r"), busy)
	_, client := open(t, &Gateway{Upstream: r}, "a")
	for range 2 {
		resp, err := ask(t.Context(), client, messagesPath, "{}")
		read(t, resp, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if n != 4 {
		t.Fatalf("the upstream was asked %d times", n)
	}
	p := player(t, dir, "/r")
	_, client = open(t, &Gateway{Upstream: p}, "a")
	for i := range 2 {
		resp, err := ask(t.Context(), client, messagesPath, "{}")
		if got, want := read(t, resp, err), fmt.Sprint("answer ", i+3); got != want {
			t.Errorf("it answers %q, want %q", got, want)
		}
	}
	if p.Unasked("a") != 0 || p.Mismatch() != nil {
		t.Errorf("%d are left: %v", p.Unasked("a"), p.Mismatch())
	}
}

// sameJSON says whether two documents hold the same.
func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	first, err := world.Canonical(a)
	if err != nil {
		t.Fatalf("%v in %s", err, a)
	}
	second, err := world.Canonical(b)
	if err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return bytes.Equal(first, second)
}

func TestAnAnswerIsGivenInTheFormThatIsAskedFor(t *testing.T) {
	for _, rep := range []reply{
		{id: "msg_1", model: "m", text: "I have <nothing> to add."},
		{id: "msg_2", model: "m", think: "10 or 11?", text: "Turn 1: I fish.", tool: "act", use: "toolu_1", input: json.RawMessage(`{"action":"fish","args":{"tons":10}}`), in: Tokens{Input: 7}},
	} {
		stream, message := bytes.Join(rep.events(), nil), rep.message()
		if got := messageOf(stream); !sameJSON(t, got, message) {
			t.Errorf("the stream is the message %s, want %s", got, message)
		}
		if got := messageOf(streamOf(message)); !sameJSON(t, got, message) {
			t.Errorf("the stream of a message is the message %s, want %s", got, message)
		}
		if _, err := parseStream(string(streamOf(message))); err != nil {
			t.Error(err)
		}
		asked := map[bool]string{true: `{"model":"m","stream":true}`, false: `{"model":"m"}`}
		for _, streamed := range []bool{true, false} {
			upstream := roundTrip(func(r *http.Request) (*http.Response, error) {
				if streamed {
					return respond(r, http.StatusOK, eventStream, rep.events()...), nil
				}
				return respond(r, http.StatusOK, "application/json", message), nil
			})
			dir := recorded(t, "/r", upstream, asked[streamed])
			p := player(t, dir, "/r")
			resp, err := as(t.Context(), t, p, "a", asked[!streamed])
			got := []byte(read(t, resp, err))
			if isStream := resp.Header.Get("Content-Type") == eventStream; isStream == streamed || p.Mismatch() != nil {
				t.Fatalf("it is answered %v %s: %v", resp.Header, got, p.Mismatch())
			} else if isStream {
				got = messageOf(got)
			}
			if !sameJSON(t, got, message) {
				t.Errorf("it is answered %s, want %s", got, message)
			}
		}
	}
	for _, text := range []string{"", "{}", `{"type":"error"}`, "data: {", "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"} {
		x := Exchange{Status: http.StatusOK, Answer: []byte(text), Header: map[string]string{"Content-Type": "x"}}
		if got := reformed(x); string(got.Answer) != text || got.Header["Content-Type"] != "x" {
			t.Errorf("%q becomes %+v", text, got)
		}
	}
}

func FuzzReformed(f *testing.F) {
	rep := reply{id: "msg_1", model: "m", text: "hm", tool: "act", use: "toolu_1", input: json.RawMessage(`{"n":1}`)}
	f.Add(rep.message())
	f.Add(bytes.Join(rep.events(), nil))
	f.Fuzz(func(t *testing.T, answer []byte) {
		reformed(Exchange{Status: http.StatusOK, Answer: answer})
	})
}

func TestAPlayerCanGoLive(t *testing.T) {
	p := player(t, recorded(t, "/r", echo(), `"one"`, `"two"`), "/r")
	resp, err := as(t.Context(), t, p, "a", `"one"`)
	if got := read(t, resp, err); got != "answer 1 to 5 bytes" {
		t.Errorf("recorded: %q", got)
	}
	p.GoLive(roundTrip(func(r *http.Request) (*http.Response, error) { return answer(r, "live") }))
	resp, err = as(t.Context(), t, p, "a", `"anything"`)
	if got := read(t, resp, err); got != "live" || p.Mismatch() != nil || p.Unasked("a") != 1 {
		t.Errorf("live: %q, %v", got, p.Mismatch())
	}
}

func TestWhatCannotBeRecordedIsNoTroubleOfTheAgent(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := NewRecorder(file, "/r", NewNormal("/r"), echo())
	for range 2 {
		resp, err := as(t.Context(), t, r, "a", `"x"`)
		if got := read(t, resp, err); !strings.HasPrefix(got, "answer") {
			t.Errorf("the agent is told %q", got)
		}
	}
	if err := r.Close(); err == nil || strings.Count(err.Error(), "record the model of a:") != 1 {
		t.Errorf("what went wrong is %v", err)
	}
}

func FuzzReadCassette(f *testing.F) {
	dir := recorded(f, "/r", echo(), `"one"`, `"one, two"`)
	raw, err := os.ReadFile(cassetteFile(dir, "a"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"cassette":1,"agent":"a","run":"/r"}`), []byte(`{"body":{"text":"one"}}`), []byte(`{"keep":1,"body":{"base64":"AAA="},"tail":2}`))
	f.Add(raw, []byte(`{"keep":-1}`), []byte(`{"keep":9,"tail":9}`))
	f.Fuzz(func(t *testing.T, first, second, third []byte) {
		c := new(Cassette)
		for _, line := range [][]byte{first, second, third} {
			if err := c.add(line); err != nil {
				return
			}
		}
		for i := range c.Exchanges {
			if got := c.Request(i); len(got) != c.Exchanges[i].length() {
				t.Errorf("request %d has %d bytes, not %d", i, len(got), c.Exchanges[i].length())
			}
		}
	})
}

func FuzzRepeated(f *testing.F) {
	f.Add([]byte("aéb"), []byte("aèb"))
	f.Add([]byte("xx"), []byte("xxx"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		head, tail := repeated(a, b)
		if got := bytes.Join([][]byte{a[:head], b[head : len(b)-tail], a[len(a)-tail:]}, nil); !bytes.Equal(got, b) {
			t.Errorf("%q after %q becomes %q", b, a, got)
		}
	})
}

func TestARecordingHoldsNoSecretsInPathsAndHeaders(t *testing.T) {
	const secret = "sk-canary-0123456789"
	dir, normal := t.TempDir(), NewNormal("/r")
	normal.AddSecret(secret)
	r := NewRecorder(dir, "/r", normal, roundTrip(func(req *http.Request) (*http.Response, error) {
		resp, err := answer(req, `{}`)
		resp.Header.Set("Request-Id", secret)
		return resp, err
	}))
	e := newEndpoint(t, &Gateway{Upstream: r}, "a", filepath.Join(t.TempDir(), recordName))
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, messagesPath+"?key="+secret, strings.NewReader(`{"model":"m"}`))
	e.forward(httptest.NewRecorder(), req)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := ReadCassette(dir, "a")
	if err != nil || len(c.Exchanges) != 1 {
		t.Fatalf("%+v: %v", c, err)
	}
	if x := c.Exchanges[0]; strings.Contains(x.Path, secret) || x.Header["Request-Id"] != aSecret {
		t.Errorf("%s %v", x.Path, x.Header)
	}
}
