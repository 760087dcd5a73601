package claude

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// script writes an executable shell script called name into a folder that becomes all of PATH, together with the system's.
func script(t *testing.T, name, text string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	return path
}

// archive writes a package's archive that holds content as package/claude.
func archive(t *testing.T, content string) (path, sum string) {
	t.Helper()
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	tw := tar.NewWriter(zw)
	for _, file := range []struct{ name, content string }{{"package/package.json", "{}"}, {"package/claude", content}} {
		if err := tw.WriteHeader(&tar.Header{Name: file.name, Mode: 0o644, Size: int64(len(file.content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(file.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tw.Close(), zw.Close()); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "package.tgz")
	if err := os.WriteFile(path, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256([]byte(content))
	return path, hex.EncodeToString(hash[:])
}

func TestInstallKeepsOnlyTheTestedArchive(t *testing.T) {
	path, sum := archive(t, "the executable")
	counter := filepath.Join(t.TempDir(), "calls")
	// As npm pack does: the archive goes into the folder after --pack-destination.
	script(t, "npm", fmt.Sprintf(`echo "$@" >>%s; while [ "$1" != --pack-destination ]; do shift; done; cp %s "$2/x.tgz"`, counter, path))
	log := slog.New(slog.DiscardHandler)
	rel := release{"@scope/claude-test", "1.2.3", sum}

	t.Run("the right one, once", func(t *testing.T) {
		cache := filepath.Join(t.TempDir(), "cache")
		for range 2 {
			installed, err := rel.install(t.Context(), cache, log)
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(installed)
			if err != nil || info.Mode().Perm()&0o111 == 0 {
				t.Errorf("%v, %v; want an executable", info, err)
			}
			if got, _ := os.ReadFile(installed); string(got) != "the executable" {
				t.Errorf("installed %q", got)
			}
		}
		calls, err := os.ReadFile(counter)
		if err != nil || strings.Count(string(calls), "@scope/claude-test@1.2.3") != 1 {
			t.Errorf("npm was called with %q, %v; want one call", calls, err)
		}
		installed := rel.path(cache)
		if err := os.WriteFile(installed, []byte("the executablE"), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := rel.install(t.Context(), cache, log); err != nil {
			t.Error(err)
		}
		if got, _ := os.ReadFile(installed); string(got) != "the executable" {
			t.Errorf("the damaged one was left: %q", got)
		}
		if left, _ := filepath.Glob(filepath.Join(cache, "fetch-*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	t.Run("another one is refused", func(t *testing.T) {
		other := rel
		other.sha256 = hex.EncodeToString(make([]byte, 32))
		cache := t.TempDir()
		_, err := other.install(t.Context(), cache, log)
		if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "not the tested one") {
			t.Errorf("error %v, want one about the hash", err)
		}
		if left, _ := os.ReadDir(cache); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

func TestInstallWithoutNPMOrNetworkIsUnavailable(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	rel := release{"@scope/claude-test", "1.2.3", ""}
	t.Run("npm fails", func(t *testing.T) {
		script(t, "npm", "echo no network >&2; exit 1")
		_, err := rel.install(t.Context(), t.TempDir(), log)
		if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "no network") {
			t.Errorf("error %v, want npm's own words", err)
		}
	})
	t.Run("no npm", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		_, err := rel.install(t.Context(), t.TempDir(), log)
		if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "no npm") {
			t.Errorf("error %v, want one about npm", err)
		}
	})
}

func TestLocatePrefersWhatIsNamedThenWhatIsTested(t *testing.T) {
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, nil))
	for _, test := range []struct {
		version string
		fails   string
		warns   bool
	}{
		{version: pinned},
		{version: "2.1.330"},
		{version: "2.9.9", warns: true},
		{version: "2.1.119", fails: "too old"},
		{version: "1.99.0", fails: "too old"},
	} {
		t.Run(test.version, func(t *testing.T) {
			logged.Reset()
			path := script(t, "claude", fmt.Sprintf("echo '%s (Claude Code)'", test.version))
			bin, err := Locate(t.Context(), path, log)
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Fatalf("error %v, want %q", err, test.fails)
				}
				return
			}
			if err != nil || bin.Path != path || bin.Version != test.version {
				t.Errorf("located %+v, %v", bin, err)
			}
			if warned := strings.Contains(logged.String(), "not tested"); warned != test.warns {
				t.Errorf("logged %q", logged.String())
			}
		})
	}
	t.Run("what is not Claude Code", func(t *testing.T) {
		path := script(t, "claude", "echo 7.0.0 something else")
		if _, err := Locate(t.Context(), path, log); err == nil || !strings.Contains(err.Error(), "is not Claude Code") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a tested one on PATH", func(t *testing.T) {
		path := script(t, "claude", fmt.Sprintf("echo '%s (Claude Code)'", pinned))
		if bin, err := Locate(t.Context(), "", log); err != nil || bin.Path != path {
			t.Errorf("located %+v, %v; want %s", bin, err, path)
		}
	})
	t.Run("an untested one on PATH", func(t *testing.T) {
		logged.Reset()
		rel, err := pinnedRelease()
		if err != nil {
			t.Fatal(err)
		}
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		real, err := rel.install(t.Context(), filepath.Join(cache, "vitrine"), log)
		if err != nil {
			t.Fatal(err)
		}
		script(t, "claude", "echo '2.9.9 (Claude Code)'")
		t.Setenv("XDG_CACHE_HOME", t.TempDir())
		cached, there := Cached()
		if there {
			t.Fatalf("%s is in a new cache", cached)
		}
		if err := os.MkdirAll(filepath.Dir(cached), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(real, cached); err != nil {
			t.Fatal(err)
		}
		bin, err := Locate(t.Context(), "", log)
		if err != nil || bin.Path != cached || bin.Version != pinned {
			t.Errorf("located %+v, %v; want the pinned one", bin, err)
		}
		if !strings.Contains(logged.String(), "2.9.9") {
			t.Errorf("logged %q, want a warning", logged.String())
		}
	})
}
