package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

// thinking is a conversation in which the model may think.
func thinking(stream bool, messages ...string) string {
	return strings.Replace(conversation(stream, "act", messages...), `"system"`, `"thinking":{"type":"enabled","budget_tokens":1024},"system"`, 1)
}

func TestTheOfflineModelFollowsItsScript(t *testing.T) {
	model := NewOffline(fishers, 7)
	model.Script = []Line{
		{
			Agents: []string{"ann", "ben"}, Turns: []int{1, 2}, Think: "What would {action} do to {agent}?", Say: "{agent} in turn {turn}: {action}",
			Tools: []ToolUse{
				{Name: "Write", Input: json.RawMessage(`{"file_path":"{agent}-{turn}.md","content":"I am {agent}"}`)},
				{Name: "Read", Input: json.RawMessage(`{"file_path":"notes.md"}`)},
			},
			Action: &world.Action{Name: "fish", Args: json.RawMessage(`{"tons":3}`)},
		},
		{Agents: []string{"ann"}, Say: "as ever"},
	}
	used := func(tool string) string {
		return `{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"x"},{"type":"tool_use","id":"t","name":"` + tool + `","input":{}}]}`
	}
	before := []string{user(observed("ann", 0, "")), looked, result("x"), acted, result(observed("ann", 1, ""))}
	for _, test := range []struct {
		name      string
		messages  []string
		think     string
		say       string
		tool, use string
	}{
		{"before the lines for it", before[:1], "", "as ever", "act", input(7, "ann", 0)},
		{"the first tool", before, "What would fish do to ann?", `Turn 1: first I use Write.`, "Write", `{"content":"I am ann","file_path":"ann-1.md"}`},
		{
			"the second tool", append(slices.Clone(before), used("Write"), result("written")), "What would fish do to ann?", "Turn 1: first I use Read.",
			"Read", `{"file_path":"notes.md"}`,
		},
		{
			"the action", append(slices.Clone(before), used("Write"), result("written"), used("Read"), result("text")),
			"What would fish do to ann?", "ann in turn 1: fish", "act", `{"action":"fish","args":{"tons":3}}`,
		},
		{"another agent", []string{user(observed("ben", 1, ""))}, "What would fish do to ben?", "Turn 1: first I use Write.", "Write", `{"content":"I am ben","file_path":"ben-1.md"}`},
		{"behind the lines for it", []string{user(observed("ben", 3, ""))}, "", `Turn 3: I choose "fish".`, "act", input(7, "ben", 3)},
	} {
		for _, stream := range []bool{false, true} {
			m := speak(t, model, thinking(stream, test.messages...))
			blocks := m.Content
			if test.think != "" {
				if blocks[0].Type != "thinking" || blocks[0].Thinking != test.think {
					t.Errorf("%s: thinks %+v", test.name, blocks[0])
				}
				blocks = blocks[1:]
			}
			if len(blocks) != 2 || blocks[0].Text != test.say || blocks[1].Name != test.tool {
				t.Errorf("%s (stream %t): %+v", test.name, stream, blocks)
				continue
			}
			if got, err := world.Canonical(blocks[1].Input); err != nil || string(got) != test.use {
				t.Errorf("%s: %s", test.name, got)
			}
		}
	}
	m := speak(t, model, conversation(true, "act", before...))
	if m.Content[0].Type != "text" {
		t.Errorf("it thinks though it may not: %+v", m.Content)
	}
	hostile := fillInput(json.RawMessage(`{"x":"{agent}"}`), world.Observation{Agent: `a"}<\`})
	if got, err := world.Canonical(hostile); err != nil || !strings.Contains(string(got), `a\"}`) {
		t.Errorf("%s, %v", hostile, err)
	}
}

func TestTheOfflineModelTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := NewOffline(fishers, 7)
		model.Latency, model.Rate = 2*time.Second, 10
		for _, stream := range []bool{false, true} {
			r, err := http.NewRequestWithContext(t.Context(), "POST", messagesPath, strings.NewReader(conversation(stream, "act", user(observed("ann", 0, "")))))
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			resp, err := model.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			first := time.Since(began)
			raw, err := io.ReadAll(resp.Body)
			whole := time.Since(began)
			if err != nil {
				t.Fatal(err)
			}
			m := said{}
			if stream {
				m, err = parseStream(string(raw))
			} else {
				err = json.Unmarshal(raw, &m)
			}
			if err != nil {
				t.Fatal(err)
			}
			want := 2*time.Second + time.Duration(m.Usage.Out)*time.Second/10
			if d := want - whole; d < 0 || d > time.Microsecond || stream && first != 2*time.Second {
				t.Errorf("stream %t: begins after %v, ends after %v, want %v for %d tokens", stream, first, whole, want, m.Usage.Out)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, "POST", messagesPath, strings.NewReader(conversation(false, "act", user(observed("ann", 0, "")))))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := model.RoundTrip(r); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}

// cached returns a conversation whose last message is marked as Claude Code marks it, and the system prompt.
func cached(ttl string, n int, system string) string {
	mark := `"cache_control":{"type":"ephemeral"` + ttl + `}`
	var messages []string
	for i := range n {
		marked := ""
		if i == n-1 {
			marked = "," + mark
		}
		messages = append(messages, `{"role":"user","content":[{"type":"text","text":"`+strings.Repeat("x", 400)+`"`+marked+`}]}`)
	}
	return `{"model":"m","max_tokens":10,"tools":[{"name":"act","input_schema":{}}],"system":[{"type":"text","text":"` + system + `",` + mark +
		`}],"messages":[` + strings.Join(messages, ",") + `]}`
}

func TestTheOfflineModelCountsWhatIsCachedAsTheAPIDoes(t *testing.T) {
	var c promptCache
	now := time.Unix(0, 0)
	long, short := strings.Repeat("s", 8000), "s"
	const tool = int64(len(`{"name":"act","input_schema":{}}`)/4 + 1)
	const message = int64((len(`{"type":"text","text":""}`)+400)/4 + 1)
	system := func(n int) int64 { return int64((len(`{"type":"text","text":""}`)+n)/4 + 1) }
	first := tool + system(8000)
	for _, step := range []struct {
		name string
		body string
		wait time.Duration
		want Tokens
	}{
		{"all is new", cached("", 1, long), 0, Tokens{CacheWrite5m: first + message}},
		{"what was there is read, the rest is written", cached("", 3, long), 0, Tokens{CacheRead: first + message, CacheWrite5m: 2 * message}},
		{"all is read", cached("", 3, long), 4 * time.Minute, Tokens{CacheRead: first + 3*message}},
		{"each use counts anew", cached("", 3, long), 4 * time.Minute, Tokens{CacheRead: first + 3*message}},
		{"another prompt", cached("", 1, "t"+long), 0, Tokens{CacheWrite5m: tool + system(8001) + message}},
		{"another model", strings.Replace(cached("", 1, long), `"m"`, `"n"`, 1), 0, Tokens{CacheWrite5m: first + message}},
		{"it is over after five minutes", cached("", 3, long), 5 * time.Minute, Tokens{CacheWrite5m: first + 3*message}},
		{"so much further it does not look back", cached("", 3+lookBack+1, long), 0, Tokens{CacheRead: first, CacheWrite5m: (3 + lookBack + 1) * message}},
		{"too little to be kept", cached("", 1, short), 0, Tokens{Input: tool + system(1) + message}},
		{"nor then", cached("", 1, short), 0, Tokens{Input: tool + system(1) + message}},
		{"for an hour", cached(`,"ttl":"1h"`, 1, long), 6 * time.Minute, Tokens{CacheWrite1h: first + message}},
		{"which is longer", cached(`,"ttl":"1h"`, 1, long), 59 * time.Minute, Tokens{CacheRead: first + message}},
		{"nothing marked", `{"model":"m","system":"` + long + `","messages":[{"role":"user","content":"x"}]}`, 0, Tokens{Input: system(8000) + system(1)}},
		{"no request", `[]`, 0, Tokens{}},
	} {
		now = now.Add(step.wait)
		if got := c.use(promptBlocks([]byte(step.body)), now); got != step.want {
			t.Errorf("%s: %+v, want %+v", step.name, got, step.want)
		}
	}
	inText, mark := withoutMark([]byte(`{"type":"text","text":"say \",\"cache_control\":{\"type\":1}"}`))
	if mark != 0 || !strings.Contains(string(inText), "cache_control") {
		t.Errorf("a text that speaks of marks is one: %s", inText)
	}
}

func TestThePromptCacheForgetsWhatIsOver(t *testing.T) {
	var c promptCache
	now := time.Unix(0, 0)
	for i := range 5 * leastKept {
		c.keep(promptBlock{hash: [32]byte{byte(i), byte(i >> 8)}, mark: 5 * time.Minute}, now)
		now = now.Add(time.Second)
		if len(c.kept) > leastKept+1 {
			t.Fatalf("%d entries are kept, of which %d are not over", len(c.kept), 300)
		}
	}
}
