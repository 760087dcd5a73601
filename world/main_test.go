package world

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"
)

// The test binary is also the other processes of the tests: with a role in its environment it plays that and ends.
const roleVar = "WORLD_TEST_ROLE"

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

func play(role string, args []string) error {
	switch role {
	case "bank": // DIR WRITER COMMITS PADDING: makes commits and prints the seq of each
		commits, _ := strconv.Atoi(args[2])
		padding, _ := strconv.Atoi(args[3])
		return bank(args[0], args[1], commits, padding)
	case "limited": // DIR BYTES: commits until no file may grow any more
		most, _ := strconv.ParseUint(args[1], 10, 64)
		return limited(args[0], most)
	case "limited together": // DIR BYTES: the same in eight goroutines with one store
		most, _ := strconv.ParseUint(args[1], 10, 64)
		return errors.Join(limit(most), bankTogether(args[0], 8))
	case "killed": // DIR BYTES: the same, and the system kills it in the middle of the write that is too much
		most, _ := strconv.ParseUint(args[1], 10, 64)
		return errors.Join(dieOfTooMuch(), limited(args[0], most))
	case "killed sealing", "limited sealing": // DIR BYTES: seals the log while no file may be greater
		most, _ := strconv.ParseUint(args[1], 10, 64)
		err := limit(most)
		if role == "killed sealing" {
			err = errors.Join(err, dieOfTooMuch())
		}
		if err == nil {
			_, _, err = Seal(args[0])
		}
		return err
	case "keyframe": // DIR SIZE BYTES: commits a fact of that size, and the system kills it for the keyframe, which is too great
		size, _ := strconv.Atoi(args[1])
		most, _ := strconv.ParseUint(args[2], 10, 64)
		s, err := Open(args[0])
		if err := errors.Join(err, dieOfTooMuch(), limit(most)); err != nil {
			return err
		}
		set := map[string]json.RawMessage{"x": JSON(strings.Repeat("x", size))}
		_, err = s.Commit(context.Background(), func(State) ([]Event, error) { return []Event{{Kind: "x", Set: set}}, nil })
		return errors.Join(err, s.Close())
	case "hold": // DIR: takes the lease, starts a child that echoes, and waits for its input to end
		if _, err := Acquire(args[0]); err != nil {
			return err
		}
		echo := exec.Command(os.Args[0])
		echo.Env = append(os.Environ(), roleVar+"=echo")
		echo.Stdin, echo.Stdout = os.Stdin, os.Stdout
		if err := echo.Start(); err != nil {
			return err
		}
		fmt.Println("held")
		return echo.Wait()
	case "ask socket": // PATH NAME: see BenchmarkProcesses
		return askSocket(args[0], args[1])
	case "ask file": // DIR NAME: the same
		return askFile(args[0], args[1])
	case "echo":
		_, err := io.Copy(os.Stdout, os.Stdin)
		return err
	}
	return errors.New("no such role: " + role)
}

// limited makes commits without end while no file may be greater than most bytes.
func limited(dir string, most uint64) error {
	if err := limit(most); err != nil {
		return err
	}
	return bank(dir, "limited", 1_000_000, 100)
}

func limit(most uint64) error {
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: most, Max: most})
}

// dieOfTooMuch makes the system kill this process when it writes a file that has reached its limit.
func dieOfTooMuch() error {
	var action [8]uint64 // of the kernel; all zero is the default: to die
	_, _, failed := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGXFSZ), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	if failed != 0 {
		return failed
	}
	return syscall.Setrlimit(syscall.RLIMIT_CORE, new(syscall.Rlimit))
}

// A process is the test binary in a role.
type process struct {
	*exec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
	stderr strings.Builder
}

func start(t testing.TB, role string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], args...)}
	p.Env = append(os.Environ(), roleVar+"="+role)
	p.Cmd.Stderr = &p.stderr
	var err error
	if p.in, err = p.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() })
	return p
}

// bank makes commits of events that only together are right: see balanced. Of each it prints the seq when it is committed.
func bank(dir, writer string, commits, padding int) error {
	s, err := Open(dir)
	if err != nil {
		return err
	}
	defer s.Close()
	return bankWith(s, writer, commits, padding)
}

// bankTogether is bank without end, by so many writers at once.
func bankTogether(dir string, writers int) error {
	s, err := Open(dir)
	if err != nil {
		return err
	}
	defer s.Close()
	errs := make([]error, writers)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() { errs[i] = bankWith(s, strconv.Itoa(i), 1_000_000, 100) })
	}
	group.Wait()
	return errors.Join(errs...)
}

