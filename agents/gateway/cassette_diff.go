package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// excerpt returns what stands around a byte of a text, on one line.
func excerpt(text []byte, at int) string {
	const before, after = 60, 100
	from, to := max(0, at-before), min(len(text), at+after)
	for from > 0 && !utf8.RuneStart(text[from]) {
		from--
	}
	for to < len(text) && !utf8.RuneStart(text[to]) {
		to++
	}
	out := oneLine(string(text[from:to]))
	if from > 0 {
		out = "..." + out
	}
	if to < len(text) {
		out += "..."
	}
	return out
}

// pathAt returns the dotted path of what stands at a byte of a JSON document, such as messages.2.content.0.text.
func pathAt(doc []byte, at int) string {
	type level struct {
		array bool
		key   string
		index int
		inKey bool // of an object: the next string is a key
	}
	var levels []level
	done := func() { // with a value
		if n := len(levels) - 1; n >= 0 {
			levels[n].index++
			levels[n].inKey = !levels[n].array
		}
	}
	path := func() string {
		var names []string
		for _, l := range levels {
			if l.array {
				names = append(names, strconv.Itoa(l.index))
			} else if l.key != "" {
				names = append(names, l.key)
			}
		}
		if len(names) == 0 {
			return "the body"
		}
		return strings.Join(names, ".")
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	for {
		token, err := dec.Token()
		if err != nil {
			return path()
		}
		n := len(levels) - 1
		if n >= 0 && levels[n].inKey && token != json.Delim('}') {
			levels[n].key, levels[n].inKey = fmt.Sprint(token), false
			continue
		}
		if dec.InputOffset() > int64(at) {
			return path()
		}
		switch token {
		case json.Delim('{'):
			levels = append(levels, level{inKey: true})
		case json.Delim('['):
			levels = append(levels, level{array: true})
		case json.Delim('}'), json.Delim(']'):
			levels = levels[:n]
			done()
		default:
			done()
		}
	}
}
