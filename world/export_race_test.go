package world

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
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

// The file is replaced between being opened by its writer and being written.
func TestSaveIntoAFileThatIsBeingReplacedIsCommitted(t *testing.T) {
	e := exhibitOf(t, "n", 0)
	for attempt := 1; ; attempt++ {
		file, err := os.OpenFile(filepath.Join(e.folder, "n.json"), os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		e.commit(Event{Kind: "x", Set: facts("n", -attempt)})
		e.awaitText("n.json", fmt.Sprint(-attempt, "\n"))
		text := fmt.Sprintf("%d23456", attempt)
		if _, err := file.WriteString(text); err != nil {
			t.Fatal(err)
		}
		info, err := file.Stat()
		if err != nil || file.Close() != nil {
			t.Fatal(err)
		}
		if info.Sys().(*syscall.Stat_t).Nlink == 0 { // too late
			continue
		}
		e.awaitText("n.json", text+"\n")
		e.wantCalls("n=" + text)
		return
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
