// Package conform looks whether rules keep what [world.Rules] asks for, whoever has written them and in whatever language.
//
// It plays short episodes with random legal actions, in memory, and at every state on the way asks the rules more than a run would: what they
// say to actions that nobody may do, in another order, a second time, in a state of another world. Each check is one thing that rules must keep;
// a [Finding] says what was seen of the first time that they did not, with the seed that shows it again.
//
// What it cannot see is what changes by the day: a clock is moved by nobody here. Tests can do that, see package worldtest.
package conform

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

// A Subject is rules, and the metrics that belong to them.
type Subject struct {
	Rules   world.Rules
	Metrics []world.Metric
	// Policies are players who get further than random ones do. An episode is played by those at its seed, modulo their number, or by random ones.
	Policies []world.Policy
	Measure  func(iter.Seq2[world.Event, error]) (map[string]float64, error) // nil: there are no metrics
}

// A Phase is a part of each turn, as the rules know it.
type Phase struct {
	Name  string // the fact [world.PhaseFact]; empty: there is none
	Alone bool   // agents act one after the other, not all at once
}

// A Config says what is looked at, and how much.
type Config struct {
	New    func() (Subject, error) // returns a new value of the same rules; it is called three times
	Agents []string                // who plays, in seat order
	Phases []Phase                 // of each turn; empty: all act at once
	Seeds  []uint64                // of the episodes; every check plays each of them
	Turns  int                     // of an episode, at most
	Time   time.Duration           // of one call of the rules, at most; after half of it a check looks at no more states

	// Elsewhere returns what [Record] returns in another process, with another environment. If it is nil nobody looks.
	Elsewhere func() ([]byte, error)
}

// Results of a check.
const (
	OK      = "ok"
	Failed  = "FAIL"
	NotMade = "not made" // rules that do not answer are asked no more
)

// A Result is what came of one check.
type Result struct {
	Name    string   // what rules must keep
	Result  string   // OK, Failed or NotMade
	Note    string   // what else was seen; may be empty
	Finding *Finding // how they failed; nil if they did not
}

// A Report is what came of all checks.
type Report struct {
	Checks   []Result
	Episodes int64 // that were begun
	Turns    int64 // that were played
	Actions  int64 // that the rules were asked to judge
}

// A check is one thing that rules must keep. It returns what is worth to be told, and an error if these do not; unless that is a *Finding, it
// came from the call of the rules that was the last one.
type check struct {
	name string
	run  func(*bench) (note string, err error)
}

func checks() []check {
	return []check{
		{"events are JSON, and their facts the rules' own", (*bench).checkEvents},
		{"observing is pure and works for everyone", (*bench).checkObserve},
		{"what rules are given they leave as it is", (*bench).checkArguments},
		{"the same seed and actions give the same bytes", (*bench).checkBytes},
		{"the order of calls does not matter", (*bench).checkMemory},
		{"another process gives the same bytes", (*bench).checkElsewhere},
		{"the seed matters only through State.Rand", (*bench).checkSeed},
		{"what is hidden from an agent it does not see", (*bench).checkHidden},
		{"legal actions are accepted", (*bench).checkLegal},
		{"the first and the last of what a schema allows is legal", (*bench).checkEdges},
		{"illegal actions are refused and do nothing", (*bench).checkIllegal},
		{"everyone may pass and nobody need act", (*bench).checkPass},
		{"who is terminated stays so", (*bench).checkTermination},
		{"a state of another world is no panic", (*bench).checkOtherWorlds},
		{"metrics come from the log alone", (*bench).checkMetrics},
	}
}

// A bench is where the checks are made.
type bench struct {
	Config
	first, twin, fresh guarded // values of the same rules; the fresh one is never asked to reset anything

	begun                    time.Time            // the check that is being made
	cut                      string               // where it had to stop for lack of time; may be empty
	now                      atomic.Pointer[call] // the last call of the rules
	episodes, turns, actions atomic.Int64
}

