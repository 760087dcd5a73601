package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestInterruptionWhileClaudeCodeIsFetchedLeavesNothing(t *testing.T) {
	vitrine, err := exec.LookPath("vitrine") // the test binary, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	home, bin := t.TempDir(), t.TempDir()
	called := filepath.Join(home, "called")
	if err := syscall.Mkfifo(called, 0o600); err != nil {
		t.Fatal(err)
	}
	npm := "#!/bin/sh\necho now >" + called + "\nexec /bin/sleep 1000\n"
	if err := os.WriteFile(filepath.Join(bin, "npm"), []byte(npm), 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(home, "r")
	cmd := exec.CommandContext(t.Context(), vitrine, "run", fisheryFile(), "--offline", "--out", dir)
	cmd.Env = []string{"HOME=" + home, "PATH=" + bin}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	heard, ended := make(chan error, 1), make(chan error, 1)
	go func() { // ends when npm writes
		_, err := os.ReadFile(called)
		heard <- err
	}()
	go func() { ended <- cmd.Wait() }() // ends with the command
	select {
	case err = <-heard:
	case err = <-ended:
		t.Fatalf("it ends before it asks npm: %v: %s", err, &stderr)
	}
	if err := errors.Join(err, cmd.Process.Signal(os.Interrupt)); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("exit code is %d (%v), want %d: %s", cmd.ProcessState.ExitCode(), err, exitInterrupted, &stderr)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the run has a folder")
	}
	if left, err := filepath.Glob(filepath.Join(home, ".cache", "vitrine", "*")); len(left) > 0 {
		t.Errorf("the cache holds %q: %v", left, err)
	}
}

// hung is a lake whose rules say that they have come to a place, and then hang there.
const hung = `#!/usr/bin/python3
import sys, time
sys.path.insert(0, %q)
import lake

def hang(*_):
    with open(%q, "w") as here:
        here.write("here")
    time.sleep(1000)

class Lake(lake.Lake):
    %s = hang

    def observe(self, state, agent):
        if %q == "end" and state.get("run/status/a") == "done":
            hang()
        return super().observe(state, agent)

if %q == "start":
    hang()
lake.serve(rules=Lake())
`

func TestAnInterruptionIsHeardWhileRulesStartOrHang(t *testing.T) {
	path, err := exec.LookPath("vitrine") // the test binary, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Abs(filepath.Join("..", "..", "examples", "plugin-python"))
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{"start", "reset", "step", "end"} {
		home := t.TempDir()
		here := filepath.Join(home, "here")
		err := errors.Join(syscall.Mkfifo(here, 0o600),
			os.WriteFile(filepath.Join(home, "rules.py"), fmt.Appendf(nil, hung, examples, here, place, place, place), 0o700),
			os.WriteFile(filepath.Join(home, "lake.toml"), []byte("rules = { name = \"lake\", plugin = [\"./rules.py\"] }\nagents = [{ name = \"a\", kind = \"scripted\", policy = \"steady\" }]\n"), 0o600))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience) // much shorter than the rules hang
		defer cancel()
		cmd := exec.CommandContext(ctx, path, "run", filepath.Join(home, "lake.toml"), "--out", filepath.Join(home, "run"))
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.ReadFile(here); err != nil { // when they are there
			t.Fatal(err)
		}
		began := time.Now()
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		err = cmd.Wait()
		took := time.Since(began)
		turn := map[string]int{"step": 0, "end": 12}
		without := fmt.Sprintf("interrupted in turn %d, and without a result, because the rules do not answer", turn[place])
		_, noResult := os.Stat(filepath.Join(home, "run", "result.json"))
		if _, played := turn[place]; cmd.ProcessState.ExitCode() != exitInterrupted || noResult == nil ||
			played && !strings.Contains(stderr.String(), without) {
			t.Errorf("%s: after %v the exit code is %d (%v): %s", place, took, cmd.ProcessState.ExitCode(), err, &stderr)
		}
		t.Logf("%s: it ends %v after the interruption", place, took)
	}
}
