// Package scenarios reads scenario files: who plays which rules, under which limits, told what.
//
// # The file
//
// A scenario is one TOML file of at most 1 MiB. Its keys are those of [Scenario] and of the types of its fields, whose struct tags say what each may
// hold:
//
//	toml      the key
//	required  "true": the key must be there
//	min, max  bounds of a number or a duration; of the number of entries of a list
//	or        a number that is allowed besides
//	default   what a missing key means, as TOML, or as text without quotes
//	enum      the allowed values, separated by commas; of a list: of each of its entries
//	pattern   a regular expression that a string matches; of a list: that each of its entries matches
//	hint      what to tell whoever got it wrong
//	open      "true": a table whose other keys are somebody else's
//	optional  "true": a table that may be missing, and then has no defaults
//	reserved  "true": variables of an environment that is ours as well, see below
//	short     the key of a table for which a string may stand
//	doc       what it is, for editors and their users
//
// Durations are strings such as "90s" or "1h30m", and sizes such as "512MiB" or "2GB", see [ParseSize]. All keys of [rules] but its name and plugin are parameters of those rules, which this
// package does not know: [Scenario.DecodeRules] reads them into a struct of the caller with the same tags. Where there are none, rules = "name" will
// do. A name that ends in .star is a file beside the scenario. With a plugin the rules are a program, and the name is what results call them.
//
// # Groups
//
// A table [[agents]] with name = "fisher" and count = 3 is a group of three agents in a row: fisher1, fisher2 and fisher3. A phase, or a line of the
// offline model's script, that names the group means all of them.
//
// # Prompts
//
// In a prompt {name} is the agent's name, {role} its role, {agents} the number of all agents, and {rules.capacity} the capacity that the rules
// have, so that a prompt stays true when a parameter is overridden or left to its default. All other braces are text, but a word in them that is
// nearly one of those, such as {nmae}, is a mistake; { nmae } is text. A prompt may stand in a file of its own.
//
// # Files beside the scenario
//
// Files that a scenario names lie in its folder or below it. Paths have slashes, and no "..". A link must not lead out of the folder.
// A scenario has at most 1000 of them, of 8 MiB together.
//
// # Environments
//
// A scenario cannot set variables on which the isolation of agents and the way to their models depend, or by which Claude Code is steered:
// HOME, PATH, PWD, SHELL, ENV, TMP, TEMP, TMPDIR, API_TIMEOUT_MS, GCONV_PATH, GLIBC_TUNABLES and MAX_THINKING_TOKENS, MAX_MCP_OUTPUT_TOKENS, and
// those that begin with ANTHROPIC_, BASH_, BUN_, CLAUDE, DISABLE_, ENABLE_, LD_, MCP_, NODE_, OTEL_, SSL_CERT_ or XDG_, or end
// with _PROXY.
//
// # Overrides
//
// A value can be set from outside with "dotted.path=value", as in "rules.capacity=50" or "agents.a.policy=greedy", where
// an entry of a list is named by its name, or by its index from 0. The value is read as TOML and, if it is none, as a string.
// A group is named as a whole, as in "agents.fisher.count=5", or one of its members, as in "agents.fisher2.policy=greedy", which comes after.
//
// # Mistakes
//
// All mistakes of a file are found at once. They are [Errors], each with the line and the column of the key or value that is
// wrong; the TOML library gives positions for mistakes of syntax only, so a scanner of this package finds all others. What a
// file says, together with its overrides, is a function of the file's name, its bytes, the overrides and the files that it names, and of nothing else.
package scenarios

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	Exec     = "exec"     // any program that speaks JSON lines, see package lines
	Plugin   = "plugin"   // any program that speaks gRPC, see package plugin
	Human    = "human"    // whoever takes the seat from a terminal
)

// Consequences for an agent that does not act as it should.
const (
	Pass      = "pass"    // it does nothing this time
	ByDefault = "default" // the default action is played in its place
	Out       = "out"     // its part in the episode is over
	End       = "end"     // the episode is over, for everybody; only of a budget that is spent
)

// maxSize is the size of the largest scenario file, in bytes.
const maxSize = 1 << 20

