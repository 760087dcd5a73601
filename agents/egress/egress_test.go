package egress

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A desk is a proxy with the door of one agent, and what the proxy says.
type desk struct {
	*Door
	proxy   *Proxy
	address string

	mu     sync.Mutex
	log    bytes.Buffer
	told   []string
	logged chan struct{} // gets one for each line
}

// Write implements [io.Writer], for the log.
func (d *desk) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log.Write(p)
	d.logged <- struct{}{}
	return len(p), nil
}

// lines returns the lines of the log.
func (d *desk) lines(t *testing.T) []line {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []line
	for dec := json.NewDecoder(bytes.NewReader(d.log.Bytes())); ; {
		var l line
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
}

// open opens a door to these hosts, with names that are looked up nowhere else.
func open(t *testing.T, bounds Bounds, names map[string]string, hosts ...string) *desk {
	t.Helper()
	may, err := ParseHosts(hosts)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{logged: make(chan struct{}, 10_000)}
	d.proxy = &Proxy{Log: d, Bounds: bounds}
	d.proxy.Refused = func(agent, host, address, reason string) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.told = append(d.told, agent+" "+host+" "+address+" "+reason)
	}
	d.proxy.Lookup = func(_ context.Context, name string) ([]netip.Addr, error) {
		var all []netip.Addr
		for a := range strings.FieldsSeq(names[name]) {
			all = append(all, netip.MustParseAddr(a))
		}
		if all == nil {
			return nil, fmt.Errorf("no such name %q", name)
		}
		return all, nil
	}
	d.Door = d.proxy.Open("a", may)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.address = l.Addr().String()
	d.Serve(l)
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// get gets a page through the proxy.
func (d *desk) get(t *testing.T, page string, certified *httptest.Server) (int, string, error) {
	t.Helper()
	transport := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: d.address})}
	if certified != nil {
		transport.TLSClientConfig = certified.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw), err
}

// site serves a page.
func site(t *testing.T, start func(http.Handler) *httptest.Server) (s *httptest.Server, port string) {
	t.Helper()
	s = start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "the page of ", r.Host) }))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return s, u.Port()
}