func newBench(cfg Config) (*bench, error) {
	b := &bench{Config: cfg}
	for _, g := range []*guarded{&b.first, &b.twin, &b.fresh} {
		subject, err := cfg.New()
		if err != nil {
			return nil, fmt.Errorf("make rules: %w", err)
		}
		*g = guarded{b, subject}
	}
	b.now.Store(&call{name: "reset", turn: -1})
	return b, nil
}

// Check makes all checks. An error means that there are no rules to look at, or that ctx has ended.
func Check(ctx context.Context, cfg Config) (*Report, error) {
	b, err := newBench(cfg)
	if err != nil {
		return nil, err
	}
	var report Report
	answers := true
	for _, c := range checks() {
		if c.name == "another process gives the same bytes" && cfg.Elsewhere == nil {
			continue
		}
		r := Result{Name: c.name, Result: NotMade, Note: "the rules do not answer any more"}
		if answers {
			r, answers = b.make(ctx, c)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		report.Checks = append(report.Checks, r)
	}
	report.Episodes, report.Turns, report.Actions = b.episodes.Load(), b.turns.Load(), b.actions.Load()
	return &report, nil
}

// make makes one check. It says whether the rules still answer: nobody can stop a call of theirs.
func (b *bench) make(ctx context.Context, c check) (r Result, answers bool) {
	type outcome struct {
		note string
		err  error
	}
	done := make(chan outcome, 1)
	b.begun, b.cut = time.Now(), ""
	go func() { // ends with the check, or with the program if the rules never return
		note, err := c.run(b)
		if b.cut != "" {
			note = strings.Join(slices.DeleteFunc([]string{note, b.cut}, func(s string) bool { return s == "" }), "; ")
		}
		done <- outcome{note, err}
	}()
	clock := time.NewTimer(b.Time)
	defer clock.Stop()
	r = Result{Name: c.name, Result: OK}
	for {
		select {
		case got := <-done:
			if got.err != nil {
				r.Result, r.Finding = Failed, b.finding(got.err)
				return r, true
			}
			r.Note = got.note
			return r, true
		case <-ctx.Done():
			return r, false
		case <-clock.C:
		}
		last := b.now.Load()
		left := b.Time - time.Since(last.begun)
		if !last.over.Load() && left <= 0 {
			r.Result, r.Finding = Failed, b.finding(fmt.Errorf("it has not returned for %v", b.Time))
			return r, false
		}
		clock.Reset(max(left, b.Time/10))
	}
}

// Record plays the episodes of the config and returns them as lines of JSON: what everybody saw, and the events. For the same rules it is the same on any
// machine. Rules that fail or do not return are a [*Finding].
func Record(ctx context.Context, cfg Config) ([]byte, error) {
	b, err := newBench(cfg)
	if err != nil {
		return nil, err
	}
	var log []byte
	r, _ := b.make(ctx, check{run: func(b *bench) (_ string, err error) {
		log, err = b.recordAll(b.first)
		return "", err
	}})
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case r.Finding != nil:
		return nil, r.Finding
	}
	return log, nil
}

func (b *bench) recordAll(rules ruled) ([]byte, error) {
	var log []byte
	for _, seed := range b.Seeds {
		one, err := b.record(rules, seed, seed)
		if err != nil {
			return nil, err
		}
		log = slices.Concat(log, fmt.Appendf(nil, "{\"seed\":%d}\n", seed), one)
	}
	return log, nil
}

// finding returns an error as a finding. What it does not say itself is that of the last call of the rules.
func (b *bench) finding(err error) *Finding {
	last := b.now.Load()
	var f *Finding
	if errors.As(err, &f) {
		if f.Call == "" {
			f.Call = last.name
		}
		return f
	}
	f = &Finding{What: err.Error(), Call: last.name, Seed: last.seed, Turn: last.turn, Agent: last.agent, Err: err}
	f.Action = describe(last.actions...)
	return f
}
