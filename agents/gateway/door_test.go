package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-sim/vitrine/agents/tamper"
)

// A pipes is a listener in memory.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	conn, open := <-p
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

// simple is a gateway that answers "{}" to each request.
func simple() *Gateway {
	return &Gateway{Upstream: roundTrip(func(r *http.Request) (*http.Response, error) { return answer(r, "{}") })}
}

// serving returns an endpoint in memory, and how to connect to it. Its end is the caller's.
func serving(t testing.TB, g *Gateway) (e *Endpoint, dial func() net.Conn, end func()) {
	e = newEndpoint(t, g, "a", filepath.Join(t.TempDir(), recordName))
	if g.Log != nil {
		e.log = g.Log
	}
	e.token, e.evidence, e.served, e.cancel = token, new(tamper.Evidence), make(chan struct{}), func() {}
	e.pace = tamper.Pace{Burst: 1 << 20, Second: 64 << 10}
	door := make(pipes)
	e.serve(t.Context(), door)
	dial = func() net.Conn {
		ours, theirs := net.Pipe()
		door <- theirs
		return ours
	}
	return e, dial, func() {
		_ = e.server.Close()
		<-e.served
	}
}

// asking returns an endpoint in memory, and a client that dials it. Their end is the caller's.
func asking(t testing.TB, g *Gateway) (e *Endpoint, client *http.Client, end func()) {
	e, dial, endpointEnds := serving(t, g)
	transport := &http.Transport{
		DisableCompression: true,
		DialContext:        func(context.Context, string, string) (net.Conn, error) { return dial(), nil },
	}
	return e, &http.Client{Transport: transport}, func() {
		transport.CloseIdleConnections()
		endpointEnds()
	}
}

const valid = "POST /v1/messages HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer " + token + "\r\nContent-Length: 2\r\n\r\n{}"

// exchange says something on a connection, and returns the statuses of the answers until it is closed.
func exchange(conn net.Conn, said string) (statuses []int) {
	defer conn.Close()
	go func() { _, _ = io.WriteString(conn, said) }() // ends with the connection
	for in := bufio.NewReader(conn); ; {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return statuses
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		statuses = append(statuses, resp.StatusCode)
	}
}

func TestGarbageIsRefusedAndTheNextRequestAnswered(t *testing.T) {
	header := func(lines ...string) string {
		return "POST /v1/messages HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nAuthorization: Bearer " + token + "\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
	}
	for name, test := range map[string]struct {
		said string
		want string // statuses
		seen string // kinds of attempts
	}{
		"nothing":                      {"", "[]", ""},
		"noise":                        {"\x00\x01\xff\xfe\r\n\r\n", "[400]", "garbage"},
		"TLS":                          {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x00", 50) + "\r\n\r\n", "[400]", "garbage"},
		"HTTP/2":                       {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "[404]", "garbage"},
		"HTTP/0.9":                     {"GET /\r\n\r\n", "[400]", "garbage"},
		"another version":              {"GET / HTTP/9.9\r\n\r\n", "[505]", "garbage"},
		"an endless line":              {"POST /" + strings.Repeat("x", 2*maxHeader) + " HTTP/1.1\r\n\r\n", "[431]", "garbage"},
		"an endless header":            {header("X: "+strings.Repeat("x", 2*maxHeader), "Content-Length: 2") + "{}", "[431]", "garbage"},
		"many headers":                 {header(strings.Repeat("X: y\r\n", maxHeader/4) + "Content-Length: 2"), "[431]", "garbage"},
		"NUL in a header":              {header("X: \x00", "Content-Length: 2") + "{}", "[400]", "garbage"},
		"two lengths":                  {header("Content-Length: 2", "Content-Length: 3") + "{} ", "[400]", "garbage"},
		"a length and chunks":          {header("Content-Length: 2", "Transfer-Encoding: chunked") + "0\r\n\r\n", "[200]", ""}, // the chunks count
		"another encoding":             {header("Transfer-Encoding: gzip, chunked") + "0\r\n\r\n", "[501]", "garbage"},
		"a length below nothing":       {header("Content-Length: -1") + "{}", "[400]", "garbage"},
		"a length beyond all":          {header("Content-Length: 99999999999999999999") + "{}", "[400]", "garbage"},
		"chunks that are none":         {header("Transfer-Encoding: chunked") + "zz\r\n{}\r\n0\r\n\r\n", "[400]", ""},
		"a chunk beyond all":           {header("Transfer-Encoding: chunked") + "fffffffffffffffff\r\n{}\r\n0\r\n\r\n", "[400]", ""},
		"a tunnel":                     {"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\nConnection: close\r\n\r\n", "[404]", "garbage"},
		"another place":                {"GET http://169.254.169.254/latest HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "[404]", "garbage"},
		"an upgrade":                   {"GET /v1/messages HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade, close\r\n\r\n", "[404]", "garbage"},
		"a request without a token":    {strings.Replace(strings.Replace(valid, token, "x", 1), "Host", "Connection: close\r\nHost", 1), "[403]", "token"},
		"one request after another":    {valid + valid + strings.Replace(valid, "Host", "Connection: close\r\nHost", 1), "[200 200 200]", ""},
		"a request and noise":          {valid + "\x00\x01\r\n\r\n", "[200 400]", ""},
		"a request within another one": {header("Content-Length: 2") + "{}" + valid, "[200]", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, dial, end := serving(t, simple())
				defer end()
				if got := fmt.Sprint(exchange(dial(), test.said)); got != test.want {
					t.Errorf("the statuses are %s, want %s", got, test.want)
				}
				synctest.Wait()
				var seen []string
				for _, a := range e.evidence.Take(every) {
					seen = append(seen, a.What)
				}
				if got := strings.Join(seen, " "); got != test.seen {
					t.Errorf("it was seen to try %q, want %q", got, test.seen)
				}
				if got := exchange(dial(), strings.Replace(valid, "Host", "Connection: close\r\nHost", 1)); fmt.Sprint(got) != "[200]" {
					t.Errorf("afterwards a request is answered with %d", got)
				}
			})
		})
	}
}

