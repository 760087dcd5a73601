package world

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
)

// A call is a commit that others wait with, and what came of it.
type call struct {
	name string
	ctx  context.Context
	give func(State) ([]Event, error)

	asked    int // its place among those that were asked
	saw      State
	st       State
	err      error
	panicked any
}

// together makes calls that all wait, one behind the other, before the first may decide. It looks at the log before each decision.
func together(t *testing.T, s *Store, meanwhile func(), calls ...*call) {
	t.Helper()
	before, size := s.State(), sizeOfLog(t, s)
	asked := 0
	s.queue <- struct{}{}
	for _, c := range calls {
		go func() { // ends when its commit returns
			defer func() { c.panicked = recover() }()
			c.st, c.err = s.Commit(c.ctx, func(st State) ([]Event, error) {
				asked++
				c.asked, c.saw = asked, st
				if s.State().Seq != before.Seq || sizeOfLog(t, s) != size {
					t.Errorf("%s decides when others of its batch have been written", c.name)
				}
				return c.give(st)
			})
		}()
		synctest.Wait()
	}
	meanwhile()
	synctest.Wait() // until whoever gave up has returned
	<-s.queue
	synctest.Wait()
}

func sizeOfLog(t *testing.T, s *Store) int64 {
	t.Helper()
	info, err := os.Stat(s.path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func newCall(t *testing.T, name string, give func(State) ([]Event, error)) *call {
	return &call{name: name, ctx: t.Context(), give: give}
}

func give(kinds ...string) func(State) ([]Event, error) {
	var events []Event
	for _, kind := range kinds {
		events = append(events, Event{Kind: kind, Set: facts("last", kind)})
	}
	return func(State) ([]Event, error) { return events, nil }
}

func TestCommitsThatWaitTogetherAreWrittenAtOnceInTheOrderInWhichTheyCame(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, dir)
		var calls []*call
		for i := range 50 {
			writer := strconv.Itoa(i)
			calls = append(calls, newCall(t, writer, func(st State) ([]Event, error) { return deposit(st, writer, i) }))
		}
		together(t, s, func() {}, calls...)
		for i, c := range calls {
			if c.err != nil || c.asked != i+1 || c.saw.Seq != int64(3*i) || c.st.Seq != int64(3*i+3) {
				t.Errorf("call %d was number %d, saw seq %d and got %d, error %v", i, c.asked, c.saw.Seq, c.st.Seq, c.err)
			}
			if count, err := balanced(c.st); err != nil || count != i+1 {
				t.Errorf("call %d got count %d, error %v", i, count, err)
			}
		}
	})
	if st := audit(t, dir); st.Seq != 50*3 {
		t.Errorf("%d events, want %d", st.Seq, 50*3)
	}
}

func TestCommitThatComesToNothingTakesNothingAlong(t *testing.T) {
	mine := errors.New("mine")
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, dir)
		late, cancel := context.WithCancel(t.Context())
		bad := Event{Kind: "bad", Data: []byte("{")}
		calls := []*call{
			newCall(t, "panic that leads", func(State) ([]Event, error) { panic("first") }),
			newCall(t, "first", give("a", "b")),
			newCall(t, "error", func(State) ([]Event, error) { return []Event{{Kind: "x"}}, mine }),
			newCall(t, "nothing", give()),
			newCall(t, "late", give("late")),
			newCall(t, "bad JSON", func(State) ([]Event, error) { return []Event{{Kind: "good"}, bad}, nil }),
			newCall(t, "panic", func(State) ([]Event, error) { panic("last") }),
			newCall(t, "last", give("c")),
		}
		calls[4].ctx = late
		together(t, s, cancel, calls...)
		for _, c := range calls {
			wantSeq, wantErr := int64(2), ""
			switch c.name {
			case "error":
				wantErr = "mine"
			case "bad JSON":
				wantErr = "commit: bad event: data is not JSON: unexpected EOF"
			case "late":
				wantSeq, wantErr = 0, "wait for a commit: context canceled"
				if c.asked != 0 {
					t.Error("the one that gave up was asked all the same")
				}
			case "last":
				wantSeq = 3
			}
			if strings.HasPrefix(c.name, "panic") {
				if c.panicked == nil {
					t.Errorf("%s: there was none", c.name)
				}
				continue
			}
			if c.st.Seq != wantSeq || textOf(c.err) != wantErr {
				t.Errorf("%s: seq %d, error %v; want %d and %q", c.name, c.st.Seq, c.err, wantSeq, wantErr)
			}
		}
	})
	var kinds []string
	for ev, err := range Events(dir) {
		if err != nil || ev.More != (ev.Kind == "a") {
			t.Errorf("event %s: more is %v, error %v", ev.Kind, ev.More, err)
		}
		kinds = append(kinds, ev.Kind)
	}
	if !slices.Equal(kinds, []string{"a", "b", "c"}) {
		t.Errorf("the log has %q", kinds)
	}
}

