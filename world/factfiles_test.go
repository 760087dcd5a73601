package world

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// scenery is a folder with files of facts.
type scenery struct {
	*FactFiles
	t   *testing.T
	dir string
	st  State
}

func sceneryOf(t *testing.T, patterns ...string) *scenery {
	t.Helper()
	s := &scenery{t: t, dir: t.TempDir()}
	s.open(patterns...)
	return s
}

func (s *scenery) open(patterns ...string) {
	s.t.Helper()
	v, err := NewFactFiles(s.dir, patterns)
	if err != nil {
		s.t.Fatal(err)
	}
	s.FactFiles = v
	s.t.Cleanup(func() { _ = v.Close() })
}

// sets changes facts and shows what comes of it; nil deletes one.
func (s *scenery) sets(pairs ...any) {
	s.t.Helper()
	ev := Event{Kind: "x", Seq: s.st.Seq + 1, Set: make(map[string]json.RawMessage)}
	for i := 0; i < len(pairs); i += 2 {
		if path := pairs[i].(string); pairs[i+1] == nil {
			ev.Del = append(ev.Del, path)
		} else {
			ev.Set[path] = JSON(pairs[i+1])
		}
	}
	s.st = s.st.Apply(ev)
	if err := s.Show(s.st, nil); err != nil {
		s.t.Fatal(err)
	}
}

// files returns the names of the files below a folder of the scenery and what is in them.
func (s *scenery) files(below string) string {
	s.t.Helper()
	at, err := filepath.EvalSymlinks(filepath.Join(s.dir, below))
	if err != nil {
		s.t.Fatal(err)
	}
	var all []string
	err = filepath.WalkDir(at, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == at {
			return err
		}
		rel, _ := filepath.Rel(at, path) // it is below
		if d.IsDir() {
			if entries, err := os.ReadDir(path); err != nil || len(entries) == 0 {
				all = append(all, rel+" is empty")
			}
			return nil
		}
		raw, err := os.ReadFile(path)
		all = append(all, rel+"="+strings.TrimSuffix(string(raw), "\n"))
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Join(all, " ")
}

func (s *scenery) wants(want string) {
	s.t.Helper()
	if got := s.files(FactsLink); got != want {
		s.t.Errorf("it shows %q, want %q", got, want)
	}
}

func TestAViewShowsTheFactsThatMatchAndNoOthers(t *testing.T) {
	for patterns, want := range map[string]string{
		"lake/tons":          "lake/tons.json=1",
		"lake/*":             "lake/next.json=2 lake/tons.json=1",
		"lake/**":            "lake/deep/mud.json=3 lake/next.json=2 lake/tons.json=1",
		"**/tons":            "lake/tons.json=1 pond/tons.json=4",
		"l?ke/t*":            "lake/tons.json=1",
		"**":                 "Lake.json=5 lake/deep/mud.json=3 lake/next.json=2 lake/tons.json=1 pond/tons.json=4",
		"lake/**/mud":        "lake/deep/mud.json=3",
		"lake|Lake|lake/":    "Lake.json=5",
		"run/**|run/seed":    "",
		"lake/tons|lake/t**": "lake/tons.json=1",
		"lake":               "",
	} {
		s := sceneryOf(t, strings.Split(patterns, "|")...)
		s.sets("lake/tons", 1, "lake/next", 2, "lake/deep/mud", 3, "pond/tons", 4, "Lake", 5, SeedFact, 6)
		if got := strings.ReplaceAll(s.files(FactsLink), "%4cake", "Lake"); got != want {
			t.Errorf("%s shows %q, want %q", patterns, got, want)
		}
	}
}

func TestAViewFollowsStates(t *testing.T) {
	s := sceneryOf(t, "**")
	s.wants("")
	s.sets("a/b/c", 1, "d", map[string]int{"x": 1})
	s.wants("a/b/c.json=1 d.json={\n  \"x\": 1\n}")
	s.sets("a/b/c", 2, "d", nil)
	s.wants("a/b/c.json=2")
	s.sets("a/b/c", nil)
	s.wants("")
	s.sets("a/b/c", 3)
	s.sets("e", 1)
	s.sets("a/b", 4)
	s.wants("a/b/c.json=3 a/b.json=4 e.json=1")
	if err := s.Show(s.st, []string{"a/b/c", "none"}); err != nil {
		t.Fatal(err)
	}
	s.wants("a/b.json=4 e.json=1")
	s.open("e") // another process goes on
	s.wants("")
	s.sets("f", 5)
	s.wants("e.json=1")
}

func TestWhoeverStaysInAViewSeesOneState(t *testing.T) {
	s := sceneryOf(t, "**")
	s.sets("x", 1, "y", 1)
	at, err := os.OpenRoot(filepath.Join(s.dir, FactsLink))
	if err != nil {
		t.Fatal(err)
	}
	defer at.Close()
	s.sets("x", 2, "y", 2)
	s.wants("x.json=2 y.json=2")
	for _, name := range []string{"x.json", "y.json"} {
		if raw, err := at.ReadFile(name); err != nil || string(raw) != "1\n" {
			t.Errorf("%s says %q, %v", name, raw, err)
		}
	}
}

func TestAViewWritesOnlyWhatHasChangedAndDoesNotGrow(t *testing.T) {
	s := sceneryOf(t, "**")
	s.sets("still", 0, "moves", 0)
	s.sets("moves", -1) // both folders are full
	number := func(name string) uint64 {
		info, err := os.Stat(filepath.Join(s.dir, FactsFolder, name))
		if err != nil {
			t.Fatal(err)
		}
		return uint64(info.ModTime().UnixNano()) ^ info.Sys().(*syscall.Stat_t).Ino
	}
	still := [2]uint64{number("a/still.json"), number("b/still.json")}
	for i := range 200 {
		s.sets("moves", i, fmt.Sprintf("turn/%d/fact", i), i, fmt.Sprintf("turn/%d/fact", i-1), nil)
	}
	if now := [2]uint64{number("a/still.json"), number("b/still.json")}; now != still {
		t.Errorf("what stays the same is written: %d, and was %d", now, still)
	}
	for _, name := range factsNames() {
		if got := s.files(filepath.Join(FactsFolder, name)); strings.Count(got, "=") != 3 || strings.Contains(got, "empty") {
			t.Errorf("in %s is %q", name, got)
		}
	}
	before, err := os.Readlink(filepath.Join(s.dir, FactsFolder, factsNow))
	if err != nil {
		t.Fatal(err)
	}
	s.sets("run/phase", "talk") // which is not shown
	if after, err := os.Readlink(filepath.Join(s.dir, FactsFolder, factsNow)); err != nil || after != before {
		t.Errorf("nothing has changed, and %s is shown in place of %s, %v", after, before, err)
	}
}

func TestAViewThatSomebodyHasDamagedIsMadeAnew(t *testing.T) {
	for name, damage := range map[string]func(dir string) error{
		"a file is gone":   func(dir string) error { return errors.Join(os.Remove(dir+"/a/x.json"), os.Remove(dir+"/b/x.json")) },
		"a folder is gone": func(dir string) error { return errors.Join(os.RemoveAll(dir+"/a"), os.RemoveAll(dir+"/b")) },
		"all is closed": func(dir string) error {
			return errors.Join(os.Chmod(dir+"/a/y", 0), os.Chmod(dir+"/a", 0), os.Chmod(dir+"/b", 0))
		},
		"a folder is a way": func(dir string) error {
			return errors.Join(os.RemoveAll(dir+"/a"), os.Symlink("..", dir+"/a"), os.RemoveAll(dir+"/b"), os.Symlink("/", dir+"/b"))
		},
		"a link is a folder": func(dir string) error {
			return errors.Join(os.Remove(dir+"/"+factsNow), os.MkdirAll(dir+"/"+factsNext+"/x", 0o700))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := sceneryOf(t, "**")
			s.sets("x", 1, "y/z", 1)
			s.sets("x", 2)
			if err := damage(filepath.Join(s.dir, FactsFolder)); err != nil {
				t.Fatal(err)
			}
			s.sets("x", nil, "y/z", 3)
			s.wants("y/z.json=3")
			s.sets("x", 4)
			s.wants("x.json=4 y/z.json=3")
			outside, err := os.ReadDir(s.dir)
			names := fmt.Sprint(slices.Collect(func(yield func(string) bool) {
				for _, e := range outside {
					if !yield(e.Name()) {
						return
					}
				}
			}))
			if err != nil || names != "[facts world]" {
				t.Errorf("the folder holds %s, %v", names, err)
			}
		})
	}
}

