package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// An exhibit is a run that is being exported. Its rules refuse a value with the word "bad" in it, and keep the facts under must/.
type exhibit struct {
	t      *testing.T
	dir    string
	folder string
	store  *Store

	calls chan string  // what set was given, path=value, in order
	end   func() error // waits until the export has ended
	stop  func() error // ends it

	mu   sync.Mutex
	hook func(call string) // is given what set was given before that is committed, if it is there
	told []string          // refusals, file: reason
}

// exhibitOf makes a run of the facts and exports it until the test ends.
func exhibitOf(t *testing.T, pairs ...any) *exhibit {
	t.Helper()
	e := &exhibit{t: t, dir: t.TempDir(), folder: filepath.Join(t.TempDir(), "facts"), calls: make(chan string, 1000)}
	e.store = openStore(t, e.dir)
	commitAll(t, e.store, Event{Kind: "begin", Set: facts(pairs...)})
	e.start()
	for i := 0; i < len(pairs); i += 2 {
		if name, ok := fileOf(pairs[i].(string)); ok {
			e.awaitText(name, indented(JSON(pairs[i+1])))
		}
	}
	return e
}

func (e *exhibit) start() {
	ctx, cancel := context.WithCancel(e.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Export(ctx, e.dir, e.folder, e.set, e.refused) }() // ends with ctx
	waited := false
	e.end = sync.OnceValue(func() error {
		waited = true
		return <-ended
	})
	end := e.end
	e.stop = func() error {
		cancel()
		return end()
	}
	stop := e.stop
	e.t.Cleanup(func() {
		known := waited
		if err := stop(); err != nil && !known {
			e.t.Error(err)
		}
	})
}

// set commits a value, unless it is bad. Without one the fact goes, unless it must stay.
func (e *exhibit) set(ctx context.Context, path string, value json.RawMessage) error {
	e.calls <- path + "=" + string(value)
	e.mu.Lock()
	hook := e.hook
	e.mu.Unlock()
	if hook != nil {
		hook(path + "=" + string(value))
	}
	_, err := e.store.Commit(ctx, func(State) ([]Event, error) {
		if strings.Contains(string(value), "bad") {
			return nil, fmt.Errorf("%s must not be bad", path)
		}
		if string(value) == `"ignored"` {
			return nil, nil
		}
		if value == nil {
			if strings.HasPrefix(path, "must/") {
				return nil, fmt.Errorf("there must be %s", path)
			}
			return []Event{{Agent: Operator, Kind: "delete", Del: []string{path}}}, nil
		}
		return []Event{{Agent: Operator, Kind: "set", Set: map[string]json.RawMessage{path: value}}}, nil
	})
	return err
}

func (e *exhibit) hookOn(hook func(call string)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hook = hook
}

func (e *exhibit) refused(file string, reason error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.told = append(e.told, file+": "+reason.Error())
}

// wasTold says whether the refusal of a file was told.
func (e *exhibit) wasTold(file, reason string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.told, file+": "+reason)
}

// await waits until cond holds, which it asks for whenever something has happened in the folder or the run.
func (e *exhibit) await(what string, cond func() bool) {
	e.t.Helper()
	watcher, err := newWatcher()
	if err != nil {
		e.t.Fatal(err)
	}
	defer watcher.Close()
	late := time.After(time.Minute)
	for {
		for _, top := range []string{filepath.Dir(e.folder), e.folder, e.dir} {
			_ = filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
				if err == nil && d.IsDir() {
					_ = watcher.Add(name)
				}
				return nil
			})
		}
		if cond() {
			return
		}
		select {
		case <-watcher.Events:
		case err := <-watcher.Errors:
			e.t.Fatal(err)
		case <-late:
			e.t.Fatalf("waited in vain for %s", what)
		}
	}
}

func (e *exhibit) awaitText(name, want string) {
	e.t.Helper()
	e.await(name+" to be "+want, func() bool { return e.text(name) == want })
}

func (e *exhibit) awaitGone(name string) {
	e.t.Helper()
	e.await(name+" to go", func() bool { return e.text(name) == "" })
}