func TestWhoeverIsSlowIsNotWaitedFor(t *testing.T) {
	for name, test := range map[string]struct {
		said string
		more string // again and again
		want time.Duration
	}{
		"silent":              {"", "", headerLimit},
		"a header that drips": {"POST /v1/messages HTTP/1.1\r\n", "X: y\r\n", headerLimit},
		"a body that drips":   {strings.Replace(valid, "Content-Length: 2", "Content-Length: 100000", 1), " ", requestLimit},
		"chunks that drip":    {strings.Replace(valid, "Content-Length: 2", "Transfer-Encoding: chunked", 1) + "", "1\r\n \r\n", requestLimit},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, dial, end := serving(t, simple())
				defer end()
				conn, began := dial(), time.Now()
				var talking sync.WaitGroup
				talking.Go(func() { // ends with the connection
					if test.more == "1\r\n \r\n" {
						test.said = strings.TrimSuffix(test.said, "{}")
					}
					_, err := io.WriteString(conn, test.said)
					for err == nil && test.more != "" {
						time.Sleep(time.Second)
						_, err = io.WriteString(conn, test.more)
					}
				})
				_, _ = io.Copy(io.Discard, conn)
				conn.Close()
				talking.Wait()
				if took := time.Since(began).Round(time.Second); took < test.want || took > test.want+2*time.Second {
					t.Errorf("it was waited for %v, want %v", took, test.want)
				}
			})
		})
	}
}

func TestAnAgentThatFloodsItsGatewayWaitsForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, dial, end := serving(t, simple())
		defer end()
		var silent []net.Conn
		for range maxConnections {
			silent = append(silent, dial())
		}
		answered := make(chan time.Time, 1)
		began := time.Now()
		go func() {
			exchange(dial(), strings.Replace(valid, "Host", "Connection: close\r\nHost", 1))
			answered <- time.Now()
		}()
		if took := (<-answered).Sub(began); took != headerLimit {
			t.Errorf("behind silent connections a request is answered after %v", took)
		}
		for _, conn := range silent {
			conn.Close()
		}
		if seen := e.evidence.Take(every); len(seen) != 1 || seen[0].What != tamper.Requests {
			t.Errorf("seen is %+v", seen)
		}

		began = time.Now()
		const calls = 1000
		var said sync.WaitGroup
		for range calls {
			conn := dial()
			said.Go(func() { exchange(conn, "\x00\r\n\r\n") })
		}
		said.Wait()
		if least := time.Duration(calls-300) * time.Second / 16; time.Since(began) < least {
			t.Errorf("%d calls took %v, want at least %v", calls, time.Since(began), least)
		}
	})
}

