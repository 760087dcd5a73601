package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world/conform"
	"github.com/vitrine-sim/vitrine/world/star"
)

// A trial is how scenarios are looked at, and their rules.
type trial struct {
	set    []string
	rules  bool    // the rules, too; what follows is about them
	seed   *uint64 // the first one; nil: the scenario's
	seeds  int
	turns  int
	time   time.Duration
	record bool

	made []*setup // for the checks
}

// A judged is what "check --rules --json" prints of the rules of a scenario.
type judged struct {
	Rules    string        `json:"rules"`
	Seeds    []uint64      `json:"seeds"`
	Turns    int           `json:"turns"` // of an episode, at most
	Checks   []judgedCheck `json:"checks"`
	Episodes int64         `json:"episodes"` // that were begun
	Played   int64         `json:"turns_played"`
	Actions  int64         `json:"actions"` // that the rules were asked to judge
}

type judgedCheck struct {
	Name    string         `json:"name"`
	Result  string         `json:"result"` // "ok", "FAIL" or "not made"
	Note    string         `json:"note,omitempty"`
	Finding *judgedFinding `json:"finding,omitempty"`
}

// A judgedFinding is the first time that rules failed a check. Its place is that of the mistake, or of the function that was called, where rules in a
// file know it.
type judgedFinding struct {
	report
	Call   string `json:"call"`
	Seed   uint64 `json:"seed"`
	Turn   int    `json:"turn"` // -1: before the first
	Agent  string `json:"agent,omitempty"`
	Action string `json:"action,omitempty"`
	Want   string `json:"want,omitempty"` // of two things that should be the same
	Got    string `json:"got,omitempty"`
	Again  string `json:"again"` // the command that shows it again
}

// config returns what is looked at in a scenario.
func (t *trial) config(ctx context.Context, s *setup) conform.Config {
	first := s.Seed
	if t.seed != nil {
		first = *t.seed
	}
	cfg := conform.Config{Agents: s.names(), Turns: t.turns, Time: t.time}
	for i := range uint64(t.seeds) {
		cfg.Seeds = append(cfg.Seeds, first+i)
	}
	cfg.New = func() (conform.Subject, error) {
		s, err := load(ctx, s.File, t.set)
		if err != nil {
			return conform.Subject{}, err
		}
		t.made = append(t.made, s)
		subject := conform.Subject{Rules: s.rules, Metrics: s.substrate.metrics, Measure: s.substrate.measure}
		for _, name := range s.substrate.policyNames() {
			policy, _ := s.substrate.policy(name)
			subject.Policies = append(subject.Policies, policy)
		}
		return subject, nil
	}
	for _, p := range s.Phases {
		cfg.Phases = append(cfg.Phases, conform.Phase{Name: p.Name, Alone: p.Schedule != scenarios.Parallel})
	}
	if len(s.Phases) == 0 {
		cfg.Phases = []conform.Phase{{Alone: s.Schedule != scenarios.Parallel}}
	}
	return cfg
}

// close ends what runs for the rules that were made.
func (t *trial) close() {
	for _, s := range t.made {
		s.close()
	}
	t.made = nil
}

// print prints the episodes.
func (t *trial) print(ctx context.Context, a *app, s *setup) error {
	defer t.close()
	log, err := conform.Record(ctx, t.config(ctx, s))
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(log)
	return err
}

