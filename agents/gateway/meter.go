package gateway

import (
	"bytes"
	"encoding/json"
)

const (
	maxKept    = 4 << 20 // bytes of one JSON answer, one line or one event of a stream that the meter keeps; the usage in larger ones is not seen
	maxPending = 4 << 10 // bytes of an event that may come before they count, though the event has not ended
	maxCount   = 1 << 32 // tokens; a larger number is not believed
)

// A meter reads one answer as it passes and tells what it learns of it.
//
// A stream reports cumulative counts: all in message_start, and again in every message_delta, of which the last is right. A document reports
// them at its end.
type meter struct {
	stream bool            // server-sent events; else one JSON document
	learn  func(seen) bool // is told what is known of the answer, and says whether it may go on

	kept    []byte // the document, or the line, so far
	data    []byte // the data of the event so far
	dropped int64  // bytes of the document or the event that were not kept
	closed  bool
	seen    seen
}

// write takes the next bytes of the answer, and says whether it may go on.
func (m *meter) write(p []byte) bool {
	before := m.seen
	if !m.stream {
		m.keep(&m.kept, p)
		m.seen.bytes += int64(len(p))
		return m.learn(m.seen)
	}
	for len(p) > 0 {
		line, rest, ended := bytes.Cut(p, []byte("\n"))
		m.keep(&m.kept, line)
		if ended {
			m.line(bytes.TrimSuffix(m.kept, []byte("\r")))
			m.kept = m.kept[:0]
		}
		p = rest
	}
	known := m.seen
	if pending := int64(len(m.kept)+len(m.data)) + m.dropped; pending > maxPending {
		known.bytes += pending
	}
	return known == before || m.learn(known)
}

// end takes the end of the answer: the whole of it was seen, or it was cut.
func (m *meter) end(whole bool) {
	if m.closed {
		return
	}
	m.closed = true
	large := !m.stream && m.dropped > 0
	switch {
	case m.stream:
		m.line(m.kept)
		m.line(nil)
	case m.dropped == 0:
		m.document()
	}
	m.kept, m.data = nil, nil
	m.seen.nothing = whole && !m.seen.begun && !large && !(m.stream && m.seen.bytes > 0)
	m.learn(m.seen)
}

// document counts the whole document in m.kept.
func (m *meter) document() {
	var doc struct {
		ID    string
		Usage *counts
	}
	if json.Unmarshal(m.kept, &doc) != nil || doc.Usage == nil {
		return
	}
	m.seen.id, m.seen.begun, m.seen.final = doc.ID, true, true
	m.count(*doc.Usage)
}

// keep appends to buf as much of p as there is room for.
func (m *meter) keep(buf *[]byte, p []byte) {
	if room := maxKept - len(*buf); len(p) > room {
		m.dropped += int64(len(p) - room)
		p = p[:room]
	}
	*buf = append(*buf, p...)
}

// line takes a line of a stream; an empty one ends the event.
func (m *meter) line(line []byte) {
	if data, ok := bytes.CutPrefix(line, []byte("data:")); ok {
		m.keep(&m.data, data)
		m.keep(&m.data, []byte("\n"))
	}
	if len(line) > 0 {
		return
	}
	if m.dropped > 0 {
		m.seen.bytes += int64(len(m.data)) + m.dropped
	} else if len(m.data) > 0 {
		m.event()
	}
	m.data, m.dropped = m.data[:0], 0
}

// event counts the event in m.data.
func (m *meter) event() {
	var ev struct {
		Type    string
		Message struct {
			ID    string
			Usage counts
		}
		Usage *counts
		Block json.RawMessage `json:"content_block"`
		Delta json.RawMessage
	}
	if json.Unmarshal(m.data, &ev) != nil {
		m.seen.bytes += int64(len(m.data)) // somebody else may make something of it
		return
	}
	switch ev.Type {
	case "message_start":
		m.seen.id, m.seen.begun = ev.Message.ID, true
		m.count(ev.Message.Usage)
	case "message_delta":
		if ev.Usage != nil {
			m.seen.begun, m.seen.final = true, true
			m.count(*ev.Usage)
		}
	case "content_block_start":
		var block struct{ Type string }
		_ = json.Unmarshal(ev.Block, &block) // of another form it counts all the same
		m.seen.thinking = m.seen.thinking || block.Type == "thinking" || block.Type == "redacted_thinking"
		m.seen.bytes += int64(len(ev.Block))
	case "content_block_delta":
		m.seen.bytes += textBytes(ev.Delta)
	case "ping", "content_block_stop", "message_stop", "error":
	default:
		m.seen.bytes += int64(len(m.data))
	}
}

// textBytes returns how many bytes of text there are in a piece of an answer; of a piece of another form all count.
func textBytes(delta json.RawMessage) int64 {
	var d struct {
		Type           string
		Text, Thinking string
		JSON           string `json:"partial_json"`
	}
	if json.Unmarshal(delta, &d) == nil {
		switch d.Type {
		case "text_delta":
			return int64(len(d.Text))
		case "thinking_delta":
			return int64(len(d.Thinking))
		case "input_json_delta":
			return int64(len(d.JSON))
		case "signature_delta":
			return 0
		}
	}
	return int64(len(delta))
}

// counts are the numbers of a usage object that matter here. Those that it leaves out are as they were.
type counts struct {
	Input         int64  `json:"input_tokens"`
	CacheCreation int64  `json:"cache_creation_input_tokens"`
	CacheRead     int64  `json:"cache_read_input_tokens"`
	Output        *int64 `json:"output_tokens"`
	Creation      struct {
		For5m int64 `json:"ephemeral_5m_input_tokens"`
		For1h int64 `json:"ephemeral_1h_input_tokens"`
	} `json:"cache_creation"`
	ServerTools struct {
		WebSearches int64 `json:"web_search_requests"`
	} `json:"server_tool_use"`
	Geo string `json:"inference_geo"`
}

// count takes what the answer reports. What is written to the cache without saying for how long is written for five minutes.
func (m *meter) count(c counts) {
	for1h := believed(c.Creation.For1h)
	now := Tokens{
		Input: believed(c.Input), CacheRead: believed(c.CacheRead), WebSearches: believed(c.ServerTools.WebSearches),
		CacheWrite1h: for1h, CacheWrite5m: max(believed(c.Creation.For5m), believed(c.CacheCreation)-for1h),
	}
	before := m.seen.tokens
	m.seen.tokens = before.each(now, func(a, b int64) int64 { return max(a, b) })
	m.seen.tokens.Output = before.Output
	if c.Output != nil {
		m.seen.tokens.Output = believed(*c.Output)
	}
	if c.Geo != "" {
		m.seen.geo = c.Geo
	}
}

func believed(n int64) int64 {
	if n < 0 || n > maxCount {
		return 0
	}
	return n
}