func bankWith(s *Store, writer string, commits, padding int) error {
	for range commits {
		st, err := s.Commit(context.Background(), func(st State) ([]Event, error) { return deposit(st, writer, padding) })
		if err != nil {
			return err
		}
		fmt.Println(st.Seq)
	}
	return nil
}

// deposit returns three events that add 1 to what the writer has, to the count of commits, and to the count's mirror.
func deposit(st State, writer string, padding int) ([]Event, error) {
	count, err := balanced(st)
	if err != nil {
		return nil, err
	}
	mine := 0
	if _, ok := st.Fact("by/" + writer); ok {
		if err := st.Get("by/"+writer, &mine); err != nil {
			return nil, err
		}
	}
	set := func(path string, n int) map[string]json.RawMessage { return map[string]json.RawMessage{path: JSON(n)} }
	return []Event{
		{Kind: "deposit", Agent: writer, Set: set("by/"+writer, mine+1), Data: JSON(strings.Repeat("<", padding))},
		{Kind: "count", Set: set("count", count+1), Proc: JSON(map[string]int{"pid": os.Getpid()})},
		{Kind: KindTurn, Set: set("mirror", count+1)},
	}, nil
}

// balanced returns the count of commits, or an error if st cannot be the state between two of them.
func balanced(st State) (int, error) {
	var count, mirror, sum int
	if st.Seq == 0 {
		return 0, nil
	}
	if err := errors.Join(st.Get("count", &count), st.Get("mirror", &mirror)); err != nil {
		return 0, err
	}
	for _, path := range st.Paths("by/") {
		var n int
		if err := st.Get(path, &n); err != nil {
			return 0, err
		}
		sum += n
	}
	if count != mirror || count != sum || int64(3*count) != st.Seq || count != st.Turn {
		return 0, fmt.Errorf("count %d, mirror %d, sum %d, seq %d, turn %d do not fit together", count, mirror, sum, st.Seq, st.Turn)
	}
	return count, nil
}

// audit folds the log in dir and fails unless it is balanced after each commit and ends whole. It returns the last state.
func audit(t *testing.T, dir string) State {
	t.Helper()
	var st State
	var events []Event
	log := ReadLog(dir)
	for ev, err := range log.Events() {
		if err != nil {
			t.Fatal(err)
		}
		if events = append(events, ev); ev.More {
			continue
		}
		st = st.Apply(events...)
		events = nil
		if _, err := balanced(st); err != nil {
			t.Fatal(err)
		}
	}
	if len(events) > 0 || log.Torn() != 0 {
		t.Fatalf("the log ends with %d events of half a commit; its torn line is %d", len(events), log.Torn())
	}
	return st
}

// sample makes a small log in a new folder, and returns the folder, the bytes of the log and the states after its commits
// by the size of the log.
func sample(t testing.TB) (dir string, log []byte, states map[int]State) {
	t.Helper()
	dir = t.TempDir()
	s := openStore(t, dir)
	defer s.Close()
	states = map[int]State{0: {}}
	commits := [][]Event{
		{{Kind: "begin", Set: facts("a", 1, "b", "two"), Proc: JSON(map[string]any{"wall_ms": 12})}},
		{{Kind: "x", Agent: "ann", Data: JSON("<é\u2028\n>")}, {Kind: KindTurn}, {Kind: "y", Del: []string{"b", "no"}, Set: facts("a", 2.5)}},
		{{Kind: "z"}, {Kind: KindTurn, Set: facts("c", nil)}},
	}
	for _, events := range commits {
		st := commitAll(t, s, events...)
		var err error
		if log, err = os.ReadFile(s.path); err != nil {
			t.Fatal(err)
		}
		states[len(log)] = st
	}
	return dir, log, states
}

func facts(pairs ...any) map[string]json.RawMessage {
	set := make(map[string]json.RawMessage)
	for i := 0; i < len(pairs); i += 2 {
		set[pairs[i].(string)] = JSON(pairs[i+1])
	}
	return set
}

func openStore(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func commitAll(t testing.TB, s *Store, events ...Event) State {
	t.Helper()
	st, err := s.Commit(t.Context(), func(State) ([]Event, error) { return events, nil })
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func must(events []Event, err error) []Event {
	if err != nil {
		panic(err)
	}
	return events
}
