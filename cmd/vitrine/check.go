package main

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"time"
)

// A checked is what "check --json" prints.
type checked struct {
	OK    bool          `json:"ok"`
	Files []checkedFile `json:"files"`
}

type checkedFile struct {
	File   string   `json:"file"`
	OK     bool     `json:"ok"`
	Errors []report `json:"errors"`
	Rules  *judged  `json:"rules,omitempty"` // with --rules
}

func checkFlags(flags *flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	var t trial
	flags.BoolVar(&t.rules, "rules", false, "play short episodes in memory, and say where the rules do not keep what rules must")
	flags.Func("set", "set a value of the scenarios, as `path=value`; may be repeated", func(s string) error {
		t.set = append(t.set, s)
		return nil
	})
	flags.Func("seed", "with --rules: the first seed, `N`; by default the scenario's", func(s string) error {
		seed, err := strconv.ParseUint(s, 10, 64)
		t.seed = &seed
		return err
	})
	flags.IntVar(&t.seeds, "seeds", 3, "with --rules: play `N` episodes in each check, with the first seed and the next ones")
	flags.IntVar(&t.turns, "turns", 30, "with --rules: of at most `N` turns")
	flags.DurationVar(&t.time, "time", 10*time.Second, "with --rules: how long a call of the rules may take, and half of it a check, as a `DURATION`")
	flags.BoolVar(&t.record, "record", false, "with --rules: do not judge, but print the episodes as lines of JSON, which are the same on any machine")
	return func(ctx context.Context, a *app, files []string) (any, error) {
		if t.seeds < 1 || t.turns < 1 || t.time <= 0 {
			return nil, misuse("", "--seeds, --turns and --time must be more than 0")
		}
		return check(ctx, a, files, &t)
	}
}

// check says what is wrong with scenario files and, if the trial is of rules, with those.
func check(ctx context.Context, a *app, files []string, t *trial) (any, error) {
	doc := checked{OK: true, Files: []checkedFile{}}
	var all failures
	for _, file := range files {
		s, err := load(ctx, file, t.set)
		if err == nil {
			err = s.locateCommands()
		}
		found := checkedFile{File: file, OK: err == nil, Errors: []report{}}
		switch {
		case err != nil:
			found.Errors = reports(err)
		case !t.rules:
			fmt.Fprintf(a.out, "%s: ok: %s, %d agents, %s schedule, rules %s\n", file, s.Name, len(s.Agents), s.Schedule, s.Rules.Name)
		case t.record:
			err = t.print(ctx, a, s)
		default:
			found.Rules, err = t.judge(ctx, a, s)
		}
		s.close()
		if err != nil {
			doc.OK, found.OK = false, false
			all = append(all, err)
		}
		doc.Files = append(doc.Files, found)
	}
	switch {
	case len(all) > 0:
		return doc, all
	case t.rules && t.record:
		return nil, nil
	}
	return doc, nil
}
