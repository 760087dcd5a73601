package gateway

import (
	"context"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vitrine-sim/vitrine/agents/tamper"
)

const (
	maxConnections = 64               // of an agent at once; others wait to be let in
	maxHeader      = 64 << 10         // bytes of a request's header
	headerLimit    = 30 * time.Second // for a request's header to come whole, and for the first one of a connection to begin
	requestLimit   = 2 * time.Minute  // for the whole request to come

	costOfCall    = 4 << 10 // work that a refused request makes, or a connection on which nothing is asked, in bytes
	maxComplaints = 20      // about what an agent sends that are logged
)

// serve makes the server of an endpoint that listens there.
func (e *Endpoint) serve(ctx context.Context, listener net.Listener) {
	e.server = http.Server{
		Handler:           e,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, callerKey{}, c) },
		ErrorLog:          log.New(&complaints{to: slog.NewLogLogger(e.log.Handler(), slog.LevelWarn)}, "", 0),
		ReadHeaderTimeout: headerLimit,
		ReadTimeout:       requestLimit,
		IdleTimeout:       -1, // an agent may wait as long as it likes for its next turn
		MaxHeaderBytes:    maxHeader,
	}
	d := &door{Listener: listener, endpoint: e, places: make(chan struct{}, maxConnections), shut: make(chan struct{})}
	go func() { // ends when Close closes the server
		defer close(e.served)
		if err := e.server.Serve(d); err != http.ErrServerClosed {
			e.log.Error("endpoint ended", "error", err)
		}
	}()
}

// A door lets so many connections of an agent in at once. One on which nothing is asked keeps its place for as long as the pace of the agent says.
type door struct {
	net.Listener
	endpoint *Endpoint
	places   chan struct{}
	once     sync.Once
	shut     chan struct{} // closed by Close
}

// Accept implements [net.Listener].
func (d *door) Accept() (net.Conn, error) {
	select {
	case d.places <- struct{}{}:
	default:
		d.endpoint.evidence.Sawf(tamper.Requests, "more than %d connections at once", maxConnections)
		select {
		case d.places <- struct{}{}:
		case <-d.shut:
			return nil, net.ErrClosed
		}
	}
	conn, err := d.Listener.Accept()
	if err != nil {
		<-d.places
		return nil, err
	}
	return &caller{Conn: conn, door: d}, nil
}

// Close implements [net.Listener].
func (d *door) Close() error {
	d.once.Do(func() { close(d.shut) })
	return d.Listener.Close()
}

// slow makes whoever does this work for the agent wait, if there is too much of it.
func (e *Endpoint) slow(work int, stop <-chan struct{}) {
	if e.pace.Take(work, stop) {
		e.evidence.Sawf(tamper.Requests, "more than %d a second that are refused or ask nothing", e.pace.Second/costOfCall)
	}
}

// A caller is a connection of an agent.
type caller struct {
	net.Conn
	door   *door
	asked  atomic.Bool // there was a request
	closed sync.Once

	mu   sync.Mutex // the server that ends closes while it reads
	said []byte     // the beginning of what came before a request
}

// A callerKey is the key of the caller in the context of a request.
type callerKey struct{}

// Read implements [net.Conn].
func (c *caller) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	const most = 64
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.asked.Load() {
		c.said = append(c.said, b[:min(n, most-len(c.said))]...)
	}
	return n, err
}

// Close implements [net.Conn].
func (c *caller) Close() error {
	c.closed.Do(func() {
		if c.asked.Load() {
			<-c.door.places
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.said) > 0 {
			c.door.endpoint.evidence.Sawf(tamper.Garbage, "to its gateway: %q", c.said)
		}
		go func() { // ends when its place is paid for, or with the door; there are no more of them than places
			c.door.endpoint.slow(costOfCall, c.door.shut)
			<-c.door.places
		}()
	})
	return c.Conn.Close()
}

// complaints pass so many lines on, and no more: an agent can make the server complain as often as it likes.
type complaints struct {
	to *log.Logger
	n  atomic.Int64
}

// Write implements [io.Writer].
func (c *complaints) Write(line []byte) (int, error) {
	if n := c.n.Add(1); n <= maxComplaints {
		c.to.Printf("%s", line)
	}
	return len(line), nil
}
