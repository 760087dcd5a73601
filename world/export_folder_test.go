package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestHostileFactsStayInTheFolder(t *testing.T) {
	hostile := []string{
		"", "/", "..", "../..", "../outside", "/etc/passwd", "a", "a/b", "a.json/b", "A", "a\x00b", ".vitrine-export", ".vitrine-1", "a.json.refused",
		strings.Repeat("x", 1000), strings.Repeat("x/", 100), "é", "run", "run/seed", strings.Repeat("y", 3000),
	}
	var pairs []any
	for i, path := range hostile {
		pairs = append(pairs, path, i)
	}
	top := t.TempDir()
	e := &exhibit{t: t, dir: t.TempDir(), folder: filepath.Join(top, "facts"), calls: make(chan string, 1000)}
	e.store = openStore(t, e.dir)
	e.commit(Event{Kind: "begin", Set: facts(pairs...)})
	e.start()
	e.await("all files", func() bool { return e.shows(e.state()) })
	for i, path := range hostile {
		if name, ok := fileOf(path); ok {
			e.save(name, fmt.Sprint(1000+i))
			e.wantCalls(fmt.Sprint(path, "=", 1000+i))
		}
	}
	if entries, err := os.ReadDir(top); err != nil || len(entries) != 1 {
		t.Errorf("beside the folder there is %v, error %v", entries, err)
	}
}

func TestNoLinkIsFollowed(t *testing.T) {
	e := exhibitOf(t, "a", 1, "lake/tons", 100)
	outside := filepath.Join(t.TempDir(), "outside.json")
	if err := os.WriteFile(outside, []byte("5"), 0o644); err != nil {
		t.Fatal(err)
	}
	e.sh(`ln -s ` + outside + ` new.json; ln -s lake/tons.json inner.json; ln -sf ` + outside + ` a.json; ln -s lake pond; mkfifo pipe.json`)
	for _, name := range []string{"new.json", "inner.json", "a.json", "pipe.json"} {
		e.awaitRefused(name, name+" is not a plain file", "")
	}
	e.commit(Event{Kind: "x", Set: facts("a", 2, "lake/tons", 99)})
	e.awaitText("lake/tons.json", "99\n")
	e.wantCalls()
	if raw, err := os.ReadFile(outside); err != nil || string(raw) != "5" {
		t.Errorf("the file outside holds %q, error %v", raw, err)
	}
	e.sh(`rm a.json`)
	e.awaitText("a.json", "2\n")
	e.awaitGone("a.json.refused")
	e.commit(Event{Kind: "x", Set: facts("pond/tons", 1)})
	if err := e.ended(); err == nil || err.Error() != "export facts: pond is not a folder" {
		t.Errorf("error %v", err)
	}
}

// ended returns the error with which the export ends by itself.
func (e *exhibit) ended() error {
	late := time.AfterFunc(time.Minute, func() { panic("waited in vain for the export to end") })
	defer late.Stop()
	return e.end()
}

func TestFolderInPlaceOfAFileIsRefused(t *testing.T) {
	e := exhibitOf(t, "a", 1)
	e.sh(`rm a.json; mkdir a.json`)
	e.awaitRefused("a.json", "a.json is not a plain file", "")
	e.commit(Event{Kind: "x", Set: facts("a", 2)})
	e.sh(`printf 5 > a.json/b.json`)
	e.awaitRefused("a.json/b.json", "the file of the fact", "5")
	e.sh(`rm -r a.json`)
	e.awaitText("a.json", "2\n")
	e.awaitGone("a.json.refused")
	e.wantCalls()
}

func TestUnreadableFileIsRefused(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("the superuser can read everything")
	}
	e := exhibitOf(t, "a", 1)
	e.sh(`printf 5 > x; chmod 0 x; mv x a.json`)
	e.awaitRefused("a.json", "openat a.json: permission denied", "")
}

