package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/vitrine-sim/vitrine/world"
)

// A client is told what happens, and fetches what it is not told, as the page does.
type client struct {
	t     *testing.T
	conn  *websocket.Conn
	seq   int64   // up to which it knows all
	seqs  []int64 // of the events that it knows
	hello messageJSON
	state string
}

// dial connects to a server as the page of that server does.
func dial(t *testing.T, s *Server, from int64) (*websocket.Conn, error) {
	conn, _, err := websocket.Dial(t.Context(), fmt.Sprintf("%sws?from=%d", s.URL(), from), &websocket.DialOptions{
		HTTPHeader: http.Header{"Origin": {"http://" + s.host}},
	})
	return conn, err
}

func (c *client) connect(s *Server) {
	c.t.Helper()
	var err error
	if c.conn, err = dial(c.t, s, c.seq); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { c.conn.CloseNow() })
	if c.hello = c.read(); !c.hello.Hello || c.hello.Seq != c.seq {
		c.t.Fatalf("hello is %+v, want event %d", c.hello, c.seq)
	}
}

// read reads a message, and demands that it is not too long.
func (c *client) read() (m messageJSON) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	_, text, err := c.conn.Read(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	if len(text) > mostMessage+200 {
		c.t.Errorf("a message has %d bytes", len(text))
	}
	if err := json.Unmarshal(text, &m); err != nil {
		c.t.Fatal(err)
	}
	c.state = m.State
	return m
}

// until reads until it knows all events up to one.
func (c *client) until(s *Server, seq int64) {
	c.t.Helper()
	for c.seq < seq {
		m := c.read()
		var told []int64
		for _, raw := range m.Events {
			var ev eventJSON
			if err := json.Unmarshal(raw, &ev); err != nil {
				c.t.Fatal(err)
			}
			told = append(told, ev.Seq)
		}
		if m.Skipped > 0 {
			told = nil
			for after := c.seq; ; {
				page := get[found](c.t, s, fmt.Sprintf("api/events?after=%d&before=%d&limit=500", after, m.Seq+1))
				for _, ev := range page.Events {
					told = append(told, ev.Seq)
				}
				if page.Next == nil {
					break
				}
				after = *page.Next
			}
		}
		c.seqs, c.seq = append(c.seqs, told...), m.Seq
	}
}

func TestClientsMissNothingWhenSocketsAndServersGo(t *testing.T) {
	run, store := newRun(t, 2)
	s := open(t, run)
	c := &client{t: t}
	c.connect(s)
	done := make(chan struct{})
	go func() { // ends by itself
		defer close(done)
		for range 60 {
			playTurn(t, store)
		}
	}()
	c.until(s, 40)
	c.conn.CloseNow()
	c.connect(s)
	c.until(s, 90)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for err := error(nil); err == nil; { // what is on its way may still come
		_, _, err = c.conn.Read(t.Context())
	}
	<-done
	s = open(t, run)
	c.connect(s)
	want := readTruth(t, run.Dir).events
	c.until(s, int64(len(want)))
	var seqs []int64
	for _, ev := range want {
		seqs = append(seqs, ev.Seq)
	}
	if !slices.Equal(c.seqs, seqs) {
		t.Errorf("events %v, want 1 to %d", c.seqs, len(want))
	}
}

func TestClientsAreToldOfEachTurnAndThatARunIsOver(t *testing.T) {
	run, store := newRun(t, 1)
	lease, err := world.Acquire(run.Dir)
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, run)
	c := &client{t: t, seq: store.State().Seq}
	c.connect(s)
	if c.state != stateRunning {
		t.Errorf("a run that is played is %q", c.state)
	}
	for range 40 { // each of which it hears of before the next one is played
		playTurn(t, store)
		c.until(s, store.State().Seq)
	}
	if err := lease.Release(); err != nil {
		t.Fatal(err)
	}
	for c.state != stateIdle {
		c.read()
	}
	commit(t, store, world.Event{Kind: kindEnd, Data: json.RawMessage(`{"reason":"by the rules","status":"terminated"}`)})
	for c.state != stateOver {
		c.read()
	}
	if got := get[struct{ End struct{ Status string } }](t, s, "api/run"); got.End.Status != "terminated" {
		t.Errorf("the end is told as %+v", got)
	}
}