// awaitRefused waits until a file is refused for a reason that begins so, with that text, which is also told.
func (e *exhibit) awaitRefused(name, reason, text string) {
	e.t.Helper()
	e.await(name+" to be refused: "+reason, func() bool {
		why, what, _ := strings.Cut(e.text(name+refusedSuffix), "\n\n")
		return strings.HasPrefix(why, reason) && what == text && why != "" && e.wasTold(name, why)
	})
}

// text returns what is in a file, or nothing if there is none.
func (e *exhibit) text(name string) string {
	raw, err := os.ReadFile(filepath.Join(e.folder, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err.Error()
	}
	return string(raw)
}

// save writes a file in place.
func (e *exhibit) save(name, text string) {
	e.t.Helper()
	path := filepath.Join(e.folder, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		e.t.Fatal(err)
	}
}

// sh lets another process do something in the folder.
func (e *exhibit) sh(script string) {
	e.t.Helper()
	cmd := exec.CommandContext(e.t.Context(), "sh", "-e", "-c", script)
	cmd.Dir = e.folder
	if out, err := cmd.CombinedOutput(); err != nil {
		e.t.Fatalf("%s: %v %s", script, err, out)
	}
}

// state returns the state after the last commit that is durable.
func (e *exhibit) state() (st State) {
	for ev, err := range Events(e.dir) {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			e.t.Fatal(err)
		}
		st.fold(ev)
	}
	return st
}

func (e *exhibit) commit(events ...Event) { commitAll(e.t, e.store, events...) }

// called returns what set was given since the last time. It saves a file of its own and waits for that, because saves are judged in the
// order in which they come to rest.
func (e *exhibit) called() (calls []string) {
	e.t.Helper()
	token := fmt.Sprintf(`"%d"`, time.Now().UnixNano())
	e.save("token.json", token)
	late := time.After(time.Minute)
	for {
		select {
		case call := <-e.calls:
			if call == "token="+token {
				return calls
			}
			calls = append(calls, call)
		case <-late:
			e.t.Fatalf("waited in vain for the token; until then set was given %q", calls)
		}
	}
}

// wantCalls fails unless set was given just these since the last time.
func (e *exhibit) wantCalls(want ...string) {
	e.t.Helper()
	if got := e.called(); !slices.Equal(got, want) {
		e.t.Errorf("set was given %q, want %q", got, want)
	}
}

// wantFiles fails unless the files that are not hidden have just these names.
func (e *exhibit) wantFiles(want ...string) {
	e.t.Helper()
	if got := e.files(); !slices.Equal(got, want) {
		e.t.Errorf("files %q, want %q", got, want)
	}
}

func (e *exhibit) files() (names []string) {
	_ = fs.WalkDir(os.DirFS(e.folder), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
		return nil
	})
	return names
}

// shows says whether the folder holds the facts of the state and nothing else.
func (e *exhibit) shows(st State) bool {
	want := make(map[string]string)
	for _, path := range st.Paths("") {
		if name, ok := fileOf(path); ok {
			raw, _ := st.Fact(path)
			want[name] = indented(raw)
		}
	}
	got := make(map[string]string)
	for _, name := range e.files() {
		got[name] = e.text(name)
	}
	return maps.Equal(got, want)
}

func indented(raw json.RawMessage) string {
	text, err := json.MarshalIndent(raw, "", "  ")
	if err != nil {
		panic(err)
	}
	return string(text) + "\n"
}

func TestFilesFollowTheFactsOfAnyProcess(t *testing.T) {
	e := exhibitOf(t, "lake/tons", 100, "lake", map[string]any{"deep": []int{1}}, "run/seed", 7)
	if got, want := e.text("lake.json"), "{\n  \"deep\": [\n    1\n  ]\n}\n"; got != want {
		t.Errorf("lake.json is %q, want %q", got, want)
	}
	e.wantFiles("lake/tons.json", "lake.json")
	e.commit(Event{Kind: "x", Del: []string{"lake"}, Set: facts("lake/tons", 99, "run/status/a", "done")}, Event{Kind: "y", Set: facts("a/b/c", nil)})
	e.await("the files of the second commit", func() bool { return e.shows(e.state()) })
	e.commit(Event{Kind: "x", Del: []string{"a/b/c", "lake/tons"}})
	e.await("no files", func() bool { return len(e.files()) == 0 })
	if err := e.stop(); err != nil {
		t.Error(err)
	}
	e.wantFiles()

	bank := &exhibit{t: t, dir: t.TempDir(), folder: t.TempDir()}
	bank.start() // before there is a log
	p := start(t, "bank", bank.dir, "other", "50", "10")
	if err := p.Wait(); err != nil {
		t.Fatal(err, p.stderr.String())
	}
	bank.await("the files of the other process", func() bool { return bank.shows(bank.state()) })
}

