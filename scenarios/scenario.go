// Package scenarios reads scenario files: who plays which rules, under which limits, told what.
//
// # The file
//
// A scenario is one TOML file of at most 1 MiB. Its keys are those of [Scenario], [Rules], [Limits], [Messages], [Phase] and [Agent], whose struct
// tags say what each may hold:
//
//	toml      the key
//	required  "true": the key must be there
//	min, max  bounds of a number or a duration; of the number of entries of a list
//	or        a number that is allowed besides
//	enum      the allowed values, separated by commas; of a list: of each of its entries
//	pattern   a regular expression that a string matches; of a list: that each of its entries matches
//	hint      what to tell whoever got it wrong
//	open      "true": a table whose other keys are somebody else's
//
// Durations are strings such as "90s" or "1h30m". All keys of [rules] but its name are parameters of those rules, which this
// package does not know: [Scenario.DecodeRules] reads them into a struct of the caller with the same tags.
//
// # Prompts
//
// In a prompt {name} is the agent's name and {rules.capacity} is the capacity that the rules have, so that a prompt stays true
// when a parameter is overridden or left to its default. All other braces are text.
//
// # Overrides
//
// A value can be set from outside with "dotted.path=value", as in "rules.capacity=50" or "agents.a.policy=greedy", where
// an entry of a list is named by its name, or by its index from 0. The value is read as TOML and, if it is none, as a string.
//
// # Mistakes
//
// All mistakes of a file are found at once. They are [Errors], each with the line and the column of the key or value that is
// wrong; the TOML library gives positions for mistakes of syntax only, so a scanner of this package finds all others. What a
// file says, together with its overrides, is a function of the file's name, its bytes and the overrides, and of nothing else.
package scenarios

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Schedules: how the agents of a turn take their steps.
const (
	Parallel   = "parallel"   // all at once
	Sequential = "sequential" // one after the other, in seat order
	Shuffled   = "shuffled"   // one after the other, in an order drawn for each turn
	Free       = "free"       // each whenever it is ready; not of a phase
)

// Kinds of agents.
const (
	Claude   = "claude"   // a Claude Code process
	Scripted = "scripted" // a written policy
)

// Consequences for an agent that does not act as it should.
const (
	Pass      = "pass"    // it does nothing this time
	ByDefault = "default" // the default action is played in its place
	Out       = "out"     // its part in the episode is over
)

// A Scenario is one scenario file, with its overrides applied and its defaults filled in.
type Scenario struct {
	// Name is the base name of the file where the file does not say it.
	Name        string `toml:"name" pattern:"^[a-z0-9][a-z0-9-]{0,63}$" hint:"small letters, digits and -; the file's own name stands in for a missing one"`
	Description string `toml:"description"`
	Seed        uint64 `toml:"seed" min:"0"`
	Schedule    string `toml:"schedule" enum:"parallel,sequential,shuffled,free"`
	Rotate      bool   `toml:"rotate"` // each turn of a sequential schedule begins one seat later than the one before
	Model       string `toml:"model"`  // default for all agents; empty: up to who runs the scenario
	Prompt      string `toml:"prompt"` // as written; Agent.Prompt is what an agent is told

	Rules    Rules    `toml:"rules" open:"true"`
	Limits   Limits   `toml:"limits"`
	Messages Messages `toml:"messages"`
	Phases   []Phase  `toml:"phases" max:"100"` // of each turn, in their order; empty: a turn is one
	Agents   []Agent  `toml:"agents" required:"true" min:"1" max:"1000" hint:"write a table [[agents]] with a name for each agent"`

	File   string   // name of the file, as given to Parse
	Source []byte   // the file as it was read
	Set    []string // the overrides; Parse(File, Source, Set) gives this scenario again

	doc *document
}

// Rules names the rules of a scenario. [Scenario.DecodeRules] gives their parameters.
type Rules struct {
	Name string `toml:"name" required:"true"`
}

// Limits bound an episode, and say what happens to an agent that does not keep to them.
type Limits struct {
	Turns     int           `toml:"turns" min:"1"` // hard limit
	Time      time.Duration `toml:"time" min:"1ms"`
	Act       time.Duration `toml:"act" min:"1ms"`                      // clock of one act
	Overtime  time.Duration `toml:"overtime" min:"0s"`                  // of one agent in the whole episode, for acts that take longer
	OnTimeout string        `toml:"on_timeout" enum:"pass,default,out"` // it is late
	OnInvalid string        `toml:"on_invalid" enum:"pass,default,out"` // it did nothing, or nothing legal
	OnError   string        `toml:"on_error" enum:"pass,default,out"`   // it could not act this once
	Default   Default       `toml:"default"`
}

// A Default is the action that is played where a consequence says so.
type Default struct {
	Action string         `toml:"action"`
	Args   map[string]any `toml:"args"`
}

