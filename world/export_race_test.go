package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// evenly calls write n times with a pause in between, and says whether no more than half the time of rest ever went by between the beginning of
// one call and the end of the next. If not, what was written was more than one save.
func evenly(n int, pause time.Duration, write func(i int)) bool {
	even := true
	last := time.Now()
	for i := range n {
		if i > 0 {
			time.Sleep(pause)
		}
		begin := time.Now()
		write(i)
		even = even && time.Since(last) < rest/2
		last = begin
	}
	return even
}

func TestSlowWriterIsCommittedWhole(t *testing.T) {
	e := exhibitOf(t, "n", 0)
	for attempt := 1; ; attempt++ {
		text := fmt.Sprintf("%d234567890123456789", attempt) // each beginning of it is JSON
		file, err := os.OpenFile(filepath.Join(e.folder, "n.json"), os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			t.Fatal(err)
		}
		even := evenly(len(text), rest/5, func(i int) {
			if _, err := file.WriteString(text[i : i+1]); err != nil {
				t.Fatal(err)
			}
		})
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		if got := e.called(); even {
			if want := []string{"n=" + text}; !slices.Equal(got, want) {
				t.Errorf("set was given %q, want %q", got, want)
			}
			return
		}
	}
}

func TestBurstOfSavesIsOneSave(t *testing.T) {
	e := exhibitOf(t, "n", 0)
	for attempt := 1; ; attempt++ {
		even := evenly(100, 0, func(i int) { e.save("n.json", fmt.Sprint(attempt*1000+i)) })
		if got := e.called(); even {
			if want := []string{fmt.Sprint("n=", attempt*1000+99)}; !slices.Equal(got, want) {
				t.Errorf("set was given %q, want %q", got, want)
			}
			return
		}
	}
}

func TestOfTwoDesignersTheLastOneWins(t *testing.T) {
	e := exhibitOf(t, "n", 0)
	var group sync.WaitGroup
	for designer := range 2 {
		group.Go(func() {
			for i := range 20 {
				temp := filepath.Join(e.folder, fmt.Sprint("n.json.", designer))
				if err := os.WriteFile(temp, fmt.Appendf(nil, `{"by": %d, "n": %d}`, designer, i), 0o644); err != nil {
					t.Error(err)
				}
				if err := os.Rename(temp, filepath.Join(e.folder, "n.json")); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Duration(i) * rest / 10) // at first too quick to be told apart, then slow enough
			}
		})
	}
	group.Wait()
	got := e.called()
	for _, call := range got {
		var by, n int
		if _, err := fmt.Sscanf(call, `n={"by":%d,"n":%d}`, &by, &n); err != nil {
			t.Errorf("set was given %q", call)
		}
	}
	last, err := Canonical([]byte(e.text("n.json")))
	fact, _ := e.state().Fact("n")
	if err != nil || len(got) == 0 || got[len(got)-1] != "n="+string(last) || string(fact) != string(last) {
		t.Errorf("the file holds %s, the fact is %s, set was given %q", last, fact, got)
	}
}

func TestFactThatChangesWhileItIsSavedIsInTheLogBeforeTheSave(t *testing.T) {
	e := exhibitOf(t, "n", 0)
	for attempt := 1; ; attempt++ {
		begin := time.Now()
		e.save("n.json", fmt.Sprint(attempt))
		e.commit(Event{Kind: "x", Set: facts("n", -attempt)})
		inTime := time.Since(begin) < rest/2
		e.called()
		if inTime {
			var log []string
			for ev, err := range Events(e.dir) {
				if err != nil {
					t.Fatal(err)
				}
				log = append(log, string(ev.Set["n"]))
			}
			log = slices.DeleteFunc(log, func(s string) bool { return s == "" })
			if n := len(log); log[n-2] != fmt.Sprint(-attempt) || log[n-1] != fmt.Sprint(attempt) {
				t.Errorf("the log has %q, want %d last, %d before", log, attempt, -attempt)
			}
			if got := e.text("n.json"); got != fmt.Sprint(attempt) {
				t.Errorf("the file holds %q", got)
			}
			return
		}
	}
}

// saveReplaced writes what text returns into n.json, which is replaced between being opened and being written, and returns it. It does so again as
// long as that was too late.
func (e *exhibit) saveReplaced(text func(file *os.File, attempt int) string) (saved string) {
	e.t.Helper()
	for attempt := 1; ; attempt++ {
		file, err := os.OpenFile(filepath.Join(e.folder, "n.json"), os.O_WRONLY, 0)
		if err != nil {
			e.t.Fatal(err)
		}
		e.t.Cleanup(func() { file.Close() })
		saved = text(file, attempt)
		e.commit(Event{Kind: "x", Set: facts("n", -attempt)})
		e.awaitText("n.json", fmt.Sprint(-attempt, "\n"))
		_, err = file.WriteString(saved)
		info, statErr := file.Stat()
		if err := errors.Join(err, statErr); err != nil {
			e.t.Fatal(err)
		}
		if info.Sys().(*syscall.Stat_t).Nlink > 0 {
			return saved
		}
	}
}

