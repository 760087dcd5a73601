package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

// goOnWhenTheyAreKilled kills two agents in the middle of an act, and once more; one of them a third time.
func (p program) goOnWhenTheyAreKilled(t *testing.T) {
	type kill struct {
		agent string
		turn  int
	}
	kills := []kill{{"c", 2}, {"d", 2}, {"c", 5}, {"d", 5}, {"d", 9}}
	m := serve(t, func(obs world.Observation) bool {
		return slices.ContainsFunc(kills, func(k kill) bool { return k == kill{obs.Agent, obs.Turn} })
	})
	r := p.start(t, []string{"ANTHROPIC_API_KEY=" + canary}, fisheryFile(), "--base-url", m.URL,
		"--set", "restart.max_restarts=2", "--set", "restart.window=20", "--set", "restart.max_backoff=2", "--set", "limits.act=10m")
	held := make(map[kill]bool)
	for _, k := range kills {
		r.reaches(t, k.turn)
		for !held[k] { // of two that are held at once either may come first
			select {
			case obs := <-m.held:
				held[kill{obs.Agent, obs.Turn}] = true
			case <-time.After(patience):
				t.Fatal("the model is not asked")
			}
		}
		pid := r.agent(t, k.agent)
		victim := watch(t, pid)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if !victim.gone(time.Now().Add(patience)) {
			t.Errorf("%s does not die", k.agent)
		}
	}
	result := r.exits(t, 0)
	if result.Turns != 12 || result.Status != arena.Terminated {
		t.Errorf("%s after %d turns", result.Status, result.Turns)
	}
	for _, a := range result.Agents {
		want := arena.Tally{Actions: 12}
		status := arena.StatusDone
		switch a.Name {
		case "c": // it is killed in 2 and 5, and sits out 6
			want = arena.Tally{Actions: 9, Crashes: 2, Restarts: 2, Backoffs: 1}
		case "d":
			want, status = arena.Tally{Actions: 6, Crashes: 3, Restarts: 2, Backoffs: 1}, arena.StatusQuarantined
		}
		want.WallMS, want.Troubles = a.WallMS, a.Troubles
		if a.Tally != want || a.Status != status {
			t.Errorf("%s is %s after %+v, want %s after %+v", a.Name, a.Status, a.Tally, status, want)
		}
	}
	for _, ev := range r.events(t, arena.KindCrash) {
		proc := string(ev.Proc)
		if !strings.Contains(proc, `"exit":"signal: killed","last_action":"fish"`) || !strings.Contains(proc, `"peak_memory_bytes":`) {
			t.Errorf("a crash says %s", proc)
		}
	}
	transcript, err := os.ReadFile(filepath.Join(arena.AgentDir(r.dir, "c"), "transcript.jsonl"))
	if n := strings.Count(string(transcript), "Your process has crashed (agent is gone: signal: killed) and has been started again"); err != nil || n < 2 {
		t.Errorf("the transcript of c tells of %d crashes: %v", n, err)
	}
	last := ""
	for _, req := range m.seen() {
		if strings.Contains(req.body, "You are c,") {
			last = req.body
		}
	}
	for _, want := range []string{`\"turn\":0,`, `\"turn\":4,`, `\"turn\":8,`, `\"turn\":11,`, "the last that counts of what you have done is: turn 1: asks for fish"} {
		if !strings.Contains(last, want) {
			t.Errorf("the last request of c does not hold %q", want)
		}
	}
	if v := r.verify(t); !v.Over || v.Hash != result.Hash {
		t.Errorf("verify says %+v, the result %+v", v, result)
	}
}