func TestAllCanReadAViewWhateverTheMask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	s := sceneryOf(t, "**")
	s.sets("a/b", 1)
	for name, want := range map[string]fs.FileMode{"now/": 0o755 | fs.ModeDir, "now/a": 0o755 | fs.ModeDir, "now/a/b.json": 0o644} {
		if info, err := os.Stat(filepath.Join(s.dir, FactsFolder, name)); err != nil || info.Mode() != want {
			t.Errorf("%s is %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
}

func BenchmarkFactFiles(b *testing.B) {
	v, err := NewFactFiles(b.TempDir(), []string{"cell/**"})
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	set := make(map[string]json.RawMessage)
	for i := range 10_000 {
		set[fmt.Sprintf("cell/%d/%d", i/100, i%100)] = JSON(0)
	}
	st := State{}.Apply(Event{Kind: "x", Seq: 1, Set: set})
	if err := errors.Join(v.Show(st, nil), v.Show(st.Apply(Event{Kind: "x", Set: map[string]json.RawMessage{"cell/0/0": JSON(1)}}), nil)); err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		set := make(map[string]json.RawMessage)
		for k := range 10 {
			set[fmt.Sprintf("cell/%d/%d", k, i%100)] = JSON(i + 2)
		}
		st = st.Apply(Event{Kind: "x", Seq: st.Seq + 1, Set: set})
		if err := v.Show(st, nil); err != nil {
			b.Fatal(err)
		}
	}
}
