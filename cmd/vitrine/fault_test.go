package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

// troubled is a lake with two fishers, who have the time to ask again when their model falls silent. The offline model uses tools, too.
const troubled = `
thinking = 1024
tools = ["Read", "Write"]
[rules]
name = "fishery"
turns = 10
[limits]
act = "20s"
[[agents]]
name = "a"
policy = "steady"
[[agents]]
name = "b"
policy = "greedy"
[offline]
latency = "20ms"
rate = 2000
[[offline.script]]
agents = ["b"]
turns = [1]
think = "Let me write it down, {agent}."
say = "Written, so {action}."
tools = [
  { name = "Write", args = { file_path = "notes.md", content = "turn {turn} of {agent}" } },
  { name = "Read", args = { file_path = "notes.md" } },
]
action = "fish"
args = { tons = 7 }
[[offline.script]]
agents = ["b"]
action = "fish"
args = { tons = 10 }
`

func (p program) playOnWhateverBefallsTheirModel(t *testing.T) {
	file := filepath.Join(t.TempDir(), "troubled.toml")
	if err := os.WriteFile(file, []byte(troubled), 0o600); err != nil {
		t.Fatal(err)
	}
	calm := p.start(t, nil, file, "--offline")
	want := calm.exits(t, 0)
	notes, err := os.ReadFile(filepath.Join(arena.AgentDir(calm.dir, "b"), "work", "notes.md"))
	if err != nil || string(notes) != "turn 1 of b" {
		t.Errorf("the script's notes are %q: %v", notes, err)
	}
	if transcript, err := os.ReadFile(filepath.Join(arena.AgentDir(calm.dir, "b"), "transcript.jsonl")); err != nil ||
		!strings.Contains(string(transcript), "Let me write it down, b.") || !strings.Contains(string(transcript), "Written, so fish.") {
		t.Errorf("the script's words are not in the transcript: %v", err)
	}

	// Each fault costs one request more, but for the first, which the gateway waits out, and nobody loses an act.
	faults := []string{"429@1", "500@3", "cut@8", "malformed@10", "empty@12", "refused@14", "stall@16"}
	r := p.start(t, nil, file, "--offline", "--fault", strings.Join(faults, ","))
	got := r.exits(t, 0)
	if got.Hash != want.Hash || got.Turns != 10 {
		t.Errorf("with trouble the hash is %s after %d turns, without %s", got.Hash, got.Turns, want.Hash)
	}
	for i, a := range got.Agents {
		more := a.ModelRequests - want.Agents[i].ModelRequests
		if a.Errors+a.Timeouts+a.Invalids+a.Fenced > 0 || a.Actions != 10 || more != 6 || a.Troubles != len(faults) {
			t.Errorf("agent %+v, with %d requests more than without trouble", a, more)
		}
	}
	r.verify(t)

	var told []string
	for ev, err := range world.Events(r.dir) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Agent == "a" {
			told = append(told, modelTroubles(ev)...)
		}
	}
	for i, what := range []string{"429", "500", "broke off", "is no JSON", "is empty", "gave no answer", "fell silent"} {
		if len(told) != len(faults) || !strings.Contains(told[i], what) {
			t.Fatalf("the log tells %q; want %q as number %d", told, what, i)
		}
	}

	// A key that is refused is not tried again in the same turn, and tried in the next.
	refused := p.start(t, nil, file, "--offline", "--fault", "401@2").exits(t, 0)
	for i, a := range refused.Agents {
		if a.Errors != 1 || a.Troubles != 1 || a.Actions != 9 || a.ModelRequests > want.Agents[i].ModelRequests {
			t.Errorf("agent %+v", a)
		}
	}
	never := p.start(t, nil, file, "--offline", "--fault", "401:1", "--set", "limits.turns=2")
	never.exits(t, 1)
	if want := "no agent ever acted: a: the model endpoint refused the key ("; !strings.Contains(never.stderr.String(), want) {
		t.Errorf("it says %s, want %q", &never.stderr, want)
	}
}
