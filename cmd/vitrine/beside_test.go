package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
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

// prints waits until the companion prints a text.
func (c *companion) prints(t *testing.T, text string) {
	t.Helper()
	var seen []string
	for timeout := time.After(patience); ; {
		select {
		case line, ok := <-c.lines:
			if seen = append(seen, line); strings.Contains(line, text) {
				return
			}
			if !ok {
				t.Fatalf("it ends without %q: %q", text, seen)
			}
		case <-timeout:
			t.Fatalf("it does not print %q: %q", text, seen)
		}
	}
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

// waitFor waits until there is a file.
func waitFor(t *testing.T, path string) {
	t.Helper()
	if err := appears(path); err != nil {
		t.Fatal(err)
	}
}

// appears returns when there is a file.
func appears(path string) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer watcher.Close()
	for timeout := time.After(patience); ; {
		dir, next := filepath.Dir(path), path
		for watcher.Add(dir) != nil { // it is not there yet
			dir, next = filepath.Dir(dir), dir
		}
		if _, err := os.Stat(next); err == nil { // perhaps since before somebody watched
			if next == path {
				return nil
			}
			continue
		}
		select {
		case <-watcher.Events:
		case <-timeout:
			return fmt.Errorf("there is no %s", path)
		}
	}
}
