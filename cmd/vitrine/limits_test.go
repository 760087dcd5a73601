package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/arena"
)

// Three agents with the least that Claude Code can do with: one plays, one fills the disk, and one starts processes.
const cramped = `
tools = ["Bash"]
prompt = "You are {name}."
[limits]
act = "60s"
[limits.agent]
memory = "512MiB"
processes = 60
open_files = 64
disk = "32MiB"
[rules]
name = "fishery"
turns = 4
[[offline.script]]
agents = ["filler"]
turns = [1]
tools = [{ name = "Bash", args = { command = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do head -c 4000000 /dev/zero > file$i; done; sleep 30" } }]
[[offline.script]]
agents = ["bomber"]
turns = [2]
tools = [{ name = "Bash", args = { command = "for i in $(seq 100); do setsid sleep 30 & done; sleep 30" } }]
[[agents]]
name = "calm"
policy = "steady"
limits.processes = 24
[[agents]]
name = "filler"
policy = "steady"
[[agents]]
name = "bomber"
policy = "steady"
`

func (p program) areEndedBeyondTheirLimits(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cramped.toml")
	if err := os.WriteFile(file, []byte(cramped), 0o600); err != nil {
		t.Fatal(err)
	}
	r := p.start(t, nil, file, "--offline")
	result := r.exits(t, 0)
	if a := result.Agents[0]; a.Status != arena.StatusDone || a.Actions != 4 || a.Breaches != 0 {
		t.Errorf("agent %+v", a)
	}
	want := map[string]struct {
		turn     int
		resource string
		bound    int64
	}{"filler": {1, agents.Disk, 32 << 20}, "bomber": {2, agents.Processes, 60}}
	for _, ev := range r.events(t, arena.KindCrash) {
		var proc struct{ Breach *agents.Breach }
		err, of := json.Unmarshal(ev.Proc, &proc), want[ev.Agent]
		b := proc.Breach
		if err != nil || b == nil || ev.Turn != of.turn || b.Resource != of.resource || b.Bound != of.bound || b.Used <= b.Bound {
			t.Errorf("turn %d: %s is ended by %s", ev.Turn, ev.Agent, ev.Proc)
		}
		delete(want, ev.Agent)
	}
	for name := range want {
		t.Errorf("%s is not ended", name)
	}
	for _, a := range result.Agents[1:] {
		if a.Breaches != 1 || a.Actions == 4 {
			t.Errorf("agent %+v", a)
		}
	}
	r.verify(t)
}
