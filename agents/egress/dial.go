package egress

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Why a connection is refused. They are few, so that whoever is told of them can count them.
const (
	malformed = "this is no host with a port"
	unlisted  = "the host is not among those that the scenario allows"
	unpublic  = "the scenario allows the name, but it leads to this machine, or into a network that is not public"
)

// A refusal is an error that a client is told of as such.
type refusal string

func (r refusal) Error() string { return string(r) }

var (
	errShut  = errors.New("the door is shut")
	errLog   = errors.New("the log cannot be written")
	errIdle  = errors.New("nothing passed for too long")
	errTime  = errors.New("it took too long")
	errBytes = errors.New("the agent has no bytes left")
)

// fail tells a client why it cannot have what it wants.
func fail(w http.ResponseWriter, err error) {
	status := http.StatusBadGateway
	if why := refusal(""); errors.As(err, &why) {
		status = http.StatusForbidden
	}
	http.Error(w, "vitrine: "+err.Error(), status)
}

// What becomes of a connection.
const (
	refused = "refused"
	failed  = "failed"
	allowed = "allowed"
	ended   = "ended"
)

// A line is one of the log.
type line struct {
	Time     time.Time `json:"time"`
	ID       int64     `json:"id"`
	Agent    string    `json:"agent"`
	What     string    `json:"what"`
	Host     string    `json:"host"`
	Port     uint16    `json:"port,omitempty"`
	Address  string    `json:"address,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Sent     int64     `json:"sent,omitempty"`
	Received int64     `json:"received,omitempty"`
	MS       int64     `json:"ms,omitempty"`
}

// note writes a line.
func (p *Proxy) note(l line, what, reason string) error {
	l.Time, l.What, l.Reason = time.Now().UTC(), what, reason
	raw, err := json.Marshal(l)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	p.logging.Lock()
	defer p.logging.Unlock()
	if _, err := p.Log.Write(append(raw, '\n')); err != nil {
		return fmt.Errorf("%w: %w", errLog, err)
	}
	return nil
}

// dial makes a connection to what a client calls address, if that is allowed.
func (d *Door) dial(ctx context.Context, address string) (*link, error) {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil, errShut
	}
	d.running.Add(1)
	d.mu.Unlock()
	l, err := d.reach(ctx, address)
	if err != nil {
		d.running.Done()
	}
	return l, err
}

// reach is dial of a door that is open.
func (d *Door) reach(ctx context.Context, address string) (*link, error) {
	if d.connections.Add(1) > d.bounds.Connections {
		return nil, refusal(fmt.Sprintf("the agent has asked for %d connections, and gets no more", d.bounds.Connections))
	}
	says := line{ID: d.proxy.ids.Add(1), Agent: d.agent, Host: address[:min(len(address), 300)]}
	to, err := parseTarget(address)
	if err != nil {
		return nil, d.refuse(says, malformed)
	}
	says.Host, says.Port = to.name, to.port
	if to.name == "" {
		says.Host = to.address.String()
	}
	if !d.hosts.allow(to) {
		return nil, d.refuse(says, unlisted)
	}
	if d.sent.Load()+d.received.Load() >= d.bounds.Bytes {
		return nil, errors.Join(errBytes, d.proxy.note(says, failed, errBytes.Error()))
	}
	found, passed, err := d.resolve(ctx, to)
	if err != nil {
		return nil, errors.Join(err, d.proxy.note(says, failed, err.Error()))
	}
	if len(found) == 0 {
		says.Address = passed[0].String()
		return nil, d.refuse(says, unpublic)
	}
	says.Address = found[0].String()
	began := time.Now()
	if err := d.proxy.note(says, allowed, ""); err != nil {
		return nil, err
	}
	conn, err := connect(ctx, found, to.port)
	if err != nil {
		return nil, errors.Join(err, d.proxy.note(says, failed, err.Error()))
	}
	says.Address = conn.RemoteAddr().(*net.TCPAddr).IP.String()
	return d.link(conn, says, began), nil
}

// refuse logs a connection that leads where it must not, and returns the error that says so.
func (d *Door) refuse(l line, reason string) error {
	d.refused.Add(1)
	err := d.proxy.note(l, refused, reason)
	to := l.Host
	if l.Port > 0 {
		to = net.JoinHostPort(to, strconv.Itoa(int(l.Port)))
	}
	if d.proxy.Refused != nil {
		d.proxy.Refused(d.agent, to, l.Address, reason)
	}
	return errors.Join(refusal(to+": "+reason), err)
}

// resolve returns the addresses of a target that may be connected to, and those that it passes over. There is one at least.
func (d *Door) resolve(ctx context.Context, to target) (may, passed []netip.Addr, err error) {
	if to.name == "" {
		return []netip.Addr{to.address}, nil, nil // it is on the list
	}
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	lookup := d.proxy.Lookup
	if lookup == nil {
		lookup = func(ctx context.Context, name string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		}
	}
	all, err := lookup(ctx, to.name)
	if err == nil && len(all) == 0 {
		err = errors.New("the name has no address")
	}
	if err != nil {
		return nil, nil, err
	}
	for _, a := range all {
		ours, err := isOurs(a)
		if err != nil {
			return nil, nil, err
		}
		if isPublic(a) && !ours || d.hosts.allow(target{address: a.Unmap(), port: to.port}) {
			may = append(may, a.Unmap())
		} else {
			passed = append(passed, a.Unmap())
		}
	}
	return may, passed, nil
}

// connect connects to the first of these addresses that answers.
func connect(ctx context.Context, addresses []netip.Addr, port uint16) (net.Conn, error) {
	var errs []error
	for _, a := range addresses {
		dialer := net.Dialer{Timeout: dialLimit}
		conn, err := dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(a, port).String())
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// A link is a connection to a host.
type link struct {
	net.Conn
	door    *Door
	began   time.Time
	ctx     context.Context // until it is cut
	cut     context.CancelCauseFunc
	release context.CancelFunc
	idle    *time.Timer

	mu    sync.Mutex
	says  line // with the bytes that have passed
	ended bool // nothing passes any more
}

// link makes a connection one that is bounded, and logged when it ends.
func (d *Door) link(conn net.Conn, says line, began time.Time) *link {
	l := &link{Conn: conn, door: d, says: says, began: began}
	bounded, release := context.WithTimeoutCause(d.ctx, d.bounds.Time, errTime)
	l.ctx, l.cut = context.WithCancelCause(bounded)
	l.release = release
	l.idle = time.AfterFunc(d.bounds.Idle, func() { l.cut(errIdle) })
	context.AfterFunc(l.ctx, func() { l.Close() })
	return l
}

// Close implements [net.Conn].
func (l *link) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return nil
	}
	l.ended = true
	defer l.door.running.Done()
	if err := context.Cause(l.ctx); err != nil {
		l.says.Reason = err.Error()
	}
	l.idle.Stop()
	l.cut(nil)
	l.release()
	_ = l.Conn.Close()
	l.says.MS = time.Since(l.began).Milliseconds()
	_ = l.door.proxy.note(l.says, ended, l.says.Reason) // that it was allowed is logged
	return nil
}

// Read implements [net.Conn].
func (l *link) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if spent := l.count(n, &l.says.Received, &l.door.received); spent != nil {
		err = spent
	}
	return n, err
}

// Write implements [net.Conn].
func (l *link) Write(p []byte) (int, error) {
	if err := l.count(len(p), &l.says.Sent, &l.door.sent); err != nil { // before the answer can be there
		return 0, err
	}
	return l.Conn.Write(p)
}

// count counts bytes that pass, and cuts the connection when there were too many.
func (l *link) count(n int, here *int64, all *atomic.Int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case n == 0:
		return nil
	case l.ended: // and the log says how many there were
		return net.ErrClosed
	}
	*here += int64(n)
	all.Add(int64(n))
	l.idle.Reset(l.door.bounds.Idle)
	if l.door.sent.Load()+l.door.received.Load() >= l.door.bounds.Bytes {
		l.cut(errBytes)
		return errBytes
	}
	return nil
}

// closeWrite says that nothing more is sent.
func (l *link) closeWrite() error {
	if half, ok := l.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
