package web

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/vitrine-sim/vitrine/viewer"
	"github.com/vitrine-sim/vitrine/world"
)

func TestOnlyThisMachinesBrowserWithTheTokenIsLetIn(t *testing.T) {
	run, _ := newRun(t, 1)
	s := open(t, run)
	other := strings.Repeat("A", len(s.token))
	tests := []struct {
		name, method, path, host, origin string
		want                             int
	}{
		{"the page", "GET", "/" + s.token + "/", "", "", 200},
		{"the page by another name of the loopback", "GET", "/" + s.token + "/", "localhost:1234", "", 200},
		{"the page by IPv6", "GET", "/" + s.token + "/api/run", "[::1]", "", 200},
		{"a name that was rebound", "GET", "/" + s.token + "/", "evil.example", "", 403},
		{"a name that was rebound, with a port", "GET", "/" + s.token + "/api/run", "evil.example:80", "", 403},
		{"a name that begins like the loopback's", "GET", "/" + s.token + "/", "127.0.0.1.evil.example", "", 403},
		{"another page", "GET", "/" + s.token + "/api/run", "", "http://evil.example", 403},
		{"a page of another port", "GET", "/" + s.token + "/api/run", "", "http://127.0.0.1:1", 403},
		{"no token", "GET", "/", "", "", 404},
		{"no token, but what it guards", "GET", "/api/run", "", "", 404},
		{"another token", "GET", "/" + other + "/api/run", "", "", 404},
		{"a part of the token", "GET", "/" + s.token[:20] + "/api/run", "", "", 404},
		{"the token in small letters", "GET", "/" + strings.ToLower(s.token) + "/api/run", "", "", 404},
		{"a file of the machine", "GET", "/" + s.token + "/../../../../etc/passwd", "", "", 404},
		{"a file of the machine, encoded", "GET", "/" + s.token + "/%2e%2e/%2e%2e/etc/passwd", "", "", 404},
		{"a file of the run", "GET", "/" + s.token + "/events.jsonl", "", "", 404},
		{"source", "GET", "/" + s.token + "/web.go", "", "", 404},
		{"deletion", "DELETE", "/" + s.token + "/api/run", "", "", 405},
		{"posting to what only answers", "POST", "/" + s.token + "/api/run", "", "http://" + s.host, 405},
		{"control where nobody may", "POST", "/" + s.token + "/api/control", "", "http://" + s.host, 403},
		{"a turn that is no number", "GET", "/" + s.token + "/api/state?turn=x", "", "", 400},
		{"a turn beyond the end", "GET", "/" + s.token + "/api/state?turn=99", "", "", 404},
		{"a turn before the beginning", "GET", "/" + s.token + "/api/frame?turn=-1", "", "", 404},
		{"an event of another turn", "GET", "/" + s.token + "/api/state?turn=0&seq=999", "", "", 404},
		{"an agent that is none", "GET", "/" + s.token + "/api/agent?name=../../etc", "", "", 404},
	}
	for _, tt := range tests {
		answer, body := plainly(t, s, tt.method, tt.path, tt.host, tt.origin, "")
		if answer.StatusCode != tt.want {
			t.Errorf("%s: %s, want %d", tt.name, answer.Status, tt.want)
		}
		h := answer.Header
		if h.Get("Content-Security-Policy") != policy+"'none'" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: headers %v", tt.name, h)
		}
		if strings.Contains(body, "root:") || tt.want != 200 && strings.Contains(body, s.token) {
			t.Errorf("%s: tells %q", tt.name, body)
		}
	}
}

