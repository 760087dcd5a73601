package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A request is what the offline model reads of the body of a request to the Messages API.
type request struct {
	Model     string    `json:"model"`
	MaxTokens int64     `json:"max_tokens"`
	Stream    bool      `json:"stream"`
	Messages  []message `json:"messages"`
	Thinking  struct {
		Type string `json:"type"`
	} `json:"thinking"`
	Tools []struct {
		Name string `json:"name"`
	} `json:"tools"`
}

type message struct {
	Role    string  `json:"role"`
	Content content `json:"content"`
}

// content is a list of blocks; a plain string is one block of text.
type content []block

type block struct {
	Type    string  `json:"type"`
	Text    string  `json:"text"`    // of a text
	Name    string  `json:"name"`    // of a tool_use
	Content content `json:"content"` // of a tool_result
}

func (c *content) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return err
		}
		*c = content{{Type: "text", Text: text}}
		return nil
	}
	return json.Unmarshal(raw, (*[]block)(c))
}

// UnmarshalJSON reads what matters of a block. Blocks of other types have fields of these names with other meanings.
func (b *block) UnmarshalJSON(raw []byte) error {
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return err
	}
	b.Type = head.Type
	type fields block // without this method
	switch head.Type {
	case "text", "tool_use", "tool_result":
		return json.Unmarshal(raw, (*fields)(b))
	case "":
		return errors.New("content block without a type")
	}
	return nil
}

// parseRequest reads a request; the message of its error is for the one who made the request.
func parseRequest(raw []byte, counting bool) (request, error) {
	var req request
	if err := json.Unmarshal(raw, &req); err != nil {
		return req, fmt.Errorf("request body: %w", err)
	}
	switch {
	case req.Model == "":
		return req, errors.New("model: field required")
	case len(req.Messages) == 0:
		return req, errors.New("messages: at least one message is required")
	case req.MaxTokens < 1 && !counting:
		return req, errors.New("max_tokens: must be greater than or equal to 1")
	}
	for i, m := range req.Messages {
		if !slices.Contains([]string{"user", "assistant", "system"}, m.Role) {
			return req, fmt.Errorf("messages.%d.role: unexpected %q", i, m.Role)
		}
		if m.Content == nil {
			return req, fmt.Errorf("messages.%d.content: field required", i)
		}
	}
	return req, nil
}

// actTool returns the name of the tool to act with, "" if there is none.
func (r request) actTool() string {
	for _, tool := range r.Tools {
		if tool.Name == "act" || strings.HasSuffix(tool.Name, "__act") {
			return tool.Name
		}
	}
	return ""
}

// thinks says whether the model may think before it answers.
func (r request) thinks() bool { return r.Thinking.Type != "" && r.Thinking.Type != "disabled" }

// unanswered returns the text of the newest observation, how many other tools the model has called since, and whether there is an
// observation that no call of the tool follows.
func (r request) unanswered(tool string) (text string, called int, ok bool) {
	see := func(seen string) {
		if obs, found := observation(seen); found {
			text, called, ok = obs, 0, true
		}
	}
	for _, m := range r.Messages {
		for _, b := range m.Content {
			switch {
			case m.Role == "assistant" && b.Type == "tool_use" && b.Name == tool:
				ok = false
			case m.Role == "assistant" && b.Type == "tool_use":
				called++
			case m.Role != "user":
			case b.Type == "tool_result":
				for _, inner := range b.Content {
					see(inner.Text)
				}
			default:
				see(b.Text)
			}
		}
	}
	return text, called, ok
}

// observation returns what stands between the lines <observation> and </observation>, and whether there are such lines. Of
// several, the last ones count.
func observation(text string) (obs string, ok bool) {
	var lines []string
	inside := false
	for line := range strings.Lines(text) {
		switch strings.TrimSpace(line) {
		case "<observation>":
			inside, lines = true, nil
		case "</observation>":
			if inside {
				obs, ok, inside = strings.Join(lines, ""), true, false
			}
		default:
			lines = append(lines, line)
		}
	}
	return obs, ok
}

// withModel returns the body of a request with another model; what is no request with a model stays as it is.
func withModel(body []byte, model string) []byte {
	dec := json.NewDecoder(bytes.NewReader(body))
	if token, err := dec.Token(); err != nil || token != json.Delim('{') {
		return body
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return body
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return body
		}
		if end := int(dec.InputOffset()); key == "model" {
			return slices.Concat(body[:end-len(value)], marshal(model), body[end:])
		}
	}
	return body
}
