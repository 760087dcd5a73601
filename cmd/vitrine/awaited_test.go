package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/agents/lines"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

func TestWhoWaitsForAHaltIsToldWhatForAndHowLongAndThatItStays(t *testing.T) {
	path, err := exec.LookPath("vitrine")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "hand.toml")
	const text = `rules = { name = "fishery" }
limits = { act = "3m" }
agents = [{ name = "p", kind = "human", act = "10m" }, { name = "q", kind = "human", overtime = "8m" }]
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := program(path).start(t, nil, file)
	sits(t, r.dir, "p")
	for _, c := range []struct {
		command        []string
		awaited, stays string
	}{
		{[]string{"step", "--turn"}, "turn", "turn"},
		{[]string{"pause"}, "step", "pause"},
	} {
		cmd := exec.CommandContext(t.Context(), path, append(c.command, r.dir)...)
		said, err := cmd.StderrPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		line := make([]byte, 1000)
		n, err := said.Read(line) // when it is told
		if got := string(line[:n]); err != nil || got != "vitrine: waiting until the "+c.awaited+" is over: an act may take up to 11m0s\n" {
			t.Errorf("%q, %v", got, err)
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		n, _ = said.Read(line)
		if got := string(line[:n]); !strings.HasPrefix(got, "vitrine: interrupted; the "+c.stays+" that was asked for stays\n") {
			t.Errorf("%q", got)
		}
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted {
			t.Error(err)
		}
	}
	if st, err := world.Now(r.dir); err != nil || !arena.Held(st) {
		t.Errorf("it is not paused: %v", err)
	}
	if got := awaited(r.dir, arena.DoStop); got != "the episode is over" { // what agents are thinking about is lost
		t.Errorf("a stop waits until %s", got)
	}
}

// sits takes a seat, and returns when it is asked.
func sits(t *testing.T, dir, seat string) {
	t.Helper()
	err := appears(filepath.Join(arena.AgentDir(dir, seat), "seat.sock"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := lines.Dial(t.Context(), arena.AgentDir(dir, seat))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}
