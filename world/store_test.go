package world

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestEightProcessesLoseNoCommit(t *testing.T) {
	dir := t.TempDir()
	var all []*process
	for i := range 8 {
		all = append(all, start(t, "bank", dir, "writer"+strconv.Itoa(i), "50", "10"))
	}
	for _, p := range all {
		last := 0
		for p.out.Scan() {
			seq, err := strconv.Atoi(p.out.Text())
			if err != nil || seq <= last {
				t.Errorf("after commit %d of one process came %q", last, p.out.Text())
			}
			last = seq
		}
		if err := p.Wait(); err != nil {
			t.Fatal(err, p.stderr.String())
		}
	}
	st := audit(t, dir)
	for i := range 8 {
		var n int
		if err := st.Get("by/writer"+strconv.Itoa(i), &n); err != nil || n != 50 {
			t.Errorf("writer %d has %d commits, error %v; want 50", i, n, err)
		}
	}
}

func TestGoroutinesAndStoresOfOneProcessLoseNoCommit(t *testing.T) {
	dir := t.TempDir()
	stores := []*Store{openStore(t, dir), openStore(t, dir)}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 10 {
				s := stores[i%2]
				st, err := s.Commit(t.Context(), func(st State) ([]Event, error) { return deposit(st, strconv.Itoa(i), 0) })
				if err != nil || s.State().Seq < st.Seq || s.Hash() == "" {
					t.Errorf("commit: %v", err)
				}
			}
		})
	}
	group.Wait()
	if st := audit(t, dir); st.Seq != 8*10*3 {
		t.Errorf("%d events, want %d", st.Seq, 8*10*3)
	}
}

// A follower reads along, so it sees what killed writers leave and the mending of it.
func TestKilledWritersLoseNothingThatTheyAcknowledged(t *testing.T) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	follow, stop := context.WithCancel(t.Context())
	defer stop()
	seen := make(chan int64)
	go func() { // ends with follow
		defer close(seen)
		var last int64
		for ev, err := range Follow(follow, dir, 0) {
			if err != nil || ev.Seq != last+1 {
				t.Errorf("after event %d the follower got %d, error %v", last, ev.Seq, err)
				return
			}
			last = ev.Seq
			select {
			case seen <- last:
			case <-follow.Done():
				return
			}
		}
	}()
	torn := 0
	for round := range 8 {
		acknowledged := killed(t, dir, strconv.Itoa(round), random.IntN(10), 500)
		log := ReadLog(dir)
		for _, err := range log.Events() {
			if err != nil {
				t.Fatal(err)
			}
		}
		if log.Torn() > 0 {
			torn++
		}
		s := openStore(t, dir)
		if s.State().Seq < acknowledged || s.Hash() != log.Hash() {
			t.Fatalf("store has %d events, %d were acknowledged; hashes %s %s", s.State().Seq, acknowledged, s.Hash(), log.Hash())
		}
		for heard := int64(0); heard < s.State().Seq; {
			var ok bool
			if heard, ok = <-seen; !ok {
				t.Fatal("the follower has ended")
			}
		}
		commitAll(t, s, must(deposit(s.State(), "survivor", 0))...)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	audit(t, dir)
	stop()
	for range seen { // until the follower has ended
	}
	t.Logf("%d rounds left a torn tail", torn)
}

// killed kills three processes at once that commit without end, after so many commits of one of them, and returns the last
// event that one of them acknowledged.
func killed(t *testing.T, dir, round string, commits, padding int) (acknowledged int64) {
	var all []*process
	for i := range 3 {
		all = append(all, start(t, "bank", dir, round+"/"+strconv.Itoa(i), "1000000", strconv.Itoa(padding)))
	}
	hear := func(p *process) bool {
		if !p.out.Scan() {
			return false
		}
		if seq, err := strconv.ParseInt(p.out.Text(), 10, 64); err == nil { // else its last line was cut
			acknowledged = max(acknowledged, seq)
		}
		return true
	}
	for range commits {
		hear(all[0])
	}
	for _, p := range all {
		_ = p.Process.Kill()
	}
	for _, p := range all {
		for hear(p) {
		}
		if err := p.Wait(); err == nil || p.stderr.Len() > 0 {
			t.Fatalf("writer ended by itself: %v %s", err, p.stderr.String())
		}
	}
	return acknowledged
}

