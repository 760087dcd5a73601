package gateway

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// An asked is what the gateway knows of a request before it goes upstream.
type asked struct {
	model     string // empty: it says none
	stream    bool
	body      []byte
	hash      [sha256.Size]byte // of the body
	worst     Tokens            // the most that it can use
	unbounded string            // why it can use more than that; empty: it cannot
}

// hidden is how many tokens more than bytes a request may hold: the API itself tells the model how to use tools.
const hidden = 4096

// maxOutput is the largest number of tokens of an answer that is believed.
const maxOutput = 1 << 24

// weigh reads a request. Keys are taken as they are written, unlike those of a struct.
func (e *Endpoint) weigh(body []byte) asked {
	a := asked{body: body, hash: sha256.Sum256(body)}
	var tools []map[string]json.RawMessage
	var most int64
	keys, ok := members(body)
	if !ok {
		a.unbounded = "the request is no JSON object"
	}
	_ = json.Unmarshal(keys["model"], &a.model) // what is wrong with a request is for the upstream to say
	_ = json.Unmarshal(keys["stream"], &a.stream)
	_ = json.Unmarshal(keys["max_tokens"], &most)
	_ = json.Unmarshal(keys["tools"], &tools)
	if most < 1 || most > maxOutput {
		a.unbounded = cmp.Or(a.unbounded, fmt.Sprintf("max_tokens is not from 1 to %d", maxOutput))
	}
	if e.account.limit.bounds() || e.gateway.Budget.bounds() {
		a.unbounded = cmp.Or(serverSide(keys, tools), a.unbounded)
	}
	in := e.inputBound(body)
	switch { // what is to be cached is in the request; the API's own words for it
	case !bytes.Contains(body, []byte(`"cache_control"`)):
		a.worst.Input = in
	case bytes.Contains(body, []byte(`"1h"`)):
		a.worst.CacheWrite1h = in
	default:
		a.worst.CacheWrite5m = in
	}
	a.worst.Output = min(max(most, 0), maxOutput)
	return a
}

// clientTool are the beginnings of the types of tools that run where the request comes from.
var clientTool = regexp.MustCompile(`^(custom$|bash_|text_editor_|computer_|memory_)`)

// elsewhere is a part of a request that is not in it.
var elsewhere = regexp.MustCompile(`"type"\s*:\s*"(url|file)"`)

// serverSide says what of a request makes the upstream add to it; empty: nothing does.
func serverSide(keys map[string]json.RawMessage, tools []map[string]json.RawMessage) string {
	for _, tool := range tools {
		var kind string
		if _ = json.Unmarshal(tool["type"], &kind); kind != "" && !clientTool.MatchString(kind) {
			return fmt.Sprintf("nobody knows beforehand what the tool %.40q of the model endpoint will use", kind)
		}
	}
	if servers := strings.TrimSpace(string(keys["mcp_servers"])); servers != "" && servers != "[]" && servers != "null" {
		return "nobody knows beforehand what MCP servers of the model endpoint will use"
	}
	named := bytes.Contains(keys["messages"], []byte(`"url"`)) || bytes.Contains(keys["messages"], []byte(`"file"`)) // is quicker
	if named && elsewhere.Match(keys["messages"]) {
		return "nobody knows beforehand how large a document is that the request only names"
	}
	return ""
}

// inputBound returns how many tokens a request can hold at most.
func (e *Endpoint) inputBound(body []byte) int64 {
	e.gateway.books.mu.Lock()
	defer e.gateway.books.mu.Unlock()
	most := int64(len(body)) + hidden
	if last := e.last; last.in > 0 {
		const seams = 64 // tokens that may come out otherwise where bytes that both have meet others
		most = min(most, last.in+int64(len(body)-common(last.body, body))+seams)
	}
	return most
}

// common returns how many bytes of b are a beginning or an end that a has as well.
func common(a, b []byte) int {
	n, front := min(len(a), len(b)), 0
	for front < n && a[front] == b[front] {
		front++
	}
	back := 0
	for back < n-front && a[len(a)-1-back] == b[len(b)-1-back] {
		back++
	}
	return front + back
}

// A given is an answer that was given to a request.
type given struct {
	id   string            // of the message
	hash [sha256.Size]byte // of the request
}

// remembered is how many answers an endpoint knows again.
const remembered = 64

// remember keeps what an answer has used, in case that it comes again, and what the request held, for the bound of the next one. The lock is held.
func (e *Endpoint) remember(a asked, id string, used Tokens) {
	if used.In() == 0 {
		return
	}
	e.last.body, e.last.in = a.body, used.In()
	if id == "" {
		return
	}
	key := given{id, a.hash}
	if _, known := e.answers[key]; !known {
		if e.order = append(e.order, key); len(e.order) > remembered {
			delete(e.answers, e.order[0])
			e.order = e.order[1:]
		}
	}
	e.answers[key] = used
}
