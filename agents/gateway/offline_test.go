package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/vitrine-sim/vitrine/world"
)

// fisher is a policy whose action depends on all that it is given.
func fisher(obs world.Observation, random *rand.Rand) world.Action {
	return world.Action{Agent: obs.Agent, Name: "fish", Args: world.JSON(map[string]any{
		"tons": random.IntN(1000), "seen": string(obs.View), "turn": obs.Turn,
	})}
}

// fishers makes everybody a fisher but "idle", who passes, "broken", whose arguments are no JSON, and "", who is unknown.
func fishers(agent string) world.Policy {
	switch agent {
	case "":
		return nil
	case "idle":
		return func(world.Observation, *rand.Rand) world.Action { return world.Action{} }
	case "broken":
		return func(world.Observation, *rand.Rand) world.Action { return world.Action{Name: "x", Args: []byte("{")} }
	}
	return fisher
}

// A said is a message of the model, as a client understands it.
type said struct {
	ID, Type, Role, Model string
	Content               []saidBlock
	StopReason            string `json:"stop_reason"`
	Usage                 struct {
		In  int64 `json:"input_tokens"`
		Out int64 `json:"output_tokens"`
	}
}

type saidBlock struct {
	Type, Text, Thinking, ID, Name string
	Input                          json.RawMessage
}

// call returns the input of the only tool call of a message that ends with one; "" if it ends the turn.
func (m said) call(t testing.TB) (tool, input string) {
	t.Helper()
	if m.Type != "message" || m.Role != "assistant" || m.ID == "" || m.Model == "" || m.Usage.In < 1 || m.Usage.Out < 1 {
		t.Fatalf("message %+v", m)
	}
	if len(m.Content) == 0 || m.Content[0].Type != "text" || m.Content[0].Text == "" || strings.Contains(m.Content[0].Text, "\n") {
		t.Fatalf("content %+v", m.Content)
	}
	switch {
	case m.StopReason == "end_turn" && len(m.Content) == 1:
		return "", ""
	case m.StopReason == "tool_use" && len(m.Content) == 2 && m.Content[1].Type == "tool_use" && m.Content[1].ID != "":
		return m.Content[1].Name, string(m.Content[1].Input)
	}
	t.Fatalf("stop reason %q with content %+v", m.StopReason, m.Content)
	return "", ""
}

// parseStream puts a message together from its stream, as strictly as the protocol allows.
func parseStream(stream string) (m said, err error) {
	fail := func(format string, args ...any) (said, error) { return said{}, fmt.Errorf(format, args...) }
	open, done, seenDelta := -1, false, false
	var partial string
	for i, text := range strings.SplitAfter(stream, "\n\n") {
		if text == "" {
			break
		}
		name, data, ok := strings.Cut(text, "\ndata: ")
		if !ok || !strings.HasPrefix(name, "event: ") || strings.Count(data, "\n") != 2 || done {
			return fail("event %d is %q", i, text)
		}
		var ev struct {
			Type    string
			Message *said
			Index   *int
			Block   *saidBlock `json:"content_block"`
			Delta   struct {
				Type, Text, Thinking, Signature string
				Partial                         string `json:"partial_json"`
				StopReason                      string `json:"stop_reason"`
			}
			Usage struct {
				Out int64 `json:"output_tokens"`
			}
		}
		if err := json.Unmarshal([]byte(data), &ev); err != nil {
			return fail("event %d is %q: %w", i, text, err)
		}
		if name != "event: "+ev.Type || (i == 0) != (ev.Type == "message_start") {
			return fail("event %d is %q", i, text)
		}
		switch ev.Type {
		case "message_start":
			m = *ev.Message
		case "ping":
		case "content_block_start":
			if open >= 0 || *ev.Index != len(m.Content) {
				return fail("event %d starts block %d", i, *ev.Index)
			}
			open, partial, m.Content = *ev.Index, "", append(m.Content, *ev.Block)
		case "content_block_delta":
			if *ev.Index != open {
				return fail("event %d adds to block %d", i, *ev.Index)
			}
			block := &m.Content[open]
			want := map[string]string{"text": "text_delta", "tool_use": "input_json_delta", "thinking": "thinking_delta"}[block.Type]
			if ev.Delta.Type != want && !(block.Type == "thinking" && ev.Delta.Type == "signature_delta" && ev.Delta.Signature != "") {
				return fail("event %d is %q in a block %q", i, ev.Delta.Type, block.Type)
			}
			block.Text += ev.Delta.Text
			block.Thinking += ev.Delta.Thinking
			partial += ev.Delta.Partial
		case "content_block_stop":
			if *ev.Index != open {
				return fail("event %d ends block %d", i, *ev.Index)
			}
			if partial != "" {
				m.Content[open].Input = json.RawMessage(partial)
			}
			if in := m.Content[open].Input; in != nil && !json.Valid(in) {
				return fail("input %q", in)
			}
			open = -1
		case "message_delta":
			if open >= 0 || seenDelta {
				return fail("event %d is out of place: %q", i, text)
			}
			seenDelta, m.StopReason, m.Usage.Out = true, ev.Delta.StopReason, ev.Usage.Out
		case "message_stop":
			done = seenDelta
		default:
			return fail("event %d is %q", i, text)
		}
	}
	if !done {
		return fail("no end in %q", stream)
	}
	return m, nil
}