// plainly sends a request as it is, with nothing mended on its way.
func plainly(t *testing.T, s *Server, method, path, host, origin, more string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if host == "" {
		host = s.host
	}
	if origin != "" {
		origin = "Origin: " + origin + "\r\n"
	}
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s%s\r\n", method, path, host, origin, more)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

func TestItListensOnTheLoopbackInterfaceOnly(t *testing.T) {
	run, _ := newRun(t, 1)
	s := open(t, run)
	_, port, err := net.SplitHostPort(s.host)
	if err != nil {
		t.Fatal(err)
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		ip, ok := address.(*net.IPNet)
		if !ok || ip.IP.IsLoopback() || ip.IP.IsLinkLocalUnicast() {
			continue
		}
		if conn, err := net.DialTimeout("tcp", net.JoinHostPort(ip.IP.String(), port), time.Second); err == nil {
			conn.Close()
			t.Errorf("it listens on %s too", ip.IP)
		}
	}
	other, _ := newRun(t, 1)
	if first, second := open(t, other).token, s.token; first == second || len(first) < 26 {
		t.Errorf("runs with tokens %s and %s", first, second)
	}
}

func TestControlNeedsThePage(t *testing.T) {
	run, _ := newRun(t, 1)
	var done []Command
	run.Control = func(_ context.Context, c Command) (string, error) {
		done = append(done, c)
		return "", nil
	}
	s := open(t, run)
	same := "http://" + s.host
	for _, tt := range []struct {
		name, origin, header, body string
		want                       int
	}{
		{"a form of another page", "http://evil.example", "Content-Type: text/plain\r\n", `{"do":"stop"}`, 403},
		{"no page", "", "X-Vitrine: 1\r\n", `{"do":"stop"}`, 403},
		{"a sandboxed page", "null", "X-Vitrine: 1\r\n", `{"do":"stop"}`, 403},
		{"without the header", same, "", `{"do":"stop"}`, 403},
		{"too much", same, "X-Vitrine: 1\r\n", `{"do":"tell","text":"` + strings.Repeat("x", mostCommand) + `"}`, 400},
		{"the page", same, "X-Vitrine: 1\r\n", `{"do":"pause"}`, 200},
	} {
		header := fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", tt.header, len(tt.body), tt.body)
		answer, _ := plainly(t, s, "POST", "/"+s.token+"/api/control", "", tt.origin, header)
		if answer.StatusCode != tt.want {
			t.Errorf("%s: %s, want %d", tt.name, answer.Status, tt.want)
		}
	}
	if len(done) != 1 || done[0].Do != DoPause {
		t.Errorf("done: %+v", done)
	}
}

func TestAHeaderThatNeverEndsIsCutOff(t *testing.T) {
	run, _ := newRun(t, 1)
	s := open(t, run)
	conn, err := net.Dial("tcp", s.host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /%s/ HTTP/1.1\r\nHost: %s\r\n", s.token, s.host)
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(conn); err != nil {
		t.Error(err)
	}
	long := "X: " + strings.Repeat("x", 64<<10) + "\r\n"
	if answer, _ := plainly(t, s, "GET", "/"+s.token+"/", "", "", long); answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of 64 kB: %s", answer.Status)
	}
}

// evil is what an agent could write to do harm where it is shown.
const evil = "<img src=x onerror=alert(1)></script>\x1b[31mred\x1b]0;title\x07\x1b]8;;http://evil.example\x1b\\link\u009b5mC1\u202eright to left\x00\x7f\r\nend\ttab"

func TestWhatAgentsWriteIsTextAndNothingElse(t *testing.T) {
	run, store := newRun(t, 1)
	raw := world.JSON(map[string]any{"text": evil, evil: []string{evil}})
	commit(t, store,
		world.Event{Kind: viewer.KindMessage, Agent: "ann", Data: raw, Proc: raw},
		world.Event{Kind: viewer.KindAction, Agent: "ann", Data: world.JSON(map[string]any{"name": evil, "args": evil}), Set: map[string]json.RawMessage{"said/ann" + evil: raw}},
		world.Action{Agent: "ann", Name: evil}.Refuse(evil),
		world.Event{Kind: evil, Agent: evil, Del: []string{evil}})
	run.About.Name, run.About.Description, run.About.Notes, run.About.Agents[1].Role = evil, evil, []string{evil}, evil
	run.Transcript = func(string) ([]Entry, error) {
		return []Entry{{Turn: 1, Kind: "text", Name: evil, Text: evil + "\xff\xfe"}}, nil
	}
	run.Observe = func(world.State, string) (world.Observation, error) {
		return world.Observation{View: raw, Actions: []world.ActionSpec{{Name: evil, Description: evil, Schema: raw}}}, nil
	}
	s := open(t, run)
	whole(t, s)
	for _, path := range []string{
		"run", "turns", "state", "diff", "steps", "events", "events?q=title&order=desc", "agents", "agent?name=ann", "transcript?name=ann",
	} {
		answer, body := ask(t, s, "api/"+path)
		if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s, %s", path, answer.Status, answer.Header.Get("Content-Type"))
		}
		if strings.Contains(string(body), "<img") {
			t.Errorf("%s has HTML in it: %s", path, body)
		}
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		harmless(t, path, v)
	}
	c := &client{t: t, seq: 0}
	c.connect(s)
	commit(t, store, world.Event{Kind: viewer.KindMessage, Agent: "ann", Data: world.JSON(map[string]string{"text": evil})})
	for len(c.seqs) == 0 {
		m := c.read()
		for _, text := range m.Events {
			var v any
			if err := json.Unmarshal(text, &v); err != nil {
				t.Fatal(err)
			}
			harmless(t, "the socket", v)
			c.seqs = append(c.seqs, 1)
		}
	}
	if got := clean(evil); got != "<img src=x onerror=alert(1)></script>redlinkC1right to left\nend\ttab" {
		t.Errorf("cleaned: %q", got)
	}
}

