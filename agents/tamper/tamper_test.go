package tamper

import (
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func every(string) bool { return true }

func TestHoweverOftenAnAgentTriesItHasOneAttemptOfEachKind(t *testing.T) {
	var e Evidence
	var saw sync.WaitGroup
	for range 8 {
		saw.Go(func() {
			for range 1000 {
				e.Saw(Shell, "cat: /etc/shadow: \x1b[31mPermission\ndenied")
				e.Saw(Acts, strings.Repeat("\xff", 10_000))
			}
		})
	}
	saw.Wait()
	none := e.Take(func(what string) bool { return what == Token })
	some := e.Take(func(what string) bool { return what == Shell })
	rest := e.Take(every)
	want := Attempt{Shell, 8000, "cat: /etc/shadow:  [31mPermission denied"}
	if len(none) != 0 || len(some) != 1 || some[0] != want || len(rest) != 1 || rest[0].Times != 8000 || len(rest[0].Sample) > 4*maxSample {
		t.Errorf("took %+v, then %+v, then %+v", none, some, rest)
	}
	if left := e.Take(every); len(left) != 0 {
		t.Errorf("%+v is left", left)
	}
}

func TestNobodyTakesNoteOfNothing(t *testing.T) {
	var e *Evidence
	e.Saw(File, "/etc/shadow")
	e.Sawf(File, "%s", "/etc/shadow")
	if got := e.Take(every); got != nil {
		t.Errorf("took %+v", got)
	}
}

func FuzzLine(f *testing.F) {
	f.Add("cat: \x1b]0;title\a: \u202eno")
	f.Add(strings.Repeat("\u00e9", 5*maxSample))
	f.Fuzz(func(t *testing.T, text string) {
		line := Line(text)
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x202e }) || len([]rune(line)) > maxSample+3 {
			t.Errorf("%q becomes %q", text, line)
		}
		if Line(line) != line && len([]rune(line)) <= maxSample {
			t.Errorf("%q becomes %q and then %q", text, line, Line(line))
		}
	})
}

func TestAnAgentThatSaysTooMuchWaitsForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e Evidence
		began := time.Now()
		in := Reader{Reader: strings.NewReader(strings.Repeat("x", 1000)), Pace: &Pace{Burst: 200, Second: 100}, Evidence: &e}
		if n, err := io.Copy(io.Discard, struct{ io.Reader }{in}); n != 1000 || err != nil {
			t.Fatal(n, err)
		}
		if took := time.Since(began); took != 8*time.Second {
			t.Errorf("it took %v", took)
		}
		if seen := e.Take(every); len(seen) != 1 || seen[0].What != Output || seen[0].Times != 1 {
			t.Errorf("it was seen to try %+v", seen)
		}
		time.Sleep(time.Hour) // pays for no more than the burst
		if in.Pace.Take(200, nil) || !in.Pace.Take(1, nil) {
			t.Error("more or less is done at once after an hour than at first")
		}
		stop := make(chan struct{})
		close(stop)
		if in.Pace.Take(1<<40, stop); time.Since(began) > 2*time.Hour {
			t.Error("it waits although the agent is gone")
		}
	})
}
