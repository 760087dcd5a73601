package claude

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
)

// FuzzConversation lets a child say MCP messages, one in a line, to the server that it would talk to. It must get no answer to what it has
// not asked, and none twice, and nothing that it says may come through as an action that is none.
func FuzzConversation(f *testing.F) {
	const hello = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},` +
		`"clientInfo":{"name":"x","version":"1"}}}` + "\n" + `{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n"
	const act = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"act","arguments":{"action":"fish","args":{"tons":10}},` +
		`"_meta":{"claudecode/toolUseId":"t1"}}}` + "\n"
	f.Add([]byte(hello + `{"jsonrpc":"2.0","id":1,"method":"tools/list"}` + "\n" + act))
	f.Add([]byte(hello + act + act))
	f.Add([]byte(act + hello))
	f.Add([]byte(hello + hello))
	f.Add([]byte(hello + `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}` + "\n" + act))
	f.Add([]byte(hello + strings.ReplaceAll(act, `"act"`, `"none"`) + strings.ReplaceAll(act, `"id":1`, `"id":"one"`)))
	f.Add([]byte(hello + strings.ReplaceAll(act, `{"tons":10}`, `[]`) + strings.ReplaceAll(act, `"t1"`, `7`)))
	f.Add([]byte(`{"jsonrpc":"2.0","id":7,"result":{}}` + "\n" + `{"jsonrpc":"1.0","id":7}` + "\n[]\nnull\n" + `{"id":null,"method":""}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		asked := 0
		var lines bytes.Buffer
		for line := range bytes.Lines(raw) {
			if line = bytes.TrimSpace(line); json.Valid(line) {
				fmt.Fprintf(&lines, `{"type":"control_request","request_id":"%d","request":{"subtype":"mcp_message","message":%s}}`+"\n", asked, line)
				asked++
			}
		}
		answered := make([]int, asked)
		for _, id := range converse(t, &lines) {
			var n int
			if _, err := fmt.Sscan(id, &n); err != nil || n < 0 || n >= asked {
				t.Fatalf("an answer to %q, of %d requests", id, asked)
			}
			if answered[n]++; answered[n] > 1 {
				t.Fatalf("request %d has two answers", n)
			}
		}
	})
}

// converse runs a server on the lines of a child to their end, and returns the ids of the requests that it has answered.
func converse(t *testing.T, lines *bytes.Buffer) (answered []string) {
	t.Helper()
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	s := newStream(out, lines)
	link := newTransport(s)
	take := func(_ context.Context, _ string, action world.Action) (string, error) {
		if action.Name == "" || len(action.Args) > 0 && !json.Valid(action.Args) {
			t.Errorf("it has taken the action %+v", action)
		}
		return "seen", nil
	}
	server, err := newServer("test", take).Connect(t.Context(), link, nil)
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() { // ends when all lines are read
		read <- s.read(func(in inbound) { link.deliver(in.RequestID, in.Request.Message) })
		_ = link.Close()
		_ = server.Close() // says what the child got wrong
		_ = out.Close()    // ends the answers
	}()
	for answers := bufio.NewScanner(in); answers.Scan(); {
		var line struct {
			Type     string
			Response controlResponse
		}
		if err := json.Unmarshal(answers.Bytes(), &line); err != nil {
			t.Errorf("an answer that is no JSON: %q", answers.Bytes())
		}
		var answer struct {
			MCP json.RawMessage `json:"mcp_response"`
		}
		if line.Type != "control_response" || json.Unmarshal(line.Response.Response, &answer) != nil || len(answer.MCP) == 0 {
			t.Errorf("the answer %s", answers.Bytes())
		}
		answered = append(answered, line.Response.RequestID)
	}
	if err := <-read; err != nil {
		t.Error(err)
	}
	return answered
}