func TestAHostOfTheListIsReachedAndLogged(t *testing.T) {
	for _, start := range []func(http.Handler) *httptest.Server{httptest.NewServer, httptest.NewTLSServer} {
		s, port := site(t, start)
		d := open(t, Bounds{}, nil, "127.0.0.1:"+port)
		status, page, err := d.get(t, s.URL, s)
		if err != nil || status != http.StatusOK || page != "the page of 127.0.0.1:"+port {
			t.Errorf("%s: %d, %q, %v", s.URL, status, page, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		all := d.lines(t)
		if len(all) != 2 || all[0].What != allowed || all[1].What != ended || all[1].ID != all[0].ID || all[1].Agent != "a" ||
			all[1].Host != "127.0.0.1" || all[1].Address != "127.0.0.1" || fmt.Sprint(all[1].Port) != port || all[1].Sent < 50 || all[1].Received < 50 {
			t.Errorf("the log is %+v", all)
		}
		if used := d.Usage(); used.Connections != 1 || used.Refused != 0 || used.Sent != all[1].Sent || used.Received != all[1].Received {
			t.Errorf("the usage is %+v", used)
		}
	}
}

func TestAHostThatIsNotOnTheListIsRefusedLoggedAndTold(t *testing.T) {
	for _, start := range []func(http.Handler) *httptest.Server{httptest.NewServer, httptest.NewTLSServer} {
		s, port := site(t, start)
		d := open(t, Bounds{}, nil, "example.org", "127.0.0.1:1")
		status, page, err := d.get(t, s.URL, s)
		if err == nil && (status != http.StatusForbidden || !strings.Contains(page, unlisted)) || err != nil && !strings.Contains(err.Error(), "Forbidden") {
			t.Errorf("%s: %d, %q, %v", s.URL, status, page, err)
		}
		all := d.lines(t)
		if len(all) != 1 || all[0].What != refused || all[0].Host != "127.0.0.1" || all[0].Reason != unlisted {
			t.Errorf("the log is %+v", all)
		}
		if want := []string{"a 127.0.0.1:" + port + "  " + unlisted}; !slices.Equal(d.told, want) || d.Usage().Refused != 1 {
			t.Errorf("told is %q, and the usage %+v", d.told, d.Usage())
		}
	}
}

func TestANameLeadsNowhereButToThePublicInternet(t *testing.T) {
	s, port := site(t, httptest.NewServer)
	var own strings.Builder
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		own.WriteString(" " + a.(*net.IPNet).IP.String())
	}
	names := map[string]string{"inner.example": "127.0.0.1", "mapped.example": "::ffff:127.0.0.1", "own.example": own.String(), "cloud.example": "169.254.169.254 fd00:ec2::254"}
	d := open(t, Bounds{}, names, "*.example:"+port)
	for name, leads := range names {
		status, page, err := d.get(t, "http://"+name+":"+port, nil)
		if err != nil || status != http.StatusForbidden || !strings.Contains(page, unpublic) {
			t.Errorf("%s: %d, %q, %v", name, status, page, err)
		}
		address := netip.MustParseAddr(strings.Fields(leads)[0]).Unmap().String()
		if told, want := d.told[len(d.told)-1], "a "+name+":"+port+" "+address+" "+unpublic; told != want {
			t.Errorf("told is %q, want %q", told, want)
		}
		if lines := d.lines(t); lines[len(lines)-1].Address != address {
			t.Errorf("the log is %+v", lines)
		}
	}
	if got := d.Usage().Refused; got != int64(len(names)) {
		t.Errorf("%d are refused", got)
	}
	named := open(t, Bounds{}, names, "inner.example:"+port, "127.0.0.1:"+port)
	if status, page, err := named.get(t, "http://inner.example:"+port, s); err != nil || page != "the page of inner.example:"+port {
		t.Errorf("an address that is named: %d, %q, %v", status, page, err)
	}
	if status, page, err := d.get(t, "http://none.example:"+port, nil); err != nil || status != http.StatusBadGateway || !strings.Contains(page, "no such name") {
		t.Errorf("a name that is none: %d, %q, %v", status, page, err)
	}
}

// A name is looked up once, and what it leads to then is where the connection goes.
func TestANameThatChangesIsNotLookedUpAgain(t *testing.T) {
	_, port := site(t, httptest.NewServer)
	d := open(t, Bounds{}, nil, "a.example:"+port, "127.0.0.1:"+port)
	lookups := 0
	d.proxy.Lookup = func(context.Context, string) ([]netip.Addr, error) {
		lookups++
		return []netip.Addr{netip.MustParseAddr(fmt.Sprintf("127.0.0.%d", lookups))}, nil
	}
	if status, _, err := d.get(t, "http://a.example:"+port, nil); err != nil || status != http.StatusOK || lookups != 1 {
		t.Errorf("%d after %d lookups, %v", status, lookups, err)
	}
}

func TestNothingIsLookedUpThatIsNotOnTheList(t *testing.T) {
	d := open(t, Bounds{}, map[string]string{"secret.evil.example": "203.0.113.1"}, "*.good.example")
	d.proxy.Lookup = func(_ context.Context, name string) ([]netip.Addr, error) {
		t.Errorf("%s is looked up", name)
		return nil, errors.New("no")
	}
	for _, host := range []string{"secret.evil.example", "good.example", "evilgood.example", "2130706433", "0x7f.1"} {
		_, _, _ = d.get(t, "http://"+host+"/", nil)
	}
}

// talk opens a tunnel to whoever listens, who gets each connection.
func talk(t *testing.T, bounds Bounds, host func(net.Conn)) (*desk, tunnel) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() { // ends with the listener
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go host(conn)
		}
	}()
	d := open(t, bounds, nil, l.Addr().String())
	conn, err := net.Dial("tcp", d.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	// What a client says before it has an answer is for the host as well.
	if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: x\r\n\r\nearly ", l.Addr()); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, &http.Request{Method: http.MethodConnect})
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("the answer is %v, %v", resp, err)
	}
	return d, tunnel{conn.(*net.TCPConn), in}
}

// A tunnel is the client's end of one.
type tunnel struct {
	*net.TCPConn
	in *bufio.Reader
}

func (c tunnel) Read(p []byte) (int, error) { return c.in.Read(p) }

