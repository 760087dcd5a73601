package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/vitrine-sim/vitrine/agents/claude"
	"github.com/vitrine-sim/vitrine/agents/gateway"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/fishery"
)

// patience is how long a test waits for something that must happen.
const patience = 3 * time.Minute

// A program is the path of the command as users have it.
type program string

// build makes the command, and sees to it that there is a Claude Code.
func build(t *testing.T) program {
	t.Helper()
	if _, err := claude.Locate(t.Context(), os.Getenv("VITRINE_TEST_CLAUDE"), slog.Default()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "vitrine")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	return program(path)
}

// A run is a run of the command, and the folder of what it plays.
type run struct {
	program program
	dir     string // there from the start, empty
	cmd     *exec.Cmd
	stdout  bytes.Buffer
	stderr  bytes.Buffer
	done    chan struct{} // closed when it has ended
}

// fisheryFile is the first scenario.
func fisheryFile() string { return filepath.Join("..", "..", "scenarios", "fishery.toml") }

// played plays a scenario with scripted agents to its end, and returns the folder of the run.
func played(t *testing.T, scenario string, flags ...string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "run")
	args := append([]string{"run", scenario, "--agents", "scripted", "--out", dir}, flags...)
	if code := vitrine(t.Context(), args, io.Discard, os.Stderr); code != 0 {
		t.Fatalf("%s: exit code %d", scenario, code)
	}
	return dir
}

// reopen cuts so many bytes off the log of a run that it is not over.
func reopen(t *testing.T, dir string, bytes int64) {
	t.Helper()
	log := filepath.Join(dir, "events.jsonl")
	info, err := os.Stat(log)
	if err == nil {
		err = os.Truncate(log, info.Size()-bytes)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// start starts "vitrine run --json" with a folder of its own and these variables in its environment.
func (p program) start(t *testing.T, env []string, args ...string) *run {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return p.startIn(t, dir, env, append([]string{"run", "--json", "--out", dir}, args...)...)
}

// resume starts "vitrine resume --json" on a run that has been played.
func (p program) resume(t *testing.T, env []string, played *run) *run {
	t.Helper()
	return p.startIn(t, played.dir, env, "resume", "--json", played.dir)
}

// startIn starts the command, which plays in the folder dir.
func (p program) startIn(t *testing.T, dir string, env []string, args ...string) *run {
	t.Helper()
	return p.startAs(t, nil, dir, env, args...)
}

// startAs starts the command with attributes of its process.
func (p program) startAs(t *testing.T, attributes *syscall.SysProcAttr, dir string, env []string, args ...string) *run {
	t.Helper()
	r := &run{program: p, dir: dir, done: make(chan struct{})}
	if named := os.Getenv("VITRINE_TEST_CLAUDE"); named != "" && !slices.Contains(args, "--claude") {
		args = append(args, "--claude", named)
	}
	r.cmd = exec.Command(string(p), args...)
	r.cmd.Stdout, r.cmd.Stderr, r.cmd.SysProcAttr = &r.stdout, &r.stderr, attributes
	r.cmd.WaitDelay = time.Minute // a child that outlives it must not keep the test waiting
	r.cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "ANTHROPIC_") }), env...)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the command, which ends at the latest with the test
		defer close(r.done)
		_ = r.cmd.Wait() // the exit code is in ProcessState
	}()
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		<-r.done
		for _, pid := range processes(r.dir) { // none, unless the test has failed
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if t.Failed() {
			t.Logf("standard error of vitrine:\n%s", &r.stderr)
		}
	})
	return r
}

// exits waits for the end of the command, which must have this exit code, and returns the result that it printed.
func (r *run) exits(t *testing.T, code int) arena.Result {
	t.Helper()
	select {
	case <-r.done:
	case <-time.After(patience):
		t.Fatal("the run does not end")
	}
	if got := r.cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("exit code is %d (%s), want %d; it prints %s", got, r.cmd.ProcessState, code, &r.stdout)
	}
	var printed arena.Result
	if err := json.Unmarshal(r.stdout.Bytes(), &printed); err != nil {
		t.Fatalf("--json prints %q: %v", &r.stdout, err)
	}
	kept, err := os.ReadFile(filepath.Join(r.dir, "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, r.stdout.Bytes()) {
		t.Errorf("--json prints %s, and result.json is %s", &r.stdout, kept)
	}
	if left := processes(r.dir); len(left) > 0 {
		t.Errorf("processes %v are still there", left)
	}
	return printed
}

// verify runs "vitrine verify" on the run, which must hold.
func (r *run) verify(t *testing.T) arena.Verified {
	t.Helper()
	var v arena.Verified
	out, err := exec.CommandContext(t.Context(), string(r.program), "verify", "--json", r.dir).CombinedOutput()
	if err == nil {
		err = json.Unmarshal(out, &v)
	}
	if err != nil {
		t.Fatalf("verify: %v: %s", err, out)
	}
	return v
}

// events returns the events of a kind in the run's log.
func (r *run) events(t *testing.T, kind string) []world.Event {
	t.Helper()
	var found []world.Event
	for ev, err := range world.Events(r.dir) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Kind == kind {
			found = append(found, ev)
		}
	}
	return found
}