// Messages lets agents talk to each other by the action "say". Where the file has no such table all is 0 and they cannot.
type Messages struct {
	Turn   int `toml:"turn" min:"1" max:"1000"`    // messages of one agent in one turn
	Length int `toml:"length" min:"1" max:"10000"` // characters of one message
}

// A Phase is a named part of a turn. What it does not say itself is filled in from its scenario.
type Phase struct {
	Name     string        `toml:"name" required:"true" pattern:"^[a-z][a-z0-9_-]{0,31}$" hint:"a small letter, then small letters, digits, _ and -; at most 32"`
	Schedule string        `toml:"schedule" enum:"parallel,sequential,shuffled"`
	Actions  []string      `toml:"actions"`       // names of those that are legal in it; empty: all that the rules allow
	Act      time.Duration `toml:"act" min:"1ms"` // clock of one act
	Agents   []string      `toml:"agents"`        // names of those who take part; empty: everybody
}

// An Agent is one player. What it does not say itself is filled in from its scenario.
type Agent struct {
	Name string `toml:"name" required:"true" pattern:"^[a-z][a-z0-9_-]{0,31}$" hint:"a small letter, then small letters, digits, _ and -; at most 32"`
	Kind string `toml:"kind" enum:"claude,scripted"`
	// Policy is what the agent plays when it is scripted, or what the offline model plays for it. It may be empty.
	Policy string `toml:"policy"`
	Model  string `toml:"model"`
	// Prompt is all that the agent is told: the scenario's prompt, a blank line and its own.
	Prompt string `toml:"prompt"`
	// Tools are the built-in tools of Claude Code that it may use.
	Tools []string `toml:"tools" enum:"Read,Write,Edit,Glob,Grep"`
	// Thinking is its budget in tokens; 0: it does not think.
	Thinking int `toml:"thinking" or:"0" min:"1024" max:"1000000"`
}

// maxSize is the size of the largest scenario file, in bytes.
const maxSize = 1 << 20

// Load reads the scenario file at path; see [Parse].
func Load(path string, set []string) (*Scenario, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read scenario: %w", err)
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read scenario: %w", err)
	}
	return Parse(path, src, set)
}

// Parse reads the scenario in src with the overrides in set; file is its name in messages. An error is [Errors]. Unless the
// syntax is wrong, the scenario comes with the error, so that the caller can look for the mistakes that Parse cannot
// know, such as those of DecodeRules, and report them all at once with [Join].
func Parse(file string, src []byte, set []string) (*Scenario, error) {
	doc, mistake := parseDocument(file, bytes.Clone(src))
	if mistake != nil {
		return nil, Errors{mistake}
	}
	s := &Scenario{
		Schedule: Parallel,
		Limits: Limits{
			Turns: 1000, Time: time.Hour, Act: 2 * time.Minute,
			OnTimeout: Pass, OnInvalid: Pass, OnError: Pass,
		},
		File: file, Source: doc.src, Set: slices.Clone(set), doc: doc,
	}
	var errs Errors
	for _, override := range set {
		if mistake := doc.override(override); mistake != nil {
			errs = append(errs, mistake)
		}
	}
	if doc.root.child("name") == nil {
		doc.root.table["name"] = &node{val: strings.TrimSuffix(filepath.Base(file), ".toml")}
	}
	if doc.root.child("messages") != nil {
		s.Messages = Messages{Turn: 3, Length: 500}
	}
	errs = append(errs, doc.decode(doc.root, "", s)...)
	for i := range s.Phases {
		p := &s.Phases[i]
		p.Schedule = cmp.Or(p.Schedule, s.Schedule)
		p.Act = cmp.Or(p.Act, s.Limits.Act)
	}
	errs = append(errs, s.contradictions()...)
	for i := range s.Agents {
		a := &s.Agents[i]
		a.Kind = cmp.Or(a.Kind, Claude)
		a.Model = cmp.Or(a.Model, s.Model)
	}
	s.tell()
	return s, errs.sorted()
}

// DecodeRules reads the parameters of the rules into the struct that v points to, by its tags, which the package comment
// explains. What the file does not say stays as it is. Fields may be strings, bools, numbers, durations, structs with the
// same tags, slices of these, and maps from strings to whatever there is. The agents' prompts then say these parameters for each {rules.key}. An error is [Errors].
func (s *Scenario) DecodeRules(v any) error {
	rules := s.doc.root.child("rules")
	if rules == nil {
		rules = emptyTable(s.doc.root)
	}
	errs := s.doc.decode(rules, "rules", v, "name")
	if len(errs) == 0 {
		errs = s.tellRules(v)
	}
	return errs.sorted()
}

// Error returns a mistake in the value at a dotted path such as "rules.name" or "agents.2.policy", or, where the file does
// not say it, in the table that lacks it.
func (s *Scenario) Error(path, msg, hint string) *Error {
	n := s.doc.root
	for key := range strings.SplitSeq(path, ".") {
		child := n.child(key)
		if child == nil {
			break
		}
		n = child
	}
	return s.doc.mistake(n, n.at, msg, hint)
}