// The system kills a process for going on to write a file that has reached its limit: always in the middle of a write.
func TestWriterKilledInTheMiddleOfAWriteLeavesATailThatIsCutOff(t *testing.T) {
	dir := t.TempDir()
	p := start(t, "killed", dir, "5000")
	var acknowledged int64
	for p.out.Scan() {
		acknowledged, _ = strconv.ParseInt(p.out.Text(), 10, 64)
	}
	if err := p.Wait(); err == nil || !strings.Contains(err.Error(), "file size limit exceeded") {
		t.Fatalf("ended with %v: %s", err, p.stderr.String())
	}
	log := ReadLog(dir)
	last := int64(0)
	for ev, err := range log.Events() {
		if err != nil {
			t.Fatal(err)
		}
		last = ev.Seq
	}
	if last != acknowledged || log.Torn() != int(last)+1 {
		t.Errorf("%d events were acknowledged, %d are there, torn line is %d", acknowledged, last, log.Torn())
	}
	openStore(t, dir)
	if st := audit(t, dir); st.Seq != acknowledged {
		t.Errorf("%d events were acknowledged, %d are left", acknowledged, st.Seq)
	}
}

func TestFullDiskIsAnErrorAndTheLogStillOpens(t *testing.T) {
	dir := t.TempDir()
	p := start(t, "limited", dir, "5000")
	var acknowledged int64
	for p.out.Scan() {
		acknowledged, _ = strconv.ParseInt(p.out.Text(), 10, 64)
	}
	if err := p.Wait(); err == nil || !strings.HasPrefix(p.stderr.String(), "commit: write ") || !strings.Contains(p.stderr.String(), "file too large") {
		t.Fatalf("ended with %v: %s", err, p.stderr.String())
	}
	if st := audit(t, dir); st.Seq == 0 || st.Seq != acknowledged {
		t.Errorf("%d events, %d were acknowledged", st.Seq, acknowledged)
	}
	if st := commitAll(t, openStore(t, dir), Event{Kind: "room again"}); st.Seq != acknowledged+1 {
		t.Errorf("the next event is %d, not %d", st.Seq, acknowledged+1)
	}
}

// A device takes the place of the log: one on which all writes fail and which cannot be truncated, or one that cannot be synced.
func TestStoreThatCannotTakeBackOrSyncRefusesFurtherCommits(t *testing.T) {
	for device, reason := range map[string]string{"/dev/full": "no space left on device", "/dev/null": "fdatasync: invalid argument"} {
		t.Run(device, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Symlink(device, filepath.Join(dir, logName)); err != nil {
				t.Fatal(err)
			}
			s := openStore(t, dir)
			one := func(State) ([]Event, error) { return []Event{{Kind: "x"}}, nil }
			st, err := s.Commit(t.Context(), one)
			if err == nil || !strings.Contains(err.Error(), reason) || st.Seq != 0 || s.State().Seq != 0 {
				t.Fatalf("first commit: seq %d, error %v; want one with %q", st.Seq, err, reason)
			}
			_, err = s.Commit(t.Context(), one)
			if err == nil || !strings.HasPrefix(err.Error(), "the store takes no more commits since one failed: ") || !strings.Contains(err.Error(), reason) {
				t.Fatalf("second commit: %v", err)
			}
		})
	}
}

