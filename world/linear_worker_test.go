package world

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A worker is a process of clients that use a store and say what they do, and how they do it.
type worker struct {
	Dir        string
	Client     int // number of the first of its clients
	Operations int // of each client
	Seed       uint64
	Faults     bool   // writes fail, and some of them end the process
	Mutant     string // the wrong store that it uses, if not empty
}

const (
	workerVar = "WORLD_TEST_WORKER" // makes a process of the test binary that worker
	clients   = 3                   // of a worker; two of them share a store
)

// A history is what workers did, in the order in which they said so.
type history struct {
	dir  string
	seed uint64

	mu         sync.Mutex // guards the rest
	operations []operation
	tally      tally
	next       int // number of the next client
}

// A tally counts what has happened.
type tally struct {
	operations, killed int
	torn               int // processes that ended in the middle of a write
	failed             int // appends
	open               int // operations that were under way when their process ended
}

func (a *tally) add(b tally, operations int) {
	a.operations += operations
	a.killed += b.killed
	a.torn += b.torn
	a.failed += b.failed
	a.open += b.open
}

// play runs so many processes at a time, each of them so often one after the other. Each but the last is killed at a random moment.
func (h *history) play(t *testing.T, processes, lives int, w worker) {
	t.Helper()
	w.Dir = h.dir
	openStore(t, h.dir).Close() // so that there is a log to read
	var group sync.WaitGroup
	for i := range processes {
		group.Go(func() {
			random := rand.New(rand.NewPCG(h.seed, uint64(i)))
			for life := range lives {
				w := w
				w.Seed = random.Uint64()
				killAfter := random.IntN(2 * clients * w.Operations)
				if life == lives-1 {
					killAfter = -1
				}
				if err := h.live(w, killAfter); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

// live runs one process to its end, and kills it when it has said so many things, unless they are less than 0.
func (h *history) live(w worker, killAfter int) error {
	h.mu.Lock()
	w.Client, h.next = h.next, h.next+clients
	h.mu.Unlock()
	cmd := exec.Command(os.Args[0], "-test.run=^TestWorkerOfAHistory$")
	cmd.Env = append(os.Environ(), workerVar+"="+string(JSON(w)), "GORACE=atexit_sleep_ms=0") // or each takes a second to end
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	said := 0
	underWayOf := make(map[int]operation) // by client
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if said == killAfter {
			_ = cmd.Process.Kill()
		}
		var op operation
		if json.Unmarshal(lines.Bytes(), &op) != nil {
			continue // what the test binary says of itself, or half a line
		}
		said++
		if op.Return == 0 {
			underWayOf[op.Client] = op
			continue
		}
		delete(underWayOf, op.Client)
		h.note(op)
	}
	err = cmd.Wait()
	end := monotonic()
	for _, op := range underWayOf {
		op.Return, op.Seen = end, underWay
		h.note(op)
	}
	return h.judge(cmd.ProcessState.Sys().(syscall.WaitStatus), err, stderr.String())
}

func (h *history) note(op operation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, op)
	if op.Kind == opAppend && op.Failed {
		h.tally.failed++
	}
	if op.Seen == underWay {
		h.tally.open++
	}
}

// judge returns an error if a process has not ended as one can that all is well with.
func (h *history) judge(status syscall.WaitStatus, err error, stderr string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case status.Signaled() && status.Signal() == syscall.SIGKILL:
		h.tally.killed++
	case status.Signaled() && status.Signal() == syscall.SIGXFSZ:
		h.tally.torn++
	case err != nil || stderr != "":
		return fmt.Errorf("a worker has ended with error %v: %s", err, stderr)
	}
	return nil
}

// TestWorkerOfAHistory is a worker, in a process that [history.play] has started.
func TestWorkerOfAHistory(t *testing.T) {
	raw, ok := os.LookupEnv(workerVar)
	if !ok {
		t.Skip("it is a part of other tests")
	}
	var w worker
	if err := json.Unmarshal([]byte(raw), &w); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	var shared *Store
	for i := range clients {
		s := shared
		if i != 1 {
			s = openStore(t, w.Dir)
			shared = s
		}
		c := &client{worker: w, number: w.Client + i, store: s, random: rand.New(rand.NewPCG(w.Seed, uint64(i)))}
		if w.Mutant != "" {
			c.store = mutants()[w.Mutant](s)
		}
		group.Go(func() {
			if err := c.run(); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		})
	}
	group.Wait()
}

// A committer is what clients use of a store.
type committer interface {
	Commit(ctx context.Context, decide func(State) ([]Event, error)) (State, error)
	State() State
}

// A client makes one operation after the other.
type client struct {
	worker
	number int
	store  committer
	random *rand.Rand
	seen   view // last
}

func (c *client) run() error {
	for i := range c.Operations {
		op := operation{Client: c.number, Kind: opAppend, ID: fmt.Sprintf("%d/%d", c.number, i), Call: monotonic()}
		do := c.appendTo
		switch n := c.random.IntN(10); n {
		case 0:
			op.Kind, do = opRead, c.readLocked
		case 1:
			op.Kind, do = opRead, c.readOpening
		case 2:
			op.Kind, do = opState, c.readState
		case 3:
			op.Kind, do = opTurn, c.readTurn
			op.Turn = max(0, c.seen.Turn+c.random.IntN(8)-4)
		}
		if err := say(op); err != nil {
			return err
		}
		if err := do(&op); err != nil {
			return fmt.Errorf("%s of client %d: %w", op.Kind, op.Client, err)
		}
		op.Return = monotonic()
		c.seen = op.Seen
		if err := say(op); err != nil {
			return err
		}
	}
	return nil
}

// say writes a line, which is short enough for a pipe to take it whole or not at all.
func say(op operation) error {
	_, err := os.Stdout.Write(append(JSON(op), '\n'))
	return err
}

func (c *client) readLocked(op *operation) error {
	st, err := c.store.Commit(context.Background(), func(State) ([]Event, error) { return nil, nil })
	op.Seen = see(st)
	if errors.Is(err, syscall.EFBIG) { // that of others, whose commits decide has seen
		op.Failed, err = true, nil
	}
	return err
}

func (c *client) readOpening(op *operation) error {
	s, err := Open(c.Dir)
	if err != nil {
		return err
	}
	op.Seen = see(s.State())
	return s.Close()
}

func (c *client) readState(op *operation) error {
	op.Seen = see(c.store.State())
	return nil
}

func (c *client) readTurn(op *operation) error {
	st, err := StateAt(c.Dir, op.Turn)
	op.Seen = see(st)
	if err != nil && strings.Contains(err.Error(), "no such turn") {
		op.Failed, err = true, nil
	}
	return err
}

// appendTo makes a commit, or one that fails in the way that a fault asks for.
func (c *client) appendTo(op *operation) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	fault := func() error { return nil }
	if c.Faults {
		switch n := c.random.IntN(300); {
		case n < 20: // it may have to wait too long
			ctx, cancel = context.WithTimeout(ctx, time.Duration(c.random.IntN(2000))*time.Microsecond)
			defer cancel()
		case n < 30: // its write is cut in the middle
			fault = c.cut
			defer unlimit()
		case n < 32: // it ends the process in the middle of its write
			fault = func() error { return errors.Join(dieOfTooMuch(), c.cut()) }
		}
	}
	padding := strings.Repeat("<", c.random.IntN(400))
	inOne := c.random.IntN(3) == 0
	st, err := c.store.Commit(ctx, func(st State) ([]Event, error) {
		next := see(st).then(op.ID)
		first := Event{Kind: "count", Set: facts("count", next.Count), Data: JSON(padding)}
		last := Event{Kind: KindTurn, Agent: op.ID, Set: facts("mirror", next.Mirror, "chain", next.Chain)}
		if inOne {
			last.Set["count"] = first.Set["count"]
			return []Event{last}, fault()
		}
		return []Event{first, last}, fault()
	})
	op.Seen = see(st)
	if errors.Is(err, syscall.EFBIG) || errors.Is(err, context.DeadlineExceeded) {
		op.Failed, err = true, nil
	}
	return err
}

// cut lets no file of this process be much longer than the log, to which nobody else can write now: the write ends in the middle of a line,
// or behind the first event of a commit, or behind the first commit of several.
func (c *client) cut() error {
	info, err := os.Stat(filepath.Join(c.Dir, logName))
	if err != nil {
		return err
	}
	return limitSoftly(uint64(info.Size()) + 1 + c.random.Uint64N(1000))
}

func unlimit() {
	if err := limitSoftly(1 << 62); err != nil {
		panic(err)
	}
}

// limitSoftly limits the size of files so that the limit can be lifted again.
func limitSoftly(most uint64) error {
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return err
	}
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: min(most, was.Max), Max: was.Max})
}
