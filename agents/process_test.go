package agents

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The test binary is also the children of the tests: with a role in its environment it plays that and ends.
const roleVar = "AGENTS_TEST_ROLE"

const (
	forever  = time.Hour   // longer than any test
	patience = time.Minute // for what takes milliseconds on an idle machine
)

func TestMain(m *testing.M) {
	role, ok := os.LookupEnv(roleVar)
	if !ok {
		os.Exit(m.Run())
	}
	if err := play(role, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// play is what a child does. It says "ready" when it has begun. Descriptor 3 is one that closes when it and all its children are gone.
func play(role string, args []string) error {
	switch role {
	case "echo": // ends with its input
		fmt.Println("ready")
		_, err := io.Copy(os.Stdout, os.Stdin)
		return err
	case "exit": // STATUS
		status, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		os.Exit(status)
	case "deaf": // does not listen, but obeys SIGTERM
		fmt.Println("ready")
		time.Sleep(forever)
	case "stubborn": // obeys nothing
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		fmt.Println("ready")
		time.Sleep(forever)
	case "parent": // starts a stubborn child, and ends with its input
		child := inRole("stubborn", os.NewFile(3, "alive"))
		child.Stdout = os.Stdout
		if err := child.Start(); err != nil { // the child says that it is ready
			return err
		}
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	case "supervisor": // starts a stubborn process as the program does, and waits for ever
		p, err := StartProcess(inRole("stubborn", os.NewFile(3, "alive")))
		if err != nil {
			return err
		}
		if _, err := io.Copy(os.Stdout, p.Stdout); err != nil {
			return err
		}
		<-p.Done()
	case "hungry": // MIB: touches so much memory
		mib, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		return eat(mib)
	default:
		return errors.New("no such role: " + role)
	}
	return nil
}

// eat makes so much memory resident, as soon as it is mapped.
func eat(mib int) error {
	_, err := syscall.Mmap(-1, 0, mib<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_POPULATE)
	return err
}

// inRole returns the command of the test binary in a role; alive becomes its descriptor 3.
func inRole(role string, alive *os.File, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), roleVar+"="+role, "GORACE=atexit_sleep_ms=0") // the race detector waits a second at the end
	cmd.Stderr = os.Stderr
	if alive != nil {
		cmd.ExtraFiles = []*os.File{alive}
	}
	return cmd
}

// A child is a process of a test.
type child struct {
	*Process
	out  *bufio.Reader
	life *os.File // ends when the process and all that it started are gone
}

func start(t *testing.T, role string, args ...string) child {
	t.Helper()
	life, alive, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	t.Cleanup(func() { _ = life.Close() })
	p, err := StartProcess(inRole(role, alive, args...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		<-p.Done()
		_, _ = p.Stdin.Close(), p.Stdout.Close()
	})
	return child{p, bufio.NewReader(p.Stdout), life}
}

// ready waits until the child has begun.
func (c child) ready(t *testing.T) child {
	t.Helper()
	if line, err := c.out.ReadString('\n'); line != "ready\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	return c
}

// gone waits until the process and all that it started are gone.
func gone(t *testing.T, life *os.File) {
	t.Helper()
	if err := life.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if n, err := life.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("something is still alive after %v: %v", patience, err)
	}
}

func TestStopAsksBeforeItKills(t *testing.T) {
	for _, test := range []struct {
		role        string
		grace       time.Duration
		least, most time.Duration // that it takes
		exit        string
	}{
		{"echo", forever, 0, patience, "exit status 0"},
		{"deaf", time.Second, time.Second, patience, "signal: terminated"},
		{"stubborn", time.Second, 2 * time.Second, patience, "signal: killed"},
		{"stubborn", 0, 0, patience, "signal: killed"}, // it is waited for, however little grace it has
		{"parent", forever, 0, patience, "exit status 0"},
	} {
		t.Run(fmt.Sprint(test.role, " ", test.grace), func(t *testing.T) {
			t.Parallel()
			c := start(t, test.role).ready(t)
			began := time.Now()
			if err := c.Stop(test.grace); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took < test.least || took > test.most {
				t.Errorf("it took %v, want %v to %v", took, test.least, test.most)
			}
			if !c.ended() {
				t.Error("the process is not done")
			}
			if got := c.Exit(); got != test.exit {
				t.Errorf("the process ended with %q, want %q", got, test.exit)
			}
			gone(t, c.life)
			if err := c.Stop(forever); err != nil {
				t.Errorf("stopped once more: %v", err)
			}
			c.Kill()
		})
	}
}

func TestStopOfAProcessThatHasEndedIsNoError(t *testing.T) {
	t.Parallel()
	c := start(t, "exit", "3")
	<-c.Done()
	if got := c.Exit(); got != "exit status 3" {
		t.Errorf("the process ended with %q", got)
	}
	if err := c.Stop(0); err != nil {
		t.Error(err)
	}
}

func TestKillEndsAProcessAndWhatItStarted(t *testing.T) {
	t.Parallel()
	c := start(t, "parent").ready(t)
	c.Kill()
	<-c.Done()
	if got := c.Exit(); got != "signal: killed" {
		t.Errorf("the process ended with %q", got)
	}
	gone(t, c.life)
}