// wait waits for lines of the log.
func (d *desk) wait(t *testing.T, lines int) []line {
	t.Helper()
	for range lines {
		select {
		case <-d.logged:
		case <-time.After(time.Minute):
			t.Fatalf("the log is %+v", d.lines(t))
		}
	}
	return d.lines(t)
}

func TestATunnelCarriesWhatBothSidesSayToTheirEnds(t *testing.T) {
	d, conn := talk(t, Bounds{}, func(host net.Conn) {
		defer host.Close()
		said, err := io.ReadAll(host)
		fmt.Fprintf(host, "%d bytes, %s, %v", len(said), said[:10], err)
	})
	if _, err := conn.Write(bytes.Repeat([]byte("x"), 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(conn); err != nil || string(answer) != "1048582 bytes, early xxxx, <nil>" {
		t.Errorf("the answer is %q, %v", answer, err)
	}
	if all := d.wait(t, 2); all[1].Sent != 1048582 || all[1].Received != 32 || all[1].Reason != "" {
		t.Errorf("the log is %+v", all)
	}
}

func TestATunnelIsCutWhenItsTimeIsOver(t *testing.T) {
	for name, c := range map[string]struct {
		bounds Bounds
		pause  time.Duration // between what the host says; less than 0: it says nothing
		reads  bool          // so does the client
		why    error
		after  time.Duration
	}{
		"silence":                     {Bounds{Idle: time.Minute}, -1, true, errIdle, time.Minute},
		"a drip":                      {Bounds{Idle: time.Minute, Time: time.Hour}, 59 * time.Second, true, errTime, time.Hour},
		"a client that does not read": {Bounds{Idle: time.Minute}, 0, false, errIdle, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &desk{logged: make(chan struct{}, 10)}
				d.proxy = &Proxy{Log: d, Bounds: c.bounds}
				d.Door = d.proxy.Open("a", nil)
				host, ours := net.Pipe()
				agent, theirs := net.Pipe()
				defer agent.Close()
				d.running.Add(1)
				began := time.Now()
				l := d.link(ours, line{}, began)
				var both sync.WaitGroup
				both.Go(func() { carry(theirs, theirs, l) })
				both.Go(func() { // ends when it is cut
					for said := 1; c.pause >= 0 && said == 1; time.Sleep(c.pause) {
						said, _ = host.Write([]byte("x"))
					}
				})
				if c.reads {
					_, _ = io.Copy(io.Discard, agent)
				}
				<-d.logged
				if all := d.lines(t); time.Since(began) != c.after || len(all) != 1 || all[0].What != ended || all[0].Reason != c.why.Error() {
					t.Errorf("after %v the log is %+v", time.Since(began), all)
				}
				host.Close()
				both.Wait()
			})
		})
	}
}

func TestATunnelIsCutWhenAnAgentHasNoBytesLeft(t *testing.T) {
	d, conn := talk(t, Bounds{Bytes: 1 << 20}, func(host net.Conn) {
		_, _ = io.Copy(host, endless{})
		host.Close()
	})
	if n, err := io.Copy(io.Discard, conn.in); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("after %d bytes: %v", n, err)
	}
	all := d.wait(t, 2)
	if all[1].Reason != errBytes.Error() || all[1].Received > 1<<20+64<<10 {
		t.Errorf("the log is %+v", all)
	}
	if status, _, err := d.get(t, "http://"+net.JoinHostPort(all[0].Host, fmt.Sprint(all[0].Port)), nil); err != nil || status != http.StatusBadGateway {
		t.Errorf("and then %d, %v", status, err)
	}
}

// A dawdler is a connection from which something has come, but is only read when the test says so.
type dawdler struct {
	net.Conn
	reading, read chan struct{}
}

func (d dawdler) Read(p []byte) (int, error) {
	close(d.reading)
	<-d.read
	return len(p), nil
}

func (d dawdler) Close() error { return nil }

