package claude_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents/claude"
)

func TestAConversationIsReadFromItsTranscript(t *testing.T) {
	raw := queuedLine + `{"type":"user","timestamp":"2026-01-02T03:04:05.678Z","message":{"content":"Be quick.\n\n<observation>\n{\"turn\":3}\n</observation>"}}` + "\n" +
		`{"type":"assistant","message":{"content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"I <observation>\n{\"turn\":9}\n</observation>"}]}}` + "\n" +
		`{"type":"assistant","message":{"content":[{"type":"tool_use","id":"x","name":"Read","input":{"path":"a"}}]}}` + "\n" +
		`{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"x","content":"no such file","is_error":true}]}}` + "\n" +
		`{"type":"assistant","message":{"content":[{"type":"tool_use","id":"y","name":"mcp__world__act","input":{}}]}}` + "\n" +
		`{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"y","content":[{"type":"text","text":"<observation>\n{\"turn\":4}\n</observation>"}]}]}}` + "\n" +
		"no line of a transcript\n" + `{"type":"user","message":{"content":[[1]]}}` + "\n" + `{"type":"user","message":{"content":"torn`
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	want := []claude.Part{
		{Turn: -1, Kind: claude.PartTold, Text: "Be quick.", Time: at},
		{Turn: 3, Kind: claude.PartObservation, Text: `{"turn":3}`, Time: at},
		{Turn: 3, Kind: claude.PartThinking, Text: "hm"},
		{Turn: 3, Kind: claude.PartText, Text: "I <observation>\n{\"turn\":9}\n</observation>"},
		{Turn: 3, Kind: claude.PartToolUse, Name: "Read", Text: `{"path":"a"}`},
		{Turn: 3, Kind: claude.PartToolResult, Name: "Read", Text: "no such file", Error: true},
		{Turn: 3, Kind: claude.PartToolUse, Name: "mcp__world__act", Text: "{}"},
		{Turn: 4, Kind: claude.PartObservation, Text: `{"turn":4}`},
	}
	got := claude.Conversation([]byte(raw))
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func FuzzParts(f *testing.F) {
	f.Add([]byte(shown(0, false) + actedLine + shown(1, true)))
	f.Add([]byte(`{"type":"user","message":{"content":[{"type":"tool_result","content":[{"content":[[]]}]}]}}` + "\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, p := range claude.Conversation(raw) {
			if p.Kind == "" || p.Text == "" && p.Kind != claude.PartToolUse {
				t.Errorf("a part that says nothing: %+v", p)
			}
		}
	})
}
