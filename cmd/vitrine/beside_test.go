package main

import (
	"bufio"
	"bytes"
	"os/exec"
	"testing"
	"time"
)

// A companion is a command that works beside a run, and ends at the latest with the test.
type companion struct {
	cmd   *exec.Cmd
	lines chan string // of both its outputs; closed when it has ended
}

// begin starts a companion.
func (p program) begin(t *testing.T, args ...string) *companion {
	t.Helper()
	c := &companion{cmd: exec.Command(string(p), args...), lines: make(chan string, 10_000)}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.cmd.Stderr = c.cmd.Stdout
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the command
		defer close(c.lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			c.lines <- scan.Text()
		}
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	})
	return c
}

// count waits for the end of the companion and returns how many lines it has printed.
func (c *companion) count(t *testing.T) int {
	t.Helper()
	n := 0
	for timeout := time.After(patience); ; n++ {
		select {
		case _, ok := <-c.lines:
			if !ok {
				return n
			}
		case <-timeout:
			t.Fatal("it does not end")
		}
	}
}

// does runs a command that must succeed.
func (p program) does(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), string(p), args...).CombinedOutput(); err != nil {
		t.Errorf("%v: %v: %s", args, err, bytes.TrimSpace(out))
	}
}
