package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// notices are what packages log, told as all else is. They implement [slog.Handler].
type notices struct {
	*app
	about []slog.Attr
}

// Enabled implements [slog.Handler].
func (n notices) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle implements [slog.Handler].
func (n notices) Handle(_ context.Context, r slog.Record) error {
	who, facts := "", []string{}
	note := func(fact slog.Attr) bool {
		if fact.Key == "agent" {
			who = fact.Value.String() + ": "
		} else {
			facts = append(facts, fact.Key+" "+fact.Value.String())
		}
		return true
	}
	for _, fact := range n.about {
		note(fact)
	}
	if r.Attrs(note); len(facts) > 0 {
		r.Message += fmt.Sprintf(" (%s)", strings.Join(facts, ", "))
	}
	n.tell("%s", who+r.Message)
	return nil
}

// WithAttrs implements [slog.Handler].
func (n notices) WithAttrs(about []slog.Attr) slog.Handler {
	return notices{n.app, slices.Concat(n.about, about)}
}

// WithGroup implements [slog.Handler]. Nobody groups what is said in one line.
func (n notices) WithGroup(string) slog.Handler { return n }