func TestHugeFileIsRefused(t *testing.T) {
	e := exhibitOf(t, "a", 1)
	e.sh(`truncate -s 17M a.json`)
	e.awaitRefused("a.json", "a.json is not a plain file of at most 16777216 bytes", "")
	e.save("a.json", "2")
	e.awaitGone("a.json.refused")
	e.wantCalls("a=2")
}

func TestHugeFactHasAFileAsLongAsThatCanBeSaved(t *testing.T) {
	e := exhibitOf(t, "a", 1)
	list := make([]int, 4<<20) // 8 MB; more than twice that with each element in a line of its own
	e.commit(Event{Kind: "x", Set: facts("a", list)})
	e.await("a.json in one line", func() bool { return e.text("a.json") == string(JSON(list))+"\n" })
	e.commit(Event{Kind: "x", Set: facts("a", 2)})
	e.awaitText("a.json", "2\n")
	e.commit(Event{Kind: "x", Set: facts("a", strings.Repeat("x", maxSave))})
	e.awaitGone("a.json")
	e.save("a.json", "3")
	e.wantCalls("a=3")
	e.wantFiles("a.json", "token.json")
}

func TestFolderThatIsMovedIsWatchedWithAllThatIsInIt(t *testing.T) {
	e := exhibitOf(t, "must/tons", 1, "must/deep/x", 1)
	e.sh("mv must pond")
	e.awaitText("must/deep/x.json", "1\n") // put back
	e.wantCalls("pond/deep/x=1", "pond/tons=1", "must/deep/x=", "must/tons=")
	e.save("pond/deep/x.json", "7")
	e.wantCalls("pond/deep/x=7")
	e.save("must/deep/x.json", "8")
	e.wantCalls("must/deep/x=8")
}

