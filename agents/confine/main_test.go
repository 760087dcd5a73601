package confine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vitrine-sim/vitrine/agents"
)

// The test binary is also the supervisor of one test, and a machine that offers less: with a role in its environment it plays that.
const roleVar = "CONFINE_TEST_ROLE"

// testUID is a user that no agent runs as.
const testUID = firstUID - 1

func TestMain(m *testing.M) {
	Main()
	var err error
	switch os.Getenv(roleVar) {
	case "supervisor": // starts the agent that it reads, and waits for ever
		err = supervise()
	case "table": // prints what works behind each boundary that it can have
		if err = json.NewEncoder(os.Stdout).Encode(whatWorks(context.Background())); err == nil {
			os.Exit(0)
		}
	case "container": // lets nobody make namespaces, as Docker's default profile does, and becomes what its arguments say
		if err = errors.Join(os.Unsetenv(roleVar), noNamespaces()); err == nil {
			err = syscall.Exec(os.Args[1], os.Args[1:], os.Environ())
		}
	default:
		os.Exit(m.Run())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// A start is what a supervisor is to start.
type start struct {
	Uses uses
	Cell Cell
	Args []string
}

func (s start) start() (*agents.Process, error) {
	cmd := exec.Command(s.Args[0], s.Args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stderr = filepath.Join(s.Cell.Dir, "work"), []string{"PATH=/usr/bin:/bin"}, os.Stderr
	return Boundary{uses: s.Uses}.Start(cmd, s.Cell)
}

func supervise() error {
	var s start
	if err := json.NewDecoder(os.Stdin).Decode(&s); err != nil {
		return err
	}
	p, err := s.start()
	if err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, p.Stdout)
	return err
}

// noNamespaces applies what Docker's default profile says of namespaces.
func noNamespaces() error {
	var f filter
	f.load(atNumber)
	for _, call := range []uint32{unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_PIVOT_ROOT} {
		f.refuse(call, uint32(unix.EPERM))
	}
	f.refuse(unix.SYS_CLONE3, uint32(unix.ENOSYS))
	f.equal(unix.SYS_CLONE, 4)
	f.load(low(0))
	f.add(unix.BPF_JMP|unix.BPF_JSET|unix.BPF_K, namespaceFlags, 0, 1)
	f.answer(uint32(unix.EPERM))
	f.answer(0)
	f.answer(0)
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	return f.apply()
}

// cell makes an agent's folder that other users can get to.
func cell(t testing.TB) Cell {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err == nil {
		err = errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	c := Cell{Dir: filepath.Join(dir, "agents", "a"), Hidden: dir}
	for _, dir := range c.writable() {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// boundaries are all that this user can have here, from the weakest to the strongest.
func boundaries(t *testing.T) []uses {
	t.Helper()
	return parts(Find(t.Context()).uses)
}

// parts are all boundaries that use nothing but these mechanisms, from the weakest to the strongest.
func parts(has uses) []uses {
	var all []uses
	for bits := range 16 {
		u := uses{UID: bits&8 != 0, Spaces: bits&4 != 0, Landlock: bits&2 != 0, Seccomp: bits&1 != 0}
		if (has.UID || !u.UID) && (has.Landlock || !u.Landlock) && (has.Seccomp || !u.Seccomp) && (has.Spaces || !u.Spaces) {
			all = append(all, u)
		}
	}
	return all
}

// processBoundaries are as many of them as differ in what becomes of processes.
func processBoundaries(t *testing.T) []uses {
	t.Helper()
	return slices.DeleteFunc(boundaries(t), func(u uses) bool { return u.Landlock != u.Seccomp || os.Getuid() == 0 && u.UID != u.Seccomp })
}

// livingIn returns the processes whose working directory is in a folder.
func livingIn(dir string) []int {
	var pids []int
	links, _ := filepath.Glob("/proc/[0-9]*/cwd") // the pattern is right
	for _, link := range links {
		cwd, err := os.Readlink(link)
		if pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil && strings.HasPrefix(cwd, dir+"/") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// gone waits until no process lives in a folder, and kills what does not go.
func gone(t *testing.T, dir string, within time.Duration) {
	t.Helper()
	began := time.Now()
	for {
		left := livingIn(dir)
		if len(left) == 0 {
			t.Logf("gone after %v", time.Since(began).Round(time.Millisecond))
			return
		}
		if time.Since(began) > within {
			t.Errorf("%d processes are there %v later", len(left), within)
			for _, pid := range left {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// run runs a shell script in a cell and returns what it printed and how it ended.
func run(t *testing.T, u uses, c Cell, script string) (string, agents.Ending) {
	t.Helper()
	p, err := start{u, c, []string{"/bin/sh", "-c", script}}.start()
	if err != nil {
		t.Fatalf("%+v: %v", u, err)
	}
	out, err := io.ReadAll(p.Stdout)
	if err != nil {
		t.Error(err)
	}
	<-p.Done()
	if err := p.Stop(0); err != nil {
		t.Error(err)
	}
	return string(out), endingOf(p)
}

// endingOf returns how an agent ended.
func endingOf(p *agents.Process) agents.Ending { return p.Dead("", func() string { return "" }).Ending }

// readLine reads a line of an agent that has begun.
func readLine(t *testing.T, from io.Reader) string {
	t.Helper()
	line, err := bufio.NewReader(from).ReadString('\n')
	if err != nil {
		t.Fatalf("it says %q, %v", line, err)
	}
	return strings.TrimSpace(line)
}

// forOther makes a copy of this test binary that another user can run, and a folder of that user's own.
func forOther(t *testing.T) (self, tmp string) {
	t.Helper()
	dir := t.TempDir()
	self, tmp = filepath.Join(dir, "test"), filepath.Join(dir, "tmp")
	raw, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = errors.Join(os.WriteFile(self, raw, 0o755), os.Mkdir(tmp, 0o700))
	}
	if err == nil {
		err = errors.Join(os.Chown(tmp, testUID, testUID), os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755), os.Chmod(self, 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	return self, tmp
}

// asOther runs the tests of a name in this test binary as another user, behind a program if there is one.
func asOther(t *testing.T, tests string, before func(self string) []string) string {
	t.Helper()
	self, tmp := forOther(t)
	words := append(before(self), "-test.run=^"+tests+"$", "-test.v")
	cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
	cmd.Dir, cmd.Env = tmp, append(os.Environ(), "TMPDIR="+tmp, "HOME="+tmp)
	if len(words) > 3 {
		cmd.Env = append(cmd.Env, roleVar+"=container")
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: testUID, Gid: testUID}}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Errorf("as user %d: %v: %s", testUID, err, &out)
	}
	return out.String()
}
