package main

import (
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/vitrine-sim/vitrine/agents/claude"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
)

// keepFiles returns the files beside a scenario as a manifest holds them.
func keepFiles(files scenarios.Files) []arena.FileManifest {
	var kept []arena.FileManifest
	for _, path := range slices.Sorted(maps.Keys(files)) {
		raw := files[path]
		file := arena.FileManifest{Path: path, SHA256: sum(raw)}
		if utf8.Valid(raw) {
			file.Text = string(raw)
		} else {
			file.Base64 = raw
		}
		kept = append(kept, file)
	}
	return kept
}

// manifestFiles returns the files that a manifest holds.
func manifestFiles(m arena.Manifest) scenarios.Files {
	files := make(scenarios.Files)
	for _, file := range m.Files {
		files[file.Path] = slices.Concat([]byte(file.Text), file.Base64)
	}
	return files
}

// agreeFiles says where a manifest's files are others than those of its scenario, or not what their sums say.
func (s *setup) agreeFiles(m arena.Manifest) error {
	if len(m.Files) != len(s.Files) {
		return fmt.Errorf("files are %d, should be %d", len(m.Files), len(s.Files))
	}
	for i, file := range m.Files {
		if want := sum(s.Files[file.Path]); file.SHA256 != want {
			return fmt.Errorf("files.%d.sha256 is %s, should be %s", i, file.SHA256, want)
		}
	}
	return nil
}

// variables returns what an agent's scenario adds to the environment of its process.
func variables(a scenarios.Agent) []string {
	var env []string
	for _, name := range slices.Sorted(maps.Keys(a.Env)) {
		env = append(env, name+"="+a.Env[name])
	}
	return env
}

// servers returns the MCP servers that an agent has besides the world's.
func servers(a scenarios.Agent) []claude.Server {
	var all []claude.Server
	for _, s := range a.MCP {
		all = append(all, claude.Server{Name: s.Name, Command: s.Command, Args: s.Args, Env: s.Env})
	}
	return all
}
