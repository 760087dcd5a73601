package claude

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAConversationIsFoundAmongWhatAnAgentMakesOfItsFolder(t *testing.T) {
	dir := t.TempDir()
	project := filepath.Join(dir, "home", ".claude", "projects", "p")
	if err := os.MkdirAll(project, 0o700); err != nil {
		t.Fatal(err)
	}
	conversation := filepath.Join(project, "real.jsonl")
	if err := os.WriteFile(conversation, []byte("{\"type\":\"user\"}\n{\"ty"), 0o600); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(conversation, long, long); err != nil {
		t.Fatal(err)
	}
	huge, err := os.Create(filepath.Join(project, "huge.jsonl"))
	if err == nil {
		err = errors.Join(huge.Truncate(64<<30), huge.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(project, "fifo.jsonl"), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := Transcript(dir); err != nil || found != conversation {
		t.Errorf("found %q, %v", found, err)
	}
	if err := keepTranscript(dir); err != nil {
		t.Error(err)
	}
	if err := cutTornLine(dir, conversation); err != nil {
		t.Error(err)
	}
	if raw, err := os.ReadFile(conversation); err != nil || string(raw) != "{\"type\":\"user\"}\n" {
		t.Errorf("the conversation is %q, %v", raw, err)
	}
	if err := cutTornLine(dir, filepath.Join(project, "fifo.jsonl")); err == nil {
		t.Error("a pipe is a conversation")
	}
}

// An agent that lives changes its files between any two looks at them.
func TestNothingElseIsReadForAConversation(t *testing.T) {
	const own, other = "{\"type\":\"user\"}\n", "{\"type\":\"user\",\"of\":\"another\"}\n"
	dir, elsewhere := t.TempDir(), t.TempDir()
	project := filepath.Join(dir, "home", ".claude", "projects", "p")
	name := func(s string) string { return filepath.Join(project, s) }
	err := errors.Join(os.MkdirAll(project, 0o700), os.WriteFile(name("c.jsonl"), []byte(own), 0o600), syscall.Mkfifo(name("fifo"), 0o600),
		os.WriteFile(filepath.Join(elsewhere, "c.jsonl"), []byte(other), 0o600), os.Symlink(filepath.Join(elsewhere, "c.jsonl"), name("link")))
	if err != nil {
		t.Fatal(err)
	}
	done, changed := make(chan struct{}), make(chan struct{})
	go func() { // ends with the test
		defer close(changed)
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, name("c.jsonl"), unix.AT_FDCWD, name([]string{"fifo", "link"}[i/2%2]), unix.RENAME_EXCHANGE)
			}
		}
	}()
	read := 0
	for range 3000 {
		file, err := OpenTranscript(dir)
		if err != nil {
			continue // it was none just then
		}
		raw, err := io.ReadAll(file)
		if err := errors.Join(err, file.Close()); err != nil || string(raw) != own {
			t.Fatalf("it reads %q, %v", raw, err)
		}
		read++
	}
	close(done)
	<-changed
	if read == 0 {
		t.Error("it reads nothing")
	}
}

func FuzzWholeLines(f *testing.F) {
	f.Add([]byte("a\nb"), 1)
	f.Add([]byte("a\n"), 64<<10)
	f.Add([]byte(""), 64<<10-1)
	f.Fuzz(func(t *testing.T, raw []byte, more int) {
		raw = append(raw, bytes.Repeat([]byte("x"), max(0, more%(200<<10)))...)
		got, err := wholeLines(bytes.NewReader(raw), int64(len(raw)))
		if want := int64(bytes.LastIndexByte(raw, '\n') + 1); err != nil || got != want {
			t.Errorf("%d bytes are whole lines, want %d: %v", got, want, err)
		}
	})
}