// textOf is the text of an error, empty if there is none.
func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A device takes the place of the log on which all writes fail.
func TestBatchThatTheDiskDoesNotTakeIsNobodys(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/dev/full", filepath.Join(dir, logName)); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, dir)
		mine := errors.New("mine")
		calls := []*call{
			newCall(t, "first", give("a")),
			newCall(t, "nothing", give()),
			newCall(t, "error", func(State) ([]Event, error) { return nil, mine }),
			newCall(t, "last", give("b")),
		}
		together(t, s, func() {}, calls...)
		for i, c := range calls {
			if c.asked != i+1 || c.st.Seq != 0 || c.err == nil {
				t.Errorf("%s: number %d, seq %d, error %v", c.name, c.asked, c.st.Seq, c.err)
			}
			if c.name == "error" != errors.Is(c.err, mine) || c.name != "error" && !strings.HasPrefix(c.err.Error(), "commit: write ") {
				t.Errorf("%s: error %v", c.name, c.err)
			}
		}
		if s.State().Seq != 0 {
			t.Errorf("the store has come to %d", s.State().Seq)
		}
	})
}

func TestStoreIsClosedBehindTheBatchThatIsOpenAndItsKeyframe(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, dir)
		first := newCall(t, "first", func(State) ([]Event, error) {
			return []Event{{Kind: "a", Set: facts("a", strings.Repeat("x", 8<<20))}}, nil // whose keyframe takes a while to write
		})
		second := newCall(t, "second", give("b"))
		together(t, s, func() {
			go func() { // ends at once when its turn comes, between the two
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				if got := lastKeyframe(t, dir).state.Seq; got != 1 {
					t.Errorf("the last keyframe is at %d", got)
				}
			}()
			synctest.Wait()
			go func() { // ends like those before it
				second.st, second.err = s.Commit(second.ctx, second.give)
			}()
			synctest.Wait()
		}, first)
		if first.err != nil || first.st.Seq != 1 || !errors.Is(second.err, os.ErrClosed) || second.st.Seq != 1 {
			t.Errorf("first: seq %d, error %v; second: seq %d, error %v", first.st.Seq, first.err, second.st.Seq, second.err)
		}
	})
}

// The disk is full in the middle of the writes of eight goroutines.
func TestFullDiskTakesBackTheWholeBatchAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	p := start(t, "limited together", dir, "20000")
	acknowledged := 0
	for p.out.Scan() {
		acknowledged++
	}
	if err := p.Wait(); err == nil || strings.Count(p.stderr.String(), "file too large") == 0 {
		t.Fatalf("ended with %v: %s", err, p.stderr.String())
	}
	if st := audit(t, dir); st.Seq == 0 || st.Seq != int64(3*acknowledged) {
		t.Errorf("%d events, %d commits were acknowledged", st.Seq, acknowledged)
	}
}