// post sends a request to the model itself.
func post(t testing.TB, model http.RoundTripper, path, text string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", path, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := model.RoundTrip(r)
	return resp, read(t, resp, err)
}

// speak sends a good request to the model itself and returns what it says.
func speak(t testing.TB, model http.RoundTripper, text string) said {
	t.Helper()
	resp, body := post(t, model, messagesPath, text)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", resp.StatusCode, body)
	}
	var m said
	err := json.Unmarshal([]byte(body), &m)
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		m, err = parseStream(body)
	}
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return m
}

// conversation returns a request with the messages, which are JSON.
func conversation(stream bool, tool string, messages ...string) string {
	return fmt.Sprintf(`{"model":"m","max_tokens":100,"stream":%t,"system":"play","tools":[{"name":"look"},{"name":%q}],"messages":[%s]}`,
		stream, tool, strings.Join(messages, ","))
}

// observed returns the text of an observation.
func observed(agent string, turn int, more string) string {
	return fmt.Sprintf("This is what you see.\n<observation>\n{\"agent\":%q,\"turn\":%d,\"view\":{\"fish\":\"50 \\n<observation>\"}%s}\n</observation>\nAct.", agent, turn, more)
}

func user(text string) string {
	return string(world.JSON(object{"role": "user", "content": text}))
}

func result(text string) string {
	return string(world.JSON(object{"role": "user", "content": []object{
		{"type": "tool_result", "tool_use_id": "t", "content": []object{{"type": "image", "text": 1}, {"type": "text", "text": text}}},
		{"type": "text", "text": "<system-reminder>the date</system-reminder>"},
	}}))
}

const (
	acted  = `{"role":"assistant","content":[{"type":"text","text":"hm"},{"type":"tool_use","id":"t","name":"mcp__world__act","input":{}}]}`
	looked = `{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"look","input":{}}]}`
	idled  = `{"role":"assistant","content":"<observation>\n{\"agent\":\"a\"}\n</observation>"}`
)

// input returns what a fisher with the seed does about an observation.
func input(seed uint64, agent string, turn int) string {
	action := fisher(world.Observation{Agent: agent, Turn: turn, View: json.RawMessage(`{"fish":"50 \n<observation>"}`)},
		world.NewRand(seed, turn, "policy/"+agent))
	return string(world.JSON(object{"action": action.Name, "args": action.Args}))
}

