package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents/claude"
	"github.com/vitrine-sim/vitrine/arena"
)

// assault is what an agent's shell tries. It waits for the file pids, which names the supervisor and the agent prey, and a port on which
// somebody listens. What works it writes into its file report, whose last line is "end".
const assault = `
try() { word=$1; shift; "$@" >/dev/null 2>&1 && echo $word >>report; }
forge() { echo forged | dd of=$1 oflag=append conv=notrunc,nocreat; }
reach() { exec 5<>/dev/tcp/127.0.0.1/$PORT; }
for i in $(seq 600); do [ -s pids ] && break; sleep 0.1; done
. ./pids
try READ-SECRET cat ../../prey/work/secret
try WROTE-SECRET forge ../../prey/work/secret
try LISTED-PREY ls ../../prey/work
try READ-LOG cat ../../../events.jsonl
try WROTE-LOG forge ../../../events.jsonl
try FOUND-LOG sh -c 'ls ../../.. | grep events.jsonl'
try READ-ENVIRON-OF-SUPERVISOR grep -q . /proc/$SUPERVISOR/environ
try READ-ENVIRON-OF-PREY grep -q . /proc/$PREY/environ
try REACHED-TCP reach
try CURLED curl -s -m 60 http://127.0.0.1:$PORT
try KILLED-PREY kill -9 $PREY
try KILLED-SUPERVISOR kill -9 $SUPERVISOR
setsid sh -c 'trap "" TERM HUP INT; while :; do sleep 1; done' >/dev/null 2>&1 &
(setsid sleep 1000 >/dev/null 2>&1 &)
nohup sleep 1000 >/dev/null 2>&1 &
sleep 1000 >/dev/null 2>&1 & disown
echo end >>report`

// assaults are the words of all attacks.
func assaults() []string {
	var words []string
	for line := range strings.SplitSeq(assault, "\n") {
		if rest, ok := strings.CutPrefix(line, "try "); ok {
			words = append(words, strings.Fields(rest)[0])
		}
	}
	return words
}

// excess is what another agent's shell tries: a file beyond every limit, and very many processes.
const excess = `
dd if=/dev/zero of=big bs=1M count=1 seek=65536 2>/dev/null && echo FILLED >>report
for i in $(seq 150); do (trap "" TERM; exec sleep 1000) >/dev/null 2>&1 & done
echo end >>report`

// besieged is a lake with three fishers who have shells. In the second turn thief and bomber attack, and in the third thief waits until it
// may go on.
const besieged = `
tools = ["Bash"]
[rules]
name = "fishery"
turns = 3
[[agents]]
name = "prey"
policy = "steady"
[[agents]]
name = "thief"
policy = "steady"
[[agents]]
name = "bomber"
policy = "steady"
[[offline.script]]
agents = ["prey"]
turns = [0]
tools = [{ name = "Bash", args = { command = "echo the-secret >secret; chmod 644 secret" } }]
[[offline.script]]
agents = ["thief"]
turns = [1]
tools = [{ name = "Bash", args = { command = %q } }]
[[offline.script]]
agents = ["thief"]
turns = [2]
tools = [{ name = "Bash", args = { command = "for i in $(seq 600); do [ -s on ] && break; sleep 0.1; done; echo still here >note" } }]
[[offline.script]]
agents = ["bomber"]
turns = [1]
tools = [{ name = "Bash", args = { command = %q } }]
`

// writeBesieged writes the scenario where any user can read it.
func writeBesieged(t *testing.T) string {
	t.Helper()
	path := filepath.Join(openDir(t), "besieged.toml")
	text := fmt.Sprintf(besieged, assault, excess)
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o644), os.Chmod(path, 0o644)); err != nil {
		t.Fatal(err)
	}
	return path
}

// openDir makes a folder that any user can get to.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err == nil {
		err = errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestRealProcessesCannotReachEachOther lets the shells of real Claude Code processes attack each other and the supervisor.
func TestRealProcessesCannotReachEachOther(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("run the tests as root: else no other user can be had")
	}
	t.Run("attacks that nothing stops work", attacksThatNothingStopsWork)
	p := build(t)
	t.Run("as root", func(t *testing.T) {
		holdsOut(t, p.start(t, []string{"ANTHROPIC_API_KEY=" + canary}, writeBesieged(t), "--offline"), "A", func(pid int) int { return pid })
	})
	t.Run("as another user", func(t *testing.T) {
		const user = 60599 // that no agent runs as, and nobody else
		home := openDir(t)
		open := program(filepath.Join(home, "vitrine"))
		cache := filepath.Join(home, ".cache", "vitrine", filepath.Base(filepath.Dir(claude.CachePath())))
		dir := filepath.Join(home, "run")
		err := errors.Join(os.MkdirAll(cache, 0o755), os.Mkdir(dir, 0o700), os.Link(string(p), string(open)),
			os.Link(claude.CachePath(), filepath.Join(cache, "claude")), os.Chown(home, user, user), os.Chown(dir, user, user))
		if err != nil {
			t.Fatal(err)
		}
		as := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
		env := []string{"ANTHROPIC_API_KEY=" + canary, "HOME=" + home, "TMPDIR=" + home, "XDG_CACHE_HOME="}
		holdsOut(t, open.startAs(t, as, dir, env, "run", "--json", "--out", dir, writeBesieged(t), "--offline"), "B", func(pid int) int { return pid })
	})
}

