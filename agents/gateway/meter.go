package gateway

import (
	"bytes"
	"encoding/json"
	"sync"
)

// A Usage is what an agent has used of the model. Tokens are those that the upstream reports.
type Usage struct {
	Requests  int64 // requests to POST /v1/messages that went upstream, whatever the answer
	TokensIn  int64 // tokens of requests: input, cache creation and cache read
	TokensOut int64 // tokens of answers
}

// A tally is a Usage that many may add to at once.
type tally struct {
	mu  sync.Mutex
	sum Usage
}

func (t *tally) add(u Usage) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Requests += u.Requests
	t.sum.TokensIn += u.TokensIn
	t.sum.TokensOut += u.TokensOut
}

func (t *tally) get() Usage {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sum
}

const (
	maxKept  = 4 << 20 // bytes of one JSON answer, one line or one event of a stream that the meter keeps; larger ones do not count
	maxCount = 1 << 40 // tokens; a larger number is not believed
)

// A meter reads one answer as it passes and adds its tokens to usage. Bytes that are no answer count nothing.
//
// A stream reports cumulative counts: all in message_start, and again in every message_delta, of which the last is
// right. So the meter adds what each event reports beyond what it has added before.
type meter struct {
	usage  *tally
	stream bool // server-sent events; else one JSON document

	kept    []byte // the document, or the line, so far
	data    []byte // the data of the event so far
	dropped bool   // the document or the event is too large
	in, out int64  // added so far
}

// write takes the next bytes of the answer.
func (m *meter) write(p []byte) {
	if !m.stream {
		m.keep(&m.kept, p)
		return
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
}

// end takes the end of the answer, which may be its middle if it was cut.
func (m *meter) end() {
	if m.stream {
		m.line(m.kept)
		m.line(nil)
	} else if !m.dropped {
		var answer struct{ Usage counts }
		if json.Unmarshal(m.kept, &answer) == nil {
			m.count(answer.Usage)
		}
	}
	m.kept, m.data = nil, nil
}

// keep appends to buf as much of p as there is room for.
func (m *meter) keep(buf *[]byte, p []byte) {
	if room := maxKept - len(*buf); len(p) > room {
		p, m.dropped = p[:room], true
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
	if !m.dropped && bytes.Contains(m.data, []byte(`"usage"`)) {
		m.event()
	}
	m.data, m.dropped = m.data[:0], false
}

// event counts the event in m.data.
func (m *meter) event() {
	var ev struct {
		Type    string
		Message struct{ Usage counts }
		Usage   counts
	}
	if json.Unmarshal(m.data, &ev) != nil {
		return
	}
	switch ev.Type {
	case "message_start":
		m.count(ev.Message.Usage)
	case "message_delta":
		m.count(ev.Usage)
	}
}

// counts are the numbers of a usage object that matter here. Those that it leaves out are as they were.
type counts struct {
	Input         int64  `json:"input_tokens"`
	CacheCreation int64  `json:"cache_creation_input_tokens"`
	CacheRead     int64  `json:"cache_read_input_tokens"`
	Output        *int64 `json:"output_tokens"`
}

func (m *meter) count(c counts) {
	in, out := max(m.in, believed(c.Input)+believed(c.CacheCreation)+believed(c.CacheRead)), m.out
	if c.Output != nil {
		out = believed(*c.Output)
	}
	m.usage.add(Usage{TokensIn: in - m.in, TokensOut: out - m.out})
	m.in, m.out = in, out
}

func believed(n int64) int64 {
	if n < 0 || n > maxCount {
		return 0
	}
	return n
}
