package gateway

import (
	"bytes"
	"encoding/json"
)

// members returns the members of a JSON object, each as it is written there; of a key that is there twice the last one counts. It is quick,
// for what is large in a request need not be understood: of what is no JSON it may return anything, or say that it is none.
func members(doc []byte) (found map[string]json.RawMessage, ok bool) {
	found = make(map[string]json.RawMessage)
	rest, ok := after(doc, '{')
	if end, empty := after(rest, '}'); ok && empty {
		return found, len(blank(end)) == 0
	}
	for ok {
		rest = blank(rest)
		n := valueEnd(rest)
		var key string
		if n == 0 || json.Unmarshal(rest[:n], &key) != nil {
			return nil, false
		}
		if rest, ok = after(rest[n:], ':'); !ok {
			return nil, false
		}
		rest = blank(rest)
		if n = valueEnd(rest); n == 0 {
			return nil, false
		}
		found[key], rest = rest[:n], rest[n:]
		if end, last := after(rest, '}'); last {
			return found, len(blank(end)) == 0
		}
		rest, ok = after(rest, ',')
	}
	return nil, false
}

// blank returns a text without the white space that it begins with.
func blank(text []byte) []byte { return bytes.TrimLeft(text, " \t\r\n") }

// after returns what follows a character with which a text begins, but for white space.
func after(text []byte, c byte) (rest []byte, ok bool) {
	text = blank(text)
	if len(text) == 0 || text[0] != c {
		return text, false
	}
	return text[1:], true
}

// valueEnd returns the length of the JSON value that a text begins with; 0 if there is none.
func valueEnd(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			n := stringEnd(text[i:])
			if n == 0 {
				return 0
			}
			if i += n - 1; depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // of the object around a number
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return 0
}

// stringEnd returns the length of the JSON string that a text begins with; 0 if it has no end.
func stringEnd(text []byte) int {
	for end := 1; ; {
		n := bytes.IndexByte(text[end:], '"')
		if n < 0 {
			return 0
		}
		end += n + 1
		escapes := 0
		for k := end - 2; k > 0 && text[k] == '\\'; k-- {
			escapes++
		}
		if escapes%2 == 0 {
			return end
		}
	}
}
