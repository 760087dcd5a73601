package gateway

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"regexp"
	"sync"
	"time"
)

// A promptCache counts the tokens of requests as the API does that keeps their beginnings. What counts of a request is its tools, then its
// system prompt, then its messages, block by block. A block with "cache_control" is a mark: what stands up to it is written to the cache, for
// five minutes or an hour from its last use. A request reads the longest beginning that was written before and ends at a mark of
// its own, or at one of the twenty blocks before a mark. Beginnings of less than 1024 tokens are not kept. All agents have one cache, as keys of one
// organization do, and each model has its own.
type promptCache struct {
	mu   sync.Mutex
	kept map[[sha256.Size]byte]kept
	next int // size of kept at which those that are out of date are removed
}

// kept is how long the cache keeps a beginning.
type kept struct {
	until time.Time
	span  time.Duration
}

const (
	leastCached = 1024 // tokens
	lookBack    = 20   // blocks
	leastKept   = 1024 // entries of a cache that nobody looks through
)

// A promptBlock is a block of a request, with what stands before it.
type promptBlock struct {
	hash   [sha256.Size]byte // of the beginning of the request that ends with it
	tokens int64             // of that
	mark   time.Duration     // how long that shall be kept; 0: it is no mark
}

// A prompt is what counts of a request.
type prompt struct {
	Model    string
	Tools    []json.RawMessage
	System   blocks
	Messages []struct {
		Role    string
		Content blocks
	}
}

// blocks are a list of blocks; a plain string is one block of text.
type blocks []json.RawMessage

func (b *blocks) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		*b = blocks{append(append([]byte(`{"type":"text","text":`), raw...), '}')}
		return nil
	}
	return json.Unmarshal(raw, (*[]json.RawMessage)(b))
}

// promptBlocks returns the blocks of a request, whose body is JSON.
func promptBlocks(body []byte) []promptBlock {
	var p prompt
	if json.Unmarshal(body, &p) != nil {
		return nil
	}
	all := []promptBlock{{hash: sha256.Sum256([]byte(p.Model))}}
	add := func(role string, raw json.RawMessage) {
		before := all[len(all)-1]
		text, mark := withoutMark(raw)
		all = append(all, promptBlock{
			hash:   sha256.Sum256(bytes.Join([][]byte{before.hash[:], []byte(role), text}, []byte{0})),
			tokens: before.tokens + int64(tokens(len(text))),
			mark:   mark,
		})
	}
	for _, tool := range p.Tools {
		add("tool", tool)
	}
	for _, block := range p.System {
		add("system", block)
	}
	for _, m := range p.Messages {
		for _, block := range m.Content {
			add(m.Role, block)
		}
	}
	return all[1:]
}

// promptTokens returns how many tokens a request has, whose body is JSON.
func promptTokens(body []byte) int64 {
	if all := promptBlocks(body); len(all) > 0 {
		return all[len(all)-1].tokens
	}
	return 1
}

// Inside of a string the quotes would stand behind backslashes.
var cacheControl = regexp.MustCompile(`,?"cache_control":\{[^{}]*\}`)

// withoutMark returns a block without its mark, and for how long that wants to have it kept.
func withoutMark(block []byte) (text []byte, mark time.Duration) {
	found := cacheControl.Find(block)
	if found == nil {
		return block, 0
	}
	if bytes.Contains(found, []byte(`"1h"`)) {
		return cacheControl.ReplaceAll(block, nil), time.Hour
	}
	return cacheControl.ReplaceAll(block, nil), 5 * time.Minute
}

// use counts the tokens of a request that comes now, and keeps what it marks.
func (c *promptCache) use(all []promptBlock, now time.Time) Tokens {
	c.mu.Lock()
	defer c.mu.Unlock()
	var used Tokens
	read := -1 // last block that is in the cache
	for i, b := range all {
		if b.mark == 0 {
			continue
		}
		for k := i; k > max(read, i-lookBack-1); k-- {
			if entry, ok := c.kept[all[k].hash]; ok && now.Before(entry.until) {
				c.kept[all[k].hash] = kept{now.Add(entry.span), entry.span}
				read = k
			}
		}
	}
	if read >= 0 {
		used.CacheRead = all[read].tokens
	}
	done := used.CacheRead
	for _, b := range all[read+1:] {
		if b.mark == 0 || b.tokens < leastCached {
			continue
		}
		if c.keep(b, now); b.mark == time.Hour {
			used.CacheWrite1h += b.tokens - done
		} else {
			used.CacheWrite5m += b.tokens - done
		}
		done = b.tokens
	}
	if len(all) > 0 {
		used.Input = all[len(all)-1].tokens - done
	}
	return used
}

// keep keeps the beginning that ends with a block.
func (c *promptCache) keep(b promptBlock, now time.Time) {
	if c.kept == nil {
		c.kept = make(map[[sha256.Size]byte]kept)
	}
	if len(c.kept) >= max(c.next, leastKept) {
		for hash, entry := range c.kept {
			if !now.Before(entry.until) {
				delete(c.kept, hash)
			}
		}
		c.next = 2 * len(c.kept)
	}
	c.kept[b.hash] = kept{now.Add(b.mark), b.mark}
}
