package web

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// sequences are what terminals obey: CSI and OSC sequences and the like, begun by ESC or, in one character, by one of the C1 controls. Of one that nothing
// ends only the beginning goes: else it would hide all text that follows from whoever looks.
var sequences = regexp.MustCompile("(?:\x1b\\[|\u009b)[0-?]*[ -/]*[@-~]?|(?:\x1b[\\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])(?:[^\x07\x1b\u009c]*(?:\x07|\x1b\\\\|\u009c))?|\x1b[ -/]*[0-~]?")

// clean returns text without escape sequences and control characters, and without those that turn the direction of what follows; line breaks and tabs
// stay, and so do joiners and marks of no width, which some scripts and emoji need. What is not UTF-8 becomes U+FFFD.
func clean(text string) string {
	if isClean(text) {
		return text
	}
	text = strings.ToValidUTF8(text, "\ufffd")
	return strings.Map(func(r rune) rune {
		if isUnwanted(r) {
			return -1
		}
		return r
	}, sequences.ReplaceAllString(text, ""))
}

func isUnwanted(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

func isClean(text string) bool {
	for i := 0; i < len(text); i++ {
		if c := text[i]; c < ' ' && c != '\n' && c != '\t' || c >= 0x7f {
			return utf8.ValidString(text) && strings.IndexFunc(text[i:], isUnwanted) < 0
		}
	}
	return true
}

// cleanJSON returns JSON with clean strings. What is no JSON becomes null.
func cleanJSON(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 || bytes.IndexByte(raw, '\\') < 0 && isClean(string(raw)) {
		return raw
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return json.RawMessage("null")
	}
	out, err := json.Marshal(cleanValue(v))
	if err != nil {
		return json.RawMessage("null")
	}
	return out
}

// clean returns what the manifest of a run says with clean text: somebody else may have written it.
func (a About) clean() (clean About, err error) {
	raw, err := json.Marshal(a)
	if err == nil {
		err = json.Unmarshal(cleanJSON(raw), &clean)
	}
	return clean, err
}

func cleanValue(v any) any {
	switch v := v.(type) {
	case string:
		return clean(v)
	case []any:
		for i := range v {
			v[i] = cleanValue(v[i])
		}
	case map[string]any:
		for key, value := range v {
			if plain := clean(key); plain != key {
				delete(v, key)
				key = plain
			}
			v[key] = cleanValue(value)
		}
	}
	return v
}
