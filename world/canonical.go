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
		if len(raw) < 2 || raw[0] != '"' || plainEnd(raw, 1) < len(raw)-1 || raw[len(raw)-1] != '"' {
			return false
		}
		*v = string(raw[1 : len(raw)-1])
		return true
	case *int:
		if numberEnd(raw, 0) != len(raw) {
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

// plainEnd returns where in text, from i on, the first byte stands that is not the same in JSON, between its quotes, as far as one look can
// tell.
func plainEnd[T string | []byte](text T, i int) int {
	for i < len(text) && verbatim[text[i]] {
		i++
	}
	return i
}

// verbatim says which bytes are the same in JSON: those of ASCII without a meaning of their own.
var verbatim = func() (is [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		is[c] = c != '"' && c != '\\'
	}
	return is
}()

// AppendText appends UTF-8 text as canonical JSON to b.
func AppendText(b []byte, text string) []byte {
	if plainEnd(text, 0) < len(text) {
		return append(b, JSON(text)...)
	}
	b = append(append(b, '"'), text...)
	return append(b, '"')
}

// isCanonical says whether raw is JSON in canonical form, as far as one look can tell: to what is rare in the log (text with \u escapes,
// keys with any, numbers with an exponent) it says no in any case.
func isCanonical(raw []byte) bool {
	return valueEnd(raw, 0, 0) == len(raw)
}

// never is the end of what is not canonical. It is behind the end of everything, so that nothing can follow there.
const never = math.MaxInt

// valueEnd returns the end of the canonical value that begins at b[i], or never if there is none. So do the functions below.
func valueEnd(b []byte, i, depth int) int {
	if depth > MaxDepth {
		return never
	}
	switch byteAt(b, i) {
	case '{':
		return objectEnd(b, i, depth)
	case '[':
		return arrayEnd(b, i, depth)
	case '"':
		end, _ := textEnd(b, i)
		return end
	case 't':
		return wordEnd(b, i, "true")
	case 'f':
		return wordEnd(b, i, "false")
	case 'n':
		return wordEnd(b, i, "null")
	}
	return numberEnd(b, i)
}

// byteAt returns b[i], or 0, which canonical JSON does not have, if that is behind the end.
func byteAt(b []byte, i int) byte {
	if i < len(b) {
		return b[i]
	}
	return 0
}

func wordEnd(b []byte, i int, word string) int {
	if end := i + len(word); end <= len(b) && string(b[i:end]) == word {
		return end
	}
	return never
}

func objectEnd(b []byte, i, depth int) int {
	if i++; byteAt(b, i) == '}' {
		return i + 1
	}
	for last := []byte(nil); ; i++ {
		begin, escapes := i, false
		if i, escapes = textEnd(b, i); escapes || byteAt(b, i) != ':' {
			return never
		}
		key := b[begin+1 : i-1]
		if last != nil && bytes.Compare(last, key) >= 0 {
			return never
		}
		last = key
		switch i = valueEnd(b, i+1, depth+1); byteAt(b, i) {
		case '}':
			return i + 1
		case ',':
		default:
			return never
		}
	}
}

func arrayEnd(b []byte, i, depth int) int {
	if i++; byteAt(b, i) == ']' {
		return i + 1
	}
	for ; ; i++ {
		switch i = valueEnd(b, i, depth+1); byteAt(b, i) {
		case ']':
			return i + 1
		case ',':
		default:
			return never
		}
	}
}

// textEnd also says whether the text has escapes.
func textEnd(b []byte, i int) (end int, escapes bool) {
	if byteAt(b, i) != '"' {
		return never, false
	}
	for i++; ; {
		i = plainEnd(b, i)
		switch c := byteAt(b, i); {
		case c == '"':
			return i + 1, escapes
		case c == '\\' && strings.IndexByte(`"\bfnrt`, byteAt(b, i+1)) >= 0:
			i, escapes = i+2, true
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && size == 1 || r == '\u2028' || r == '\u2029' {
				return never, false
			}
			i += size
		default:
			return never, false
		}
	}
}

func numberEnd(b []byte, i int) int {
	begin := i
	if byteAt(b, i) == '-' {
		i++
	}
	whole := i
	i = digitsEnd(b, i)
	switch c := byteAt(b, i); {
	case i == whole || b[whole] == '0' && i > whole+1 || c == 'e' || c == 'E':
		return never
	case c != '.':
		if string(b[begin:i]) == "-0" {
			return never
		}
		return i
	}
	point := i
	if i = digitsEnd(b, i+1); byteAt(b, i) == 'e' || byteAt(b, i) == 'E' {
		return never
	}
	if point-whole <= 9 && i-point <= 1+6 && b[i-1] > '0' {
		return i // of so few digits no two numbers are the same float64, so there is no shorter form
	}
	f, err := strconv.ParseFloat(string(b[begin:i]), 64)
	if size := math.Abs(f); err != nil || size < 1e-6 || size >= 1e21 { // beyond these it has an exponent
		return never
	}
	var shortest [32]byte
	if string(strconv.AppendFloat(shortest[:0], f, 'f', -1, 64)) != string(b[begin:i]) {
		return never
	}
	return i
}

func digitsEnd(b []byte, i int) int {
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}
