package lines

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/agentstest"
	"github.com/vitrine-sim/vitrine/agents/confine"
	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/world"
)

// Started with this variable, the test binary is a program that plays the part of that name.
const part = "VITRINE_TEST_PART"

func TestMain(m *testing.M) {
	confine.Main()
	if name := os.Getenv(part); name != "" {
		play(name)
		return
	}
	os.Exit(m.Run())
}

// play is a program that answers each observation, but for what its part is.
func play(name string) {
	out := bufio.NewWriter(os.Stdout)
	said := func(format string, args ...any) {
		fmt.Fprintf(out, format+"\n", args...)
		out.Flush()
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	if name == "deaf" {
		select {}
	}
	newest := int64(0)
	for in.Scan() {
		var q question
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			panic(err)
		}
		if q.Refused != "" {
			fmt.Fprintln(os.Stderr, "refused:", q.Refused)
			continue
		}
		turn := q.Observation.Turn
		if q.ID <= newest {
			fmt.Fprintln(os.Stderr, "shown an older one")
			os.Exit(3)
		}
		newest = q.ID
		switch {
		case name == "late" && turn == 0:
			continue // until the next one
		case name == "late" && turn == 1:
			said(`{"id":%d,"action":"fish","args":{"tons":99}}`, q.ID-1)
		case name == "parting":
			said(`{"id":0,"action":"fish"}`)
		case name == "twice" || name == "parting shot":
			said(`{"id":%d,"action":"fish","args":{"tons":%d}}`, q.ID, turn)
		case name == "clumsy":
			said(`what?`)
			said(`{"id":%d}`, q.ID)
			said(`{"id":%d,"action":"fish","args":{"text":"%s"}}`, q.ID, strings.Repeat("x", 2*maxLine))
			said(`{"id":%d,"action":"fish"}`, q.ID+5)
		case name == "crash" && turn == 1:
			fmt.Fprintln(os.Stderr, "out of ink")
			os.Exit(3)
		}
		said(`{"id":%d,"action":"fish","args":{"tons":%d}}`, q.ID, turn)
		if name == "parting" && turn == 0 {
			os.Exit(3)
		}
	}
	if name == "parting shot" {
		said(`{"id":1,"action":"fish"}`)
	}
}