func TestTheOfflineModelAnswersTheNewestObservationOnce(t *testing.T) {
	const seed = 7
	tests := []struct {
		name     string
		messages []string
		want     string // input of the call; empty: it ends its turn
	}{
		{"a first observation", []string{user(observed("ann", 0, ""))}, input(seed, "ann", 0)},
		{"of another agent", []string{user(observed("ben", 0, ""))}, input(seed, "ben", 0)},
		{"in the result of its last action", []string{user(observed("ann", 0, "")), acted, result(observed("ann", 1, ""))}, input(seed, "ann", 1)},
		{"two in one text", []string{user(observed("ann", 0, "") + "\n" + observed("ann", 4, ""))}, input(seed, "ann", 4)},
		{"with CRLF", []string{user(strings.ReplaceAll(observed("ann", 3, ""), "\n", "\r\n"))}, input(seed, "ann", 3)},
		{"a reminder", []string{user(observed("ann", 2, "")), idled, user("You have not acted.")}, input(seed, "ann", 2)},
		{"another tool in between", []string{user(observed("ann", 2, "")), looked, result("a lake")}, input(seed, "ann", 2)},
		{"an old one that is answered", []string{user(observed("ann", 2, "")), acted, result("done")}, ""},
		{"resumed, the last action forgotten", []string{
			user(observed("ann", 0, "")), acted, result(observed("ann", 1, "")), user("You were cut off.\n\n" + observed("ann", 4, "")),
		}, input(seed, "ann", 4)},
		{"resumed, the last observation unanswered", []string{
			user(observed("ann", 0, "")), acted, result(observed("ann", 1, "")), user("Continue from where you left off."),
			`{"role":"assistant","content":[{"type":"text","text":"No response requested."}]}`,
			user("You were cut off.\n\n" + observed("ann", 1, "")),
		}, input(seed, "ann", 1)},
		{"resumed, and on from there", []string{
			user(observed("ann", 0, "")), user("You were cut off.\n\n" + observed("ann", 4, "")), acted, result(observed("ann", 5, "")),
		}, input(seed, "ann", 5)},
		{"a reminder when it has acted", []string{user(observed("ann", 2, "")), acted, result("done"), idled, user("Go on.")}, ""},
		{"terminated", []string{user(observed("ann", 2, `,"terminated":true`))}, ""},
		{"no observation", []string{user("Hello.")}, ""},
		{"one that is not in lines of its own", []string{user("<observation>{}</observation>")}, ""},
		{"one without an end", []string{user("<observation>\n{\"agent\":\"ann\"}")}, ""},
		{"one that is no JSON", []string{user(observed("ann", 0, "")), acted, result("<observation>\n{\n\n</observation>")}, ""},
		{"an agent without a policy", []string{user(observed("", 2, ""))}, ""},
		{"a pass", []string{user(observed("idle", 2, ""))}, `{"action":"pass"}`},
	}
	for _, test := range tests {
		for _, stream := range []bool{false, true} {
			m := speak(t, NewOffline(fishers, seed), conversation(stream, "mcp__world__act", test.messages...))
			tool, in := m.call(t)
			if test.want != "" && tool != "mcp__world__act" {
				t.Errorf("%s: called %q", test.name, tool)
			}
			if got, err := world.Canonical([]byte(in)); test.want != "" && (err != nil || string(got) != test.want) || test.want == "" && in != "" {
				t.Errorf("%s (stream %t): %s\nwant %s", test.name, stream, in, test.want)
			}
		}
	}
	for tool, want := range map[string]string{"act": "act", "mcp__x__act": "mcp__x__act", "react": "", "act2": ""} {
		m := speak(t, NewOffline(fishers, seed), conversation(false, tool, user(observed("ann", 0, ""))))
		if got, _ := m.call(t); got != want {
			t.Errorf("with the tool %q it called %q", tool, got)
		}
	}
}

func TestTheOfflineModelDecidesFromTheRequestAlone(t *testing.T) {
	model := NewOffline(fishers, 1)
	request := conversation(true, "act", user(observed("ann", 5, "")))
	first := speak(t, model, request)
	speak(t, model, conversation(true, "act", user(observed("ben", 6, "")))) // has no influence
	second := speak(t, model, request)
	if first.ID == second.ID || first.Content[1].ID == second.Content[1].ID {
		t.Errorf("the same ids twice: %+v", second)
	}
	_, one := first.call(t)
	if _, two := second.call(t); one != two {
		t.Errorf("%s, then %s", one, two)
	}
	if _, other := speak(t, NewOffline(fishers, 2), request).call(t); other == one {
		t.Errorf("another seed, the same action %s", other)
	}
}

