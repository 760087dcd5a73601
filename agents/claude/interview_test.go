package claude_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/agents/claude"
	"github.com/vitrine-sim/vitrine/world"
)

// shown is the line of a transcript in which an agent is shown an observation: as a message, or as what came of an action.
func shown(turn int, result bool) string {
	text := fmt.Sprintf("<observation>\n{\"agent\":\"a\",\"turn\":%d}\n</observation>", turn)
	var content any = text
	if result {
		content = []any{map[string]any{
			"type": "tool_result", "tool_use_id": fmt.Sprint("use", turn), "content": []any{map[string]any{"type": "text", "text": text}},
		}}
	}
	return string(world.JSON(map[string]any{
		"type": "user", "uuid": fmt.Sprint("u", turn), "toolUseResult": text, "message": map[string]any{"role": "user", "content": content},
	})) + "\n"
}

const (
	queuedLine = `{"type":"queue-operation","content":"<observation>\n{\"turn\":9}\n</observation>"}` + "\n"
	actedLine  = `{"type":"assistant","message":{"content":[{"type":"tool_use","name":"mcp__world__act"}]}}` + "\n"
	heldResult = `{"message":{"content":[{"content":"The game stands still here.","tool_use_id":"use%d","type":"tool_result"}],"role":"user"},"type":"user","uuid":"u%[1]d"}` + "\n"
)

func TestATranscriptIsCutBehindWhatAnAgentDidInATurn(t *testing.T) {
	whole := queuedLine + shown(0, false) + actedLine + shown(1, true) + actedLine + shown(1, true) + actedLine + shown(2, true) + actedLine
	tests := []struct {
		name, raw string
		turn      int
		want      string // empty: an error
	}{
		{"the first turn", whole, 0, queuedLine + shown(0, false) + actedLine + fmt.Sprintf(heldResult, 1)},
		{"a turn of two phases", whole, 1, strings.TrimSuffix(whole, shown(2, true)+actedLine) + fmt.Sprintf(heldResult, 2)},
		{"the last turn", whole, 2, whole},
		{"a turn that is to come", whole, 7, whole},
		{"a line that a killed process has left", whole + `{"type":"us`, 2, whole},
		{"a message after an interruption", shown(0, false) + actedLine + shown(3, false), 1, shown(0, false) + actedLine},
		{"nothing up to there", shown(3, false) + actedLine, 2, ""},
		{"nothing at all", queuedLine + actedLine, 2, ""},
	}
	for _, tt := range tests {
		got, err := claude.CutTranscript([]byte(tt.raw), tt.turn)
		if string(got) != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s:\n%s, %v, want\n%s", tt.name, got, err, tt.want)
		}
	}
}

func FuzzCutTranscript(f *testing.F) {
	f.Add([]byte(shown(0, false)+actedLine+shown(1, true)), 0)
	f.Add([]byte(`{"type":"user","message":{"content":[{"content":[[]]}]}}`+"\n"), 1)
	f.Fuzz(func(t *testing.T, raw []byte, turn int) {
		cut, err := claude.CutTranscript(raw, turn)
		if err != nil {
			return
		}
		again, err := claude.CutTranscript(cut, turn)
		if err != nil || string(again) != string(cut) {
			t.Errorf("cut again, %q becomes %q: %v", cut, again, err)
		}
	})
}
