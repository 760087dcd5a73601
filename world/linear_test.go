package world

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/anishathalye/porcupine"
)

// An operation is one call that a client made of a store, and what came back. Its times are those of CLOCK_MONOTONIC, which all processes
// of a machine share and which never goes back.
type operation struct {
	Client int
	Kind   string // opAppend, opRead, opState or opTurn
	ID     string // of opAppend, unique
	Turn   int    // of opTurn
	Call   int64  // nanoseconds
	Return int64  // nanoseconds; 0 while it is under way
	Failed bool   // it came back with an error that it may give
	Seen   view   // the state that came back
}

// What clients do.
const (
	opAppend = "append" // Commit of the facts that follow on those it reads: a failed one must change nothing
	opRead   = "read"   // Commit without events, or Open: gives the newest state
	opState  = "state"  // State: gives one that there was
	opTurn   = "turn"   // StateAt: gives the state of that turn, or fails if the turn has not begun
)

// A view is what clients look at of a state. Each append makes one turn of it, and adds 1 to two facts of two events of its commit.
// The chain is a hash of the ids of all appends in their order, so that no two histories have one view.
type view struct {
	Turn, Count, Mirror int
	Chain               string
}

func see(st State) view {
	v := view{Turn: st.Turn}
	_ = st.Get("count", &v.Count) // before the first append there are no facts
	_ = st.Get("mirror", &v.Mirror)
	_ = st.Get("chain", &v.Chain)
	return v
}

// then returns the view after the append with that id.
func (v view) then(id string) view {
	sum := sha256.Sum256([]byte(v.Chain + "\n" + id))
	return view{v.Turn + 1, v.Count + 1, v.Mirror + 1, hex.EncodeToString(sum[:8])}
}

func monotonic() int64 {
	const clockMonotonic = 1
	var now syscall.Timespec
	if _, _, failed := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&now)), 0); failed != 0 {
		panic(failed)
	}
	return now.Nano()
}

// An appended is the model's state: the views after the appends so far, the newest first.
type appended struct {
	view
	before *appended
}

// had says whether v was the view at some time.
func (a *appended) had(v view) bool {
	for a.before != nil && a.Turn > v.Turn {
		a = a.before
	}
	return a.view == v
}

// model is what a store is, said without files, locks and processes: each operation happens in one moment between its call and its return.
func model() porcupine.Model {
	return porcupine.Model{
		Init:  func() any { return new(appended) },
		Equal: func(a, b any) bool { return a.(*appended).view == b.(*appended).view },
		Step: func(state, input, _ any) (bool, any) {
			a, op := state.(*appended), input.(operation)
			switch {
			case op.Kind == opAppend && !op.Failed:
				next := &appended{a.then(op.ID), a}
				return op.Seen == next.view, next
			case op.Kind == opRead && !op.Failed:
				return op.Seen == a.view, a
			case op.Kind == opTurn && op.Failed:
				return a.Turn < op.Turn, a
			case op.Kind == opTurn && op.Seen.Turn != op.Turn:
				return false, a
			}
			return a.had(op.Seen), a
		},
	}
}

// complete returns the operations with what became of those that were under way when their process was killed: an append happened if
// the log in dir has it, and all else does not matter. The last operation reads the log.
func complete(t *testing.T, dir string, operations []operation) []operation {
	t.Helper()
	seen := make(map[string]view)
	var last view
	log := ReadLog(dir)
	for ev, err := range log.Events() {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Kind == KindTurn {
			last = last.then(ev.Agent)
			seen[ev.Agent] = last
		}
	}
	s := openStore(t, dir)
	if s.Hash() != log.Hash() {
		t.Fatalf("the store's hash is %s, the log's is %s", s.Hash(), log.Hash())
	}
	operations = slices.DeleteFunc(slices.Clone(operations), func(op operation) bool {
		_, happened := seen[op.ID]
		return op.Seen == underWay && !happened
	})
	for i, op := range operations {
		if op.Seen == underWay {
			operations[i].Seen = seen[op.ID]
		}
	}
	now := monotonic()
	return append(operations, operation{Kind: opRead, Call: now, Return: now + 1, Seen: see(s.State())})
}

// underWay is what an operation has seen whose process was killed.
var underWay = view{Turn: -1}

// linearizable says whether there is an order of the operations that is that of the model.
func linearizable(t *testing.T, operations []operation) (bool, porcupine.LinearizationInfo) {
	t.Helper()
	var history []porcupine.Operation
	for _, op := range operations {
		history = append(history, porcupine.Operation{ClientId: op.Client, Input: op, Call: op.Call, Return: op.Return})
	}
	result, info := porcupine.CheckOperationsVerbose(model(), history, time.Minute)
	if result == porcupine.Unknown {
		t.Fatalf("%d operations take too long to check", len(operations))
	}
	return result == porcupine.Ok, info
}

func TestStoreIsLinearizableWhileProcessesAreKilledAndWritesFail(t *testing.T) {
	kills := 10
	if many, ok := os.LookupEnv("VITRINE_TEST_KILLS"); ok {
		var err error
		if kills, err = strconv.Atoi(many); err != nil {
			t.Fatal(err)
		}
	}
	var sum tally
	for round := 0; sum.killed < kills || sum.failed*sum.torn*sum.open == 0; round++ {
		dir := t.TempDir()
		h := &history{dir: dir, seed: uint64(round)}
		h.play(t, 4, max(2, min(10, (kills-sum.killed)/4)), worker{Operations: 25, Faults: true})
		operations := complete(t, dir, h.operations)
		if t.Failed() {
			t.FailNow()
		}
		if ok, info := linearizable(t, operations); !ok {
			picture := filepath.Join(t.ArtifactDir(), "history.html")
			err := porcupine.VisualizePath(model(), info, picture)
			t.Fatalf("round %d: %d operations have no order; with -artifacts %s shows them, error %v", round, len(operations), picture, err)
		}
		sum.add(h.tally, len(operations))
	}
	t.Logf("%+v", sum)
}

// A disk that lies about a sync loses the last commit when the power goes.
func TestCommitThatIsLostAfterItsAnswerIsFound(t *testing.T) {
	dir := t.TempDir()
	h := &history{dir: dir}
	h.play(t, 1, 1, worker{Operations: 20})
	path := filepath.Join(dir, logName)
	log, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := strings.LastIndex(string(log[:len(log)-1]), "\n") + 1
	if err := errors.Join(os.Truncate(path, int64(last)), os.Remove(filepath.Join(dir, lockName))); err != nil {
		t.Fatal(err)
	}
	if ok, _ := linearizable(t, complete(t, dir, h.operations)); ok {
		t.Error("nobody has noticed")
	}
}

func TestStoreThatIsWrongIsFoundToBeSo(t *testing.T) {
	for name := range mutants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const histories = 20 // in one alone there may be no two clients that come between each other
			for seed := range uint64(histories) {
				dir := t.TempDir()
				h := &history{dir: dir, seed: seed}
				h.play(t, 2, 1, worker{Operations: 40, Mutant: name})
				if ok, _ := linearizable(t, complete(t, dir, h.operations)); !ok {
					return
				}
			}
			t.Errorf("the operations of %d histories have an order", histories)
		})
	}
}
