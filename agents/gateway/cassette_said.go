package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// replaceSaid replaces a text in an answer. Where a stream says it in pieces, as the deltas of one block of text or of a tool's input, these become
// one delta. What the model has thought stays as it is: it is signed.
func replaceSaid(answer []byte, old, new string) []byte {
	answer = bytes.ReplaceAll(answer, []byte(inJSON(old)), []byte(inJSON(new)))
	const kind = "content_block_delta"
	if !bytes.Contains(answer, []byte(kind)) {
		return answer
	}
	said := make(map[deltaKey]string)
	events := bytes.SplitAfter(answer, []byte("\n\n"))
	for _, ev := range events {
		key, piece := deltaOf(ev)
		said[key] += piece
	}
	for key, all := range said {
		if said[key] = strings.ReplaceAll(all, key.form(old), key.form(new)); said[key] == all {
			delete(said, key) // and stays in its pieces
		}
	}
	if len(said) == 0 {
		return answer
	}
	var out []byte
	for _, ev := range events {
		key, _ := deltaOf(ev)
		all, merged := said[key]
		switch {
		case !merged:
			out = append(out, ev...)
		case all != "":
			delta := object{"type": key.kind, key.field(): all}
			data := unescaped(object{"type": kind, "index": key.index, "delta": delta})
			out = fmt.Appendf(out, "event: %s\ndata: %s\n\n", kind, data)
			said[key] = ""
		}
	}
	return out
}

// A deltaKey says to what of an answer a delta adds; the zero key is that of what is none.
type deltaKey struct {
	index int // of the block
	kind  string
}

func (k deltaKey) field() string {
	if k.kind == "text_delta" {
		return "text"
	}
	return "partial_json"
}

// form returns a text as it stands in what the deltas add up to.
func (k deltaKey) form(s string) string {
	if k.kind == "text_delta" {
		return s
	}
	return inJSON(s)
}

// deltaOf reads an event of a stream.
func deltaOf(event []byte) (key deltaKey, piece string) {
	_, data, ok := bytes.Cut(event, []byte("data: "))
	var in struct {
		Index int
		Delta struct {
			Type, Text  string
			PartialJSON string `json:"partial_json"`
		}
	}
	if !ok || json.Unmarshal(data, &in) != nil {
		return key, ""
	}
	switch in.Delta.Type {
	case "text_delta":
		return deltaKey{in.Index, in.Delta.Type}, in.Delta.Text
	case "input_json_delta":
		return deltaKey{in.Index, in.Delta.Type}, in.Delta.PartialJSON
	}
	return key, ""
}