func TestWhatAProcessStartedIsGoneWhenItEndsByItself(t *testing.T) {
	t.Parallel()
	c := start(t, "parent").ready(t)
	if err := c.Stdin.Close(); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if got := c.Exit(); got != "exit status 0" {
		t.Errorf("the process ended with %q", got)
	}
	gone(t, c.life)
}

func TestAProcessDiesWithItsParentHoweverThatDies(t *testing.T) {
	t.Parallel()
	life, alive, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer life.Close()
	parent := inRole("supervisor", alive)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	if err := alive.Close(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n') // the child's, by way of its parent
	if line != "ready\n" {
		t.Errorf("the child says %q, %v", line, err)
	}
	if err := parent.Process.Signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	gone(t, life)
	if err := parent.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("the parent ended with %v", err)
	}
}

// The kernel sends the parent-death signal when a thread ends, not only when the whole process does.
func TestAProcessOutlivesTheThreadsOfItsParent(t *testing.T) {
	// In a busy program goroutines often change threads.
	busy, rest := context.WithCancel(t.Context())
	for range 8 {
		go func() { // ends with busy
			for busy.Err() == nil {
				runtime.Gosched()
			}
		}()
	}
	var children []child
	for range 16 {
		children = append(children, start(t, "echo"))
	}
	rest()
	for _, c := range children {
		c.ready(t)
	}
	// All threads that are free, and some new ones, are taken at once. Each ends with the goroutine that has taken it.
	var ending sync.WaitGroup
	taken := make(chan bool)
	for range 50 {
		ending.Go(func() {
			runtime.LockOSThread()
			<-taken
		})
	}
	close(taken)
	ending.Wait()
	for _, c := range children {
		if _, err := io.WriteString(c.Stdin, "hello\n"); err != nil {
			t.Error(err)
		}
		if line, err := c.out.ReadString('\n'); line != "hello\n" {
			t.Errorf("the child says %q, %v", line, err)
		}
		if err := c.Stop(forever); err != nil || c.Exit() != "exit status 0" {
			t.Errorf("the child ended with %q, %v", c.Exit(), err)
		}
	}
}

func TestAProcessIsInAGroupOfItsOwn(t *testing.T) {
	t.Parallel()
	c := start(t, "echo").ready(t)
	group, err := syscall.Getpgid(c.PID())
	if err != nil || group != c.PID() || group == syscall.Getpgrp() {
		t.Errorf("process %d is in group %d, %v; we are in %d", c.PID(), group, err, syscall.Getpgrp())
	}
}

func TestWritesToAProcessThatDoesNotReadCanHaveADeadline(t *testing.T) {
	t.Parallel()
	c := start(t, "deaf").ready(t)
	if err := c.Stdin.SetWriteDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Stdin.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the error is %v", err)
	}
}

func TestPeakMemoryIsWhatAProcessHadAtMost(t *testing.T) {
	const mib = 1 << 20
	small, large := start(t, "hungry", "1"), start(t, "hungry", "100")
	<-small.Done()
	<-large.Done()
	if got := small.PeakMemory(); got < 1*mib || got > 60*mib {
		t.Errorf("the peak of a process that touches 1 MiB is %d", got)
	}
	if got := large.PeakMemory(); got < 100*mib || got > 160*mib {
		t.Errorf("the peak of a process that touches 100 MiB is %d", got)
	}
}

// descriptors returns how many this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

func TestProcessesLeaveNoDescriptorsBehind(t *testing.T) {
	run := func(cmd *exec.Cmd) error {
		p, err := StartProcess(cmd)
		if err != nil {
			return err
		}
		return p.Stop(forever)
	}
	if err := run(inRole("echo", nil)); err != nil { // so that what the runtime opens once is open
		t.Fatal(err)
	}
	before := descriptors(t)
	for range 20 {
		if err := run(exec.Command("/no/such/program")); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "/no/such/program") {
			t.Fatalf("the error is %v", err)
		}
		if err := run(exec.Command(t.TempDir())); !errors.Is(err, fs.ErrPermission) {
			t.Fatalf("the error is %v", err)
		}
	}
	for range 3 {
		if err := run(inRole("echo", nil)); err != nil {
			t.Fatal(err)
		}
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}

func TestAStartWithoutDescriptorsLeftIsAnErrorAndLeavesNoneBehind(t *testing.T) {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	before := descriptors(t)
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
			t.Fatal(err)
		}
		if after := descriptors(t); after > before {
			t.Errorf("%d descriptors are open, %d were before", after, before)
		}
	}()
	for room := range 5 { // two pipes need four, and more to start the process
		limit := syscall.Rlimit{Cur: uint64(before - 1 + room), Max: old.Max}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		if p, err := StartProcess(inRole("echo", nil)); !errors.Is(err, syscall.EMFILE) {
			t.Errorf("with room for %d the error is %v", room, err)
			if err == nil {
				_ = p.Stop(forever)
			}
		}
	}
}
