package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
)

// inAnotherForm returns a request for the same answer in the other form: as a stream, or in one piece. When a stream breaks off, Claude Code asks
// for the one or the other, as it happens.
func inAnotherForm(request []byte) []byte {
	const wanted = `,"stream":true}`
	if piece, ok := bytes.CutSuffix(request, []byte(wanted)); ok {
		return append(bytes.Clone(piece), '}')
	}
	if piece, ok := bytes.CutSuffix(request, []byte("}")); ok {
		return append(bytes.Clone(piece), wanted...)
	}
	return request
}

// reformed returns an exchange with its answer in the other form, if that is a whole message; else as it is.
func reformed(x Exchange) Exchange {
	if x.Status != 200 || x.End != "" {
		return x
	}
	answer, contentType := streamOf(x.Answer), eventStream
	if answer == nil {
		answer, contentType = messageOf(x.Answer), "application/json"
	}
	if answer == nil {
		return x
	}
	header := map[string]string{"Content-Type": contentType}
	if id := x.Header["Request-Id"]; id != "" {
		header["Request-Id"] = id
	}
	x.Answer, x.Header = answer, header
	return x
}

// rawObject is a JSON object of which some keys matter.
type rawObject = map[string]json.RawMessage

// saidAt returns the string at a key of an object, empty if there is none.
func saidAt(o rawObject, key string) (s string) {
	_ = json.Unmarshal(o[key], &s)
	return s
}

// messageOf returns what a stream says as one message; nil if it is no whole stream.
func messageOf(stream []byte) []byte {
	var message rawObject
	var blocks []rawObject
	texts := make(map[int]map[string]string) // of the blocks, by key
	for ev := range bytes.SplitSeq(stream, []byte("\n\n")) {
		_, data, found := bytes.Cut(ev, []byte("data: "))
		var in struct {
			Type                  string
			Index                 int
			Message, Delta, Usage rawObject
			Block                 rawObject `json:"content_block"`
		}
		if !found || json.Unmarshal(data, &in) != nil {
			continue
		}
		switch in.Type {
		case "message_start":
			message = in.Message
		case "content_block_start":
			if in.Index != len(blocks) || in.Block == nil {
				return nil
			}
			blocks = append(blocks, in.Block)
			texts[in.Index] = make(map[string]string)
		case "content_block_delta":
			if in.Index < 0 || in.Index >= len(blocks) {
				return nil
			}
			for _, key := range []string{"text", "partial_json", "thinking", "signature"} {
				texts[in.Index][key] += saidAt(in.Delta, key)
			}
		case "message_delta":
			if message == nil {
				return nil
			}
			merge(message, in.Delta)
			var usage rawObject
			if json.Unmarshal(message["usage"], &usage) == nil && usage != nil {
				merge(usage, in.Usage)
				message["usage"] = marshal(usage)
			}
		case "message_stop":
			if message == nil {
				return nil
			}
			for i, block := range blocks {
				if !finish(block, texts[i]) {
					return nil
				}
			}
			message["content"] = marshal(blocks)
			return marshal(message)
		}
	}
	return nil
}

func merge(into, from rawObject) {
	maps.Copy(into, from)
}

// finish puts into a block what was said of it in pieces, and says whether that can be.
func finish(block rawObject, texts map[string]string) bool {
	for key, text := range texts {
		switch {
		case text == "":
		case key == "partial_json" && !json.Valid([]byte(text)):
			return false
		case key == "partial_json":
			block["input"] = json.RawMessage(text)
		default:
			block[key] = marshal(saidAt(block, key) + text)
		}
	}
	return true
}

// streamOf returns a message as a stream that says it; nil if it is none.
func streamOf(message []byte) []byte {
	var in rawObject
	var blocks []rawObject
	if json.Unmarshal(message, &in) != nil || saidAt(in, "type") != "message" || json.Unmarshal(in["content"], &blocks) != nil {
		return nil
	}
	var out []byte
	send := func(kind string, data object) {
		data["type"] = kind
		out = fmt.Appendf(out, "event: %s\ndata: %s\n\n", kind, marshal(data))
	}
	stopped := object{"stop_reason": in["stop_reason"], "stop_sequence": in["stop_sequence"]}
	usage := in["usage"]
	in["content"], in["stop_reason"], in["stop_sequence"] = json.RawMessage("[]"), json.RawMessage("null"), json.RawMessage("null")
	send("message_start", object{"message": in})
	for i, block := range blocks {
		deltas := begin(block)
		send("content_block_start", object{"index": i, "content_block": block})
		for _, delta := range deltas {
			send("content_block_delta", object{"index": i, "delta": delta})
		}
		send("content_block_stop", object{"index": i})
	}
	send("message_delta", object{"delta": stopped, "usage": usage})
	send("message_stop", object{})
	return out
}

// begin takes out of a block what a stream says of it in pieces, and returns the pieces.
func begin(block rawObject) (deltas []object) {
	for _, piece := range []struct{ key, kind, field string }{
		{"text", "text_delta", "text"}, {"thinking", "thinking_delta", "thinking"}, {"signature", "signature_delta", "signature"},
	} {
		if text := saidAt(block, piece.key); text != "" {
			deltas = append(deltas, object{"type": piece.kind, piece.field: text})
			block[piece.key] = json.RawMessage(`""`)
		}
	}
	if input := block["input"]; input != nil {
		deltas = append(deltas, object{"type": "input_json_delta", "partial_json": string(input)})
		block["input"] = json.RawMessage("{}")
	}
	return deltas
}