// judge makes all checks and tells people what came of them. It is an error if one failed.
func (t *trial) judge(ctx context.Context, a *app, s *setup) (*judged, error) {
	defer t.close()
	cfg := t.config(ctx, s)
	cfg.Elsewhere = func() ([]byte, error) { return t.elsewhere(ctx, s, cfg.Seeds[0]) }
	begun := time.Now()
	fmt.Fprintf(a.out, "%s: rules %s, %s, %s from %d on, up to %s each\n",
		s.File, s.Rules.Name, plural(len(s.Agents), "agent"), plural(t.seeds, "seed"), cfg.Seeds[0], plural(t.turns, "turn"))
	report, err := conform.Check(ctx, cfg)
	if err != nil {
		return nil, err
	}
	doc := &judged{
		Rules: s.Rules.Name, Seeds: cfg.Seeds, Turns: t.turns, Episodes: report.Episodes, Played: report.Turns, Actions: report.Actions,
	}
	failed := 0
	told := make(map[string]bool)
	for _, c := range report.Checks {
		check := judgedCheck{Name: c.Name, Result: c.Result, Note: c.Note}
		line := c.Name
		if c.Note != "" {
			line += ": " + c.Note
		}
		fmt.Fprintln(a.out, printable(fmt.Sprintf("  %-8s %s", c.Result, line)))
		if c.Result != conform.OK {
			failed++
		}
		if c.Finding != nil {
			check.Finding = t.found(s, c.Finding)
			check.Finding.print(a, told)
		}
		doc.Checks = append(doc.Checks, check)
	}
	fmt.Fprintf(a.out, "  %s, %s and %s tried in %.1f s\n", plural(int(report.Episodes), "episode"), plural(int(report.Turns), "turn"),
		plural(int(report.Actions), "action"), time.Since(begun).Seconds())
	if failed > 0 {
		return doc, fmt.Errorf("%s: of %d checks of the rules %d did not end well", s.File, len(doc.Checks), failed)
	}
	return doc, nil
}

// found returns a finding with its place in the file of the rules, if it is known.
func (t *trial) found(s *setup, f *conform.Finding) *judgedFinding {
	found := &judgedFinding{
		report: report{Message: f.What}, Call: f.Call, Seed: f.Seed, Turn: f.Turn, Agent: f.Agent, Action: f.Action, Want: f.Want, Got: f.Got,
		Again: strings.Join(append([]string{self()}, t.command(f.Seed, 1, max(f.Turn+1, 1), s.File)...), " "),
	}
	law, ok := s.rules.(*star.Rules)
	if !ok {
		return found
	}
	found.File = s.Beside(s.Rules.Name)
	found.Line, found.Column = law.Place(f.Call)
	var mistake *star.Error
	if errors.As(f.Err, &mistake) {
		found.Message = strings.ReplaceAll(f.What, mistake.Error(), mistake.Msg)
		found.Line, found.Column, found.Hint = mistake.Line, mistake.Col, mistake.Hint
	}
	return found
}

// print tells people. What was told before it does not tell again.
func (f *judgedFinding) print(a *app, told map[string]bool) {
	where := fmt.Sprintf("seed %d", f.Seed)
	if f.Turn >= 0 {
		where += fmt.Sprintf(", turn %d", f.Turn)
	}
	if f.Agent != "" {
		where += ", agent " + f.Agent
	}
	lines := []string{fmt.Sprintf("%s (%s, in %s)", f.report, where, f.Call)}
	if told[lines[0]] {
		fmt.Fprintln(a.out, "           as above")
		return
	}
	told[lines[0]] = true
	if f.Hint != "" {
		lines = append(lines, "hint: "+f.Hint)
	}
	if f.Action != "" {
		lines = append(lines, "action: "+f.Action)
	}
	if f.Want != f.Got {
		lines = append(lines, "one:     "+f.Want, "another: "+f.Got)
	}
	for _, line := range append(lines, "again:  "+f.Again) {
		fmt.Fprintln(a.out, printable("           "+line))
	}
}

// command returns the arguments of a command that looks at rules as this one does, in some of the episodes.
func (t *trial) command(seed uint64, seeds, turns int, file string) []string {
	words := []string{"check", "--rules", "--seed", strconv.FormatUint(seed, 10), "--seeds", strconv.Itoa(seeds), "--turns", strconv.Itoa(turns)}
	for _, set := range t.set {
		words = append(words, "--set", set)
	}
	return append(words, file)
}

// elsewhere has another process play the episodes, with another environment, in another folder, on one processor. It ends by itself when a call of the
// rules takes too long.
func (t *trial) elsewhere(ctx context.Context, s *setup, first uint64) ([]byte, error) {
	file, err := filepath.Abs(s.File)
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, append(t.command(first, t.seeds, t.turns, file), "--record", "--time", t.time.String())...)
	cmd.Args[0] = os.Args[0]
	cmd.Dir = string(filepath.Separator)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "TZ=Asia/Kathmandu", "LANG=tr_TR.UTF-8", "GOMAXPROCS=1"}
	log, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil, fmt.Errorf("in another process: %s", strings.TrimSpace(string(exit.Stderr)))
	}
	return log, err
}