func TestTextForThePageIsSeenAsAgentsReadIt(t *testing.T) {
	for _, c := range []struct{ what, text, want string }{
		{"text", "caf\u00e9 \u65e5\u672c e\u0301\nnext\tcell", "caf\u00e9 \u65e5\u672c e\u0301\nnext\tcell"},
		{"joined", "\U0001f469\u200d\U0001f680 \u0645\u06cc\u200c\u062e", "\U0001f469\u200d\U0001f680 \u0645\u06cc\u200c\u062e"},
		{"escape sequences", "\x1b[31mred\x1b[0m \x1b(Bset \x1b]0;title\alink", "red set link"},
		{"those of one character", "\u009b31mred \u009d0;title\u009clink", "red link"},
		{"one that nothing ends", "I vote\x1b]for bob", "I votefor bob"},
		{"one of one character that nothing ends", "I vote\u0090for bob\n", "I votefor bob\n"},
		{"controls", "a\x00\a\b\r\v\x7f\u0085b", "ab"},
		{"turning the direction", "a\u202eb\u202cc\u2066d\u2069e", "abcde"},
		{"no UTF-8", "a\xffb", "a\ufffdb"},
	} {
		if got := clean(c.text); got != c.want {
			t.Errorf("%s: %q becomes %q, want %q", c.what, c.text, got, c.want)
		}
	}
}

