package gateway

import (
	"bytes"
	"encoding/json"
	"sync"
	"time"
)

// How long the API's prompt cache remembers a prefix after it was last used: most often, and where a request pays for more.
const (
	shortCache = 5 * time.Minute
	longCache  = time.Hour
)

// A Caching is how well the requests of an agent to POST /v1/messages suit the API's prompt cache, which knows the beginning of a prompt again if
// it is byte for byte what it was, and forgets it after a while. A prompt is what a request has as its model, its tools, its system prompt and its
// messages, in this order; where it asks for the cache is no part of it. Each is compared with the one before.
type Caching struct {
	Requests int64 // that had one before
	Bytes    int64 // of their prompts
	Before   int64 // bytes of the prompts before them
	Repeated int64 // bytes with which they begin as those did
	// Changed is what of a prompt changed the last time that it did not begin with all of the one before: "model", "tools", "system" or
	// "messages"; empty: it always did.
	Changed string
	Over5m  int64         // requests that came so long after the one before them that the cache had forgotten it
	Over1h  int64         // of those, requests that came more than an hour after
	Longest time.Duration // between the beginnings of two requests
}

// Share returns the share of the requests' bytes that repeat the request before; 0 if there are none.
func (c Caching) Share() float64 { return ratio(c.Repeated, c.Bytes) }

// Kept returns the share of the bytes of a request with which the next one begins; 1 is what a cache wants; 0 if there are none.
func (c Caching) Kept() float64 { return ratio(c.Repeated, c.Before) }

func ratio(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// A prefix compares the requests of an agent. It is safe for use by several goroutines; its zero value has seen none.
type prefix struct {
	mu   sync.Mutex
	sum  Caching
	last []byte    // prompt
	at   time.Time // when it came
}

// see takes the body of the next request.
func (p *prefix) see(body []byte, now time.Time) {
	prompt, parts := promptOf(body)
	if prompt == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last != nil {
		n := commonPrefix(p.last, prompt)
		p.sum.Requests++
		p.sum.Bytes += int64(len(prompt))
		p.sum.Before += int64(len(p.last))
		p.sum.Repeated += int64(n)
		if n < len(p.last) {
			p.sum.Changed = parts.at(n)
		}
		gap := now.Sub(p.at)
		p.sum.Longest = max(p.sum.Longest, gap)
		if gap > shortCache {
			p.sum.Over5m++
		}
		if gap > longCache {
			p.sum.Over1h++
		}
	}
	p.last, p.at = prompt, now
}

func (p *prefix) get() Caching {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sum
}

// promptParts are where the parts of a prompt end.
type promptParts struct{ model, tools, system int }

func (p promptParts) at(i int) string {
	switch {
	case i < p.model:
		return "model"
	case i < p.tools:
		return "tools"
	case i < p.system:
		return "system"
	}
	return "messages"
}

// promptOf returns the prompt of a request; nil if it is none.
func promptOf(body []byte) ([]byte, promptParts) {
	in, ok := members(body)
	if !ok || in["messages"] == nil {
		return nil, promptParts{}
	}
	prompt := make([]byte, 0, len(body))
	var parts promptParts
	add := func(raw json.RawMessage) int {
		prompt = appendUnmarked(prompt, raw)
		return len(prompt)
	}
	parts.model, parts.tools, parts.system = add(in["model"]), add(in["tools"]), add(in["system"])
	add(bytes.TrimSuffix(in["messages"], []byte("]"))) // so that it can go on
	return prompt, parts
}

// appendUnmarked appends a part of a request without what asks for the cache in it, which moves on with the conversation.
func appendUnmarked(prompt, part []byte) []byte {
	for {
		before, mark, found := bytes.Cut(part, []byte(`"cache_control":{`))
		_, after, ends := bytes.Cut(mark, []byte("}"))
		if !found || !ends {
			return append(prompt, part...)
		}
		if trimmed, ok := bytes.CutSuffix(before, []byte(",")); ok {
			before = trimmed
		} else {
			after = bytes.TrimPrefix(after, []byte(","))
		}
		prompt, part = append(prompt, before...), after
	}
}
