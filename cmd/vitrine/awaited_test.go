package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/agents/lines"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

func TestWhoWaitsIsToldForWhomAndThatAnInterruptedPauseStays(t *testing.T) {
	path, err := exec.LookPath("vitrine")
	if err != nil {
		t.Fatal(err)
	}
	for schedule, want := range map[string]string{
		"parallel":   "waiting for p, q, who may take up to 10m0s for an act\n",
		"sequential": "waiting for q, who may take up to 3m30s for an act\n",
	} {
		file := filepath.Join(t.TempDir(), "hand.toml")
		text := "schedule = \"" + schedule + `"
rules = { name = "fishery" }
limits = { act = "3m" }
agents = [
	{ name = "s", kind = "scripted", policy = "steady" },
	{ name = "p", kind = "human", act = "10m" },
	{ name = "q", kind = "human", overtime = "30s" },
]
`
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r := program(path).start(t, nil, file)
		p := sits(t, r.dir, "p")
		if schedule == "sequential" {
			passes(t, r.dir, p)
		}
		cmd := exec.CommandContext(t.Context(), path, "pause", r.dir)
		said, err := cmd.StderrPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		line := make([]byte, 1000)
		n, err := said.Read(line) // when it is told
		if got := string(line[:n]); err != nil || got != "vitrine: "+want {
			t.Errorf("%s: %q, %v; want %q", schedule, got, err, want)
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		n, _ = said.Read(line)
		if got := string(line[:n]); !strings.HasPrefix(got, "vitrine: interrupted; the pause that was asked for stays\n") {
			t.Errorf("%s: %q", schedule, got)
		}
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted {
			t.Errorf("%s: %v", schedule, err)
		}
		if st, err := world.Now(r.dir); err != nil || !arena.Held(st) {
			t.Errorf("%s: it is not paused: %v", schedule, err)
		}
	}
}

// sits takes a seat, and returns when it is asked.
func sits(t *testing.T, dir, seat string) net.Conn {
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
	return conn
}

// passes passes in a seat, and returns when that is in the log.
func passes(t *testing.T, dir string, seat net.Conn) {
	t.Helper()
	if _, err := seat.Write([]byte(`{"id":1,"action":"pass"}` + "\n")); err != nil {
		t.Fatal(err)
	}
	for ev, err := range world.Follow(t.Context(), dir, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Agent == "p" && arena.IsAct(ev) {
			return
		}
	}
}
