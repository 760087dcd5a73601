package gateway

import (
	"encoding/json"
	"fmt"
	"strings"
)

type object = map[string]any

// A reply is what the offline model answers: a text and, unless tool is empty, a call of that tool.
type reply struct {
	id    string
	model string
	in    int // tokens of the request
	text  string
	tool  string
	use   string // id of the call
	input json.RawMessage
}

func (r reply) stopReason() string {
	if r.tool == "" {
		return "end_turn"
	}
	return "tool_use"
}

func (r reply) usage(out int) object {
	return object{
		"input_tokens": r.in, "output_tokens": out,
		"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
	}
}

func (r reply) out() int { return tokens(len(r.text) + len(r.input)) }

// envelope returns the message with the given content.
func (r reply) envelope(content []object, stopReason any, usage object) object {
	return object{
		"id": r.id, "type": "message", "role": "assistant", "model": r.model, "content": content,
		"stop_reason": stopReason, "stop_sequence": nil, "usage": usage,
	}
}

// message returns the reply as one JSON document.
func (r reply) message() []byte {
	content := []object{{"type": "text", "text": r.text}}
	if r.tool != "" {
		content = append(content, object{"type": "tool_use", "id": r.use, "name": r.tool, "input": r.input})
	}
	return marshal(r.envelope(content, r.stopReason(), r.usage(r.out())))
}

// events returns the reply as a stream, one server-sent event each.
func (r reply) events() [][]byte {
	var events [][]byte
	send := func(kind string, data object) {
		data["type"] = kind
		events = append(events, fmt.Appendf(nil, "event: %s\ndata: %s\n\n", kind, marshal(data)))
	}
	block := func(index int, start object, deltaType, field string, pieces []string) {
		send("content_block_start", object{"index": index, "content_block": start})
		if index == 0 {
			send("ping", object{})
		}
		for _, piece := range pieces {
			send("content_block_delta", object{"index": index, "delta": object{"type": deltaType, field: piece}})
		}
		send("content_block_stop", object{"index": index})
	}

	send("message_start", object{"message": r.envelope([]object{}, nil, r.usage(1))})
	block(0, object{"type": "text", "text": ""}, "text_delta", "text", strings.SplitAfter(r.text, " "))
	if r.tool != "" {
		start := object{"type": "tool_use", "id": r.use, "name": r.tool, "input": object{}}
		block(1, start, "input_json_delta", "partial_json", append([]string{""}, pieces(string(r.input), 16)...))
	}
	send("message_delta", object{
		"delta": object{"stop_reason": r.stopReason(), "stop_sequence": nil},
		"usage": object{"output_tokens": r.out()},
	})
	send("message_stop", object{})
	return events
}

// pieces cuts s into pieces of n characters.
func pieces(s string, n int) []string {
	var all []string
	for runes := []rune(s); len(runes) > 0; {
		k := min(n, len(runes))
		all = append(all, string(runes[:k]))
		runes = runes[k:]
	}
	return all
}

// marshal returns v, which always can be JSON, as JSON.
func marshal(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	return raw
}