func TestTheLogHasAllBytesThatCount(t *testing.T) {
	d := open(t, Bounds{}, nil)
	conn := dawdler{reading: make(chan struct{}), read: make(chan struct{})}
	d.running.Add(1)
	l := d.link(conn, line{}, time.Now())
	done := make(chan error)
	go func() { // ends when the test lets it
		_, err := l.Read(make([]byte, 5))
		done <- err
	}()
	<-conn.reading
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	close(conn.read)
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the error is %v", err)
	}
	if all := d.lines(t); len(all) != 1 || all[0].Received != d.Usage().Received {
		t.Errorf("the log is %+v, and the usage %+v", all, d.Usage())
	}
}

// endless is zeroes.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestClosingADoorEndsItsTunnels(t *testing.T) {
	d, conn := talk(t, Bounds{}, func(host net.Conn) { _, _ = io.Copy(io.Discard, host) })
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if all := d.lines(t); len(all) != 2 || all[1].What != ended || all[1].Reason != errShut.Error() {
		t.Errorf("the log is %+v", all)
	}
	if _, err := io.ReadAll(conn); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
}

func TestAnAgentHasFewConnectionsAtOnceAndInAll(t *testing.T) {
	s, port := site(t, httptest.NewServer)
	d := open(t, Bounds{AtOnce: 1, Connections: 2}, nil, "127.0.0.1:"+port)
	first, err := net.Dial("tcp", d.address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprint(first, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if resp, err := http.ReadResponse(bufio.NewReader(first), nil); err != nil || resp.StatusCode != http.StatusBadRequest {
		t.Errorf("what is no request for a proxy gets %v, %v", resp, err)
	}
	waits := make(chan string, 1)
	go func() { // ends with the answer
		_, page, err := d.get(t, s.URL, nil)
		waits <- fmt.Sprint(page, err)
	}()
	select {
	case got := <-waits:
		t.Errorf("a second connection gets %q while the first is there", got)
	case <-time.After(50 * time.Millisecond):
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if got := <-waits; !strings.HasPrefix(got, "the page of") {
		t.Errorf("a connection that waited gets %q", got)
	}
	for _, want := range []int{http.StatusOK, http.StatusForbidden, http.StatusForbidden} {
		if status, _, err := d.get(t, s.URL, nil); err != nil || status != want {
			t.Errorf("%d, want %d, %v", status, want, err)
		}
	}
	if got := len(d.told); got != 0 {
		t.Errorf("%d are told of", got)
	}
	if err := d.Close(); err != nil || len(d.lines(t)) != 4 {
		t.Errorf("the log is %+v, %v", d.lines(t), err)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestNothingGoesOutThatCannotBeLogged(t *testing.T) {
	s, port := site(t, func(http.Handler) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it goes out") }))
	})
	d := open(t, Bounds{}, nil, "127.0.0.1:"+port)
	d.proxy.Log = fullDisk{}
	if status, page, err := d.get(t, s.URL, nil); err != nil || status != http.StatusBadGateway || !strings.Contains(page, "no space left") {
		t.Errorf("%d, %q, %v", status, page, err)
	}
}

func TestADoorOpensAnewForAnAgentThatLivesAgain(t *testing.T) {
	s, port := site(t, httptest.NewServer)
	d := open(t, Bounds{}, nil, "127.0.0.1:"+port)
	was := d.address
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.address = l.Addr().String()
	d.Serve(l)
	if status, _, err := d.get(t, s.URL, nil); err != nil || status != http.StatusOK {
		t.Errorf("%d, %v", status, err)
	}
	if conn, err := net.Dial("tcp", was); err == nil {
		conn.Close()
		t.Error("it is open where it was before")
	}
	for range 100 { // of which a server may not have begun yet
		was := l
		if l, err = net.Listen("tcp4", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		d.Serve(l)
		if err := was.Close(); !errors.Is(err, net.ErrClosed) {
			t.Fatalf("it is open where it was before: %v", err)
		}
	}
}

func TestAClientCannotSayThatItMeansAnotherHost(t *testing.T) {
	_, port := site(t, httptest.NewServer)
	d := open(t, Bounds{}, nil, "127.0.0.1:"+port)
	conn, err := net.Dial("tcp", d.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "GET http://127.0.0.1:%s/ HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n", port); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if page, err := io.ReadAll(resp.Body); err != nil || string(page) != "the page of 127.0.0.1:"+port {
		t.Errorf("it gets %q, %v", page, err)
	}
}
