// Package egress is a proxy with an allowlist: it lets agents reach the hosts that their scenario names, and no others, and logs each connection.
//
// # Architecture
//
// An agent has no network but a loopback interface of its own, on which nobody listens but a [Door] of the [Proxy]: an HTTP proxy. A program there
// finds it by the variables of [Env]. It asks for a tunnel (CONNECT), through which it speaks TLS or whatever it likes, or for a page by plain
// HTTP. Each of them is a connection of its own, and goes through these hands:
//
//	Hosts    the agent's list: a name or an address, and a port
//	lookup   names are looked up here and nowhere else, and only those that are on the list
//	public   addresses of this machine, of private and of special networks are passed over, unless the list names that very address and port
//	dial     to the address that was looked at, so that it makes no difference what the name leads to a moment later
//	link     counts bytes, and ends a connection that is idle, too long or too much
//
// What a name stands for is believed to whoever serves it: behind one address there may be others, to whom a client can turn once TLS hides what
// it says.
//
// # The log
//
// Each line of the log is JSON: what became of a connection, "refused", "failed" or "allowed", and of one that was allowed later that it has "ended":
//
//	{"time":"2026-01-02T15:04:05.000000006Z","id":7,"agent":"a","what":"ended","host":"registry.example.org","port":443,"address":"203.0.113.7","sent":1234,"received":56789,"ms":150}
//
// The id counts the connections since the run was begun or resumed. Of more than Bounds.Connections of an agent only the first are logged.
//
// # Invariant
//
// Nothing goes out, not even a question for a name, before it is known to be allowed, and no connection before the log says so.
package egress

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// A Proxy has a door for each agent. Its fields must not change after the first Open.
type Proxy struct {
	Log    io.Writer // gets each line of the log in one Write
	Bounds Bounds    // of each agent

	// Refused is told of each connection that was refused because of where it led: of one to a host that the agent may reach, the address is the
	// one that its name leads to and that nobody may connect to; else it is empty. Any goroutine may call it until the door is closed. nil: nobody is
	// told.
	Refused func(agent, host, address, reason string)

	// Lookup returns the addresses of a name; nil: as this machine does.
	Lookup func(ctx context.Context, name string) ([]netip.Addr, error)

	ids     atomic.Int64 // of connections
	logging sync.Mutex
}

// Bounds are of one agent. What is 0 is as said here.
type Bounds struct {
	AtOnce      int           // connections to its door at once; others wait: 32
	Connections int64         // that it asks for in all; all others are refused: 10000
	Bytes       int64         // that it sends and receives in all: 4 GiB
	Idle        time.Duration // that nothing passes through a connection: 2 minutes
	Time        time.Duration // that a connection lasts: 15 minutes
}

// Limits of what is no connection yet.
const (
	headerLimit = 10 * time.Second // for a request to come
	headerBytes = 64 << 10
	lookupLimit = 10 * time.Second
	dialLimit   = 10 * time.Second // for each address
)

// or returns the bounds with what is 0 filled in.
func (b Bounds) or(most Bounds) Bounds {
	if b.AtOnce == 0 {
		b.AtOnce = most.AtOnce
	}
	if b.Connections == 0 {
		b.Connections = most.Connections
	}
	if b.Bytes == 0 {
		b.Bytes = most.Bytes
	}
	if b.Idle == 0 {
		b.Idle = most.Idle
	}
	if b.Time == 0 {
		b.Time = most.Time
	}
	return b
}

// Env returns the variables by which programs find a proxy that listens on address, for all but the model of Claude Code.
func Env(address string) []string {
	url := "http://" + address
	return []string{
		"HTTP_PROXY=" + url, "HTTPS_PROXY=" + url, "http_proxy=" + url, "https_proxy=" + url,
		"NO_PROXY=gateway", "no_proxy=gateway", // which is a unix socket
		"NODE_USE_ENV_PROXY=1",
	}
}

// A Door is where an agent comes to the proxy.
type Door struct {
	proxy  *Proxy
	agent  string
	hosts  Hosts
	bounds Bounds
	plain  *httputil.ReverseProxy // of requests in plain HTTP

	ctx    context.Context // of all connections
	cancel context.CancelCauseFunc

	connections, refused, sent, received atomic.Int64

	mu      sync.Mutex
	shut    func() error // ends the server; nil: nobody has opened it yet
	closed  bool
	running sync.WaitGroup // the server, and all connections
}

// A Usage is what an agent did through its door.
type Usage struct {
	Connections int64 // that it asked for
	Refused     int64 // of those, because of where they led
	Sent        int64 // bytes, by the agent
	Received    int64 // bytes
}

