package web

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestARunIsShownWhereItWasShownLast(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	run, _ := newRun(t, 1)
	shown := func() string {
		t.Helper()
		s, err := Open(run, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		return s.URL()
	}
	first := shown()
	if again := shown(); again != first {
		t.Errorf("first at %s, then at %s", first, again)
	}
	files, err := filepath.Glob(filepath.Join(cache, "vitrine", "view", "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Error("others can read it:", info.Mode(), err)
	}
	open, err := Open(run, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if beside := shown(); beside == first || !strings.HasSuffix(beside, first[strings.LastIndex(first[:len(first)-1], "/"):]) {
		t.Errorf("beside %s it is at %s", first, beside)
	}
	for _, torn := range []string{"", "x", "99999999 ABCDEFGHIJKLMNOPQRSTUVWXYZ", "80 short"} {
		if err := os.WriteFile(files[0], []byte(torn), 0o600); err != nil {
			t.Fatal(err)
		}
		if now := shown(); strings.Contains(now, "short") || strings.Contains(now, "ABCDEFGHIJ") {
			t.Errorf("of %q it has made %s", torn, now)
		}
	}
}

func TestNotEveryRunIsRememberedForEver(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "view")
	for i := range mostAddresses + 1 {
		address{path: filepath.Join(dir, strings.Repeat("x", i+1)), token: "token"}.remember(1)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > mostAddresses {
		t.Error(len(entries), err)
	}
}

func TestAnotherRunInTheSameFolderHasAnotherAddress(t *testing.T) {
	run, _ := newRun(t, 1)
	first := open(t, run).token
	if err := os.WriteFile(filepath.Join(run.Dir, "manifest.json"), []byte(`{"start":"later"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if second := open(t, run).token; second == first {
		t.Errorf("both have the token %s", first)
	}
}