// reaches waits until the log says that a turn begins.
func (r *run) reaches(t *testing.T, turn int) {
	t.Helper()
	r.logs(t, func(ev world.Event) bool { return ev.Kind == world.KindTurn && ev.Turn+1 == turn })
}

// logs waits until there is such an event in the log.
func (r *run) logs(t *testing.T, such func(world.Event) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for ev, err := range world.Follow(ctx, r.dir, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if such(ev) {
			return
		}
	}
	t.Fatal("what shall be in the log does not come")
}

// A model is a Messages API on loopback, with a model that plays steady. Some requests it holds until the test lets go.
type model struct {
	*httptest.Server
	held    chan world.Observation // those of the requests that are held
	release func()

	mu       sync.Mutex
	requests []request
}

// A request is one that the model has seen.
type request struct {
	header http.Header
	body   string
}

// serve starts a model that holds the requests whose newest observation holds says.
func serve(t *testing.T, holds func(world.Observation) bool) *model {
	t.Helper()
	return serveSaying(t, holds, func(world.Observation) world.Action { return world.Action{} })
}

// serveSaying starts a model that does what says says, where that is an action with a name.
func serveSaying(t *testing.T, holds func(world.Observation) bool, says func(world.Observation) world.Action) *model {
	released := make(chan struct{})
	m := &model{held: make(chan world.Observation, 1000), release: sync.OnceFunc(func() { close(released) })}
	steady := fishery.Policies()["steady"]
	upstream := gateway.NewOffline(func(string) world.Policy {
		return func(obs world.Observation, random *rand.Rand) world.Action {
			if holds(obs) {
				m.held <- obs
				<-released
			}
			if action := says(obs); action.Name != "" {
				return action
			}
			return steady(obs, random)
		}
	}, 1)
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client went away
		}
		m.mu.Lock()
		m.requests = append(m.requests, request{r.Header.Clone(), string(body)})
		m.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		resp, err := upstream.RoundTrip(r)
		if err != nil {
			return
		}
		defer resp.Body.Close()
		w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body) // the client may have gone away
	}))
	t.Cleanup(m.Close)
	t.Cleanup(m.release) // before Close, which waits for all requests
	return m
}

// seen returns the requests so far.
func (m *model) seen() []request {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.requests)
}

// waitHeld waits until the model holds a request.
func (m *model) waitHeld(t *testing.T) {
	t.Helper()
	select {
	case <-m.held:
	case <-time.After(patience):
		t.Fatal("the model is not asked")
	}
}

// A process is one that is watched, so that its end is seen even if nobody waits for it.
type process struct {
	pid int
	fd  int
}

// watch opens the process for watching.
func watch(t *testing.T, pid int) process {
	t.Helper()
	const pidfdOpen = 434
	fd, _, errno := syscall.Syscall(pidfdOpen, uintptr(pid), 0, 0)
	if errors.Is(errno, syscall.ESRCH) {
		return process{pid, -1} // it is gone already
	}
	if errno != 0 {
		t.Fatalf("watch process %d: %v", pid, errno)
	}
	t.Cleanup(func() { _ = syscall.Close(int(fd)) })
	return process{pid, int(fd)}
}

// gone waits for the end of the process until a point in time, and reports whether it came.
func (p process) gone(until time.Time) bool {
	if p.fd < 0 {
		return true
	}
	const readable = 1
	poll := struct {
		fd              int32
		events, revents int16
	}{int32(p.fd), readable, 0}
	for {
		wait := syscall.NsecToTimespec(max(0, time.Until(until).Nanoseconds()))
		n, _, errno := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&poll)), 1, uintptr(unsafe.Pointer(&wait)), 0, 0, 0)
		if !errors.Is(errno, syscall.EINTR) {
			return errno == 0 && n == 1
		}
	}
}

// processes returns the processes that live in the folder of a run, whoever started them.
func processes(dir string) []int {
	var pids []int
	links, _ := filepath.Glob("/proc/[0-9]*/cwd") // the pattern is right
	for _, link := range links {
		cwd, err := os.Readlink(link)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(link)))
		if err == nil && strings.HasPrefix(cwd, dir+"/") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// parent returns the parent of a process; 0 if it is gone.
func parent(pid int) int {
	stat, _ := os.ReadFile(procFile(pid, "stat"))
	after := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // what follows the name: state, parent, ...
	if len(after) < 2 {
		return 0
	}
	pid, _ = strconv.Atoi(after[1])
	return pid
}

// agent returns the process of an agent, whose keeper is a child of the command.
func (r *run) agent(t *testing.T, name string) int {
	t.Helper()
	work := filepath.Join(arena.AgentDir(r.dir, name), "work")
	for _, pid := range processes(r.dir) {
		cwd, _ := os.Readlink(procFile(pid, "cwd"))
		if cwd == work && parent(parent(pid)) == r.cmd.Process.Pid {
			return pid
		}
	}
	t.Fatalf("agent %s has no process", name)
	return 0
}

// read returns what a file of a process holds; nothing if the process is gone.
func (p process) read(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(procFile(p.pid, name))
	if err != nil && !p.gone(time.Now()) {
		t.Fatal(err)
	}
	return string(raw)
}

func procFile(pid int, name string) string { return filepath.Join("/proc", strconv.Itoa(pid), name) }
