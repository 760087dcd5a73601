package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

// flooded is a lake at which one of five fishers says garbage, or not.
const flooded = `
[rules]
name = "fishery"
turns = 4
[limits]
act = "90s"
[[agents]]
name = "a"
policy = "steady"
[[agents]]
name = "b"
policy = "steady"
[[agents]]
name = "c"
kind = "exec"
command = ["/usr/bin/python3", "-u", "./garbage.py"]
gateway = true
env = { GARBAGE = %q, PLAYING = "4" }
[[agents]]
name = "d"
policy = "steady"
[[agents]]
name = "e"
policy = "random"
`

func (p program) playOnWhateverOneOfThemSays(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join("testdata", "garbage", "garbage.py"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "garbage.py"), script, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	var once int64 // bytes that the supervisor had at most after one turn
	play := func(garbage string) (*run, arena.Result, map[string][]string, int64) {
		file := filepath.Join(dir, garbage+".toml")
		if err := os.WriteFile(file, fmt.Appendf(nil, flooded, garbage), 0o644); err != nil {
			t.Fatal(err)
		}
		r := p.start(t, nil, file, "--offline")
		most := r.mostMemory()
		r.reaches(t, 1)
		once = r.memory()
		result := r.exits(t, 0)
		r.verify(t)
		done := make(map[string][]string)
		for _, ev := range r.events(t, arena.KindAction) {
			var did struct {
				Name string
				Args json.RawMessage
			}
			if err := json.Unmarshal(ev.Data, &did); err != nil {
				t.Fatal(err)
			}
			done[ev.Agent] = append(done[ev.Agent], fmt.Sprintf("%d %s %s", ev.Turn, did.Name, did.Args))
		}
		return r, result, done, <-most
	}
	_, calm, want, least := play("no")
	r, result, got, most := play("yes")
	t.Logf("the supervisor has %d MiB at most; when one of five says garbage %d MiB after a turn, %d MiB in the end", least>>20, once>>20, most>>20)
	if most > least+512<<20 || once == 0 || most > 2*once {
		t.Errorf("it has %d MiB more when one of five says garbage", (most-least)>>20)
	}
	for _, name := range []string{"a", "b", "d", "e"} {
		if !slices.Equal(got[name], want[name]) || len(got[name]) != 4 {
			t.Errorf("beside the garbage %s does %q, without it %q", name, got[name], want[name])
		}
	}
	if !slices.Equal(got["c"], want["c"][:3]) {
		t.Errorf("beside its garbage c does %q, without it %q", got["c"], want["c"])
	}
	for i, a := range result.Agents {
		if a.Name != "c" && (a.Tampers+a.Fenced+a.Timeouts+a.Errors+a.Crashes+a.Invalids > 0 || a.Status != calm.Agents[i].Status) {
			t.Errorf("agent %+v", a)
		}
	}
	if c := result.Agents[2]; c.Status != arena.StatusError || c.Crashes != 1 || c.Fenced < 300 || c.Tampers < 100 || calm.Agents[2].Tampers > 0 {
		t.Errorf("the garbage costs agent %+v", c)
	}
	kinds, events := make(map[string]int), 0
	for _, ev := range r.events(t, arena.KindTamper) {
		a, err := arena.AttemptOf(ev)
		if err != nil || ev.Agent != "c" || strings.ContainsAny(a.Sample, "\x00\x1b\n") || len(ev.Proc) > 2000 {
			t.Errorf("the log tells %s: %v", world.JSON(ev), err)
		}
		kinds[a.What] += a.Times
		events++
	}
	t.Logf("c is seen to try %v, in %d events", kinds, events)
	for _, what := range []string{tamper.Author, tamper.Garbage, tamper.Token} {
		if kinds[what] == 0 {
			t.Errorf("c is not seen to try %s", what)
		}
	}
	if events > 5*len(kinds) {
		t.Errorf("%d events tell of it", events)
	}
	for path, most := range map[string]int64{
		"events.jsonl": 1 << 20, "agents/c/stderr.log": 2 << 20, "agents/c/usage.jsonl": 1 << 20, "cassette/c.jsonl.gz": 64 << 20,
	} {
		if info, err := os.Stat(filepath.Join(r.dir, path)); err != nil || info.Size() > most {
			t.Errorf("%s: %v, more than %d bytes", path, err, most)
		}
	}
}

// memory returns how many bytes the supervisor had resident at most so far; 0 if it is gone.
func (r *run) memory() int64 {
	raw, _ := os.ReadFile(procFile(r.cmd.Process.Pid, "status"))
	_, line, _ := strings.Cut(string(raw), "VmHWM:")
	var kib int64
	_, _ = fmt.Sscan(line, &kib)
	return kib << 10
}

// mostMemory tells when the run is over what its memory was. What the kernel says of that in the end counts from before the program was
// loaded.
func (r *run) mostMemory() <-chan int64 {
	told := make(chan int64, 1)
	go func() { // ends with the run
		var most int64
		for {
			most = max(most, r.memory())
			select {
			case <-r.done:
				told <- most
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return told
}
