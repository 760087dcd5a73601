package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

// longScenario is one whose log has keyframes, phases, messages and chance.
const longScenario = `
schedule = "shuffled"
[rules]
name = "fishery"
turns = 40
[messages]
turn = 1
[[phases]]
name = "talk"
schedule = "parallel"
actions = ["say"]
[[phases]]
name = "fish"
actions = ["fish"]
[[agents]]
name = "a"
kind = "scripted"
policy = "steady"
[[agents]]
name = "b"
kind = "scripted"
policy = "steady"
[[agents]]
name = "c"
kind = "scripted"
policy = "random"
`

// talkers writes what the agents of longScenario say, as recorded actions.
func talkers(t *testing.T, path string) {
	t.Helper()
	var lines strings.Builder
	for turn := range 40 {
		for _, agent := range []string{"a", "b", "c"} {
			fmt.Fprintf(&lines, `{"turn":%d,"agent":%q,"action":"say","args":{"text":"turn %d"}}`+"\n", turn, agent, turn)
			fmt.Fprintf(&lines, `{"turn":%d,"agent":%q,"action":"fish","args":{"tons":%d}}`+"\n", turn, agent, turn%4)
		}
	}
	if err := os.WriteFile(path, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// kills returns how many supervisors are killed; VITRINE_TEST_KILLS names another number for a long test.
func kills(t *testing.T) int {
	t.Helper()
	if s := os.Getenv("VITRINE_TEST_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return 200
}

// A victim is a run that is killed again and again until it has ended.
type victim struct {
	t       *testing.T
	vitrine program
	random  *rand.Rand
	dir     string
	left    int            // how many more kills there shall be
	seen    map[string]int // what was found after a kill
}

// play runs the command, and kills it if it has not ended by then: after a while or, since on a slow machine it plays nothing in a while, as soon as its
// log goes on.
func (v *victim) play(args ...string) (ended bool) {
	v.t.Helper()
	follow := v.left > 0 && v.random.IntN(2) == 0
	if follow {
		if err := os.MkdirAll(v.dir, 0o755); err != nil {
			v.t.Fatal(err)
		}
	}
	cmd := exec.Command(string(v.vitrine), args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	kill := func() { _ = cmd.Process.Signal(syscall.SIGKILL) }
	after := time.Duration(v.random.Int64N(int64(40 * time.Millisecond)))
	if v.left <= 0 || follow {
		after = patience
	}
	timer := time.AfterFunc(after, kill)
	playing, over := context.WithCancel(v.t.Context())
	var following sync.WaitGroup
	if more := 1 + v.random.Int64N(200); follow {
		following.Go(func() { // ends with the command
			v.await(playing, more)
			kill()
		})
	}
	err := cmd.Wait()
	timer.Stop()
	over()
	following.Wait()
	if err == nil {
		return true
	}
	if cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		v.t.Fatalf("%v: %v: %s", args, err, &out)
	}
	v.left--
	return false
}

// await returns when so many events more are in the log, or ctx ends.
func (v *victim) await(ctx context.Context, more int64) {
	st, _ := world.Now(v.dir) // of no log at all it is the beginning
	for ev, err := range world.Follow(ctx, v.dir, st.Seq) {
		if err != nil || ev.Seq >= st.Seq+more {
			return
		}
	}
}

// damage does to the files what a kill or a power cut can do in the middle of a write or before a rename. The last commit may be one that
// nobody has been told of.
func (v *victim) damage() {
	v.t.Helper()
	log := filepath.Join(v.dir, "events.jsonl")
	var last int64 // bytes of the log before the last commit
	var size int64
	if raw, err := os.ReadFile(log); err == nil {
		size = int64(len(raw))
		var at int64
		for line := range strings.Lines(string(raw)) {
			at += int64(len(line))
			if at < size && !strings.Contains(line, `"more":true`) {
				last = at
			}
		}
	}
	cut := func(path string, from, to int64) {
		if to > from {
			if err := os.Truncate(path, from+v.random.Int64N(to-from)); err != nil {
				v.t.Fatal(err)
			}
		}
	}
	switch v.random.IntN(4) {
	case 0:
		cut(log, last, size)
		v.seen["commit cut"]++
	case 1:
		keyframes := filepath.Join(v.dir, "keyframes.jsonl")
		if info, err := os.Stat(keyframes); err == nil {
			cut(keyframes, 0, info.Size())
			v.seen["keyframe cut"]++
		}
	case 2:
		if err := os.WriteFile(filepath.Join(v.dir, "result.json.123"), []byte(`{"status":`), 0o600); err != nil {
			v.t.Fatal(err)
		}
		v.seen["rename undone"]++
	}
}

func TestARunThatIsKilledAtRandomGoesOnToTheSameLog(t *testing.T) {
	vitrine := build(t)
	work := t.TempDir()
	scenario, actions := filepath.Join(work, "long.toml"), filepath.Join(work, "talkers.jsonl")
	if err := os.WriteFile(scenario, []byte(longScenario), 0o600); err != nil {
		t.Fatal(err)
	}
	talkers(t, actions)
	ways := [][]string{{"run", scenario, "--agents", "scripted"}, {"run", scenario, "--agents", "scripted", "--policy", "replay", "--actions", actions}}
	seed := rand.Uint64()
	v := &victim{t: t, vitrine: vitrine, random: rand.New(rand.NewPCG(seed, 0)), left: 0, seen: make(map[string]int)}
	var want []string
	for i, args := range ways { // the undisturbed runs
		v.dir = filepath.Join(work, fmt.Sprint("whole", i))
		if !v.play(append(args, "--out", v.dir)...) {
			t.Fatal("it was killed")
		}
		want = append(want, hashOf(t, v.dir))
	}
	v.left = kills(t)
	for n := 0; v.left > 0; n++ {
		v.dir = filepath.Join(work, fmt.Sprint("run", n))
		ended := v.play(append(ways[n%2], "--out", v.dir)...)
		if _, err := arena.ReadManifest(v.dir); !ended && err != nil {
			v.seen["before it was a run"]++
			continue
		}
		for !ended {
			v.seen[found(t, v.dir)]++
			if result, err := arena.ReadResult(v.dir); err == nil && result.Status == arena.Terminated {
				v.seen["after its result"]++
				break
			}
			v.damage()
			ended = v.play("resume", v.dir)
		}
		if got := hashOf(t, v.dir); got != want[n%2] {
			t.Fatalf("seed %d: the hash of %s is %s, not %s", seed, v.dir, got, want[n%2])
		}
		if out, err := exec.Command(string(vitrine), "verify", v.dir).CombinedOutput(); err != nil {
			t.Fatalf("seed %d: verify %s: %v: %s", seed, v.dir, err, out)
		}
	}
	t.Logf("%d kills: %v", kills(t), v.seen)
	if v.seen["while it played"] == 0 {
		t.Error("nobody was killed while it played")
	}
}

// found says where a run was killed.
func found(t *testing.T, dir string) string {
	t.Helper()
	log := world.ReadLog(dir)
	n := 0
	var kind string
	for ev, err := range log.Events() {
		if errors.Is(err, os.ErrNotExist) {
			return "before its first event"
		}
		if err != nil {
			t.Fatal(err)
		}
		n++
		kind = ev.Kind
	}
	switch {
	case log.Torn() > 0:
		return "in the middle of a write"
	case n == 0:
		return "before its first event"
	case kind == arena.KindEnd:
		return "between its last event and its result"
	}
	return "while it played"
}

func hashOf(t *testing.T, dir string) string {
	t.Helper()
	result, err := arena.ReadResult(dir)
	if err != nil {
		t.Fatal(err)
	}
	return result.Hash
}

// The disk is full, which a limit of the size of files stands for, or the folder is gone.
func TestARunThatCannotWriteEndsWithAReasonAndGoesOnLater(t *testing.T) {
	vitrine := build(t)
	work := t.TempDir()
	scenario := filepath.Join(work, "long.toml")
	if err := os.WriteFile(scenario, []byte(longScenario), 0o600); err != nil {
		t.Fatal(err)
	}
	whole := filepath.Join(work, "whole")
	if out, err := exec.Command(string(vitrine), "run", scenario, "--agents", "scripted", "--out", whole).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	dir := filepath.Join(work, "full")
	cmd := exec.Command("sh", "-c", `ulimit -f 40; exec "$@"`, "sh", string(vitrine), "run", scenario, "--agents", "scripted", "--out", dir, "--json")
	out, err := cmd.Output()
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(exit.Stderr), "file too large") {
		t.Fatalf("with a full disk: %v, %s", err, out)
	}
	if hint := "resume " + dir + "\n"; !strings.Contains(string(exit.Stderr), "vitrine: hint: make room, and then: ") || !strings.HasSuffix(string(exit.Stderr), hint) {
		t.Errorf("it says %s", exit.Stderr)
	}
	result, err := arena.ReadResult(dir)
	if err != nil || result.Status != arena.Failed || !strings.Contains(result.Reason, "file too large") || result.Turns == 0 {
		t.Errorf("its result is %+v, %v", result, err)
	}
	if out, err := exec.Command(string(vitrine), "verify", dir).CombinedOutput(); err != nil {
		t.Errorf("verify: %v: %s", err, out)
	}
	raw, err := exec.Command(string(vitrine), "resume", dir, "--json").Output()
	if err != nil {
		t.Fatalf("resume: %v: %s", err, raw)
	}
	var again arena.Result
	if err := json.Unmarshal(raw, &again); err != nil || again.Hash != hashOf(t, whole) || again.Status != arena.Terminated {
		t.Errorf("it goes on to %+v, %v", again, err)
	}
}
