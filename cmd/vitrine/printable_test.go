package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestNothingThatATerminalObeysIsPrinted(t *testing.T) {
	for _, c := range []struct{ what, text, line string }{
		{"text", "caf\u00e9 \u65e5\u672c \U0001f41f e\u0301", "caf\u00e9 \u65e5\u672c \U0001f41f e\u0301"},
		{"line breaks", "one\ntwo\tthree", "one two three"},
		{"others that break lines", "one\rtwo\vthree\u2028four\u0085five", "one two three four five"},
		{"escape sequences", "\x1b[2J\x1b]0;title\a", " [2J ]0;title "},
		{"those of one character", "\u009b31m\u009d", " 31m "},
		{"bells and deletes", "a\x00\a\b\x7f", "a    "},
		{"turning the direction", "a\u202eb\u2066c\u200fd\u061ce", "a b c d e"},
		{"of no width", "a\u200bb\ufeffc\u2060d\u00ade", "a b c d e"},
		{"tags", "a\U000e0041b", "a b"},
		{"no UTF-8", "a\xffb", "a\ufffdb"},
	} {
		if got := printable(c.text); got != c.line {
			t.Errorf("%s: %q becomes the line %q, want %q", c.what, c.text, got, c.line)
		}
		var shown strings.Builder
		if n, err := fmt.Fprint(screen{&shown}, c.text); n != len(c.text) || err != nil {
			t.Errorf("%s: %d bytes are written, %v", c.what, n, err)
		}
		if got := strings.NewReplacer("\n", " ", "\t", " ").Replace(shown.String()); got != c.line || strings.Count(shown.String(), "\n") != strings.Count(c.text, "\n") {
			t.Errorf("%s: %q is shown as %q", c.what, c.text, shown.String())
		}
	}
}
