package confine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What attacks still work at each level; all that is not here must not. Users and namespaces together leave what both leave.
func leaks(u uses) []string {
	var left []string
	for _, a := range attacks() {
		if a.stopped&u.stops() == 0 {
			left = append(left, a.name)
		}
	}
	return left
}

func TestEveryBoundaryStopsWhatItIsThereFor(t *testing.T) {
	for _, u := range boundaries(t) {
		outcomes, err := Boundary{uses: u}.Canary(t.Context())
		if err != nil || len(outcomes) != len(attacks()) {
			t.Errorf("%+v: %d outcomes, %v", u, len(outcomes), err)
		}
		var worked []string
		for _, o := range outcomes {
			if o.Worked {
				worked = append(worked, o.Attack)
			}
		}
		t.Logf("level %s, %+v: %d attacks work: %q", Boundary{uses: u}.Level(), u, len(worked), worked)
	}
}

// An attack that never works would pass for one that is stopped.
func TestEveryAttackWorksOnRootWithoutABoundary(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("run the tests as root: else some attacks cannot be made")
	}
	outcomes, err := Boundary{}.Canary(t.Context())
	if err != nil || len(outcomes) < 40 {
		t.Errorf("%d attacks, %v", len(outcomes), err)
	}
	for _, o := range outcomes {
		if !o.Worked {
			t.Errorf("%s: %s", o.Attack, o.Why)
		}
	}
}

func TestAtLevelAAlmostNothingOfTheListWorks(t *testing.T) {
	want := []string{"ask netlink for the network's interfaces", "open a pidfd of the neighbour"}
	if left := leaks(uses{UID: true, Landlock: true, Seccomp: true}); !slices.Equal(left, want) {
		t.Errorf("at level A works: %q, want %q", left, want)
	}
	want = []string{"list /", "ask netlink for the network's interfaces"}
	if left := leaks(uses{Spaces: true, Seccomp: true}); !slices.Equal(slices.DeleteFunc(left, func(s string) bool { return s == "become root" }), want) {
		t.Errorf("at level E works: %q, want %q", left, want)
	}
}

func TestABoundaryThatDoesNotHoldIsFound(t *testing.T) {
	all := uses{UID: true, Landlock: true, Seccomp: true, Spaces: true}
	o := Outcome{Attack: "list /", Worked: true, Must: true}
	if _, err := verdict(Boundary{uses: all}, []Outcome{o}); err == nil || !strings.Contains(err.Error(), "an agent could list /") {
		t.Errorf("the error is %v", err)
	}
}