func TestOneLargeRequestOfAnAgentIsInMemoryAtATime(t *testing.T) {
	var inside, most atomic.Int64
	g := &Gateway{Upstream: roundTrip(func(r *http.Request) (*http.Response, error) {
		n := inside.Add(1)
		defer inside.Add(-1)
		for {
			if was := most.Load(); n <= was || most.CompareAndSwap(was, n) {
				break
			}
		}
		time.Sleep(10 * time.Millisecond)
		return answer(r, "{}")
	})}
	_, client := open(t, g, "a")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	large := strings.Repeat(" ", 8<<20)
	var asking sync.WaitGroup
	for range 16 {
		asking.Go(func() {
			resp, err := ask(t.Context(), client, messagesPath, large)
			if got := read(t, resp, err); got != "{}" {
				t.Errorf("answered %q", got)
			}
		})
	}
	asking.Wait()
	runtime.ReadMemStats(&after)
	if most.Load() != 1 {
		t.Errorf("%d large requests were upstream at once", most.Load())
	}
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 160<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

func TestAnEndlessBodyIsRefused(t *testing.T) {
	e, client := open(t, &Gateway{Upstream: roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("it went upstream") })}, "a")
	e.log = slog.New(slog.DiscardHandler)
	var sent atomic.Int64
	chunk := bytes.Repeat([]byte(" "), 64<<10)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://gateway"+messagesPath, io.NopCloser(readerFunc(func(b []byte) (int, error) {
		n := copy(b, chunk)
		sent.Add(int64(n))
		return n, nil
	})))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(r)
	if err == nil {
		if got := errorType(t, read(t, resp, nil)); got != "request_too_large" {
			t.Errorf("the error is %s", got)
		}
	}
	if sent.Load() > maxSmall+8<<20 {
		t.Errorf("%d bytes were read", sent.Load())
	}
}

func TestTheServerComplainsOfAnAgentOnlySoOften(t *testing.T) {
	var log logBuffer
	c := complaints{to: slog.NewLogLogger(log.logger().Handler(), slog.LevelWarn)}
	for range 1000 {
		fmt.Fprintln(&c, "http: what a request")
	}
	if n := strings.Count(log.String(), "what a request"); n != maxComplaints {
		t.Errorf("%d complaints are logged", n)
	}
}

func TestACassetteHasAnEnd(t *testing.T) {
	tape, err := openTape(t.TempDir(), "a", "/r")
	if err != nil {
		t.Fatal(err)
	}
	defer tape.file.Close()
	if err := tape.add([]byte("{}"), Exchange{}); err != nil {
		t.Error(err)
	}
	tape.size = maxTape - 1
	if err := tape.add([]byte("{}"), Exchange{}); err == nil {
		t.Error("it goes on for ever")
	}
}

// FuzzDoor says anything to the server of an endpoint. It must be done with it, and answer the next request.
func FuzzDoor(f *testing.F) {
	for _, said := range []string{
		valid, valid + valid, strings.Replace(valid, "Content-Length: 2", "Transfer-Encoding: chunked", 1), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"POST /v1/messages HTTP/1.1\r\nHost: x\r\nX-Api-Key: " + token + "\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", "GET /?a;b HTTP/1.0\r\n\r\n", "\x16\x03\x01",
	} {
		f.Add([]byte(said))
	}
	e, dial, end := serving(f, simple())
	f.Cleanup(end)
	e.pace = tamper.Pace{} // else it would take as long as it should
	f.Fuzz(func(t *testing.T, said []byte) {
		conn := dial()
		go func() { // ends with the connection
			_, _ = conn.Write(said)
			_ = conn.Close()
		}()
		_, _ = io.Copy(io.Discard, conn)
		if got := exchange(dial(), strings.Replace(valid, "Host", "Connection: close\r\nHost", 1)); fmt.Sprint(got) != "[200]" {
			t.Errorf("afterwards a request is answered with %d", got)
		}
		for _, seen := range e.evidence.Take(every) {
			if len([]rune(seen.Sample)) > 210 {
				t.Errorf("seen is %+v", seen)
			}
		}
	})
}
