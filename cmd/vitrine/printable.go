package main

import (
	"cmp"
	"io"
	"strings"
	"sync"
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

// An output is a standard output that knows whether all was written.
type output struct {
	io.Writer
	mu  sync.Mutex
	err error
}

// Write implements [io.Writer].
func (o *output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = cmp.Or(o.err, err)
	return n, err
}

// failure returns why something was not written; nil: all was.
func (o *output) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}