// start starts a program in a part, and keeps what of it was fenced.
func start(t *testing.T, name string) (*Program, func() []string) {
	t.Helper()
	var mu sync.Mutex
	var fenced []string
	p, err := Start(Config{
		Command: []string{os.Args[0]}, Cell: confine.Cell{Dir: t.TempDir()}, Env: []string{part + "=" + name},
		Fenced: func(a world.Action, reason string, newest bool) {
			mu.Lock()
			defer mu.Unlock()
			if !newest {
				reason += ", and meant for an older one"
			}
			fenced = append(fenced, fmt.Sprintf("%s %s: %s", a.Name, a.Args, reason))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return fenced
	}
}

func observation(turn int) world.Observation {
	return world.Observation{Agent: "a", Turn: turn, View: world.JSON(map[string]int{"tons": 100}), Actions: []world.ActionSpec{{Name: "fish"}}}
}

// acts demands that the agent does this.
func acts(t *testing.T, a agents.Agent, turn int, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	action, err := a.Act(ctx, observation(turn))
	if got := fmt.Sprintf("%s %s", action.Name, action.Args); err != nil || got != want {
		t.Fatalf("in turn %d it does %s, %v; want %s", turn, got, err, want)
	}
}

func TestProgramIsAnAgent(t *testing.T) {
	agentstest.TestAgent(t, observation(0), func() agents.Agent {
		p, _ := start(t, "good")
		return p
	})
}

// Whoever waits for its socket may come before anybody else does anything.
func TestASeatThatIsSeenCanBeTaken(t *testing.T) {
	for range 200 {
		dir := t.TempDir()
		var seat *Seat
		var opening sync.WaitGroup
		var err error
		opening.Go(func() { seat, err = Listen(dir, nil) })
		conn, dialErr := net.Conn(nil), fs.ErrNotExist
		for errors.Is(dialErr, fs.ErrNotExist) {
			conn, dialErr = net.Dial("unix", filepath.Join(dir, socketName))
		}
		if opening.Wait(); errors.Join(err, dialErr) != nil {
			t.Fatal(err, dialErr)
		}
		conn.Close()
		if _, err := seat.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSeatIsAnAgent(t *testing.T) {
	agentstest.TestAgent(t, observation(0), func() agents.Agent {
		dir := t.TempDir()
		s, err := Listen(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		conn := dial(t, dir)
		go answerAll(conn)
		return s
	})
}

func dial(t *testing.T, dir string) *net.UnixConn {
	t.Helper()
	conn, err := Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// answerAll answers until the seat is closed.
func answerAll(conn net.Conn) {
	read(conn, func(raw []byte) {
		var q question
		if json.Unmarshal(raw, &q) == nil && q.Observation != nil {
			fmt.Fprintf(conn, `{"id":%d,"action":"fish","args":{"tons":%d}}`+"\n", q.ID, q.Observation.Turn)
		}
	})
}

func TestAnAnswerThatIsLateOrTheSecondHasNoEffect(t *testing.T) {
	p, fenced := start(t, "late")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.Act(ctx, observation(0)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the error is %v", err)
	}
	acts(t, p, 1, `fish {"tons":1}`)
	if _, err := p.Close(); err != nil {
		t.Error(err)
	}
	if got := fenced(); len(got) != 1 || got[0] != `fish {"tons":99}: too late: the newest observation is 2, and meant for an older one` {
		t.Errorf("fenced: %q", got)
	}

	p, fenced = start(t, "twice")
	for turn := range 3 {
		acts(t, p, turn, fmt.Sprintf(`fish {"tons":%d}`, turn))
	}
	if _, err := p.Close(); err != nil {
		t.Error(err)
	}
	for _, f := range fenced() {
		if !strings.Contains(f, "too late") {
			t.Errorf("fenced: %q", f)
		}
	}
	if n := len(fenced()); n != 3 {
		t.Errorf("%d are fenced: %q", n, fenced())
	}
}

func TestWhatIsNoAnswerIsToldAndTheNextOneCounts(t *testing.T) {
	p, fenced := start(t, "clumsy")
	acts(t, p, 0, `fish {"tons":0}`)
	acts(t, p, 1, `fish {"tons":1}`)
	if _, err := p.Close(); err != nil {
		t.Error(err)
	}
	told := p.stderr.LastWords()
	for _, want := range []string{"this is no answer", `"action" is missing`, "there is no such observation yet: the newest is 1"} {
		if !strings.Contains(told, want) {
			t.Errorf("it is not told %q: %s", want, told)
		}
	}
	if got := fenced(); len(got) != 2 {
		t.Errorf("fenced: %q", got)
	}
}

func TestAProgramThatCrashesIsDeadWithItsLastWords(t *testing.T) {
	p, _ := start(t, "crash")
	acts(t, p, 0, `fish {"tons":0}`)
	_, err := p.Act(t.Context(), observation(1))
	if dead := (*agents.DeadError)(nil); !errors.As(err, &dead) || dead.Reason != "exit status 3" || dead.Detail != "out of ink" {
		t.Errorf("the error is %v", err)
	}
	if _, err := p.Close(); err != nil {
		t.Error(err)
	}
}

// Whoever is told of what has no effect holds up what comes after it.
func TestWhatAProgramSaysBeforeItIsGoneCounts(t *testing.T) {
	var p *Program
	var fenced atomic.Int64
	for _, name := range []string{"parting", "parting shot"} {
		var err error
		p, err = Start(Config{
			Command: []string{os.Args[0]}, Cell: confine.Cell{Dir: t.TempDir()}, Env: []string{part + "=" + name},
			Fenced: func(world.Action, string, bool) {
				if fenced.Add(1) != 3 {
					<-p.process.Done()
					time.Sleep(30 * time.Millisecond) // it takes its time, too
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		acts(t, p, 0, `fish {"tons":0}`)
		if name == "parting" {
			_, err := p.Act(t.Context(), observation(1))
			if dead := (*agents.DeadError)(nil); !errors.As(err, &dead) || dead.Reason != "exit status 3" {
				t.Errorf("then the error is %v", err)
			}
		}
		if _, err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := fenced.Load(); n != 3 {
		t.Errorf("%d have no effect", n)
	}
}

func TestAProgramThatDoesNotReadIsLate(t *testing.T) {
	p, _ := start(t, "deaf")
	obs := observation(0)
	obs.View = world.JSON(strings.Repeat("x", 1<<20)) // more than the pipe holds
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := p.Act(ctx, obs); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v", err)
	}
	if _, err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestAProgramIsShownWhatItHasNoTimeForInItsOrder(t *testing.T) {
	p, _ := start(t, "strict")
	for turn := range 500 {
		ctx, interrupt := context.WithCancel(t.Context())
		go interrupt()
		_, _ = p.Act(ctx, world.Observation{Agent: "a", Turn: turn})
	}
	if _, err := p.Act(t.Context(), world.Observation{Agent: "a", Turn: 500}); err != nil {
		t.Error(err)
	}
	if _, err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestASeatIsShownWhatItHasNoTimeForInItsOrder(t *testing.T) {
	dir := t.TempDir()
	seat, err := Listen(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	acted := make(chan bool)
	act := func() {
		_, _ = seat.Act(ctx, world.Observation{Agent: "a"})
		acted <- true
	}
	shown := json.NewDecoder(conn)
	hear := func() int64 {
		var q question
		if err := shown.Decode(&q); err != nil {
			t.Fatal(err)
		}
		return q.ID
	}
	go act() // ends with ctx
	newest := hear()
	interrupt()
	<-acted
	const acts = 500
	for range acts {
		ctx, interrupt = context.WithCancel(t.Context())
		go interrupt()
		go act() // ends with ctx
		<-acted
	}
	ctx, interrupt = context.WithCancel(t.Context())
	go act()              // ends with ctx
	for newest < acts+1 { // of those whose time was up at once, not all were begun
		id := hear()
		if id <= newest {
			t.Fatalf("it is shown %d after %d", id, newest)
		}
		if newest = id; seat.desk.newest() == id {
			break
		}
	}
	interrupt()
	<-acted
	if _, err := seat.Close(); err != nil {
		t.Error(err)
	}
}

func TestAProgramThatIsNotThereDoesNotStart(t *testing.T) {
	for _, command := range [][]string{nil, {"/none/such"}} {
		if p, err := Start(Config{Command: command, Cell: confine.Cell{Dir: t.TempDir()}}); err == nil {
			_, _ = p.Close()
			t.Errorf("%q starts", command)
		}
	}
}

func TestASeatCanBeLeftAndTakenAgainButNotByTwo(t *testing.T) {
	dir := t.TempDir()
	s, err := Listen(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	first := dial(t, dir)
	acting := make(chan error, 1)
	go func() {
		action, err := s.Act(t.Context(), observation(7))
		if err == nil && string(action.Args) != `{"tons":7}` {
			err = fmt.Errorf("it does %s", action.Args)
		}
		acting <- err
	}()
	lines := bufio.NewScanner(first)
	if !lines.Scan() || !strings.Contains(lines.Text(), `"turn":7`) {
		t.Fatalf("the first sees %q, %v", lines.Text(), lines.Err())
	}
	second := dial(t, dir)
	if lines := bufio.NewScanner(second); !lines.Scan() || !strings.Contains(lines.Text(), "somebody has this seat already") {
		t.Errorf("the second sees %q", lines.Text())
	}
	Leave(first)
	third := dial(t, dir)
	if lines := bufio.NewScanner(third); !lines.Scan() || !strings.Contains(lines.Text(), `"turn":7`) {
		t.Fatalf("the third sees %q, %v", lines.Text(), lines.Err())
	}
	fmt.Fprintln(third, `{"id":1,"action":"fish","args":{"tons":7}}`)
	if err := <-acting; err != nil {
		t.Error(err)
	}
	if _, err := s.Close(); err != nil {
		t.Error(err)
	}
	if conn, err := Dial(t.Context(), dir); err == nil {
		conn.Close()
		t.Error("somebody listens at a seat that is closed")
	}
}

func TestASeatLeavesNothingElsewhereAndNoSocketBehind(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", elsewhere)
	s, err := Listen(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	dial(t, dir)
	if left, err := os.ReadDir(elsewhere); err != nil || len(left) > 0 {
		t.Errorf("while it is open there is %v, %v", left, err)
	}
	if _, err := s.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("there is still %v, %v", left, err)
	}
}

func FuzzTake(f *testing.F) {
	for _, seed := range []string{`{"id":1,"action":"fish"}`, `{"id":0}`, `[]`, `{"id":1e400,"action":1}`, "", "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		d := newDesk(nil, nil)
		d.lay(observation(0))
		reply := d.take(raw)
		if reply != nil && !json.Valid(reply) {
			t.Errorf("the reply is %q", reply)
		}
		if answered := len(d.answered) > 0; answered == (reply != nil) {
			t.Errorf("answered: %v, and the reply is %q", answered, reply)
		}
	})
}

// FuzzSay lets a program say anything, in lines or not. There is an answer at most, and each line is either one or told what is wrong with it.
func FuzzSay(f *testing.F) {
	f.Add([]byte("{\"id\":1,\"action\":\"fish\"}\n"), 0)
	f.Add([]byte("{\"id\":1,\"action\":\"fish\",\"agent\":\"b\"}\n\n{\"id\":1e999999}\n\x00\xff\n"), 200_000)
	f.Fuzz(func(t *testing.T, said []byte, more int) {
		said = append(said, bytes.Repeat([]byte("["), max(0, more%(4*maxLine)))...)
		evidence := new(tamper.Evidence)
		d := newDesk(nil, evidence)
		d.lay(observation(0))
		lines, wrong := 0, 0
		read(bytes.NewReader(said), func(raw []byte) {
			if lines++; len(raw) > maxLine {
				t.Errorf("a line of %d bytes", len(raw))
			}
			if reply := d.take(raw); reply != nil {
				if wrong++; !json.Valid(reply) {
					t.Errorf("the reply is %q", reply)
				}
			}
		})
		if answers := len(d.answered); answers > 1 || answers+wrong != lines {
			t.Errorf("%d lines are %d answers, and %d are wrong", lines, answers, wrong)
		}
		for _, seen := range evidence.Take(func(string) bool { return true }) {
			if seen.Times > lines {
				t.Errorf("seen is %+v in %d lines", seen, lines)
			}
		}
	})
}

func TestAnObservationSaysItsActionsEvenIfThereAreNone(t *testing.T) {
	for _, actions := range [][]world.ActionSpec{nil, {}, {{Name: "fish"}}} {
		want := `{"id":1,"observation":{"actions":[],"agent":"a","reward":0,"terminated":false,"turn":3,"view":{"tons":100}}}` + "\n"
		if len(actions) > 0 {
			want = strings.Replace(want, "[]", `[{"name":"fish"}]`, 1)
		}
		obs := observation(3)
		obs.Actions = actions
		if got := string(newDesk(nil, nil).lay(obs)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// The answer and the end of the time come at once, so either may be seen first.
func TestAnAnswerThatComesAsItsTimeEndsCountsOrIsFenced(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	fenced, counted := 0, 0
	d := newDesk(func(action world.Action, reason string, newest bool) {
		if fenced++; action.Name != "fish" || !newest || !strings.Contains(reason, "too late") {
			t.Errorf("%v is fenced: %s", action, reason)
		}
	}, nil)
	const n = 100
	for id := range n {
		d.lay(world.Observation{Agent: "a"})
		if refused := d.take(fmt.Appendf(nil, `{"id":%d,"action":"fish"}`, id+1)); refused != nil {
			t.Fatalf("it is refused: %s", refused)
		}
		if action, err := d.await(over, nil); err == nil && action.Name == "fish" {
			counted++
		}
	}
	if counted+fenced != n || fenced == 0 {
		t.Errorf("of %d answers %d count and %d are fenced", n, counted, fenced)
	}
}
