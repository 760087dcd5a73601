package world

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decodePlain decodes raw into v if they are text without escapes and a string, or an integer and an int, and says whether they were.
func decodePlain(raw []byte, v any) bool {
	switch v := v.(type) {
	case *string:
		if len(raw) < 2 || raw[0] != '"' || !isPlain(raw[1:len(raw)-1]) || raw[len(raw)-1] != '"' {
			return false
		}
		*v = string(raw[1 : len(raw)-1])
		return true
	case *int:
		if rest, ok := skipNumber(raw); !ok || len(rest) > 0 {
			return false
		}
		n, err := strconv.Atoi(string(raw))
		if err == nil {
			*v = n
		}
		return err == nil
	}
	return false
}

// isPlain says whether text is the same in JSON, between its quotes, as far as one look can tell.
func isPlain[T string | []byte](text T) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// AppendText appends UTF-8 text as canonical JSON to b.
func AppendText(b []byte, text string) []byte {
	if !isPlain(text) {
		return append(b, JSON(text)...)
	}
	b = append(append(b, '"'), text...)
	return append(b, '"')
}

// isCanonical says whether raw is JSON in canonical form, as far as one look can tell: to what is rare in the log (text with \u escapes,
// keys with any, numbers with an exponent) it says no in any case.
func isCanonical(raw []byte) bool {
	rest, ok := skipValue(raw, 0)
	return ok && len(rest) == 0
}

// skipValue returns what follows the value at the beginning of b, and whether that is canonical. So do the functions below.
func skipValue(b []byte, depth int) (rest []byte, ok bool) {
	if len(b) == 0 || depth > MaxDepth {
		return b, false
	}
	switch b[0] {
	case '{':
		return skipObject(b, depth)
	case '[':
		return skipArray(b, depth)
	case '"':
		return skipText(b)
	case 't':
		return bytes.CutPrefix(b, []byte("true"))
	case 'f':
		return bytes.CutPrefix(b, []byte("false"))
	case 'n':
		return bytes.CutPrefix(b, []byte("null"))
	}
	return skipNumber(b)
}

func skipObject(b []byte, depth int) (rest []byte, ok bool) {
	if b = b[1:]; len(b) > 0 && b[0] == '}' {
		return b[1:], true
	}
	for last := []byte(nil); ; {
		key := b
		if b, ok = skipText(b); !ok {
			return b, false
		}
		key = key[:len(key)-len(b)]
		if last != nil && bytes.Compare(last[:len(last)-1], key[:len(key)-1]) >= 0 || bytes.IndexByte(key, '\\') >= 0 {
			return b, false
		}
		last = key
		if b, ok = bytes.CutPrefix(b, []byte(":")); !ok {
			return b, false
		}
		if b, ok = skipValue(b, depth+1); !ok || len(b) == 0 {
			return b, false
		}
		if b[0] != ',' {
			return b[1:], b[0] == '}'
		}
		b = b[1:]
	}
}

func skipArray(b []byte, depth int) (rest []byte, ok bool) {
	if b = b[1:]; len(b) > 0 && b[0] == ']' {
		return b[1:], true
	}
	for {
		if b, ok = skipValue(b, depth+1); !ok || len(b) == 0 {
			return b, false
		}
		if b[0] != ',' {
			return b[1:], b[0] == ']'
		}
		b = b[1:]
	}
}

func skipText(b []byte) (rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return b, false
	}
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return b[i+1:], true
		case c < ' ':
			return b, false
		case c == '\\':
			if i++; i == len(b) || strings.IndexByte(`"\bfnrt`, b[i]) < 0 {
				return b, false
			}
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && size == 1 || r == '\u2028' || r == '\u2029' {
				return b, false
			}
			i += size - 1
		}
	}
	return b, false
}

func skipNumber(b []byte) (rest []byte, ok bool) {
	end := 0
	for end < len(b) && (b[end] >= '0' && b[end] <= '9' || b[end] == '-' || b[end] == '.') {
		end++
	}
	number, rest := b[:end], b[end:]
	if len(rest) > 0 && (rest[0] == 'e' || rest[0] == 'E') {
		return rest, false
	}
	if bytes.IndexByte(number, '.') < 0 {
		return rest, isInteger(number)
	}
	f, err := strconv.ParseFloat(string(number), 64)
	if size := math.Abs(f); err != nil || size < 1e-6 || size >= 1e21 { // beyond these it has an exponent
		return rest, false
	}
	var shortest [32]byte
	return rest, bytes.Equal(strconv.AppendFloat(shortest[:0], f, 'f', -1, 64), number)
}

// isInteger says whether b is an integer without a sign or a zero too many.
func isInteger(b []byte) bool {
	digits := bytes.TrimPrefix(b, []byte("-"))
	return len(digits) > 0 && (digits[0] != '0' || len(b) == 1) && bytes.IndexByte(digits, '-') < 0
}