func TestTheTurnThatIsToldIsThatOfTheEventThatIsTold(t *testing.T) {
	run, store := newRun(t, 1)
	l, err := openLive(run)
	if err != nil {
		t.Fatal(err)
	}
	const turns = 1000
	st := store.State()
	first := st.Seq - int64(st.Turn)
	var telling sync.WaitGroup
	defer telling.Wait()
	for range 8 {
		telling.Go(func() {
			for seq := st.Seq; seq < st.Seq+turns; {
				m, _ := l.news(seq)
				if seq = m.Seq; int64(m.Turn) != seq-first {
					t.Errorf("turn %d is told with event %d, which began turn %d", m.Turn, seq, seq-first)
					return
				}
			}
		})
	}
	for n := range turns {
		l.take([]world.Event{{Seq: st.Seq + int64(n) + 1, Turn: st.Turn + n, Kind: world.KindTurn}})
	}
}

func TestAClientThatDoesNotReadIsCutOffAndNobodyWaitsForIt(t *testing.T) {
	run, store := newRun(t, 1)
	s := open(t, run)
	s.pace = pace{time.Millisecond, time.Minute, 5 * time.Second} // in which a client that reads is told, on any machine
	lazy, err := net.Dial("tcp", s.host)
	if err != nil {
		t.Fatal(err)
	}
	defer lazy.Close()
	if err := lazy.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(lazy, "GET /%s/ws HTTP/1.1\r\nHost: %s\r\nOrigin: http://%s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n",
		s.token, s.host, s.host)
	long := json.RawMessage(`"` + strings.Repeat("x", 2500) + `"`)
	end := time.Now().Add(time.Minute)
	slowest := time.Duration(0)
	for begun := false; !begun || len(s.sockets) > 0; begun = begun || len(s.sockets) > 0 {
		if time.Now().After(end) {
			t.Fatal("it is not cut off")
		}
		before := time.Now()
		commit(t, store, world.Event{Kind: "long", Data: long})
		slowest = max(slowest, time.Since(before))
	}
	t.Logf("cut off after %d events, the slowest commit took %v", store.State().Seq, slowest)
	c := &client{t: t}
	c.connect(s)
	playTurn(t, store)
	c.until(s, store.State().Seq)
}

func TestSocketsAreForThePageAlone(t *testing.T) {
	run, _ := newRun(t, 1)
	s := open(t, run)
	for origin, path := range map[string]string{
		"http://evil.example": s.URL() + "ws", "null": s.URL() + "ws", "": s.URL() + "ws", "http://" + s.host: strings.Replace(s.URL(), s.token, "TOKEN", 1) + "ws",
	} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		conn, _, err := websocket.Dial(t.Context(), path, &websocket.DialOptions{HTTPHeader: header})
		if err == nil {
			conn.CloseNow()
			t.Errorf("origin %q is let in at %s", origin, path)
		}
	}
}

func TestWhatAClientSaysIsBounded(t *testing.T) {
	run, _ := newRun(t, 1)
	s := open(t, run)
	conn, err := dial(t, s, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if err := conn.Write(t.Context(), websocket.MessageText, []byte("ok")); err != nil {
		t.Fatal(err)
	}
	_ = conn.Write(t.Context(), websocket.MessageText, make([]byte, mostIncoming+1)) // it may be cut off while it writes
	for err == nil {
		_, _, err = conn.Read(t.Context())
	}
	if status := websocket.CloseStatus(err); status != websocket.StatusMessageTooBig && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
		t.Errorf("after too long a message: %v", err)
	}
}
