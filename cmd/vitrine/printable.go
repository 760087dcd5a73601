package main

import (
	"io"
	"strings"
	"unicode"
)

// printable returns a line without anything that a terminal would obey, or that cannot be seen: agents write what they like, and so does whoever sends
// somebody a run. What the log keeps of such text is made fit by those who write it there, and what a page shows by package web, where more can be shown.
func printable(s string) string {
	return strings.Map(printed, s)
}

func printed(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return ' '
}

// A screen is where text for people goes: its lines are printable, whoever has written what is in them.
type screen struct{ to io.Writer }

// Write implements [io.Writer].
func (s screen) Write(text []byte) (int, error) {
	_, err := io.WriteString(s.to, strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return printed(r)
	}, string(text)))
	return len(text), err
}