func TestSaveIntoAFileThatIsBeingReplacedIsCommitted(t *testing.T) {
	e := exhibitOf(t, "n", 0)
	text := e.saveReplaced(func(_ *os.File, attempt int) string { return fmt.Sprintf("%d23456", attempt) })
	e.awaitText("n.json", text+"\n")
	e.wantCalls("n=" + text)
}

// What its writer has saved in a file that was replaced takes long to commit; meanwhile they save once more.
func TestSecondSaveIntoAFileThatWasReplacedIsCommitted(t *testing.T) {
	e := exhibitOf(t, "n", 0)
	var again error
	first := e.saveReplaced(func(file *os.File, attempt int) string {
		first := fmt.Sprintf("%d2345", attempt)
		e.hookOn(func(call string) {
			if call == "n="+first {
				_, again = file.WriteString("6")
			}
		})
		return first
	})
	e.awaitText("n.json", first+"6\n")
	e.wantCalls("n="+first, "n="+first+"6")
	if again != nil {
		t.Error(again)
	}
}

// The first half is refused, and the file replaced, long before the second half comes.
func TestSecondHalfOfASlowSaveIsCommittedThoughTheFactHasChanged(t *testing.T) {
	e := exhibitOf(t, "n", 0)
	file, err := os.OpenFile(filepath.Join(e.folder, "n.json"), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(`{"a": 1,`); err != nil {
		t.Fatal(err)
	}
	e.awaitRefused("n.json", "it is not JSON: ", `{"a": 1,`)
	e.commit(Event{Kind: "x", Set: facts("n", 1)})
	e.awaitText("n.json", "1\n")
	e.wantCalls()
	time.Sleep(3 * rest)
	if _, err := file.WriteString(` "b": 2}`); err != nil {
		t.Fatal(err)
	}
	e.awaitText("n.json", indented(JSON(map[string]int{"a": 1, "b": 2})))
	e.awaitGone("n.json.refused")
	e.wantCalls(`n={"a":1,"b":2}`)
}

// Somebody changes 200 facts all the time while four designers save, in place and by renames. The log and the reasons tell of every save.
func TestNoSaveIsLostOrHalfWhileFactsChange(t *testing.T) {
	const designers, saves = 4, 9
	set := make(map[string]json.RawMessage)
	all := func(round int) map[string]json.RawMessage {
		for i := range 200 {
			set[fmt.Sprint("f/", i)] = JSON(map[string]int{"round": round})
		}
		return maps.Clone(set)
	}
	e := &exhibit{t: t, dir: t.TempDir(), folder: t.TempDir(), calls: make(chan string, 1000)}
	given := make([]chan string, designers) // what set was given, by designer
	for i := range given {
		given[i] = make(chan string, 1000)
	}
	e.hookOn(func(call string) {
		var designer int
		if _, value, _ := strings.Cut(call, "="); strings.HasPrefix(value, "{\"by\"") {
			fmt.Sscanf(value, `{"by":%d`, &designer)
			given[designer] <- value
		}
	})
	e.store = openStore(t, e.dir)
	e.commit(Event{Kind: "begin", Set: all(0)})
	e.start()
	e.await("the files", func() bool { return e.shows(e.state()) })

	changing, enough := context.WithCancel(t.Context())
	defer enough()
	var changer sync.WaitGroup
	changer.Go(func() { // ends with changing
		for round := 1; changing.Err() == nil; round++ {
			events := []Event{{Kind: "round", Set: all(round)}}
			if _, err := e.store.Commit(changing, func(State) ([]Event, error) { return events, nil }); err != nil && changing.Err() == nil {
				t.Error(err)
			}
		}
	})
	var mu sync.Mutex
	want := make(map[string]string) // value -> file
	var group sync.WaitGroup
	for designer := range designers {
		group.Go(func() {
			for n := range saves {
				name := fmt.Sprintf("f/%d.json", n*designers+designer)
				value := fmt.Sprintf(`{"by":%d,"n":%d,"text":"%s"}`, designer, n, strings.Repeat([]string{"good", "bad"}[n%3/2], 3000))
				mu.Lock()
				want[value] = name
				mu.Unlock()
				begin := time.Now()
				if err := saveAs(e.folder, name, value, n%2 == 0); err != nil {
					t.Error(err)
					return
				}
				if time.Since(begin) > rest/2 { // that was more than one save, so its outcome is open
					t.Log("a save took", time.Since(begin))
				}
				select {
				case got := <-given[designer]:
					if got != value {
						t.Errorf("set was given %.50q, want %.50q", got, value)
					}
				case <-time.After(time.Minute):
					t.Errorf("save %d of designer %d is lost", n, designer)
					return
				}
			}
		})
	}
	group.Wait()
	enough()
	changer.Wait()
	if t.Failed() {
		return
	}
	e.called()
	for ev, err := range Events(e.dir) {
		if err != nil {
			t.Fatal(err)
		}
		for path, value := range ev.Set {
			if ev.Agent != Operator || path == "token" {
				continue
			}
			if name, ok := want[string(value)]; !ok || name != path+".json" || strings.Contains(string(value), "bad") {
				t.Errorf("in the log %s became %.50q", path, value)
			}
			delete(want, string(value))
		}
	}
	for value, name := range want {
		if !strings.Contains(value, "bad") {
			t.Errorf("%.50q is not in the log", value)
		}
		e.awaitRefused(name, strings.TrimSuffix(name, ".json")+" must not be bad", value)
	}
	st := e.state()
	e.await("the facts in the files", func() bool {
		return !slices.ContainsFunc(st.Paths("f/"), func(path string) bool {
			raw, err := Canonical([]byte(e.text(path + ".json")))
			fact, _ := st.Fact(path)
			_, refused := want[string(raw)]
			return err != nil || string(raw) != string(fact) && !refused
		})
	})
	if len(want) != designers*saves/3 {
		t.Errorf("%d saves were refused, want %d", len(want), designers*saves/3)
	}
	t.Logf("%d commits", st.Seq)
}

// saveAs saves a file in place, or by a rename.
func saveAs(folder, name, text string, inPlace bool) error {
	path := filepath.Join(folder, name)
	if inPlace {
		return os.WriteFile(path, []byte(text), 0o644)
	}
	if err := os.WriteFile(path+".tmp", []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// While a is committed, b is due too; then it is gone. Saves are judged in the order in which they are over, so c comes before a deletion.
func TestFileThatGoesWhenItsSaveIsDueIsNotDeletedAtOnce(t *testing.T) {
	e := exhibitOf(t, "a", 1, "b", 1)
	saved := make(chan bool)
	e.hookOn(func(call string) {
		if call != "a=2" {
			return
		}
		<-saved
		time.Sleep(2 * rest)
		e.sh("mv b.json b.json~; printf 1 > c.json")
	})
	e.save("a.json", "2")
	e.save("b.json", "2")
	close(saved)
	e.await("b to go", func() bool { _, ok := e.state().Fact("b"); return !ok })
	e.wantCalls("a=2", "c=1", "b=")
}

// While the first file of a folder is committed that is gone, the second is due too; then it is there again, and being written.
func TestFileThatIsSavedWhenItIsDueIsNotJudgedAtOnce(t *testing.T) {
	e := exhibitOf(t, "d/a", 1, "d/b", 1)
	var begin time.Time
	took := make(chan time.Duration, 1)
	e.hookOn(func(call string) {
		switch call {
		case "d/a=":
			time.Sleep(2 * rest)
			begin = time.Now()
			e.save("d/b.json", "3")
		case "d/b=3":
			took <- time.Since(begin)
		}
	})
	e.sh("mv d .d")
	e.await("d/b to change", func() bool { raw, _ := e.state().Fact("d/b"); return string(raw) == "3" })
	if took := <-took; took < rest {
		t.Errorf("it was judged %v after it was saved", took)
	}
}

// A lease holds up whoever opens the file to read it, until it is half written.
func TestHalfOfASaveThatBeginsAsItsFileIsReadIsNotJudged(t *testing.T) {
	opened := make(chan os.Signal, 1)
	signal.Notify(opened, syscall.SIGIO)
	defer signal.Stop(opened)
	e := exhibitOf(t, "n", 0)
	for attempt := 1; ; attempt++ {
		temp := filepath.Join(e.folder, ".n")
		file, err := os.Create(temp)
		if err != nil {
			t.Fatal(err)
		}
		write := func(text string) {
			t.Helper()
			if _, err := file.WriteAt([]byte(text), 0); err != nil {
				t.Fatal(err)
			}
		}
		lease := func(kind int) syscall.Errno {
			_, _, err := syscall.Syscall(syscall.SYS_FCNTL, file.Fd(), syscall.F_SETLEASE, uintptr(kind))
			return err
		}
		write("9")
		long := time.Now().Add(-time.Hour)
		if err := os.Chtimes(temp, long, long); err != nil {
			t.Fatal(err)
		}
		if err := lease(syscall.F_WRLCK); err != 0 {
			t.Skip("this file system knows no leases: ", err)
		}
		if err := os.Rename(temp, filepath.Join(e.folder, "n.json")); err != nil {
			t.Fatal(err)
		}
		<-opened
		texts := []string{fmt.Sprint(attempt), fmt.Sprint(attempt, "0")}
		even := evenly(2, rest/5, func(i int) {
			write(texts[i])
			lease(syscall.F_UNLCK)
		})
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		if got := e.called(); even {
			if want := []string{"n=" + texts[1]}; !slices.Equal(got, want) {
				t.Errorf("set was given %q, want %q", got, want)
			}
			return
		}
	}
}

func TestAFileIsAtRestIfNothingWasWrittenForAWhileBeforeItWasRead(t *testing.T) {
	begun := time.Now()
	for _, c := range []struct {
		written, took time.Duration // after begun
		want          bool
	}{
		{-time.Hour, 0, true},
		{-rest, 0, true},
		{-rest + 1, 0, false},
		{-rest + 1, time.Hour, false}, // it is the beginning that counts
		{0, 0, false},
		{2 * rest, 3 * rest, false}, // it was written while it was read
		{rest - 1, 0, false},
		{2 * rest, 0, true}, // by a clock that is ahead
	} {
		if got := atRest(begun, begun.Add(c.written), begun.Add(c.took)); got != c.want {
			t.Errorf("written %v after it began to be read, which took %v: %v", c.written, c.took, got)
		}
	}
}

// exporterOf returns an exporter in an empty folder whose files of the facts are gone, and the paths that it gives to set.
func exporterOf(t *testing.T, pairs ...any) (x *exporter, calls *[]string) {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	calls = new([]string)
	x = &exporter{
		root: root, log: ReadLog(t.TempDir()), files: make(map[string]exported), saves: make(map[string]save), changed: make(map[string]bool),
		set: func(_ context.Context, path string, _ json.RawMessage) error {
			*calls = append(*calls, path)
			return nil
		},
	}
	x.state.fold(Event{Set: facts(pairs...)})
	for i := 0; i < len(pairs); i += 2 {
		name, _ := fileOf(pairs[i].(string))
		x.files[name] = exported{name: name}
	}
	return x, calls
}

// It was there when one looked last.
func TestFileThatIsFoundGoneWhenItIsReadIsNotDeletedAtOnce(t *testing.T) {
	x, calls := exporterOf(t, "n", 0)
	x.saves["n.json"] = save{}
	if err := x.settle(t.Context(), "n.json"); err != nil {
		t.Fatal(err)
	}
	if noted := x.saves["n.json"]; len(*calls) > 0 || !noted.gone {
		t.Errorf("set was given %q, what is noted is %+v", *calls, noted)
	}
	x.saves["n.json"] = save{gone: true}
	if err := x.settle(t.Context(), "n.json"); err != nil || !slices.Equal(*calls, []string{"n"}) {
		t.Errorf("set was given %q, error %v", *calls, err)
	}
}

func TestFileOfTheExportItselfMayGoAsItIsJudged(t *testing.T) {
	x, calls := exporterOf(t)
	for text, want := range map[string]int{"1": 0, "2": 1} {
		x.moved = map[string]exported{".vitrine-1": {name: "n.json", text: []byte("1")}}
		if err := x.take(t.Context(), ".vitrine-1", look{raw: []byte(text)}); err != nil || len(*calls) != want {
			t.Errorf("it held %s: set was given %q, error %v", text, *calls, err)
		}
		*calls = nil
	}
}

// Saves come to rest a nanosecond after each other, from a time on at which all are judged, until one at which none is.
func TestSavesAreJudgedInTheirOrderThoughTimeGoesBy(t *testing.T) {
	var pairs []any
	for i := range 100 {
		pairs = append(pairs, fmt.Sprintf("n%02d", i), i)
	}
	for first := range 200 {
		x, calls := exporterOf(t, pairs...)
		over := time.Now().Add(time.Duration(first) * 5 * time.Microsecond)
		for i := range 100 {
			x.saves[fmt.Sprintf("n%02d.json", i)] = save{over: over.Add(time.Duration(i)), gone: true}
		}
		if err := x.settleAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, path := range *calls {
			if want := pairs[2*i]; path != want {
				t.Fatalf("%s was judged in place of %s", path, want)
			}
		}
	}
}