func TestTheStrongestLevelIsFound(t *testing.T) {
	level := func(out string) string {
		_, rest, _ := strings.Cut(out, "found level ")
		return rest[:min(1, len(rest))]
	}
	switch os.Getuid() {
	case 0:
		got, want := Find(t.Context()), Level("A+")
		if !got.uses.Bounds {
			want = "A"
			t.Logf("NOT RUN: level A+: %v", got.Tried[4].Err)
		}
		if got.Level() != want {
			t.Errorf("root finds %s, without %s", got, got.Missing())
		}
		if got := level(asOther(t, t.Name(), func(self string) []string { return []string{self} })); got != "B" {
			t.Errorf("another user finds level %q, want B", got)
		}
		if got := level(asOther(t, t.Name(), func(self string) []string { return []string{self, self} })); got != "C" {
			t.Errorf("in a container another user finds level %q, want C", got)
		}
	default:
		got := Find(t.Context())
		t.Logf("found %s, without %s", got, got.Missing())
		if _, err := got.Canary(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestBoundariesOfAnotherUserHold(t *testing.T) {
	out := asOther(t, "(TestEveryBoundaryStops.*|TestNothingOutlives.*|TestHowAProgram.*|Test.*WithAProxy.*|Test.*ItsOwnProxy.*)", func(self string) []string { return []string{self} })
	if strings.Count(out, "--- PASS: Test") != 7 || !strings.Contains(out, "level B") {
		t.Errorf("it prints %s", out)
	}
}

func TestLevelsAreInOrder(t *testing.T) {
	for i, l := range Levels() {
		for k, other := range Levels() {
			if got := l.Under(other); got != (i > k) {
				t.Errorf("%s under %s: %t", l, other, got)
			}
		}
		if l.Under("") || !Level("").Under(l) {
			t.Errorf("%s and no level", l)
		}
	}
}

func TestHowAProgramEndsIsTold(t *testing.T) {
	for _, u := range processBoundaries(t) {
		for script, want := range map[string]string{
			"exit 0":                                "exit status 0",
			"exit 3":                                "exit status 3",
			"kill -KILL $$":                         "signal: killed",
			"kill -TERM $$":                         "signal: terminated",
			"exec head -c 30m /dev/zero >/dev/null": "exit status 0",
		} {
			_, ending := run(t, u, cell(t), script)
			if ending.Exit != want || ending.PeakMemory < 500<<10 || ending.PeakMemory > 100<<20 {
				t.Errorf("%+v: %q ended with %+v, want %s", u, script, ending, want)
			}
		}
	}
}

func TestAProgramThatCannotBeginIsAnError(t *testing.T) {
	for _, u := range boundaries(t) {
		c := cell(t)
		file := filepath.Join(c.Dir, "work", "no-program")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]error{"/no/such/program": fs.ErrNotExist, file: fs.ErrPermission} {
			if _, err := (start{u, c, []string{path}}).start(); !errors.Is(err, want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%+v: the error is %v, want %v", u, err, want)
			}
		}
		u.UID = false // else others have to be told of it
		p, k, err := startKeeper(u, os.Stderr, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.begin(order{Path: file, Args: []string{file}, Dir: filepath.Join(c.Dir, "work"), Cell: c, Uses: u}); err == nil {
			t.Errorf("%+v: it begins", u)
		}
		<-p.Done() // though nobody has told its keeper to end
		if err := p.Stop(0); err != nil {
			t.Error(err)
		}
	}
}

func TestAnAgentHasNothingOfOurs(t *testing.T) {
	t.Setenv("SECRET_KEY", "canary")
	leak, err := unix.Open("/etc/passwd", unix.O_RDONLY, 0) // as if we had inherited it
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(leak)
	for _, u := range boundaries(t) {
		c := cell(t)
		p, err := start{u, c, []string{"/bin/sh", "-c", "env; cd /proc/$$/fd; set -- *; echo $* $(umask); echo done; read x"}}.start()
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for said == nil || said[len(said)-1] != "done" {
			said = append(said, readByteLine(t, p.Stdout))
		}
		environ, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID()) + "/environ")
		if text := strings.Join(said, "\n") + string(environ); err != nil || strings.Contains(text, "canary") {
			t.Errorf("%+v: the key is in %s, %v", u, text, err)
		}
		if want := "0 1 2 3 0022"; !slices.Contains(said, want) && (u.Spaces || !u.Landlock) { // 3 is the folder that it lists
			t.Errorf("%+v: its descriptors and its mask are %q", u, said)
		}
		if err := p.Stop(time.Second); err != nil {
			t.Error(err)
		}
	}
}

// readByteLine reads a line, and nothing behind it.
func readByteLine(t *testing.T, from io.Reader) string {
	t.Helper()
	var line []byte
	for b := make([]byte, 1); ; line = append(line, b[0]) {
		if _, err := from.Read(b); err != nil {
			t.Fatalf("it says %q, %v", line, err)
		}
		if b[0] == '\n' {
			return string(line)
		}
	}
}

func TestACellHasWhatItMayReachAndNothingElse(t *testing.T) {
	for _, u := range boundaries(t) {
		c, other := cell(t), cell(t)
		library := filepath.Join(other.Hidden, "library")
		if err := errors.Join(os.Mkdir(library, 0o755), os.Mkdir(filepath.Join(c.Dir, "facts"), 0o755)); err != nil {
			t.Fatal(err)
		}
		for path, text := range map[string]string{
			filepath.Join(library, "book"):          "a book",
			filepath.Join(c.Dir, "prompt.txt"):      "a prompt",
			filepath.Join(c.Dir, "facts", "fact"):   "a fact",
			filepath.Join(c.Hidden, "events.jsonl"): "the log",
		} {
			if err := errors.Join(os.WriteFile(path, []byte(text), 0o644), os.Chmod(path, 0o644), os.Chmod(library, 0o755)); err != nil {
				t.Fatal(err)
			}
		}
		c.Files, c.Read = []string{"prompt.txt", "api.sock", "facts"}, []string{library}
		out, _ := run(t, u, c, "exec 2>/dev/null; cat "+library+"/book ../prompt.txt ../facts/fact; echo; echo mine >own && cat own; echo more >>../home/x && echo ../home/x; "+
			"grep -c ^root: /etc/passwd </dev/null; echo over >>"+library+"/book; echo over >>../facts/fact; touch ../facts/new; cat ../../../events.jsonl")
		want := "a booka prompta fact\nmine\n../home/x\n1\n"
		if !u.Landlock && !u.UID && !u.Spaces {
			want += "the log"
		}
		if out != want {
			t.Errorf("%+v: it prints %q, want %q", u, out, want)
		}
		book, err := os.ReadFile(filepath.Join(library, "book"))
		if err != nil || (u.Landlock || u.UID || u.Spaces) && string(book) != "a book" {
			t.Errorf("%+v: the book says %q, %v", u, book, err)
		}
		facts, err := filepath.Glob(filepath.Join(c.Dir, "facts", "*"))
		if err != nil {
			t.Fatal(err)
		}
		fact, err := os.ReadFile(filepath.Join(c.Dir, "facts", "fact"))
		if err != nil || (u.Landlock || u.UID || u.Spaces) && (string(fact) != "a fact" || len(facts) != 1) {
			t.Errorf("%+v: the fact is %q, %v, among %q", u, fact, err, facts)
		}
	}
}

func TestWhatLiesAboveTheRunDoesNotShowIt(t *testing.T) {
	for _, u := range boundaries(t) {
		c := cell(t)
		c.Read = []string{filepath.Dir(c.Hidden)}
		if err := os.WriteFile(filepath.Join(c.Hidden, "events.jsonl"), []byte("log"), 0o644); err != nil {
			t.Fatal(err)
		}
		if !u.Spaces {
			if _, err := (start{u, c, []string{"/bin/true"}}).start(); err == nil || !strings.Contains(err.Error(), "choose another with --out") {
				t.Errorf("%+v: the error is %v", u, err)
			}
			continue
		}
		if out, _ := run(t, u, c, "ls -A ../../.. ; cat ../../../events.jsonl; pwd"); out != "agents\n"+filepath.Join(c.Dir, "work")+"\n" && !u.Landlock ||
			strings.Contains(out, "log") {
			t.Errorf("%+v: it prints %q", u, out)
		}
	}
}

func TestAFileWithAnotherNameIsNotGivenAway(t *testing.T) {
	c := cell(t)
	secret := filepath.Join(c.Hidden, "secret")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(secret, filepath.Join(c.Dir, "work", "mine")); err != nil {
		t.Fatal(err)
	}
	if err := handOver(c, firstUID); err == nil || !strings.Contains(err.Error(), "it has 2 names") {
		t.Errorf("the error is %v", err)
	}
	if info, err := os.Stat(secret); err != nil || owner(info) != os.Getuid() {
		t.Errorf("it belongs to %d, %v", owner(info), err)
	}
}

func TestNoTwoAgentsHaveOneUser(t *testing.T) {
	c := cell(t)
	one, held, err := takeUID(c)
	if err != nil {
		t.Fatal(err)
	}
	two, other, err := takeUID(c)
	if err != nil || one == two || !isAgents(one) || !isAgents(two) {
		t.Errorf("users %d and %d, %v", one, two, err)
	}
	const had = lastUID - 1 // which nobody else takes, as long as there are lower ones
	if err := errors.Join(other.Close(), handOver(c, had), held.Close()); err != nil {
		t.Fatal(err)
	}
	again, held, err := takeUID(c)
	if err != nil || again != had {
		t.Errorf("an agent that was user %d becomes %d, %v", had, again, err)
	}
	if err := held.Close(); err != nil {
		t.Error(err)
	}
}

// A folder that becomes a link while it is given away must not lead to what lies elsewhere.
func TestWhatIsGivenAwayLiesInTheFolder(t *testing.T) {
	c := cell(t)
	elsewhere, inside, link := t.TempDir(), filepath.Join(c.Dir, "work", "d"), filepath.Join(c.Dir, "work", "l")
	secret := filepath.Join(elsewhere, "f")
	if err := errors.Join(os.Mkdir(inside, 0o700), os.Symlink(elsewhere, link), os.WriteFile(filepath.Join(inside, "f"), nil, 0o600),
		os.WriteFile(secret, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	done, swapped := make(chan struct{}), make(chan struct{})
	go func() { // ends with the test
		defer close(swapped)
		for {
			select {
			case <-done:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, link, unix.AT_FDCWD, inside, unix.RENAME_EXCHANGE)
			}
		}
	}()
	for i := range 500 {
		_ = handOver(c, firstUID+i%2) // it may fail
	}
	close(done)
	<-swapped
	if info, err := os.Lstat(secret); err != nil || owner(info) != os.Getuid() {
		t.Errorf("it belongs to %d, %v", owner(info), err)
	}
}

func TestAnAgentCannotHoldTheUsersOfOthers(t *testing.T) {
	script := fmt.Sprintf(`exec perl -MSocket -e 'for $type (1..5) { for (%d..%d) {
		socket($s, AF_UNIX, $type, 0) and bind($s, pack("S a*", AF_UNIX, "\0vitrine/user/$_")) and push @all, $s; undef $s;
		socketpair($s, $o, AF_UNIX, $type, 0) and bind($s, pack("S a*", AF_UNIX, "\0vitrine/user/$_")) and push @all, $s; undef $s;
	} } $| = 1; print @all > 0, "\n"; sleep 60'`, firstUID, lastUID)
	for _, spaces := range []bool{false, true} {
		c := cell(t)
		p, err := start{uses{UID: true, Seccomp: true, Spaces: spaces}, c, []string{"/bin/sh", "-c", script}}.start()
		if err != nil {
			t.Fatal(err)
		}
		if tries := readLine(t, p.Stdout); tries != "1" {
			t.Errorf("it tries nothing: %q", tries)
		}
		if _, held, err := takeUID(cell(t)); err != nil {
			t.Error(err)
		} else if err := held.Close(); err != nil {
			t.Error(err)
		}
		p.Kill()
		if err := p.Stop(time.Second); err != nil {
			t.Error(err)
		}
	}
}

// escape starts processes that do all they can to stay: in sessions of their own, double-forked, deaf to signals, very many, and one that is
// always another.
const escape = `
setsid sh -c 'trap "" TERM HUP INT; while :; do sleep 1; done' &
(setsid sh -c 'trap "" TERM; nohup sleep 1000' >/dev/null 2>&1 &)
i=0; while [ $i -lt 60 ]; do (trap "" TERM; setsid sleep 1000 &); i=$((i+1)); done
walk() { [ $1 -gt 0 ] && { sleep 0.01; walk $(($1-1)) & }; }
walk 2000 >/dev/null 2>&1 &
echo ready
trap "" TERM
`

func TestNothingOutlivesItsAgent(t *testing.T) {
	for _, u := range processBoundaries(t) {
		c := cell(t)
		out, ending := run(t, u, c, escape+"exit 4")
		if out != "ready\n" || ending.Exit != "exit status 4" {
			t.Errorf("%+v: %q, %+v", u, out, ending)
		}
		gone(t, c.Dir, 0) // when its end is told
	}
}

func TestNothingOutlivesAnAgentThatIsKilledOrStopped(t *testing.T) {
	for _, u := range processBoundaries(t) {
		for _, kill := range []bool{false, true} {
			c := cell(t)
			p, err := start{u, c, []string{"/bin/sh", "-c", escape + "while :; do sleep 1; done"}}.start()
			if err != nil {
				t.Fatal(err)
			}
			readLine(t, p.Stdout)
			if before := livingIn(c.Dir); len(before) < 60 {
				t.Errorf("%+v: only %d processes have begun", u, len(before))
			}
			if kill {
				p.Kill()
			}
			if err := p.Stop(2 * time.Second); err != nil {
				t.Errorf("%+v: %v", u, err)
			}
			if p.Exit() != "signal: killed" {
				t.Errorf("%+v: it ended with %s", u, p.Exit())
			}
			gone(t, c.Dir, 0)
		}
	}
}

func TestNothingOutlivesTheSupervisor(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range processBoundaries(t) {
		c := cell(t)
		order, err := json.Marshal(start{u, c, []string{"/bin/sh", "-c", escape + "while :; do sleep 1; done"}})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), roleVar+"=supervisor")
		cmd.Stdin, cmd.Stderr = strings.NewReader(string(order)), os.Stderr
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		readLine(t, out)
		if before := livingIn(c.Dir); len(before) < 60 {
			t.Errorf("%+v: only %d processes have begun", u, len(before))
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		gone(t, c.Dir, time.Minute)
		_ = cmd.Wait() // it was killed
	}
}
