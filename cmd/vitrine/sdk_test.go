package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/arena"
)

// sdkLake is the fishery with a program in the first seat.
func sdkLake(t *testing.T, player string) string {
	t.Helper()
	text, err := os.ReadFile(fisheryFile())
	if err != nil {
		t.Fatal(err)
	}
	const first = "[[agents]]\nname = \"a\"\n"
	packages, err := filepath.EvalSymlinks(filepath.Join(filepath.Dir(player), "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	program := fmt.Sprintf("%skind = \"exec\"\ncommand = [\"node\", %q]\nread = [%q]\ngateway = true\n", first, player, packages)
	scenario := strings.Replace(string(text), first, program, 1)
	for _, name := range []string{"b", "c", "d", "e"} {
		seat := fmt.Sprintf("name = %q\n", name)
		scenario = strings.Replace(scenario, seat, seat+"kind = \"scripted\"\n", 1)
	}
	file := filepath.Join(t.TempDir(), "lake.toml")
	if err := os.WriteFile(file, []byte(scenario), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// sdkPlayer returns the path of the example's program in a folder that has the packages that its lock file names. They are fetched
// through npm into the user's cache when they are not there yet.
func sdkPlayer(t *testing.T) string {
	t.Helper()
	example := filepath.Join("..", "..", "examples", "agent-sdk")
	lock, err := os.ReadFile(filepath.Join(example, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	packages := filepath.Join(cache, "vitrine", fmt.Sprintf("agent-sdk-%x", sha256.Sum256(lock)))
	if _, err := os.Stat(packages); err != nil {
		fetchPackages(t, example, packages)
	}
	dir := t.TempDir()
	copyFiles(t, example, dir, "player.mjs")
	if err := os.Symlink(packages, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "player.mjs")
}

func copyFiles(t *testing.T, from, to string, names ...string) {
	t.Helper()
	for _, name := range names {
		raw, err := os.ReadFile(filepath.Join(from, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), raw, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// fetchPackages installs the packages of an example. Several processes may do so at once: the first one to finish wins.
func fetchPackages(t *testing.T, example, packages string) {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%v: install Node, which has node and npm: the example of the Agent SDK runs on it", err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(packages), 0o755); err != nil {
		t.Fatal(err)
	}
	work, err := os.MkdirTemp(filepath.Dir(packages), "fetch-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(work)
	copyFiles(t, example, work, "package.json", "package-lock.json")
	// The optional packages hold Claude Code itself, which is here already.
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund")
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v: %s", err, out)
	}
	if err := os.Rename(filepath.Join(work, "node_modules"), packages); err != nil {
		if _, there := os.Stat(packages); there != nil {
			t.Fatal(err)
		}
	}
}

func (p program) canBeAProgramWithTheAgentSDK(t *testing.T) {
	r := p.start(t, nil, sdkLake(t, sdkPlayer(t)), "--offline")
	result := r.exits(t, 0)
	if want := p.start(t, nil, fisheryFile(), "--agents", "scripted").exits(t, 0).Hash; result.Hash != want {
		t.Errorf("hash is %s, that of scripted agents %s", result.Hash, want)
	}
	a := result.Agents[0]
	if a.Kind != "exec" || a.Status != arena.StatusDone || a.Actions != 12 || a.ModelRequests < 12 || a.ModelRequests > 14 || a.TokensIn == 0 {
		t.Errorf("agent %+v", a)
	}
	r.verify(t)
}