// Load reads the scenario file at path, and the files beside it that it names; see [Parse]. Besides, it takes a word in braces in a prompt that is nearly
// one that is filled in for a mistake. Parse does not: what somebody has begun to play once must stay readable.
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
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("read scenario: %w", err)
	}
	defer dir.Close()
	s, err := parse(path, src, set, disk{dir})
	if s != nil {
		err = Join(err, s.misnamed().sorted())
	}
	return s, err
}

// Parse reads the scenario in src with the overrides in set; file is its name in messages, and beside has the files that it names. An error
// is [Errors]. Unless the syntax is wrong, the scenario comes with the error, so that the caller can look for the mistakes that Parse
// cannot know, such as those of DecodeRules, and report them all at once with [Join].
func Parse(file string, src []byte, set []string, beside Files) (*Scenario, error) {
	return parse(file, bytes.Clone(src), set, beside)
}

func parse(file string, src []byte, set []string, from source) (*Scenario, error) {
	doc, mistake := parseDocument(file, src)
	if mistake != nil {
		return nil, Errors{mistake}
	}
	errs := doc.overrideAll(set)
	if doc.root.child("name") == nil {
		doc.root.table["name"] = &node{val: strings.TrimSuffix(filepath.Base(file), ".toml")}
	}
	s := &Scenario{File: file, Source: doc.src, Set: slices.Clone(set), doc: doc}
	errs = append(errs, doc.decode(doc.root, "", s)...)
	errs = append(errs, s.contradictions()...)
	errs = append(errs, s.read(from)...)
	s.inherit()
	errs = append(errs, s.tell()...)
	return s, errs.sorted()
}

// inherit fills in what phases and agents do not say themselves.
func (s *Scenario) inherit() {
	for i := range s.Phases {
		p := &s.Phases[i]
		p.Schedule = cmp.Or(p.Schedule, s.Schedule)
		p.Act = cmp.Or(p.Act, s.Limits.Act)
		p.Agents = s.members(p.Agents)
	}
	for i := range s.Offline.Script {
		s.Offline.Script[i].Agents = s.members(s.Offline.Script[i].Agents)
	}
	for i := range s.Agents {
		a, says := &s.Agents[i], s.agentNode(i)
		if says.child("model") == nil {
			a.Model = s.Model
		}
		if says.child("thinking") == nil {
			a.Thinking = s.Thinking
		}
		if says.child("max_tokens") == nil {
			a.MaxTokens = s.MaxTokens
		}
		each := s.Budget.Agent
		a.Budget = Budget{
			cmp.Or(a.Budget.Requests, each.Requests), cmp.Or(a.Budget.Tokens, each.Tokens), cmp.Or(a.Budget.Dollars, each.Dollars),
		}
		a.Limits = a.Limits.or(s.Limits.Agent)
		if says.child("tools") == nil {
			a.Tools = s.Tools
		}
		if says.child("hosts") == nil {
			a.Hosts = s.Hosts
		}
		if says.child("facts") == nil {
			a.Facts = s.Facts
		}
		a.Facts = slices.Clone(a.Facts)
		for k, pattern := range a.Facts {
			a.Facts[k] = strings.ReplaceAll(pattern, "{name}", a.Name)
		}
		if says.child("overtime") == nil {
			a.Overtime = s.Limits.Overtime
		}
		if len(s.Env) > 0 {
			own := a.Env
			a.Env = maps.Clone(s.Env)
			maps.Copy(a.Env, own)
		}
	}
}

// agentNode returns the table of an agent.
func (s *Scenario) agentNode(i int) *node { return s.doc.root.child("agents").list[i] }

// DecodeRules reads the parameters of the rules into the struct that v points to, by its tags, which the package comment
// explains. What the file does not say stays as it is. Fields may be strings, bools, numbers, durations, structs with the
// same tags, slices of these, and maps from strings to whatever there is. An error is [Errors].
func (s *Scenario) DecodeRules(v any) error {
	rules := s.doc.root.child("rules")
	if rules == nil {
		rules = emptyTable(s.doc.root)
	}
	errs := s.doc.decode(rules, "rules", v, "name", "plugin")
	s.Params = parameters(v)
	return errs.sorted()
}

// Beside returns what messages call a file beside the scenario.
func (s *Scenario) Beside(path string) string {
	return filepath.Join(filepath.Dir(s.File), filepath.FromSlash(path))
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
