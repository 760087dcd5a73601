package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
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
