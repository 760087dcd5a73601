package agents

import (
	"strings"
	"testing"
)

func TestLastWordsAreTextAndNothingThatATerminalObeys(t *testing.T) {
	for _, c := range [][2]string{
		{"", ""},
		{"out of ink\n", "out of ink"},
		{"one\r\n\ttwo\n", "one \n two"},
		{"\x1b[31mred\x1b[0m \a\x00bell", "[31mred[0m bell"},
		{"half a \xc3", "half a"},
		{strings.Repeat("é", 2000), strings.Repeat("é", 1024)},
		{strings.Repeat("é", 2000) + "!", strings.Repeat("é", 1023) + "!"},
	} {
		if got := lastWords(c[0]); got != c[1] {
			t.Errorf("of %.40q the last words are %.40q, not %.40q", c[0], got, c[1])
		}
	}
}
