package agents

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheLastWordsOfAProcessAreNotThoseOfTheOneBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stderr.log")
	for _, c := range []struct{ says, last string }{{"out of ink\n", "out of ink"}, {"", ""}, {"out of paper", "out of paper"}, {strings.Repeat("x", 3000), strings.Repeat("x", 2048)}} {
		s := new(Stderr)
		if err := s.KeepIn(path); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(s, c.says)
		if got := s.LastWords(); got != c.last {
			t.Errorf("the last words are %.40q, not %.40q", got, c.last)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if raw, err := os.ReadFile(path); err != nil || string(raw) != "out of ink\nout of paper"+strings.Repeat("x", 3000) {
		t.Errorf("the file holds %.60q, %v", raw, err)
	}
}

func TestNoProcessFillsTheDiskByItsStandardError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stderr.log")
	for n := range 4 {
		s := new(Stderr)
		cmd := exec.Command("sh", "-c", `read go; echo begins; yes | head -c 3000000; echo ends`)
		cmd.Stdout, cmd.Stderr = s, s
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		steps := []func() error{func() error { return s.KeepIn(path) }, in.Close, cmd.Wait}
		if n%2 == 1 { // it has said all before there is a file for it
			steps = append(steps[1:], steps[0])
		}
		for _, step := range steps {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		if !strings.HasSuffix(s.LastWords(), "\nends") || s.Heard() != 3000012 {
			t.Errorf("it said %d bytes, the last are %q", s.Heard(), s.LastWords())
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(path)
		if err != nil || len(raw) > maxStderr+(n+1)*(maxWords+100) || !bytes.HasPrefix(raw, []byte("begins\ny\n")) || !bytes.HasSuffix(raw, []byte("y\nends\n")) {
			t.Errorf("after %d processes %d bytes are kept, %v", n+1, len(raw), err)
		}
		if n == 0 && !bytes.Contains(raw, fmt.Appendf(nil, "... %d bytes are missing here ...", 3000012-maxStderr-maxWords)) {
			t.Errorf("it does not say what is missing: %q", raw[maxStderr:])
		}
	}
}
