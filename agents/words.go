package agents

import (
	"strings"
	"unicode"
)

// lastWords returns the end of what a process has said, without what is no text and what a terminal would obey.
func lastWords(said string) string {
	said = strings.ToValidUTF8(said[max(0, len(said)-maxWords):], "")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return -1
	}, said))
}
