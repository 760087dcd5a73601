package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/agents/plugin"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world"
)

// commandHint is how a scenario names a program.
const commandHint = "a program on PATH, or its path from the scenario file, beginning with ./"

// pluginRules returns the substrate of a scenario whose rules are a program, which then runs until it is closed.
func pluginRules(ctx context.Context, s *scenarios.Scenario) (substrate, error) {
	if _, err := exec.LookPath(s.Rules.Plugin[0]); err != nil {
		return substrate{}, s.Error("rules.plugin", err.Error(), commandHint)
	}
	rules, err := plugin.StartRules(ctx, plugin.Config{Command: s.Rules.Plugin})
	if err != nil {
		return substrate{}, s.Error("rules.plugin", err.Error(), "")
	}
	if err := configure(s, rules); err != nil {
		return substrate{}, errors.Join(err, rules.Close())
	}
	return substrate{
		rules:    func(s *scenarios.Scenario) (world.Rules, error) { return rules, together(s, rules.Simultaneous()) },
		policies: rules.Policies(), metrics: rules.Metrics(), measure: rules.Measure,
		keep: rules.KeepOutput, close: rules.Close,
	}, nil
}

// configure gives the rules of a plugin the scenario's parameters.
func configure(s *scenarios.Scenario, rules *plugin.Rules) error {
	params, err := readParams(s, rules.Params())
	if err != nil {
		return err
	}
	err = rules.Configure(params)
	var mistake *plugin.ParamError
	switch {
	case errors.As(err, &mistake) && mistake.Param != "":
		return s.Error("rules."+mistake.Param, mistake.Msg, "")
	case err != nil:
		return s.Error("rules", err.Error(), "")
	}
	return nil
}

// located returns a command of a scenario file with whole paths for the words that begin with ./ or ../.
func located(file string, command []string) ([]string, error) {
	command = slices.Clone(command)
	for i, word := range command {
		if strings.HasPrefix(word, "./") || strings.HasPrefix(word, "../") {
			path, err := filepath.Abs(filepath.Join(filepath.Dir(file), word))
			if err != nil {
				return nil, err
			}
			command[i] = path
		}
	}
	return command, nil
}

// programsOf returns the files that commands, with whole paths, name: the executables, and those that are arguments.
func programsOf(commands ...[]string) ([]arena.Program, error) {
	var programs []arena.Program
	for _, command := range commands {
		for i, path := range command {
			if i == 0 {
				path, _ = exec.LookPath(path) // where there is none nothing runs
			}
			if info, err := os.Stat(path); !filepath.IsAbs(path) || err != nil || !info.Mode().IsRegular() {
				continue
			}
			sum, err := fileSum(path)
			if err != nil {
				return nil, err
			}
			programs = append(programs, arena.Program{Path: path, SHA256: sum})
		}
	}
	slices.SortFunc(programs, func(a, b arena.Program) int { return cmp.Compare(a.Path, b.Path) })
	return slices.Compact(programs), nil
}

// fileSum returns the SHA-256 of a file in hexadecimal.
func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}

// tellChanged says which programs are not the files any more that a run was begun with, and returns their paths.
func (a *app) tellChanged(m arena.Manifest) []string {
	var changed []string
	for _, p := range m.Programs {
		switch sum, err := fileSum(p.Path); {
		case err != nil:
			a.tell("%s is not there any more: %v", p.Path, err)
		case sum != p.SHA256:
			a.tell("%s is not the file any more that the run was begun with: its SHA-256 is %s, and was %s", p.Path, sum, p.SHA256)
		default:
			continue
		}
		changed = append(changed, p.Path)
	}
	return changed
}

// rulesFailed returns what is wrong with rules that nobody has tested as a mistake of the scenario.
func rulesFailed(s *scenarios.Scenario, err error) error {
	if s.Rules.InPlugin() {
		return s.Error("rules.plugin", fmt.Sprint(err), "")
	}
	return rulesMistakes(s, err)
}
