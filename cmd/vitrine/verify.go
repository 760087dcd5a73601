package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

// verify proves that a run's log is whole, follows from its actions by the rules, and is the one that the result speaks of.
func verify(ctx context.Context, a *app, args []string) (any, error) {
	dir := args[0]
	m, result, err := openRun(dir)
	if err != nil {
		return nil, err
	}
	changed := a.tellChanged(m)
	s, err := a.reload(ctx, m)
	if err != nil {
		return nil, fmt.Errorf("the scenario in the manifest: %w", err)
	}
	defer s.close()
	if err := s.agrees(m); err != nil {
		return nil, fmt.Errorf("the manifest: %w", err)
	}
	games, err := s.games(ctx, m)
	if err != nil {
		return nil, fmt.Errorf("the manifest: %w", err)
	}
	v, err := arena.Verify(dir, games[0], games[1:]...)
	if err != nil {
		return nil, err
	}
	grown := result != nil && !v.Over && result.Events < v.Events && result.Status != arena.Terminated && result.Status != arena.Truncated
	if result != nil && !grown { // an operator may have been there after an interruption
		if err := v.Matches(*result, dir); err != nil {
			return nil, err
		}
		if err := s.proves(*result, m, dir, v); err != nil {
			return nil, fmt.Errorf("the result: %w", err)
		}
	}
	over := "the episode is over"
	if !v.Over {
		over = "the episode is not over"
		if result != nil && !grown && result.Status == arena.Failed {
			over += ", it failed: " + printable(result.Reason)
		}
	}
	if v.TornLine > 0 {
		over += fmt.Sprintf("; line %d and what follows is half a commit, which does not count", v.TornLine)
	}
	fmt.Fprintf(a.out, "%s: ok: %s, %s, %s\nhash %s\n", dir, plural(int(v.Events), "event"), plural(v.Turns, "turn"), over, v.Hash)
	if v.Over && world.Holder(dir) == nil { // who plays it is about to write one
		if _, err := arena.ReadResult(dir); errors.Is(err, fs.ErrNotExist) {
			a.tell("it has no result: %s", unscored(dir))
		}
	}
	return struct {
		OK bool `json:"ok"`
		arena.Verified
		Changed []string `json:"changed_programs,omitempty"` // which are not the files any more that the run was begun with
	}{true, v, changed}, nil
}

// agrees says where a manifest speaks of another scenario than the one it holds.
func (s *setup) agrees(m arena.Manifest) error {
	switch {
	case m.SHA256 != sum(s.Source):
		return fmt.Errorf("sha256 is %s, should be %s", m.SHA256, sum(s.Source))
	case m.Scenario != s.Name:
		return fmt.Errorf("scenario is %q, should be %q", m.Scenario, s.Name)
	case m.Seed != s.Seed:
		return fmt.Errorf("seed is %d, should be %d", m.Seed, s.Seed)
	case len(m.Agents) != len(s.Agents):
		return fmt.Errorf("agents are %d, should be %d", len(m.Agents), len(s.Agents))
	}
	for i, a := range s.Agents {
		if m.Agents[i].Name != a.Name {
			return fmt.Errorf("agents.%d.name is %q, should be %q", i, m.Agents[i].Name, a.Name)
		}
	}
	return s.agreeFiles(m)
}

// proves says where a result speaks of something else than the log from which it came. What models and processes used is in no log.
func (s *setup) proves(found arena.Result, m arena.Manifest, dir string, v arena.Verified) error {
	want := found
	want.Scenario, want.Seed, want.Model = s.Name, s.Seed, m.Model
	if v.Over {
		want.Status, want.Reason = v.End.Status, v.End.Reason
	} else if found.Status == arena.Terminated || found.Status == arena.Truncated {
		return fmt.Errorf("status is %s, and the log has no end", found.Status)
	}
	want.Agents = slices.Clone(found.Agents)
	want.Agents = slices.Grow(want.Agents, len(s.Agents))[:len(s.Agents)]
	for i, a := range s.Agents {
		want.Agents[i].Name, want.Agents[i].Kind = a.Name, m.Agents[i].Kind
	}
	if err := s.score(&want, dir, v.State, v.Hash); err != nil {
		return err
	}
	if differences := arena.Differences(world.JSON(found), world.JSON(want)); differences != "" {
		return errors.New(differences)
	}
	return nil
}
