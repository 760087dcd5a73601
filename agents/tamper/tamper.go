// Package tamper is what an agent was seen to try beside the game, and what bounds the work that it makes for the supervisor.
//
// # What is seen
//
// An [Attempt] is evidence and no proof. Those who deal with an agent take note of what they see of it in an [Evidence]: its tools in what
// Claude Code prints about them, its requests at its gateway, its lines and calls on its pipes. What the kernel refuses it
// nobody is told of; it is seen where a command says so in what its tool gives back, so whoever hides that is not seen, and whoever prints such words
// accuses itself. It is refused all the same. An agent that tries something by mistake looks like one that means it.
//
// However often it tries, an agent has one attempt of each kind with a count, until somebody takes them.
package tamper

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// An Attempt is what an agent tried of one kind.
type Attempt struct {
	What   string `json:"what"`
	Times  int    `json:"times"`
	Sample string `json:"sample"` // the first of them: one line, printable, and short
}

// An Evidence is what one agent was seen to try. Any goroutine may use it. A nil *Evidence takes note of nothing.
type Evidence struct {
	mu   sync.Mutex
	seen []Attempt // in the order of their kinds
}

// Saw takes note of an attempt of a kind. The agent may have written the sample.
func (e *Evidence) Saw(what, sample string) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	i, known := slices.BinarySearchFunc(e.seen, what, func(a Attempt, what string) int { return cmp.Compare(a.What, what) })
	if !known {
		e.seen = slices.Insert(e.seen, i, Attempt{What: what, Sample: Line(sample)})
	}
	e.seen[i].Times++
}

// Sawf is [Evidence.Saw] with a sample of that format.
func (e *Evidence) Sawf(what, format string, args ...any) {
	if e != nil {
		e.Saw(what, fmt.Sprintf(format, args...))
	}
}

// Take returns the attempts of those kinds for which wanted is true, in the order of their kinds, and forgets them.
func (e *Evidence) Take(wanted func(what string) bool) []Attempt {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var taken, left []Attempt
	for _, a := range e.seen {
		if wanted(a.What) {
			taken = append(taken, a)
		} else {
			left = append(left, a)
		}
	}
	e.seen = left
	return taken
}

// maxSample is how many letters of a sample are kept.
const maxSample = 200

// Line returns the beginning of a text in one line, without anything that a terminal would obey.
func Line(text string) string {
	if len(text) > 4*maxSample {
		text = text[:4*maxSample]
	}
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(text, "\ufffd")))
	if letters := []rune(text); len(letters) > maxSample {
		return string(letters[:maxSample]) + "..."
	}
	return text
}
