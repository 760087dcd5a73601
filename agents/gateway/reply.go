package gateway

import (
	"encoding/json"
	"fmt"
	"strings"
)

type object = map[string]any

// A reply is what the offline model answers: a thought, unless that is empty, a text and, unless tool is empty, a call of that tool.
type reply struct {
	id    string
	model string
	in    Tokens // of the request
	think string
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
		"input_tokens": r.in.Input, "output_tokens": out,
		"cache_creation_input_tokens": r.in.CacheWrite5m + r.in.CacheWrite1h, "cache_read_input_tokens": r.in.CacheRead,
		"cache_creation": object{"ephemeral_5m_input_tokens": r.in.CacheWrite5m, "ephemeral_1h_input_tokens": r.in.CacheWrite1h},
	}
}

func (r reply) out() int { return tokens(len(r.think) + len(r.text) + len(r.input)) }

// signature stands for what the API has in a thought to know it again.
const signature = "b2ZmbGluZQ=="

// envelope returns the message with the given content.
func (r reply) envelope(content []object, stopReason any, usage object) object {
	return object{
		"id": r.id, "type": "message", "role": "assistant", "model": r.model, "content": content,
		"stop_reason": stopReason, "stop_sequence": nil, "usage": usage,
	}
}

// message returns the reply as one JSON document.
func (r reply) message() []byte {
	var content []object
	if r.think != "" {
		content = append(content, object{"type": "thinking", "thinking": r.think, "signature": signature})
	}
	content = append(content, object{"type": "text", "text": r.text})
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
	index := -1
	block := func(start object, deltas ...object) {
		index++
		send("content_block_start", object{"index": index, "content_block": start})
		if index == 0 {
			send("ping", object{})
		}
		for _, delta := range deltas {
			send("content_block_delta", object{"index": index, "delta": delta})
		}
		send("content_block_stop", object{"index": index})
	}

	send("message_start", object{"message": r.envelope([]object{}, nil, r.usage(1))})
	if r.think != "" {
		thoughts := append(deltas("thinking_delta", "thinking", strings.SplitAfter(r.think, " ")),
			object{"type": "signature_delta", "signature": signature})
		block(object{"type": "thinking", "thinking": "", "signature": ""}, thoughts...)
	}
	block(object{"type": "text", "text": ""}, deltas("text_delta", "text", strings.SplitAfter(r.text, " "))...)
	if r.tool != "" {
		start := object{"type": "tool_use", "id": r.use, "name": r.tool, "input": object{}}
		block(start, deltas("input_json_delta", "partial_json", append([]string{""}, pieces(string(r.input), 16)...))...)
	}
	send("message_delta", object{
		"delta": object{"stop_reason": r.stopReason(), "stop_sequence": nil},
		"usage": object{"output_tokens": r.out()},
	})
	send("message_stop", object{})
	return events
}

// deltas returns pieces of a block as deltas of a type, which have them in a field.
func deltas(kind, field string, pieces []string) []object {
	var all []object
	for _, piece := range pieces {
		all = append(all, object{"type": kind, field: piece})
	}
	return all
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