func TestTheStreamOfTheOfflineModelIsThatOfTheAPI(t *testing.T) {
	rep := reply{
		id: "msg_1", model: "m", in: Tokens{Input: 12}, text: "I choose fish.", tool: "act", use: "toolu_1",
		input: json.RawMessage(`{"action":"fish","args":{"müll":1}}`),
	}
	const golden = `event: message_start
data: {"message":{"content":[],"id":"msg_1","model":"m","role":"assistant","stop_reason":null,"stop_sequence":null,"type":"message","usage":{"cache_creation":{"ephemeral_1h_input_tokens":0,"ephemeral_5m_input_tokens":0},"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"input_tokens":12,"output_tokens":1}},"type":"message_start"}

event: content_block_start
data: {"content_block":{"text":"","type":"text"},"index":0,"type":"content_block_start"}

event: ping
data: {"type":"ping"}

event: content_block_delta
data: {"delta":{"text":"I ","type":"text_delta"},"index":0,"type":"content_block_delta"}

event: content_block_delta
data: {"delta":{"text":"choose ","type":"text_delta"},"index":0,"type":"content_block_delta"}

event: content_block_delta
data: {"delta":{"text":"fish.","type":"text_delta"},"index":0,"type":"content_block_delta"}

event: content_block_stop
data: {"index":0,"type":"content_block_stop"}

event: content_block_start
data: {"content_block":{"id":"toolu_1","input":{},"name":"act","type":"tool_use"},"index":1,"type":"content_block_start"}

event: content_block_delta
data: {"delta":{"partial_json":"","type":"input_json_delta"},"index":1,"type":"content_block_delta"}

event: content_block_delta
data: {"delta":{"partial_json":"{\"action\":\"fish\"","type":"input_json_delta"},"index":1,"type":"content_block_delta"}

event: content_block_delta
data: {"delta":{"partial_json":",\"args\":{\"müll\":","type":"input_json_delta"},"index":1,"type":"content_block_delta"}

event: content_block_delta
data: {"delta":{"partial_json":"1}}","type":"input_json_delta"},"index":1,"type":"content_block_delta"}

event: content_block_stop
data: {"index":1,"type":"content_block_stop"}

event: message_delta
data: {"delta":{"stop_reason":"tool_use","stop_sequence":null},"type":"message_delta","usage":{"output_tokens":13}}

event: message_stop
data: {"type":"message_stop"}

`
	stream := string(bytes.Join(rep.events(), nil))
	if stream != golden {
		t.Errorf("the stream is\n%s", stream)
	}
	streamed, err := parseStream(stream)
	if err != nil {
		t.Fatal(err)
	}
	var whole said
	if err := json.Unmarshal(rep.message(), &whole); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(streamed, whole) {
		t.Errorf("streamed %+v\nwhole    %+v", streamed, whole)
	}
}

func TestTheOfflineModelRefusesWhatTheAPIRefuses(t *testing.T) {
	model := NewOffline(fishers, 1)
	for _, text := range []string{
		``, `{`, `[]`, `{}`, `{"model":"m","max_tokens":1}`,
		`{"model":"m","max_tokens":1,"messages":[]}`,
		`{"model":"m","messages":[{"role":"user","content":"x"}]}`,
		`{"max_tokens":1,"messages":[{"role":"user","content":"x"}]}`,
		`{"model":"m","max_tokens":0,"messages":[{"role":"user","content":"x"}]}`,
		`{"model":"m","max_tokens":1,"messages":[{"role":"nobody","content":"x"}]}`,
		`{"model":"m","max_tokens":1,"messages":[{"role":"user"}]}`,
		`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":1}]}`,
		`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"text":"x"}]}]}`,
		`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":1}]}]}`,
	} {
		resp, body := post(t, model, messagesPath, text)
		if resp.StatusCode != http.StatusBadRequest || errorType(t, body) != "invalid_request_error" {
			t.Errorf("%s: %d %s", text, resp.StatusCode, body)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), "POST", messagesPath,
		strings.NewReader(conversation(false, "act", user(observed("broken", 0, "")))))
	if resp, err := model.RoundTrip(r); err == nil {
		t.Errorf("arguments that are no JSON passed with status %d", resp.StatusCode)
	}
}

