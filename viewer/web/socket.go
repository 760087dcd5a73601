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
	mostMessage  = 3 << 10               // bytes of a message
	messageGap   = 50 * time.Millisecond // between two, at least
	pingEvery    = 20 * time.Second      //
	patience     = 10 * time.Second      // for a client to take a message, or to answer a ping
	mostIncoming = 4 << 10               // bytes of what a client says, which nobody reads
)

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
	s.work.Go(func() { // ends with the connection
		defer cancel()
		for {
			if _, _, err := conn.Reader(ctx); err != nil {
				return
			}
		}
	})
	s.tellAll(ctx, conn, from)
	if s.ctx.Err() != nil {
		_ = conn.Close(websocket.StatusGoingAway, "the viewer ends")
	}
}

// tellAll tells a client of all that happens behind an event.
func (s *Server) tellAll(ctx context.Context, conn *websocket.Conn, seq int64) {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	hello := true
	for {
		now := s.live.moment()
		next := messageJSON{Hello: hello, Seq: now.st.Seq, Turn: now.st.Turn, State: now.state}
		if hello {
			next.Seq, next.Turn = min(seq, now.st.Seq), now.st.Turn
		} else {
			next.Events, next.Skipped, next.Seq = s.live.news(seq)
		}
		if err := send(ctx, conn, next); err != nil {
			return
		}
		seq = next.Seq
		if hello {
			hello = false
			continue
		}
		select { // so that what happens meanwhile is told at once
		case <-ctx.Done():
			return
		case <-time.After(messageGap):
		}
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return
			case <-now.moved:
				waiting = false
			case <-ping.C:
				if err := hear(ctx, conn); err != nil {
					return
				}
			}
		}
	}
}

// send writes a message, for which a client has so much time.
func send(ctx context.Context, conn *websocket.Conn, m messageJSON) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, text)
}

// hear finds out whether a client is still there.
func hear(ctx context.Context, conn *websocket.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return conn.Ping(ctx)
}

// news returns what has happened behind an event, as far as a message has room for it, how many events it has no room for, and up to which event that is.
func (l *live) news(seq int64) (events []json.RawMessage, skipped, upTo int64) {
	kept, skipped := l.since(seq)
	size := 0
	for _, ev := range kept {
		if size += len(ev.text) + 1; size > mostMessage {
			skipped++
			size -= len(ev.text) + 1
			continue
		}
		events = append(events, ev.text)
	}
	upTo = seq + skipped + int64(len(events))
	return events, skipped, upTo
}