// An attack that never works would pass for one that is stopped.
func attacksThatNothingStopsWork(t *testing.T) {
	dir := t.TempDir()
	work, prey := filepath.Join(dir, "agents", "thief", "work"), filepath.Join(dir, "agents", "prey", "work")
	if err := errors.Join(os.MkdirAll(work, 0o700), os.MkdirAll(prey, 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(prey, "secret"), filepath.Join(dir, "events.jsonl")} {
		if err := os.WriteFile(path, []byte("x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	victim := exec.Command("sleep", "1000")
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	other := exec.Command("sleep", "1000")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	beginAssault(t, work, victim.Process.Pid, other.Process.Pid, listenForAttack(t))
	cmd := exec.CommandContext(t.Context(), "bash", "-c", assault)
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	want := append(assaults(), "end")
	if got := assaultReport(t, work); !slices.Equal(got, want) || len(want) < 12 {
		t.Errorf("without a boundary works %q, want %q", got, want)
	}
	_, _ = victim.Wait(), other.Wait() // they were killed
	left := processes(dir)
	if len(left) < 4 {
		t.Errorf("only %d daemons have begun", len(left))
	}
	for _, pid := range left {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// listenForAttack listens on a port of loopback, answers who asks there, and returns the port.
func listenForAttack(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() { // ends with the listener
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // ends with whoever asks
				_, _ = conn.Read(make([]byte, 4096)) // to close on what is unread would reset the connection
				_, _ = conn.Write([]byte("HTTP/1.0 200 OK\r\n\r\n"))
				_ = conn.Close()
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// beginAssault lets the attack in a work folder begin.
func beginAssault(t *testing.T, work string, supervisor, prey, port int) {
	t.Helper()
	text := fmt.Sprintf("SUPERVISOR=%d PREY=%d PORT=%d\n", supervisor, prey, port)
	path := filepath.Join(work, "pids")
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o644), os.Chmod(path, 0o644)); err != nil {
		t.Fatal(err)
	}
}

// assaultReport waits for the end of the attack and returns what has worked, and "end".
func assaultReport(t *testing.T, work string) []string {
	t.Helper()
	path := filepath.Join(work, "report")
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		raw, _ := os.ReadFile(path) // it is not there at first
		if lines := strings.Fields(string(raw)); slices.Contains(lines, "end") {
			return lines
		}
	}
	t.Fatalf("the attack of %s does not end", work)
	return nil
}

// holdsOut demands that the attacks of a besieged run have no effect. inside returns the number that an agent would know a process by.
func holdsOut(t *testing.T, r *run, level string, inside func(pid int) int) {
	t.Helper()
	r.reaches(t, 1)
	work := func(agent string) string { return filepath.Join(arena.AgentDir(r.dir, agent), "work") }
	prey := 0
	for _, pid := range processes(r.dir) {
		if cwd, _ := os.Readlink(procFile(pid, "cwd")); cwd == work("prey") && prey == 0 {
			prey = pid
		}
	}
	beginAssault(t, work("thief"), inside(parent(parent(prey))), inside(prey), listenForAttack(t))
	if got := assaultReport(t, work("thief")); !slices.Equal(got, []string{"end"}) {
		t.Errorf("at level %s works %q", level, got)
	}
	if got := assaultReport(t, work("bomber")); !slices.Equal(got, []string{"end"}) {
		t.Errorf("at level %s works %q", level, got)
	}
	r.reaches(t, 2)
	daemons := 0
	for _, pid := range processes(r.dir) {
		if cwd, _ := os.Readlink(procFile(pid, "cwd")); cwd == work("thief") {
			daemons++
		}
	}
	if daemons < 5 { // with Claude Code
		t.Errorf("only %d processes of thief have begun", daemons)
	}
	if err := os.WriteFile(filepath.Join(work("thief"), "on"), []byte("on\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	result := r.exits(t, 0) // which finds no process left
	t.Logf("%d processes of thief alive in the last turn; the run ended %.1f s later with none left", daemons, time.Since(began).Seconds())
	if !strings.Contains(r.stderr.String(), "kept apart at level "+level) {
		t.Errorf("agents are not kept apart at level %s: %s", level, &r.stderr)
	}
	for _, a := range result.Agents {
		if a.Name != "bomber" && (a.Status != arena.StatusDone || a.Actions != 3) {
			t.Errorf("agent %+v", a)
		}
	}
	for path, want := range map[string]string{filepath.Join(work("prey"), "secret"): "the-secret\n", filepath.Join(work("thief"), "note"): "still here\n"} {
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v", path, got, err)
		}
	}
	if v := r.verify(t); v.Hash != result.Hash {
		t.Errorf("verify says %+v, the result %+v", v, result)
	}
	r.hides(t, canary)
}