func TestCommitStampsEvents(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	s.now = func() time.Time { return time.Date(2026, 1, 2, 16, 4, 5, 6, time.FixedZone("", 3600)) }
	given := []Event{
		{Kind: "b", Seq: 99, Turn: 99, More: true, Data: json.RawMessage(` {"z":1.0, "a":"<"} `)},
		{Kind: KindTurn, Agent: "ann", Set: map[string]json.RawMessage{"x": json.RawMessage("[1, -0.0]")}},
		{Kind: "c", More: true, Proc: json.RawMessage(`{"pid": 7}`), Del: []string{"x"}},
	}
	commitAll(t, s, Event{Kind: "first"})
	st := commitAll(t, s, given...)
	if st.Seq != 4 || st.Turn != 1 {
		t.Errorf("seq %d, turn %d; want 4 and 1", st.Seq, st.Turn)
	}
	if given[0].Seq != 99 || string(given[1].Set["x"]) != "[1, -0.0]" {
		t.Error("commit has changed the events that it was given")
	}
	got, err := os.ReadFile(filepath.Join(dir, logName))
	if err != nil {
		t.Fatal(err)
	}
	const when = `,"time":"2026-01-02T15:04:05.000000006Z","crc":"`
	want := []string{
		`{"kind":"first","seq":1,"turn":0` + when,
		`{"data":{"a":"<","z":1},"kind":"b","more":true,"seq":2,"turn":0` + when,
		`{"agent":"ann","kind":"turn","more":true,"seq":3,"set":{"x":[1,0]},"turn":0` + when,
		`{"del":["x"],"kind":"c","seq":4,"turn":1,"proc":{"pid":7}` + when,
	}
	for i, line := range strings.Split(strings.TrimSuffix(string(got), "\n"), "\n") {
		if i >= len(want) || !strings.HasPrefix(line, want[i]) {
			t.Errorf("line %d is %s", i+1, line)
		}
	}
}

func TestNothingIsWrittenWhenDecideGivesNothingOrWhatCannotBe(t *testing.T) {
	dir, log, _ := sample(t)
	s := openStore(t, dir)
	mine := errors.New("mine")
	for name, c := range map[string]struct {
		events []Event
		err    error
		want   string
	}{
		"no events":        {},
		"an error":         {[]Event{{Kind: "x"}}, mine, "mine"},
		"data":             {[]Event{{Kind: "x"}, {Kind: "y", Data: json.RawMessage("{")}}, nil, "commit: y event: data is not JSON"},
		"data with a tail": {[]Event{{Kind: "y", Data: json.RawMessage("{}}")}}, nil, "commit: y event: data is not JSON: something follows"},
		"set":              {[]Event{{Kind: "y", Set: map[string]json.RawMessage{"p": nil}}}, nil, `commit: y event: fact "p" is not JSON`},
		"proc":             {[]Event{{Kind: "y", Proc: json.RawMessage("NaN")}}, nil, "commit: y event: proc is not JSON"},
		"a huge number":    {[]Event{{Kind: "y", Data: json.RawMessage("1e999")}}, nil, "commit: y event: data is not JSON"},
		"a path":           {[]Event{{Kind: "y", Del: []string{"\xff"}}}, nil, `commit: y event: "\xff" is not UTF-8`},
		"an agent":         {[]Event{{Kind: "y", Agent: "\xff"}}, nil, `commit: y event: "\xff" is not UTF-8`},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.State()
			st, err := s.Commit(t.Context(), func(State) ([]Event, error) { return c.events, c.err })
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if c.err != nil && !errors.Is(err, c.err) {
				t.Errorf("error %v is not that of decide", err)
			}
			if st.Seq != before.Seq || s.State().Seq != before.Seq {
				t.Errorf("seq %d became %d", before.Seq, st.Seq)
			}
		})
	}
	if got, err := os.ReadFile(s.path); err != nil || string(got) != string(log) {
		t.Errorf("the log has changed: %v", err)
	}
}