func TestTheOfflineModelCountsTokens(t *testing.T) {
	model := NewOffline(fishers, 1)
	text := `{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("x", 4000) + `"}]}`
	resp, body := post(t, model, countPath, text)
	if want := fmt.Sprintf(`{"input_tokens":%d}`, len(`{"type":"text","text":""}`)/4+1000+1); resp.StatusCode != http.StatusOK || body != want {
		t.Errorf("%d %s, want %s", resp.StatusCode, body, want)
	}
}

func TestManyAgentsPlayAtOnce(t *testing.T) {
	const agents, turns, seed = 8, 20, 3
	gateway := &Gateway{Upstream: NewOffline(fishers, seed), InFlight: 2}
	var all sync.WaitGroup
	var mu sync.Mutex
	ids := make(map[string]bool)
	for i := range agents {
		name := fmt.Sprint("agent", i)
		e, client := open(t, gateway, name)
		all.Go(func() {
			messages := []string{user(observed(name, 0, ""))}
			var out int64
			for turn := range turns {
				resp, err := ask(t.Context(), client, "/v1/messages?beta=true", conversation(true, "mcp__world__act", messages...))
				if err != nil {
					t.Error(err)
					return
				}
				raw, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				m, streamErr := parseStream(string(raw))
				if err := errors.Join(err, streamErr); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if ids[m.ID] {
					t.Errorf("the id %s twice", m.ID)
				}
				ids[m.ID] = true
				mu.Unlock()
				out += m.Usage.Out
				if len(m.Content) != 2 {
					t.Errorf("%s, turn %d: %+v", name, turn, m)
					return
				}
				if got, _ := world.Canonical(m.Content[1].Input); string(got) != input(seed, name, turn) {
					t.Errorf("%s, turn %d: %s", name, turn, got)
				}
				messages = append(messages, acted, result(observed(name, turn+1, "")))
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
			if got := e.Usage(); got.Requests != turns || got.Output != out || got.In() < turns {
				t.Errorf("%s: usage %+v, want %d requests and %d tokens out", name, got, turns, out)
			}
		})
	}
	all.Wait()
}

func FuzzOffline(f *testing.F) {
	for _, stream := range []bool{false, true} {
		f.Add(conversation(stream, "act", user(observed("ann", 1, ""))), false)
		f.Add(conversation(stream, "x__act", user(observed("ann", 0, "")), acted, result(observed("ann", 1, `,"terminated":true`))), false)
		f.Add(conversation(stream, "act", user("<observation>\n{\"agent\":\"\xff\U0001F41F\",\"view\":[]}\n</observation>")), true)
	}
	f.Add(`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"text"}]}]}]}`, true)
	f.Fuzz(func(t *testing.T, text string, counting bool) {
		path := messagesPath
		if counting {
			path = countPath
		}
		model := NewOffline(func(name string) world.Policy {
			if name == "broken" {
				return fisher
			}
			return fishers(name)
		}, 1)
		resp, body := post(t, model, path, text)
		if !utf8.ValidString(body) {
			t.Fatalf("not UTF-8: %q", body)
		}
		if resp.StatusCode == http.StatusBadRequest {
			errorType(t, body)
			return
		}
		if counting {
			var count struct {
				Tokens int `json:"input_tokens"`
			}
			if err := json.Unmarshal([]byte(body), &count); err != nil || count.Tokens < 1 {
				t.Fatalf("count %s", body)
			}
			return
		}
		first, second := speak(t, model, text), speak(t, model, text)
		tool, in := first.call(t)
		tool2, in2 := second.call(t)
		if tool != tool2 || in != in2 {
			t.Errorf("%s %s, then %s %s", tool, in, tool2, in2)
		}
		if tool == "" {
			return
		}
		var action struct {
			Action string
			Args   json.RawMessage
		}
		if err := json.Unmarshal([]byte(in), &action); err != nil || !slices.Contains([]string{"fish", world.Pass}, action.Action) {
			t.Errorf("input %s", in)
		}
	})
}