func TestExportOfALongLogBeginsWithAKeyframe(t *testing.T) {
	e := &exhibit{t: t, dir: t.TempDir(), folder: t.TempDir()}
	e.store = openStore(t, e.dir)
	e.commit(Event{Kind: "begin", Set: facts("old", 1)})
	for i := range 50 {
		e.commit(Event{Kind: "x", Set: facts("large", fmt.Sprint(i, strings.Repeat("x", 2000)))})
	}
	if _, err := os.Stat(filepath.Join(e.dir, keyframesName)); err != nil {
		t.Fatal(err)
	}
	e.start()
	e.await("the files", func() bool { return e.shows(e.state()) })
}

func TestSaveIsCommittedOnce(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"in place":             {`echo '{"b": 1.0, "a": 2}' > lake/tons.json`, `lake/tons={"a":2,"b":1}`},
		"in several writes":    {`{ printf 1; printf 2; printf 3; } > lake/tons.json`, `lake/tons=123`},
		"opened twice":         {`printf 1 > lake/tons.json; printf 2 >> lake/tons.json`, `lake/tons=12`},
		"by a rename":          {`printf 5 > lake/tons.json.tmp; mv lake/tons.json.tmp lake/tons.json`, `lake/tons=5`},
		"by another rename":    {`printf 6 > lake/4913.json; mv lake/4913.json lake/tons.json`, `lake/tons=6`},
		"with a backup":        {`mv lake/tons.json lake/tons.json~; printf 7 > lake/tons.json; rm lake/tons.json~`, `lake/tons=7`},
		"with a swap file":     {`printf x > lake/.tons.json.swp; printf 8 > lake/tons.json; rm lake/.tons.json.swp`, `lake/tons=8`},
		"by sed":               {`sed -i s/100/90/ lake/tons.json`, `lake/tons=90`},
		"twice the same":       {`printf 9 > lake/tons.json; printf 9 > lake/tons.json`, `lake/tons=9`},
		"of a new fact":        {`printf true > new.json`, `new=true`},
		"in new folders":       {`mkdir -p a/b/c; printf 1 > a/b/c/d.json`, `a/b/c/d=1`},
		"in a folder moved in": {`mkdir -p .x/b; printf 1 > .x/b/c.json; mv .x y`, `y/b/c=1`},
	} {
		t.Run(name, func(t *testing.T) {
			e := exhibitOf(t, "lake/tons", 100)
			begin := time.Now()
			e.sh(c.script)
			took := time.Since(begin)
			got := e.called()
			for !slices.Equal(got, []string{c.want}) && took > rest/2 { // that was more than one save, so its outcome is open
				e = exhibitOf(t, "lake/tons", 100)
				begin = time.Now()
				e.sh(c.script)
				took, got = time.Since(begin), e.called()
			}
			if !slices.Equal(got, []string{c.want}) {
				t.Errorf("set was given %q, want %q", got, c.want)
			}
			path, value, _ := strings.Cut(c.want, "=")
			if fact, _ := e.state().Fact(path); string(fact) != value {
				t.Errorf("the fact is %s, want %s", fact, value)
			}
			if raw, err := Canonical([]byte(e.text(path + ".json"))); err != nil || string(raw) != value {
				t.Errorf("the file holds %s, error %v; want %s", raw, err, value)
			}
		})
	}
}