// removedAtOnce has files of facts removed as soon as remove succeeds, again and again, and demands that these facts are left.
func removedAtOnce(t *testing.T, remove func(e *exhibit) error, left ...string) {
	for range 20 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			e := exhibitOf(t, "a", 1)
			e.commit(Event{Kind: "x", Set: facts("lake/deep/x", 1, "lake/tons", 1)})
			for remove(e) != nil { // to wait for a change would take too long
				runtime.Gosched()
			}
			e.await("the facts to go", func() bool { return slices.Equal(e.state().Paths(""), left) })
			if err := e.stop(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// The system has forgotten such a folder before the watcher does, or the export has not yet heard of the folder that it made.
func TestFactsGoWhoseFolderIsMovedAndRemovedAtOnce(t *testing.T) {
	removedAtOnce(t, func(e *exhibit) error {
		if e.text("lake/tons.json") != "1\n" {
			return os.ErrNotExist
		}
		lake, pond := filepath.Join(e.folder, "lake"), filepath.Join(e.folder, "pond")
		if err := errors.Join(os.Rename(lake, pond), os.RemoveAll(pond)); err != nil {
			e.t.Fatal(err)
		}
		return nil
	}, "a")
}

func TestFactGoesWhoseFileIsRemovedAsSoonAsItIsThere(t *testing.T) {
	removedAtOnce(t, func(e *exhibit) error { return os.Remove(filepath.Join(e.folder, "lake/deep/x.json")) }, "a", "lake/tons")
}

func TestExportTakesOnlyAFolderOfItsOwn(t *testing.T) {
	e := exhibitOf(t, "a", 1)
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "thesis.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	other, _, _ := sample(t)
	file := filepath.Join(foreign, "thesis.txt")
	for name, c := range map[string]struct{ dir, folder, want string }{
		"foreign":         {e.dir, foreign, foreign + " is neither empty nor the folder of an export$"},
		"in use":          {e.dir, e.folder, "somebody exports to " + e.folder + " already"},
		"a file":          {e.dir, file, file + ": not a directory"},
		"no run":          {filepath.Join(foreign, "none"), t.TempDir(), "none: no such file"},
		"the run's own":   {other, other, "is neither empty nor the folder of an export"},
		"below a file":    {e.dir, filepath.Join(file, "x"), file + ": not a directory"},
		"a link for mark": {e.dir, linked(t, exportMark), "is neither empty nor the folder of an export: .vitrine-export is not a plain file"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Export(t.Context(), c.dir, c.folder, nil, nil)
			if err == nil || !strings.HasPrefix(err.Error(), "export facts: ") || !strings.Contains(err.Error()+"$", c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
	if err := e.stop(); err != nil {
		t.Fatal(err)
	}
	if err := Export(t.Context(), other, e.folder, nil, nil); err == nil || !strings.HasSuffix(err.Error(), e.folder+" is the folder of another run, "+e.dir) {
		t.Errorf("error %v", err)
	}
}

// linked returns a folder in which name is a link to a file elsewhere.
func linked(t *testing.T, name string) string {
	folder := t.TempDir()
	if err := os.Symlink(filepath.Join(t.TempDir(), "elsewhere"), filepath.Join(folder, name)); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestNextExportShowsTheFactsAndKeepsWhatDiffers(t *testing.T) {
	e := exhibitOf(t, "same", 1, "edited", 1, "changed", 1, "deleted", 1, "lost", 1)
	if err := e.stop(); err != nil {
		t.Fatal(err)
	}
	e.commit(Event{Kind: "x", Set: facts("changed", 2), Del: []string{"deleted"}})
	e.sh(`printf 1.0 > same.json; printf 5 > edited.json; printf 6 > new.json; rm lost.json; printf x > .vitrine-77`)
	e.start()
	const reason = "it was saved while nobody exported, or the fact has changed since"
	e.awaitText("lost.json", "1\n")
	e.awaitText("edited.json", "1\n")
	e.awaitRefused("edited.json", reason, "5")
	e.awaitText("changed.json", "2\n")
	e.awaitRefused("changed.json", reason, "1\n")
	e.awaitGone("deleted.json")
	e.awaitRefused("deleted.json", reason, "1\n")
	e.awaitGone("new.json")
	e.awaitRefused("new.json", reason, "6")
	e.awaitGone(".vitrine-77")
	e.wantFiles("changed.json", "changed.json.refused", "deleted.json.refused", "edited.json", "edited.json.refused", "lost.json", "new.json.refused", "same.json")
	if got := e.text("same.json"); got != "1.0" {
		t.Errorf("same.json is %q", got)
	}
	e.save("new.json", "6")
	e.awaitGone("new.json.refused")
	e.wantCalls("new=6")
}

func TestExportEndsWhenTheLogIsSealed(t *testing.T) {
	e := exhibitOf(t, "a", 1)
	if err := e.store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Seal(e.dir); err != nil {
		t.Fatal(err)
	}
	if err := e.ended(); err != nil {
		t.Error(err)
	}
	e.wantFiles("a.json")
	other := &exhibit{t: t, dir: e.dir, folder: t.TempDir()} // one that is sealed already
	other.start()
	if err := other.ended(); err != nil {
		t.Error(err)
	}
	other.wantFiles("a.json")
	if entries, err := os.ReadDir(other.folder); err != nil || len(entries) != 2 {
		t.Errorf("the folder holds %v, error %v", entries, err)
	}
}

func TestSaveThatIsNotOverAtTheEndIsRefused(t *testing.T) {
	e := exhibitOf(t, "a", 1, "b", 1)
	e.save("a.json", "2")
	if err := e.stop(); err != nil { // so soon that nobody can have noticed, or soon after
		t.Fatal(err)
	}
	select {
	case call := <-e.calls:
		t.Skip("the end came late, after", call)
	default:
	}
	if got := e.text("a.json"); got != "2" {
		t.Errorf("a.json is %q", got)
	}
	e.start()
	e.awaitText("a.json", "1\n")
	e.awaitRefused("a.json", "it was saved while nobody exported", "2")
}

func TestSetThatIsCalledOffIsRefused(t *testing.T) {
	dir, folder := t.TempDir(), t.TempDir()
	store := openStore(t, dir)
	commitAll(t, store, Event{Kind: "begin", Set: facts("a", 1)})
	e := &exhibit{t: t, dir: dir, folder: folder, store: store}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { // ends with ctx
		ended <- Export(ctx, dir, folder, func(ctx context.Context, _ string, _ json.RawMessage) error {
			e.save("b.json", "3") // not over when the export ends
			cancel()
			return ctx.Err()
		}, e.refused)
	}()
	e.awaitText("a.json", "1\n")
	e.save("a.json", "2")
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	e.awaitRefused("a.json", "the export has ended", "2")
	if got := e.text("b.json"); got != "3" {
		t.Errorf("b.json is %q", got)
	}
}

func TestExportEndsThoughSomebodyKeepsTheLockOfTheLog(t *testing.T) {
	dir, folder := t.TempDir(), t.TempDir()
	store := openStore(t, dir)
	commitAll(t, store, Event{Kind: "begin", Set: facts("a", 1, "b", 1)})
	e := &exhibit{t: t, dir: dir, folder: folder, store: store}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { // ends with ctx
		ended <- Export(ctx, dir, folder, func(ctx context.Context, path string, _ json.RawMessage) error {
			if path == "b" {
				return errors.New("no")
			}
			lock, err := lockLog(ctx, dir)
			t.Cleanup(func() { lock.Unlock() })
			cancel()
			return errors.Join(err, ctx.Err())
		}, e.refused)
	}()
	e.awaitText("b.json", "1\n")
	e.save("b.json", "9")
	e.awaitRefused("b.json", "no", "9")
	saving, enough := context.WithCancel(t.Context())
	var saver sync.WaitGroup
	saver.Go(func() { // ends with saving; so this save is not over when the export ends
		for saving.Err() == nil {
			if err := saveAs(e.folder, "b.json", "1", false); err != nil {
				t.Error(err)
			}
			time.Sleep(rest / 10)
		}
	})
	e.save("a.json", "2")
	err := <-ended
	enough()
	saver.Wait()
	if err != nil {
		t.Fatal(err)
	}
	e.awaitRefused("a.json", "the export has ended", "2")
	e.awaitGone("b.json.refused")
}

func TestWhatIsCommittedAsTheExportEndsIsNotUndone(t *testing.T) {
	dir, folder := t.TempDir(), t.TempDir()
	store := openStore(t, dir)
	commitAll(t, store, Event{Kind: "begin", Set: facts("a", 1, "b", 1)})
	e := &exhibit{t: t, dir: dir, folder: folder, store: store, calls: make(chan string, 9)}
	for _, c := range []struct{ begun, name, script, want string }{
		{"c", "a.json", "echo 2 > a.json", "2\n"},
		{"d", "b.json", "rm b.json", ""},
	} {
		e.commit(Event{Kind: "x", Set: facts(c.begun, 1)})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { // ends with ctx
			ended <- Export(ctx, dir, folder, func(ctx context.Context, path string, value json.RawMessage) error {
				defer cancel()
				return e.set(ctx, path, value)
			}, e.refused)
		}()
		e.awaitText(c.begun+".json", "1\n") // so what happens to the other files from now on is a save
		e.sh(c.script)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		<-e.calls
		if got := e.text(c.name); got != c.want {
			t.Errorf("after %s it holds %q", c.script, got)
		}
	}
	e.start()
	e.commit(Event{Kind: "x", Set: facts("e", 1)})
	e.awaitText("e.json", "1\n")
	e.wantFiles("a.json", "c.json", "d.json", "e.json")
}

func TestExportReportsWhatGoesWrong(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(e *exhibit) error
		want func(error) bool
	}{
		"log damaged": {func(e *exhibit) error { return appendTo(e.store.path, "nonsense\n") }, isDamage},
		"log removed": {func(e *exhibit) error { return os.Remove(e.store.path) }, isGone},
		"run removed": {func(e *exhibit) error { return os.RemoveAll(e.dir) }, isGone},
		"folder gone": {func(e *exhibit) error { return os.RemoveAll(e.folder) }, isGone},
		"no room for the reason": {func(e *exhibit) error {
			return errors.Join(os.MkdirAll(filepath.Join(e.folder, "a.json.refused", "x"), 0o755), os.WriteFile(filepath.Join(e.folder, "a.json"), nil, 0o644))
		}, func(err error) bool { return strings.Contains(err.Error(), "a.json.refused") }},
	} {
		t.Run(name, func(t *testing.T) {
			e := exhibitOf(t, "a", 1)
			if err := c.harm(e); err != nil {
				t.Fatal(err)
			}
			if err := e.ended(); err == nil || !c.want(err) || !strings.HasPrefix(err.Error(), "export facts: ") {
				t.Errorf("error %v", err)
			}
		})
	}
}

// The test binary is also a process that may write no file greater than 5000 bytes.
func TestFullDiskIsAnErrorThatNamesTheFile(t *testing.T) {
	const fullVar = "WORLD_TEST_FULL"
	if dir, ok := os.LookupEnv(fullVar); ok {
		if err := limit(5000); err != nil {
			t.Fatal(err)
		}
		fmt.Println(Export(t.Context(), dir, filepath.Join(dir, "facts"), nil, nil))
		return
	}
	dir := t.TempDir()
	commitAll(t, openStore(t, dir), Event{Kind: "begin", Set: facts("a", 1, "large", strings.Repeat("x", 10_000), "z", 1)})
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), fullVar+"="+dir)
	out, err := cmd.Output()
	if err != nil || !strings.HasPrefix(string(out), "export facts: write large.json: ") || !strings.Contains(string(out), "file too large") {
		t.Fatalf("error %v: %s", err, out)
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "facts")); err != nil || len(entries) != 2 {
		t.Errorf("the folder holds %v, error %v", entries, err)
	}
}

// The test binary is also an export that refuses everything, but may write no file greater than 5000 bytes.
func TestSaveIntoAFileThatIsBeingReplacedIsKeptThoughThereIsNoRoomForTheReason(t *testing.T) {
	const fullVar = "WORLD_TEST_NO_ROOM"
	if dir, ok := os.LookupEnv(fullVar); ok {
		no := func(context.Context, string, json.RawMessage) error { return errors.New("no") }
		fmt.Println(limit(5000), Export(t.Context(), dir, filepath.Join(dir, "facts"), no, func(string, error) {}))
		return
	}
	dir := t.TempDir()
	e := &exhibit{t: t, dir: dir, folder: filepath.Join(dir, "facts"), store: openStore(t, dir)}
	e.commit(Event{Kind: "begin", Set: facts("n", 0)})
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), fullVar+"="+dir)
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	e.awaitText("n.json", "0\n")
	text := strings.Repeat("x", 6000)
	e.saveReplaced(func(*os.File, int) string { return text })
	if err := cmd.Wait(); err != nil || !strings.HasPrefix(out.String(), "<nil> export facts: write n.json.refused: ") {
		t.Fatalf("error %v: %s", err, out.String())
	}
	if got := e.text("n.json.refused"); got != text {
		t.Errorf("%d bytes are kept: %.20q", len(got), got)
	}
}

// So many things happen in the folder while a save is being committed that the system does not list them all.
func TestSaveAmongTooManyChangesIsCommitted(t *testing.T) {
	e := exhibitOf(t, "a", 1, "b", 1)
	busy, done := make(chan bool), make(chan bool)
	var once sync.Once
	e.hookOn(func(string) {
		once.Do(func() {
			busy <- true
			<-done
		})
	})
	e.save("a.json", "2")
	<-busy
	for i := range 40_000 {
		if err := syscall.Truncate(filepath.Join(e.folder, []string{"a.json", "b.json"}[i%2]), 1); err != nil {
			t.Fatal(err)
		}
	}
	e.sh("mkdir deep; printf 7 > deep/new.json")
	e.save("b.json", "3")
	close(done)
	e.await("the saves", func() bool {
		st := e.state()
		_, ok := st.Fact("deep/new")
		b, _ := st.Fact("b")
		return ok && string(b) == "3"
	})
}
