package gateway

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// An asked is what the gateway knows of a request before it goes upstream.
type asked struct {
	model     string // empty: it says none
	stream    bool
	body      []byte
	hash      [sha256.Size]byte // of the body
	terms     [sha256.Size]byte // of all in the body but what can be told by its bytes
	thoughts  int64             // bytes of earlier thoughts, which the API leaves out of some requests and not of others
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
	plain := spelled(body)
	keys, ok := members(plain)
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
	bounded := e.account.limit.bounds() || e.gateway.Budget.bounds()
	if bounded {
		a.unbounded = cmp.Or(serverSide(keys, tools), a.unbounded)
	}
	a.terms, a.thoughts = terms(keys), thoughts(keys["messages"])
	var in int64
	if bounded && e.gateway.Offline {
		in = promptTokens(body)
	} else {
		in = e.inputBound(a)
	}
	switch { // what is to be cached is in the request; the API's own words for it
	case !bytes.Contains(plain, []byte(`"cache_control"`)):
		a.worst.Input = in
	case bytes.Contains(plain, []byte(`"1h"`)):
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
	var speed string
	if _ = json.Unmarshal(keys["speed"], &speed); speed != "" && speed != "standard" {
		return fmt.Sprintf("nobody knows what the speed %.40q costs", speed)
	}
	if bytes.Contains(keys["context_management"], []byte(`"compact`)) {
		return "nobody knows beforehand what the model endpoint uses to make a conversation shorter"
	}
	named := bytes.Contains(keys["messages"], []byte(`"url"`)) || bytes.Contains(keys["messages"], []byte(`"file"`)) // is quicker
	if named && elsewhere.Match(keys["messages"]) {
		return "nobody knows beforehand how large a document is that the request only names"
	}
	return ""
}

// anOtherwiseWritten letter, digit, or underscore is one that JSON needs not write like this.
var anOtherwiseWritten = regexp.MustCompile(`\\u00(3[0-9]|[46][1-9a-fA-F]|[57][0-9aA]|5[fF])`)

// spelled returns a request in which words are written in their letters, so that they are found.
func spelled(body []byte) []byte {
	if !bytes.Contains(body, []byte(`\u00`)) { // is quicker
		return body
	}
	return anOtherwiseWritten.ReplaceAllFunc(body, func(escape []byte) []byte {
		letter, err := hex.DecodeString(string(escape[4:]))
		if err != nil {
			return escape
		}
		return letter
	})
}

// terms returns a sum over what a request wants besides to have a text answered. Of two that differ in it nobody can tell by their bytes how
// the numbers of their tokens differ: another model has other tokens, and a tool is more than its name.
func terms(keys map[string]json.RawMessage) (sum [sha256.Size]byte) {
	all := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		switch key {
		case "messages", "system", "max_tokens", "metadata", "stream", "temperature", "top_p", "top_k", "stop_sequences":
		default:
			fmt.Fprintf(all, "%q:%d:", key, len(keys[key]))
			all.Write(keys[key])
		}
	}
	return [sha256.Size]byte(all.Sum(nil))
}

// thoughts returns how many bytes of messages are thoughts of the model.
func thoughts(messages json.RawMessage) int64 {
	if !bytes.Contains(messages, []byte(`thinking"`)) {
		return 0
	}
	var all []struct{ Content json.RawMessage }
	if json.Unmarshal(messages, &all) != nil {
		return int64(len(messages))
	}
	var sum int64
	for _, m := range all {
		var blocks []json.RawMessage // none where the content is text
		_ = json.Unmarshal(m.Content, &blocks)
		for _, raw := range blocks {
			if bytes.Contains(raw, []byte(`thinking"`)) {
				sum += int64(len(raw))
			}
		}
	}
	return sum
}

// inputBound returns how many tokens a request can hold at most.
func (e *Endpoint) inputBound(a asked) int64 {
	e.gateway.books.mu.Lock()
	defer e.gateway.books.mu.Unlock()
	most := int64(len(a.body)) + hidden
	for _, last := range e.last {
		const seams = 64 // tokens that may come out otherwise where bytes that both have meet others
		if last.terms == a.terms {
			most = min(most, last.in+a.thoughts+int64(len(a.body)-common(last.body, a.body))+seams)
		}
	}
	return most
}

// common returns how many bytes of b are a beginning or an end that a has as well.
func common(a, b []byte) int {
	front, back := commonPrefix(a, b), 0
	most := min(len(a), len(b)) - front
	for back < most && a[len(a)-1-back] == b[len(b)-1-back] {
		back++
	}
	return front + back
}

// A given is an answer that was given to a request.
type given struct {
	id   string            // of the message
	hash [sha256.Size]byte // of the request
}

// A measured is a request whose tokens are known.
type measured struct {
	body  []byte
	terms [sha256.Size]byte
	in    int64
}

// remembered is how many answers an endpoint knows again.
const remembered = 64

// remember keeps what an answer has used, in case that it comes again, and what the request held, for the bound of the next one. The lock is held.
func (e *Endpoint) remember(a asked, id string, used Tokens) {
	if used.In() == 0 {
		return
	}
	e.last = slices.DeleteFunc(e.last, func(l measured) bool { return l.terms == a.terms })
	const kinds = 2 // a conversation, and what Claude Code asks on the side
	e.last = append([]measured{{a.body, a.terms, used.In()}}, e.last[:min(len(e.last), kinds-1)]...)
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
