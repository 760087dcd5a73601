package web

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

const (
	mostSockets  = 64
	mostMessage  = 3 << 10 // bytes of a message
	mostIncoming = 4 << 10 // bytes of what a client says, which nobody reads
)

// A pace is how fast clients are told what happens.
type pace struct {
	gap      time.Duration // between two messages, at least
	ping     time.Duration // how often it is looked whether a client is still there
	patience time.Duration // for a client to take a message, or to answer a ping
}

func usualPace() pace { return pace{50 * time.Millisecond, 20 * time.Second, 10 * time.Second} }

// A messageJSON is what a client is told: where the run has come to, and as many of the events on the way as there is room for.
type messageJSON struct {
	Hello   bool              `json:"hello,omitempty"` // it is the first one
	Seq     int64             `json:"seq"`             // of the last event that has happened; a client that comes again says it as from
	Turn    int               `json:"turn"`
	State   string            `json:"state"`
	Events  []json.RawMessage `json:"events,omitempty"`
	Skipped int64             `json:"skipped,omitempty"` // events on the way that are not here, which api/events tells
}

// socket tells a client what happens, from the event behind that which it names on, until it goes or falls behind.
func (s *Server) socket(w http.ResponseWriter, r *http.Request) {
	from, err := seqParam(r, "from", s.live.moment().st.Seq)
	if err == nil && from < 0 {
		err = missing("there is no event before the first one", "")
	}
	if err != nil {
		failed(w, err)
		return
	}
	select {
	case s.sockets <- struct{}{}:
		defer func() { <-s.sockets }()
	default:
		fail(w, http.StatusServiceUnavailable, "too many pages watch this run", "close some")
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // it has answered
	}
	defer conn.CloseNow()
	conn.SetReadLimit(mostIncoming)
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	if !s.work.Go(func() { // ends with the connection
		defer cancel()
		for {
			if _, _, err := conn.Read(ctx); err != nil {
				return
			}
		}
	}) {
		return
	}
	s.tellAll(ctx, conn, from)
	if s.ctx.Err() != nil {
		_ = conn.Close(websocket.StatusGoingAway, "the viewer ends")
	}
}

// tellAll tells a client of all that happens behind an event.
func (s *Server) tellAll(ctx context.Context, conn *websocket.Conn, seq int64) {
	ping := time.NewTicker(s.pace.ping)
	defer ping.Stop()
	now := s.live.moment()
	last := messageJSON{Hello: true, Seq: min(seq, now.st.Seq), Turn: now.st.Turn, State: now.state}
	if s.pace.send(ctx, conn, last) != nil {
		return
	}
	for {
		next, moved := s.live.news(last.Seq)
		if next.Seq != last.Seq || next.State != last.State {
			if s.pace.send(ctx, conn, next) != nil {
				return
			}
			last = next
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(s.pace.gap):
		}
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return
			case <-moved:
				waiting = false
			case <-ping.C:
				if s.pace.hear(ctx, conn) != nil {
					return
				}
			}
		}
	}
}

// send writes a message, for which a client has so much time.
func (p pace) send(ctx context.Context, conn *websocket.Conn, m messageJSON) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, text)
}

// hear finds out whether a client is still there.
func (p pace) hear(ctx context.Context, conn *websocket.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	return conn.Ping(ctx)
}

// news returns what has happened behind an event, with as many of the events as a message has room for, and what is closed when there is more.
func (l *live) news(seq int64) (m messageJSON, moved <-chan struct{}) {
	now, kept, skipped := l.since(seq)
	m = messageJSON{Turn: now.st.Turn, State: now.state, Skipped: skipped}
	size := 0
	for _, ev := range kept {
		if size += len(ev.text) + 1; size > mostMessage {
			m.Skipped++
			size -= len(ev.text) + 1
			continue
		}
		m.Events = append(m.Events, ev.text)
	}
	m.Seq = seq + m.Skipped + int64(len(m.Events))
	return m, now.moved
}
