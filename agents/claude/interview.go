package claude

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/vitrine-sim/vitrine/world"
)

// askedText goes ahead of a question to an agent that is not playing.
const askedText = "The game stands still, and nothing that you say or do now has any effect on it. Somebody who watches it asks you the following. " +
	"Answer in words, and call no tool.\n\n"

// heldText is what came of the last action of an agent that is asked about a game in its middle.
const heldText = "The game stands still here."

// Ask asks the model something that is no part of the game, and returns what it answers. It must not be called during Act.
func (a *Agent) Ask(ctx context.Context, question string) (string, error) {
	a.running = true
	a.awaited.Store(1)
	if err := a.stream.user(askedText + question); err != nil {
		return "", a.broken(err)
	}
	select {
	case end := <-a.results:
		a.running = false
		return end.Result, end.failure()
	case <-a.process.Done():
		return "", a.dead()
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// CutTranscript returns a transcript as it was when its agent had acted in a turn, and had not seen what came of it. It is an error if the agent was
// shown nothing up to then.
func CutTranscript(raw []byte, turn int) ([]byte, error) {
	var kept []byte
	shown := false
	for line := range bytes.Lines(raw) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // a killed process has left it
		}
		seen, ok := shownIn(line)
		switch {
		case ok && seen > turn && !shown:
			return nil, fmt.Errorf("it was shown nothing before turn %d", seen)
		case ok && seen > turn:
			held, err := hold(line)
			return append(kept, held...), err
		}
		kept, shown = append(kept, line...), shown || ok
	}
	if !shown {
		return nil, errors.New("it was never shown anything")
	}
	return kept, nil
}

// An entry is a message to the model in a transcript: what matters of it.
type entry struct {
	Type    string `json:"type"`
	Message struct {
		Content entryContent `json:"content"`
	} `json:"message"`
}

// entryContent is a text, or the texts in a list of blocks.
type entryContent []string

func (c *entryContent) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		*c = entryContent{text}
		return nil
	}
	var blocks []struct {
		Text    string       `json:"text"`
		Content entryContent `json:"content"`
	}
	if json.Unmarshal(raw, &blocks) == nil {
		for _, block := range blocks {
			*c = append(append(*c, block.Text), block.Content...)
		}
	}
	return nil // what is neither says nothing
}

// shownIn returns the turn of the observation in a line of a transcript, and whether there is one.
func shownIn(line []byte) (turn int, ok bool) {
	var e entry
	if json.Unmarshal(line, &e) != nil || e.Type != "user" {
		return 0, false
	}
	for _, text := range e.Message.Content {
		_, text, found := strings.Cut(text, "<observation>\n")
		text, _, closed := strings.Cut(text, "\n</observation>")
		var obs world.Observation
		if found && closed && json.Unmarshal([]byte(text), &obs) == nil {
			turn, ok = obs.Turn, true
		}
	}
	return turn, ok
}

// hold returns the line of a tool's result as one that says no more than that the game stands still; nothing if it is none.
func hold(line []byte) ([]byte, error) {
	var e, message map[string]json.RawMessage
	var blocks []map[string]json.RawMessage
	if err := json.Unmarshal(line, &e); err != nil {
		return nil, err
	}
	if json.Unmarshal(e["message"], &message) != nil || json.Unmarshal(message["content"], &blocks) != nil {
		return nil, nil
	}
	for _, block := range blocks {
		if string(block["type"]) == `"tool_result"` {
			block["content"] = world.JSON(heldText)
			message["content"] = world.JSON([]any{block})
			e["message"] = world.JSON(message)
			delete(e, "toolUseResult")
			return append(world.JSON(e), '\n'), nil
		}
	}
	return nil, nil
}