func TestCommitGivesUpWhenItsContextEnds(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	lock, err := lockLog(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	one := func(State) ([]Event, error) { return []Event{{Kind: "x"}}, nil }
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Commit(ctx, one); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("commit while another process has the lock: %v", err)
	}
	s.queue <- struct{}{}
	if _, err := s.Commit(ctx, one); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("commit while another goroutine commits: %v", err)
	}
	<-s.queue
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	if st, err := s.Commit(t.Context(), one); err != nil || st.Seq != 1 {
		t.Errorf("commit afterwards: seq %d, %v", st.Seq, err)
	}
}

func TestPanicInDecideLeavesTheStoreUsable(t *testing.T) {
	s := openStore(t, t.TempDir())
	func() {
		defer func() { _ = recover() }()
		_, _ = s.Commit(t.Context(), func(State) ([]Event, error) { panic("mine") })
	}()
	if st := commitAll(t, s, Event{Kind: "x"}); st.Seq != 1 {
		t.Errorf("seq %d, want 1", st.Seq)
	}
}

func TestCommitRefusesALogThatIsNotTheOneItRead(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"removed": os.Remove,
		"shorter": func(path string) error { return os.Truncate(path, 10) },
		"replaced": func(path string) error {
			return errors.Join(os.Rename(path, path+".old"), os.WriteFile(path, nil, 0o600))
		},
		"damaged": func(path string) error { return appendTo(path, "nonsense\n") },
	} {
		t.Run(name, func(t *testing.T) {
			dir, _, _ := sample(t)
			s := openStore(t, dir)
			if err := harm(s.path); err != nil {
				t.Fatal(err)
			}
			_, err := s.Commit(t.Context(), func(State) ([]Event, error) { t.Error("asked"); return nil, nil })
			var damage *LogError
			if err == nil || !strings.Contains(err.Error(), s.path) || errors.As(err, &damage) != (name == "shorter" || name == "damaged") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func TestCommitCutsOffWhatAnotherWriterLeftHalfWritten(t *testing.T) {
	dir, log, _ := sample(t)
	s := openStore(t, dir)
	seq := s.State().Seq
	if err := appendTo(s.path, `{"kind":"ha`); err != nil {
		t.Fatal(err)
	}
	if st := commitAll(t, s, Event{Kind: "whole"}); st.Seq != seq+1 {
		t.Errorf("seq %d, want %d", st.Seq, seq+1)
	}
	got, err := os.ReadFile(s.path)
	if err != nil || !strings.HasPrefix(string(got), string(log)+`{"kind":"whole",`) {
		t.Errorf("log is %s, error %v", got, err)
	}
}

func TestOpenNeedsAFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	if _, err := Open(dir); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "open store: ") {
		t.Errorf("error %v", err)
	}
}

func TestClosedStoreRefusesCommits(t *testing.T) {
	s := openStore(t, t.TempDir())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context(), nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

func BenchmarkCommit(b *testing.B) {
	s := openStore(b, b.TempDir())
	set := facts("lake/tons", 100)
	for b.Loop() {
		commitAll(b, s, Event{Kind: "lake", Set: set})
	}
}

// BenchmarkCommitLong is BenchmarkCommit on a log of 20000 events.
func BenchmarkCommitLong(b *testing.B) {
	s := openStore(b, b.TempDir())
	set := facts("lake/tons", 100)
	many := make([]Event, 20_000)
	for i := range many {
		many[i] = Event{Kind: "lake", Set: set}
	}
	commitAll(b, s, many...)
	for b.Loop() {
		commitAll(b, s, Event{Kind: "lake", Set: set})
	}
}

// BenchmarkBareSync is what the disk takes of BenchmarkCommit.
func BenchmarkBareSync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "file"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	line := []byte(strings.Repeat("x", 125) + "\n")
	for b.Loop() {
		if _, err := f.Write(line); err != nil {
			b.Fatal(err)
		}
		if err := datasync(f); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	many := make([]Event, 10_000)
	for i := range many {
		many[i] = Event{Kind: "lake", Set: facts("lake/tons", i)}
	}
	commitAll(b, openStore(b, dir), many...)
	for b.Loop() {
		s, err := Open(dir)
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
