package confine

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vitrine-sim/vitrine/agents"
)

func TestFilesAreCountedByWhatTheyTake(t *testing.T) {
	const piece = 256 << 10
	for name, c := range map[string]struct {
		do             func(dir string) error
		bytes, largest int64
	}{
		"a file": {func(dir string) error { return os.WriteFile(filepath.Join(dir, "f"), make([]byte, piece), 0o600) }, piece, piece},
		"one in a folder": {func(dir string) error {
			return errors.Join(os.Mkdir(dir+"/d", 0o700), os.WriteFile(dir+"/d/f", make([]byte, piece), 0o600))
		}, piece, piece},
		"one of two names": {func(dir string) error {
			return errors.Join(os.WriteFile(dir+"/f", make([]byte, piece), 0o600), os.Link(dir+"/f", dir+"/g"))
		}, piece, piece},
		"one with nothing": {func(dir string) error {
			return errors.Join(os.WriteFile(dir+"/f", nil, 0o600), os.Truncate(dir+"/f", 1<<30))
		}, 0, 1 << 30},
		"empty ones, which fill the tables of the disk": {func(dir string) (err error) {
			for i := range 500 {
				err = errors.Join(err, os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), nil, 0o600))
			}
			return err
		}, 500 * leastFile, 0},
		"a link to more": {func(dir string) error { return os.Symlink("/usr", dir+"/l") }, 0, 4},
	} {
		dir := t.TempDir()
		if err := c.do(dir); err != nil {
			t.Fatal(err)
		}
		tally := diskTally{most: 1 << 40}
		tally.folder(dir)
		const folders = 64 << 10 // what folders themselves may take
		if tally.bytes < c.bytes || tally.bytes > c.bytes+folders || tally.largest != c.largest || tally.hidden != "" {
			t.Errorf("%s: %+v, want %d bytes", name, tally, c.bytes)
		}
	}
}

func TestFilesBeyondTheLimitAreNotCounted(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 * manyNames {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, some := diskTally{most: 1 << 40}, diskTally{most: 4096}
	all.folder(dir)
	some.folder(dir)
	if some.bytes <= 4096 || some.bytes >= all.bytes*2/3 {
		t.Errorf("of %d bytes it counts %d", all.bytes, some.bytes)
	}
}

func TestFilesAreNotCountedForEver(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	tally := diskTally{most: 1 << 40, until: time.Now()}
	if tally.folder(dir); tally.bytes != 0 {
		t.Errorf("it counts %d bytes when the time is up", tally.bytes)
	}
}

// What cannot be counted must not be a place to hide in.
func TestAFolderThatCannotBeCountedIsABreach(t *testing.T) {
	deep := strings.Repeat("d/", maxDeep+5)
	behind(t, agents.Limits{Disk: 64 << 20}, "mkdir -p "+deep+"; sleep 60", func(u uses, _ Cell, ending agents.Ending) {
		if b := ending.Breach; b == nil || b.Resource != agents.Disk || !strings.Contains(b.Detail, "too deep") {
			t.Errorf("%+v: it ended with %+v, for %v", u, ending, b)
		}
	})
	if os.Getuid() == 0 {
		return // who can read all
	}
	behind(t, agents.Limits{Disk: 64 << 20}, "mkdir dark; chmod 0 dark; sleep 60", func(u uses, c Cell, ending agents.Ending) {
		if b := ending.Breach; b == nil || b.Resource != agents.Disk || !strings.Contains(b.Detail, "cannot be read") {
			t.Errorf("%+v: it ended with %+v, for %v", u, ending, b)
		}
		if err := os.Chmod(filepath.Join(c.Dir, "work", "dark"), 0o700); err != nil {
			t.Error(err)
		}
	})
}

// Whoever is not root watches processes of its own user, and in a container without namespaces of its own.
func TestLimitsOfAnotherUserHold(t *testing.T) {
	if os.Getuid() != 0 {
		return // this is the test, by its parts
	}
	for name, before := range map[string]func(self string) []string{
		"a user":       func(self string) []string { return []string{self} },
		"in container": func(self string) []string { return []string{self, self} },
	} {
		out := asOther(t, "(TestAnAgentThatBreaks.*|TestAFolderThatCannot.*)", before)
		if strings.Count(out, "--- PASS: Test") != 2 {
			t.Errorf("%s: it prints %s", name, out)
		}
	}
}

// BenchmarkLook measures what a look at an agent of eight processes takes on a machine with all that there is now, and at a folder of 10,000 files.
func BenchmarkLook(b *testing.B) {
	dir := b.TempDir()
	for i := range 10_000 {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), nil, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	for range 8 {
		cmd := exec.CommandContext(b.Context(), "sleep", "100")
		cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()
	}
	w := watch{limits: agents.Limits{Disk: 1 << 40}, self: os.Getpid(), dirs: []string{dir}}
	b.Run("processes", func(b *testing.B) {
		for b.Loop() {
			w.processes()
		}
	})
	b.Run("disk", func(b *testing.B) {
		for b.Loop() {
			w.disk(time.Time{})
		}
	})
}
