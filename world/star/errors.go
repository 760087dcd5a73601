package star

import (
	"errors"
	"fmt"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// An Error is one mistake in a file of rules, or what went wrong while it was asked.
type Error struct {
	File      string // the file's name, as given to [Load]
	Line, Col int    // from 1
	Msg       string // what is wrong
	Hint      string // what to do about it; may be empty
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg) }

// Errors are all mistakes of a file that [Load] found, in its order. There is at least one.
type Errors []*Error

// Error gives one line for each mistake, without the hints.
func (errs Errors) Error() string {
	lines := make([]string, len(errs))
	for i, e := range errs {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// mistake returns an error at a position. Where msg ends with a suggestion, that becomes the hint.
func mistake(pos syntax.Position, msg string) *Error {
	e := &Error{File: pos.Filename(), Line: max(1, int(pos.Line)), Col: max(1, int(pos.Col)), Msg: msg}
	if what, name, ok := strings.Cut(msg, " (did you mean "); ok {
		e.Msg, e.Hint = what, fmt.Sprintf("did you mean %q?", strings.Trim(name, ".?)"))
	}
	return e
}

// unread returns the mistakes for which a file could not be compiled that may use the known names.
func unread(err error, known []string) Errors {
	var list resolve.ErrorList
	var one syntax.Error
	switch {
	case errors.As(err, &list):
		var errs Errors
		for _, e := range list {
			m := mistake(e.Pos, e.Msg)
			if name, ok := strings.CutPrefix(m.Msg, "undefined: "); ok && m.Hint == "" {
				m.Hint = nearest(name, known)
			}
			errs = append(errs, m)
		}
		return errs
	case errors.As(err, &one):
		return Errors{mistake(one.Pos, one.Msg)}
	}
	panic(fmt.Sprintf("internal error: the compiler returned %T: %v", err, err))
}

// failed returns what went wrong in a call as an error at the place in the file from which it came.
func (r *Rules) failed(thread *starlark.Thread, err error) *Error {
	pos := syntax.MakePosition(&r.file, 1, 1)
	msg, hint := err.Error(), ""
	var eval *starlark.EvalError
	if errors.As(err, &eval) {
		msg = eval.Msg
		for i := range eval.CallStack {
			if at := eval.CallStack.At(i).Pos; at.Filename() == r.file && at.Line > 0 {
				pos = at
				break
			}
		}
	}
	if m := meterOf(thread); thread.ExecutionSteps() >= m.end {
		msg = fmt.Sprintf("this took more than %d steps", m.budget)
		hint = "is there a loop that is too long, or something that grows and grows?"
	}
	e := mistake(pos, strings.TrimPrefix(msg, "Starlark computation cancelled: "))
	if hint != "" {
		e.Hint = hint
	}
	var hinted *hintedError
	if errors.As(err, &hinted) {
		e.Hint = hinted.hint
	}
	return e
}

// A hintedError is an error of one of our own functions that knows what to do about it.
type hintedError struct {
	msg, hint string
}

func (e *hintedError) Error() string { return e.msg }

// article returns the type of a value with its article.
func article(v starlark.Value) string {
	if strings.ContainsRune("aeiou", rune(v.Type()[0])) {
		return "an " + v.Type()
	}
	return "a " + v.Type()
}

// nearest returns a hint for a word that is none of the known ones: which one was meant, if one is near.
func nearest(word string, known []string) string {
	best, name := 1+len(word)/3, "" // a third of it may be wrong
	for _, k := range known {
		if d := distance(word, k); d < best {
			best, name = d, k
		}
	}
	if name == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", name)
}

// distance returns how many bytes must be put in, left out or changed to make b of a.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return len(a) + len(b) // no word that anybody mistyped
	}
	row := make([]int, len(b)+1) // the distances of a prefix of a to all prefixes of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