// Open makes the door of an agent, which is shut until [Door.Serve] is called.
func (p *Proxy) Open(agent string, hosts Hosts) *Door {
	d := &Door{proxy: p, agent: agent, hosts: hosts}
	d.bounds = p.Bounds.or(Bounds{AtOnce: 32, Connections: 10_000, Bytes: 4 << 30, Idle: 2 * time.Minute, Time: 15 * time.Minute})
	d.ctx, d.cancel = context.WithCancelCause(context.Background())
	d.plain = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.Out.Host = r.Out.URL.Host }, // not whom the client says it means besides
		Transport: &http.Transport{
			DialContext:       func(ctx context.Context, _, address string) (net.Conn, error) { return d.dial(ctx, address) },
			DisableKeepAlives: true, DisableCompression: true, // each request is a connection, unchanged
		},
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, err error) { fail(w, err) },
		ErrorLog:      quiet(),
		FlushInterval: -1,
	}
	return d
}

// quiet is where servers say what clients do wrong.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// Serve opens the door to those who connect to l, which is closed with it. If it was open elsewhere it is shut there: the agent lives anew.
func (d *Door) Serve(l net.Listener) {
	server := &http.Server{
		Handler: d, ReadHeaderTimeout: headerLimit, IdleTimeout: d.bounds.Idle, MaxHeaderBytes: headerBytes, ErrorLog: quiet(),
		BaseContext: func(net.Listener) context.Context { return d.ctx },
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		_ = l.Close()
		return
	}
	if d.shut != nil {
		_ = d.shut() // for a process that is gone
	}
	d.shut = func() error {
		err := server.Close()
		_ = l.Close() // which a server does not know that has not begun
		return err
	}
	d.running.Go(func() { // ends when the server is closed
		_ = server.Serve(limited{l, make(chan struct{}, d.bounds.AtOnce)})
	})
}

// Close shuts the door and ends all connections.
func (d *Door) Close() error {
	d.mu.Lock()
	shut := d.shut
	d.closed = true
	d.mu.Unlock()
	d.cancel(errShut)
	var err error
	if shut != nil {
		err = shut()
	}
	d.running.Wait()
	return err
}

// Usage returns what the agent has done so far.
func (d *Door) Usage() Usage {
	return Usage{d.connections.Load(), d.refused.Load(), d.sent.Load(), d.received.Load()}
}

// ServeHTTP implements [http.Handler].
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodConnect:
		d.tunnel(w, r)
	case r.URL.Scheme == "http" && r.URL.Host != "":
		control, until := http.NewResponseController(w), time.Now().Add(d.bounds.Time)
		_, _ = control.SetReadDeadline(until), control.SetWriteDeadline(until) // it can
		d.plain.ServeHTTP(w, r)
	default:
		http.Error(w, "vitrine: this is a proxy for HTTP and for tunnels", http.StatusBadRequest)
	}
}

// tunnel lets a client and a host talk about whatever they like.
func (d *Door) tunnel(w http.ResponseWriter, r *http.Request) {
	host, err := d.dial(r.Context(), r.Host)
	if err != nil {
		fail(w, err)
		return
	}
	defer host.Close()
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		fail(w, err)
		return
	}
	carry(client, buffered.Reader, host)
}

// carry takes to each side what the other says, a client from said, until both have said all or the host is cut.
func carry(client net.Conn, said io.Reader, host *link) {
	defer client.Close()
	stop := context.AfterFunc(host.ctx, func() { client.Close() })
	defer stop()
	if err := client.SetDeadline(time.Time{}); err != nil {
		return
	}
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	var sending sync.WaitGroup
	sending.Go(func() { // ends with the connections at the latest
		_, _ = io.Copy(host, said)
		_ = host.closeWrite() // the client has said all
	})
	_, _ = io.Copy(client, host)
	if half, ok := client.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // the host has said all
	}
	sending.Wait()
}

// A limited listener has few connections at once.
type limited struct {
	net.Listener
	places chan struct{}
}

// Accept implements [net.Listener].
func (l limited) Accept() (net.Conn, error) {
	l.places <- struct{}{} // a place is free again at the latest when the server is closed
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &placed{Conn: conn, leave: sync.OnceFunc(func() { <-l.places })}, nil
}

// A placed connection gives its place back when it is closed.
type placed struct {
	net.Conn
	leave func()
}

// Close implements [net.Conn].
func (c *placed) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// CloseWrite says that nothing more is sent.
func (c *placed) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