func TestWhatIsNoSaveIsLeftAlone(t *testing.T) {
	e := exhibitOf(t, "lake/tons", 100, "o", map[string]int{"a": 1, "b": 2})
	e.sh(`
		touch lake/tons.json; chmod 600 lake/tons.json
		printf 100.0 > lake/tons.json
		printf '{"b":2,"a":1}' > o.json
		printf 1 > .hidden.json; printf 1 > x.json~; printf 1 > lake/x.txt; printf 1 > '#x.json#'
		mkdir .git; printf 1 > .git/x.json`)
	e.wantCalls()
	for name, want := range map[string]string{
		"lake/tons.json": "100.0", "o.json": `{"b":2,"a":1}`, ".hidden.json": "1", "x.json~": "1", "lake/x.txt": "1", "#x.json#": "1", ".git/x.json": "1",
	} {
		if got := e.text(name); got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
}

func TestFactGoesWhoseFileWasDeleted(t *testing.T) {
	for name, script := range map[string]string{
		"file":              `rm a/x.json a/deep/er.json`,
		"folder":            `rm -r a`,
		"moved folder":      `mv a .a; rm -r .a`,
		"folder moved away": `mv a .a`,
		"what must stay":    `rm -r must a`,
		"all but one":       `rm -r a must other.json`,
	} {
		t.Run(name, func(t *testing.T) {
			e := exhibitOf(t, "a/x", 1, "a/deep/er", 2, "must/stay", 3, "other", 4)
			e.sh(script)
			e.await("the facts to go", func() bool { return len(e.state().Paths("a/")) == 0 })
			if strings.Contains(script, "must") {
				e.awaitRefused("must/stay.json", "there must be must/stay", "")
				e.awaitText("must/stay.json", "3\n")
				e.save("must/stay.json", "5\n")
				e.awaitGone("must/stay.json.refused")
			}
			e.await("the files", func() bool { return e.shows(e.state()) })
			e.save("a/x.json", "7") // the folder is watched again
			e.await("the new fact", func() bool { raw, _ := e.state().Fact("a/x"); return string(raw) == "7" })
		})
	}
	t.Run("file moved elsewhere", func(t *testing.T) {
		e := exhibitOf(t, "lake/tons", 100)
		e.sh(`mv lake pond; mv pond/tons.json pond/kilos.json`)
		e.await("the fact to move", func() bool { return slices.Equal(e.state().Paths(""), []string{"pond/kilos"}) })
		e.await("the files", func() bool { return e.shows(e.state()) })
	})
}

// An editor that moves the old file away, and has the new one ready a little later, has saved it.
func TestFileThatIsGoneForAMomentIsNotDeleted(t *testing.T) {
	e := exhibitOf(t, "a", 1)
	for attempt := 2; ; attempt++ {
		begin := time.Now()
		e.sh(`mv a.json a.json~`)
		time.Sleep(2 * rest)
		e.save("a.json", fmt.Sprint(attempt))
		if inTime := time.Since(begin) < absence/2; inTime {
			e.wantCalls(fmt.Sprint("a=", attempt))
			return
		}
		e.called()
	}
}

func TestWhatIsNotJSONIsToldAsPeopleUnderstandIt(t *testing.T) {
	for text, want := range map[string]string{
		`hello`:                   `line 1, column 1: a text stands in quotes, like "hello"`,
		"{\n  \"wind\": nord,\n}": `line 2, column 11: a text stands in quotes, like "nord"`,
		`{wind: 5}`:               `line 1, column 2: a text stands in quotes, like "wind"`,
		"[\"ä\", östlich]":        `line 1, column 7: a text stands in quotes, like "östlich"`,
		`{'wind': 5}`:             `line 1, column 2: a text stands in quotes, like "this"`,
		`["a", nope]`:             `line 1, column 7: a text stands in quotes, like "nope"`,
		`{"a": 1,}`:               `line 1, column 9: '}' cannot stand here`,
		`{"a" 5}`:                 `line 1, column 6: '5' cannot stand here`,
		`{"a": 1 "b": 2}`:         `line 1, column 9: '"' cannot stand here`,
		"\"two\nlines\"":          `line 1, column 5: '\n' cannot stand here in a text: a quote is written \" there, a line break \n and a backslash \\`,
		`"C:\xerxes"`:             `line 1, column 5: 'x' cannot stand here in a text: a quote is written \" there, a line break \n and a backslash \\`,
		"{\n \"wind\":":           `line 2, column 9: it ends before it is complete`,
		"":                        `line 1, column 1: it ends before it is complete`,
		`1e999`:                   `a number in it is too great`,
	} {
		_, err := Canonical([]byte(text))
		switch {
		case err == nil:
			if want != "" {
				t.Errorf("%s is JSON", text)
			}
		case notJSON([]byte(text), err).Error() != "it is not JSON: "+want:
			t.Errorf("%s: %v, want %s", text, notJSON([]byte(text), err), want)
		}
	}
}

func TestRefusedSaveStaysUntilItIsMended(t *testing.T) {
	for name, c := range map[string]struct{ text, reason string }{
		"by the rules": {`{"x": "bad"}`, "lake/tons must not be bad"},
		"no JSON":      {`{"x": `, "it is not JSON: "},
		"empty":        {"", "it is not JSON: "},
		"two values":   {"1 2", "it is not JSON: something follows"},
		"no UTF-8":     {"\"\xff\"", "it is not UTF-8"},
		"too deep":     {strings.Repeat("[", 2000) + strings.Repeat("]", 2000), "it is not JSON: nested deeper"},
	} {
		t.Run(name, func(t *testing.T) {
			e := exhibitOf(t, "lake/tons", 100)
			refuse := func() {
				e.save("lake/tons.json", c.text)
				e.awaitRefused("lake/tons.json", c.reason, c.text)
				if got := e.text("lake/tons.json"); got != c.text {
					t.Errorf("the file holds %q, want %q", got, c.text)
				}
			}
			refuse()
			e.save("lake/tons.json", "101") // mended
			e.awaitGone("lake/tons.json.refused")
			if fact, _ := e.state().Fact("lake/tons"); string(fact) != "101" {
				t.Errorf("the fact is %s", fact)
			}
			refuse()
			e.save("lake/tons.json", " 101 ") // put back
			e.awaitGone("lake/tons.json.refused")
			refuse()
			e.sh("rm lake/tons.json")
			e.awaitGone("lake/tons.json.refused")
			e.awaitText("lake/tons.json", "101\n")
			refuse()
			e.commit(Event{Kind: "x", Set: facts("lake/tons", 102)}) // the truth wins
			e.awaitText("lake/tons.json", "102\n")
			e.awaitRefused("lake/tons.json", c.reason, c.text)
			e.save("lake/tons.json", "103")
			e.awaitGone("lake/tons.json.refused")
		})
	}
}

func TestRefusedSaveIsTriedAgainWhenItIsSavedAgain(t *testing.T) {
	e := exhibitOf(t, "a", 1)
	e.save("a.json", `"bad"`)
	e.awaitRefused("a.json", "a must not be bad", `"bad"`)
	e.save("a.json", `"bad"`)
	e.wantCalls(`a="bad"`, `a="bad"`)
}

func TestSaveThatChangesNothingIsUndone(t *testing.T) {
	e := exhibitOf(t, "a", 1)
	e.save("a.json", `"ignored"`)
	e.awaitText("a.json", "1\n")
	e.wantCalls(`a="ignored"`)
	e.wantFiles("a.json", "token.json")
}

func TestFilesOfTheExportItselfMayGo(t *testing.T) {
	e := exhibitOf(t, "a", 1)
	e.commit(Event{Kind: "x", Set: facts("a", 2)})
	e.awaitText("a.json", "2\n")
	e.sh("rm -f .vitrine-[0-9]*")
	e.wantCalls()
}

func TestNewFileThatIsRefusedStaysAndGoesWithItsReason(t *testing.T) {
	e := exhibitOf(t, "lake", 1)
	for name, reason := range map[string]string{
		"new/one.json":      "new/one must not be bad",
		"Ann.json":          `the file of the fact "Ann" is %41nn.json`,
		"a.b.json":          `the file of the fact "a.b" is a%2eb.json`,
		"%2E.json":          `the file of the fact "." is %2e.json`,
		"50%.json":          `the file of the fact `,
		"x.json/y.json":     `the file of the fact "x.json/y" is x%2ejson/y.json`,
		"run/seed.json":     "facts under run/ belong to the episode",
		"run/status/a.json": "facts under run/ belong to the episode",
	} {
		e.save(name, `"bad"`)
		e.awaitRefused(name, reason, `"bad"`)
		if err := os.Remove(filepath.Join(e.folder, name)); err != nil {
			t.Fatal(err)
		}
		e.awaitGone(name + refusedSuffix)
	}
	if got := e.state().Paths(""); len(got) != 1 {
		t.Errorf("the facts are %q", got)
	}
}
