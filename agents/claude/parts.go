package claude

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

// Kinds of parts of a conversation.
const (
	PartObservation = "observation" // what the agent is shown, as JSON
	PartTold        = "told"        // what else it gets to read
	PartText        = "text"        // what the model says
	PartThinking    = "thinking"    // what it thinks
	PartToolUse     = "tool_use"    // a tool that it uses; the text is the arguments, as JSON
	PartToolResult  = "tool_result" // what came of that
)

// A Part is one part of the conversation of an agent with its world, in the order of its transcript.
type Part struct {
	Turn  int // of the observation that it follows, or is; -1: there was none yet
	Kind  string
	Name  string // of the tool
	Text  string
	Error bool // the tool has failed
	Time  time.Time
}

// Conversation returns the parts of a transcript. Lines that it does not know, and what a killed process left of one, it passes over.
func Conversation(raw []byte) []Part {
	c := conversation{turn: -1, tools: make(map[string]string)}
	for line := range bytes.Lines(raw) {
		var said struct {
			Type    string
			Time    time.Time `json:"timestamp"`
			Message struct{ Content json.RawMessage }
		}
		if json.Unmarshal(line, &said) != nil || said.Type != "user" && said.Type != "assistant" {
			continue
		}
		c.time, c.model = said.Time, said.Type == "assistant"
		c.read(said.Message.Content)
	}
	return c.parts
}

// A conversation is one in the making.
type conversation struct {
	parts []Part
	turn  int
	time  time.Time
	model bool              // it is the model who speaks
	tools map[string]string // names of tools by the ids of their uses
}

// read reads the content of a message: a text, or a list of blocks.
func (c *conversation) read(content json.RawMessage) {
	var text string
	if json.Unmarshal(content, &text) == nil {
		c.say(text, Part{})
		return
	}
	var blocks []struct {
		Type, Text, Thinking, ID, Name string
		Input, Content                 json.RawMessage
		Use                            string `json:"tool_use_id"`
		Error                          bool   `json:"is_error"`
	}
	_ = json.Unmarshal(content, &blocks) // what is neither says nothing
	for _, b := range blocks {
		switch b.Type {
		case "text":
			c.say(b.Text, Part{})
		case "thinking":
			c.add(Part{Kind: PartThinking, Text: b.Thinking})
		case "tool_use":
			c.tools[b.ID] = b.Name
			c.add(Part{Kind: PartToolUse, Name: b.Name, Text: string(b.Input)})
		case "tool_result":
			var texts entryContent
			_ = texts.UnmarshalJSON(b.Content) // never fails
			c.say(strings.TrimSpace(strings.Join(texts, "\n")), Part{Kind: PartToolResult, Name: c.tools[b.Use], Error: b.Error})
		}
	}
}

// say adds a text of the model or, if it is one to the model, the observation that is in it and what else there is, as the part is of which it is the text.
func (c *conversation) say(text string, as Part) {
	if c.model {
		c.add(Part{Kind: PartText, Text: text})
		return
	}
	if as.Kind == "" {
		as.Kind = PartTold
	}
	before, rest, found := strings.Cut(text, "<observation>\n")
	inner, after, closed := strings.Cut(rest, "\n</observation>")
	var obs world.Observation
	if !found || !closed || json.Unmarshal([]byte(inner), &obs) != nil {
		before, after = text, ""
		found = false
	}
	as.Text = strings.TrimSpace(before)
	c.add(as)
	if found && closed {
		c.turn = obs.Turn
		c.add(Part{Kind: PartObservation, Text: inner})
	}
	as.Text = strings.TrimSpace(after)
	c.add(as)
}

// add adds a part, unless it says nothing.
func (c *conversation) add(p Part) {
	if p.Text == "" && p.Kind != PartToolUse {
		return
	}
	p.Turn, p.Time = c.turn, c.time
	c.parts = append(c.parts, p)
}
