package gateway

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
)

// repeater returns the URL of an endpoint that gives one answer, word for word.
func repeater(t *testing.T, answer string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	t.Cleanup(func() { listener.Close(); <-served })
	go func() {
		defer close(served)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = conn.Read(make([]byte, 1<<16))
		fmt.Fprint(conn, answer)
	}()
	return "http://" + listener.Addr().String()
}

func TestNoAnswerTellsTheAgentAKeyThatTheEndpointRepeats(t *testing.T) {
	const corporate = `corp-"canary"&<1>`
	body := `{"error":{"message":"bad key ` + key + `, bad header corp-\"canary\"\u0026\u003c1\u003e or corp-\"canary\"&<1>, bad token tok-canary-1"}}`
	api, err := NewAPI(repeater(t, "HTTP/1.1 400 Bad "+key+"\r\nContent-Type: application/json\r\nX-Key: "+key+"\r\nX-Echo: Bearer tok-canary-1\r\n"+
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)), key, "tok-canary-1")
	if err != nil {
		t.Fatal(err)
	}
	defer api.transport.CloseIdleConnections()
	if err := api.AddHeader("X-Corp", corporate, true); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/messages", strings.NewReader("{}"))
	resp, err := api.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprint(resp.Status, resp.Header, string(got))
	if strings.Contains(all, key) || strings.Contains(all, "canary") {
		t.Errorf("the answer tells a secret: %s", all)
	}
	if len(got) != len(body) || !strings.HasPrefix(string(got), `{"error":{"message":"bad key `+strings.Repeat("*", len(key))+", bad header ") {
		t.Errorf("the answer %s became %s", body, got)
	}
}

func TestNoErrorTellsAKeyThatTheEndpointRepeats(t *testing.T) {
	api, err := NewAPI(repeater(t, key+" is refused\r\n\r\n"), key, "")
	if err != nil {
		t.Fatal(err)
	}
	defer api.transport.CloseIdleConnections()
	resp, err := api.RoundTrip(httptest.NewRequestWithContext(t.Context(), "POST", "/v1/messages", strings.NewReader("{}")))
	if err == nil {
		resp.Body.Close()
		t.Fatal("no error")
	}
	if !strings.Contains(err.Error(), "malformed") || strings.Contains(err.Error(), key) {
		t.Errorf("error %q", err)
	}
}

func TestAKeyIsHiddenHoweverTheAnswerIsCutInPieces(t *testing.T) {
	secrets := [][]byte{[]byte("sk-sk-canary"), []byte("********")}
	const (
		said = "sk-sk-sk-canary, sk-sk-can and ******** sk-sk-canarysk-sk-canary sk-sk"
		want = "sk-************, sk-sk-can and ******** ************************ sk-sk"
	)
	for size := 1; size <= len(said); size++ {
		for _, read := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.DataErrReader} {
			b := &hidingBody{ReadCloser: io.NopCloser(read(&piecewise{said, size})), secrets: secrets}
			var got bytes.Buffer
			if _, err := io.CopyBuffer(struct{ io.Writer }{&got}, b, make([]byte, 1+size/2)); err != nil || got.String() != want {
				t.Errorf("in pieces of %d: %q, %v", size, got.String(), err)
			}
		}
	}
}

// A piecewise is a text that is read in pieces of a size.
type piecewise struct {
	rest string
	size int
}

func (p *piecewise) Read(to []byte) (int, error) {
	if p.rest == "" {
		return 0, io.EOF
	}
	n := copy(to[:min(len(to), p.size)], p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func TestAnAnswerThatTellsNoKeyIsNotHeldBack(t *testing.T) {
	from, to := io.Pipe()
	defer to.Close()
	resp := &http.Response{Body: from}
	hideAnswer(resp, [][]byte{[]byte(key)})
	buffer := make([]byte, 100)
	for _, said := range []string{"event: ping\n\n", "event: message_stop\n\n"} {
		go func() { _, _ = to.Write([]byte(said)) }()
		if n, err := resp.Body.Read(buffer); err != nil || string(buffer[:n]) != said {
			t.Errorf("%q, %v, want %q", buffer[:n], err, said)
		}
	}
}
