package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/arena"
)

// breeders is a lake with eight programs that start what they can to stay, and then wait for the file "on", and act. Then comes the number
// of turns, what they do when they are asked again or their input ends, and a variable that all that they start has.
const breeders = `
[rules]
name = "fishery"
turns = %d
[[agents]]
name = "b"
count = 8
kind = "exec"
command = ["/bin/sh", "-c", '''
setsid sh -c "trap : TERM HUP INT; while :; do sleep 1; done" >/dev/null 2>&1 &
(setsid sleep 1000 >/dev/null 2>&1 &)
(cd /; nohup sleep 1000 >/dev/null 2>&1 &)
for i in 1 2 3 4 5; do (trap "" TERM; exec sleep 1000) >/dev/null 2>&1 & done
walk() { [ $1 -gt 0 ] && { sleep 0.01; walk $(($1-1)) & }; }
walk 3000 >/dev/null 2>&1 &
read line
until [ -e on ]; do sleep 0.02; done
echo '{"id":1,"action":"fish","args":{"tons":1}}'
read line
%s
''']
env = { %s = "1" }
`

// starts returns how many runs there are; VITRINE_TEST_STARTS names another number for a long test.
func starts(t *testing.T) int {
	t.Helper()
	if s := os.Getenv("VITRINE_TEST_STARTS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return 4
}

// TestNothingIsLeftOfManyAgents starts eight agents again and again, who leave processes behind in every way that they can, and lets them
// end in all ways. It looks for the processes by their environment, wherever they have gone.
func TestNothingIsLeftOfManyAgents(t *testing.T) {
	path, err := exec.LookPath("vitrine")
	if err != nil {
		t.Fatal(err)
	}
	n := starts(t)
	ways := []struct {
		name, ending string
		turns        int
		kill         bool
	}{
		{"the run ends", "exit 0", 1, false},
		{"the run ends, and agents are deaf to it", `trap "" TERM; while :; do sleep 1; done`, 1, false},
		{"the agents end", "exit 3", 9, false},
		{"the supervisor is killed", "while :; do sleep 1; done", 9, true},
	}
	took, begun := make([][]time.Duration, len(ways)), 0
	for i := range n {
		way := ways[i%len(ways)]
		mark := fmt.Sprintf("VITRINE_TEST_MARK_%d_%d", os.Getpid(), i)
		file := filepath.Join(t.TempDir(), "breeders.toml")
		if err := os.WriteFile(file, fmt.Appendf(nil, breeders, way.turns, way.ending, mark), 0o600); err != nil {
			t.Fatal(err)
		}
		r := program(path).start(t, nil, file)
		begun += waitMarked(t, mark, 8*9)
		for k := range 8 {
			if err := os.WriteFile(filepath.Join(arena.AgentDir(r.dir, fmt.Sprintf("b%d", k+1)), "work", "on"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r.reaches(t, 1)
		if way.kill {
			if err := r.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		for left := marked(mark); len(left) > 0; left = marked(mark) {
			time.Sleep(time.Millisecond)
			if time.Since(began) > patience {
				t.Fatalf("%s: %d processes are there for ever: %v", way.name, len(left), left)
			}
		}
		took[i%len(ways)] = append(took[i%len(ways)], time.Since(began))
		select {
		case <-r.done:
		case <-time.After(patience):
			t.Fatalf("%s: the run does not end", way.name)
		}
		if left := marked(mark); len(left) > 0 {
			t.Errorf("%s: %v have come back", way.name, left)
		}
	}
	t.Logf("%d runs of eight agents, with %d processes seen at once before their ends, have left nothing", n, begun)
	for i, way := range ways {
		if slices.Sort(took[i]); len(took[i]) > 0 {
			t.Logf("%-40s n=%d: all gone after %v (median), %v (most)", way.name, len(took[i]),
				took[i][len(took[i])/2].Round(time.Millisecond), took[i][len(took[i])-1].Round(time.Millisecond))
		}
	}
}

// waitMarked waits until so many processes have a variable in their environment, and returns how many.
func waitMarked(t *testing.T, name string, least int) int {
	t.Helper()
	for until := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		n := len(marked(name))
		if n >= least {
			return n
		}
		if time.Now().After(until) {
			t.Fatalf("only %d processes have begun", n)
		}
	}
}

// marked returns the processes that have a variable in their environment.
func marked(name string) []int {
	var pids []int
	files, _ := filepath.Glob("/proc/[0-9]*/environ") // the pattern is right
	for _, file := range files {
		raw, _ := os.ReadFile(file) // it may be gone
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil && strings.Contains(string(raw), name+"=") {
			pids = append(pids, pid)
		}
	}
	return pids
}