// harmless demands that no text in a value, nor a key, has a control character.
func harmless(t *testing.T, where string, v any) {
	t.Helper()
	switch v := v.(type) {
	case string:
		if i := strings.IndexFunc(v, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' || r == 0x202e }); i >= 0 {
			t.Errorf("%s has a control character: %q", where, v)
		}
		if strings.Contains(v, "[31m") || strings.Contains(v, "evil.example") {
			t.Errorf("%s has a part of an escape sequence: %q", where, v)
		}
	case []any:
		for _, e := range v {
			harmless(t, where, e)
		}
	case map[string]any:
		for key, e := range v {
			harmless(t, where, key)
			harmless(t, where, e)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add(evil)
	f.Add("\x1b\x1b[[0m\xff")
	f.Fuzz(func(t *testing.T, text string) {
		harmlessly := clean(text)
		for _, r := range harmlessly {
			if isUnwanted(r) {
				t.Errorf("%q becomes %q", text, harmlessly)
			}
		}
		if again := clean(harmlessly); again != harmlessly {
			t.Errorf("%q becomes %q, and that %q", text, harmlessly, again)
		}
		if raw := cleanJSON(world.JSON(strings.ToValidUTF8(text, "?"))); !json.Valid(raw) {
			t.Errorf("%q becomes %q", text, raw)
		}
	})
}

func TestThereAreOnlySoManyConnectionsAtATime(t *testing.T) {
	run, _ := newRun(t, 1)
	s := open(t, run)
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", s.host)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	var idle []net.Conn
	for range mostConnections { // those that say nothing at all are soon closed
		conn := dial()
		fmt.Fprintf(conn, "HEAD /%s/header.js HTTP/1.1\r\nHost: %s\r\n\r\n", s.token, s.host)
		if answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodHead}); err != nil || answer.Close {
			t.Fatalf("the answer is %+v, %v", answer, err)
		}
		idle = append(idle, conn)
	}
	conn := dial()
	fmt.Fprintf(conn, "GET /%s/ HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", s.token, s.host)
	first := make([]byte, 1)
	_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := conn.Read(first); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("one more is answered while there is no room:", err)
	}
	idle[0].Close()
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := conn.Read(first); err != nil {
		t.Error("it is not answered when there is room:", err)
	}
}

func TestOneFileIsMadeAtATime(t *testing.T) {
	run, _ := newRun(t, 1)
	for i := range mostAnswers / 2 { // so that a file is refused, and no painter needed for one
		run.About.Agents = append(run.About.Agents, Agent{Agent: viewer.Agent{Name: strconv.Itoa(i)}})
	}
	s := open(t, run)
	done, err := s.filing.pass(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan int)
	const many = 3
	for range many {
		go func() { // ends with its answer
			answer, _ := ask(t, s, "api/file")
			answers <- answer.StatusCode
		}()
	}
	waiting, stacks := regexp.MustCompile(`turnstile\.pass\(.*\n.*\n.*Server\)\.apiFile\(`), make([]byte, 1<<20)
	for len(waiting.FindAll(stacks[:runtime.Stack(stacks, true)], -1)) < many {
		select {
		case code := <-answers:
			t.Fatalf("there is an answer, %d, while another file is made", code)
		default:
			runtime.Gosched()
		}
	}
	done()
	for range many {
		if code := <-answers; code != http.StatusRequestEntityTooLarge {
			t.Errorf("the answer is %d", code)
		}
	}
}

func TestStrangersHoldNoConnection(t *testing.T) {
	run, _ := newRun(t, 1)
	s := open(t, run)
	for path, isKept := range map[string]bool{s.URL(): true, "http://" + s.host + "/": false, "http://" + s.host + "/" + strings.Repeat("A", len(s.token)) + "/api/run": false} {
		answer, err := http.Get(path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.Close == isKept {
			t.Errorf("%s: the connection is closed: %t", path, answer.Close)
		}
	}
}

func TestOtherUsersOfTheMachineAreRefused(t *testing.T) {
	if runtime.GOOS == "linux" { // elsewhere nobody tells
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		from, to := conn.LocalAddr().(*net.TCPAddr), conn.RemoteAddr().(*net.TCPAddr)
		if user, ok := userOf(from, to); !ok || user != os.Geteuid() {
			t.Errorf("the socket from %s to %s is of user %d, %t", from, to, user, ok)
		}
		to.Port = 1
		if user, ok := userOf(from, to); ok {
			t.Errorf("of a socket that there is not the user is %d", user)
		}
	}
	run, _ := newRun(t, 1)
	s := open(t, run)
	for _, isForeign := range []bool{false, true} {
		r := httptest.NewRequest(http.MethodGet, s.URL(), nil)
		r = r.WithContext(context.WithValue(r.Context(), foreignKey{}, func() bool { return isForeign }))
		w := httptest.NewRecorder()
		if s.http.Handler.ServeHTTP(w, r); (w.Code == http.StatusForbidden) != isForeign {
			t.Errorf("another user's %t: %d", isForeign, w.Code)
		}
	}
}
