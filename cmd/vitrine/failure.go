package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/vitrine-sim/vitrine/agents/claude"
	"github.com/vitrine-sim/vitrine/agents/plugin"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/star"
)

// A failure is an error with the exit code that it means, and what to do about it.
type failure struct {
	code int
	err  error
	hint string
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// misuse is a failure of whoever called the command.
func misuse(hint, format string, args ...any) error {
	return &failure{code: exitUsage, err: fmt.Errorf(format, args...), hint: hint}
}

func exitCode(err error) int {
	var f *failure
	var mistakes scenarios.Errors
	var mistake *scenarios.Error
	switch {
	case errors.As(err, &f):
		return f.code
	case errors.As(err, &mistakes), errors.As(err, &mistake):
		return exitUsage
	}
	return exitFailed
}

// A report is one mistake as --json tells it.
type report struct {
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
}

func (r report) String() string {
	switch {
	case r.File == "":
		return r.Message
	case r.Line == 0:
		return r.File + ": " + r.Message
	case r.Column == 0:
		return fmt.Sprintf("%s:%d: %s", r.File, r.Line, r.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", r.File, r.Line, r.Column, r.Message)
}

// failures are the errors of several files.
type failures []error

func (f failures) Error() string   { return errors.Join(f...).Error() }
func (f failures) Unwrap() []error { return f }

// reports returns every mistake in err.
func reports(err error) []report {
	var all []report
	var several failures
	var mistakes scenarios.Errors
	var mistake *scenarios.Error
	var damage *world.LogError
	var law *star.Error
	var program *plugin.RulesError
	switch {
	case errors.As(err, &law):
		return []report{{Message: law.Msg, Hint: law.Hint, File: law.File, Line: law.Line, Column: law.Col}}
	case errors.As(err, &damage):
		return []report{{Message: damage.Msg, Hint: hint(err), File: damage.File, Line: damage.Line}}
	case errors.As(err, &several):
		for _, err := range several {
			all = append(all, reports(err)...)
		}
		return all
	case errors.As(err, &mistake):
		mistakes = scenarios.Errors{mistake}
		fallthrough
	case errors.As(err, &mistakes):
		for _, m := range mistakes {
			all = append(all, report{Message: m.Msg, Hint: m.Hint, File: m.File, Line: m.Line, Column: m.Col})
		}
		return all
	case errors.As(err, &program): // once, however often it was asked
		return []report{{Message: program.Error(), Hint: hint(err)}}
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		all = append(all, report{Message: line})
	}
	all[len(all)-1].Hint = hint(err)
	return all
}

func hint(err error) string {
	var f *failure
	if errors.As(err, &f) && f.hint != "" {
		return f.hint
	}
	if errors.Is(err, claude.ErrUnavailable) {
		return "install npm, or name an executable with --claude, or play without Claude Code: --agents scripted --policy steady"
	}
	return ""
}
