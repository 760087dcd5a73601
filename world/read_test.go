package world

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestFollowSeesTheCommitsOfAnotherProcessInOrder(t *testing.T) {
	dir := t.TempDir()
	p := start(t, "bank", dir, "other", "50", "10") // the log comes into being while it is followed, or just before
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var st State
	var events []Event
	for ev, err := range Follow(ctx, dir, 0) {
		if err != nil || ev.Seq != st.Seq+int64(len(events))+1 {
			t.Fatalf("after event %d: event %d, error %v", st.Seq, ev.Seq, err)
		}
		if events = append(events, ev); ev.More {
			continue
		}
		st = st.Apply(events...)
		events = nil
		if count, err := balanced(st); err != nil || count == 50 {
			cancel()
		}
	}
	if err := p.Wait(); err != nil {
		t.Fatal(err, p.stderr.String())
	}
	if got, want := string(JSON(st)), string(JSON(audit(t, dir))); got != want || len(events) > 0 {
		t.Errorf("followed to %s and %d events, want %s", got, len(events), want)
	}
}

func TestFollowGoesOnAfterTheEventThatItIsGiven(t *testing.T) {
	dir, _, _ := sample(t)
	s := openStore(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []string
	for ev, err := range Follow(ctx, dir, 2) { // in the middle of a commit
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(ev.Seq, ev.Kind))
		switch ev.Kind {
		case "z": // the last but one that was there before
			commitAll(t, s, Event{Kind: "a"}, Event{Kind: "b"})
			if err := appendTo(s.path, `{"kind":"half`); err != nil {
				t.Fatal(err)
			}
		case "b":
			commitAll(t, s, Event{Kind: "last"})
		case "last":
			cancel()
		}
	}
	if want := "[3turn 4y 5z 6turn 7a 8b 9last]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestFollowEndsWithItsContextOrItsReader(t *testing.T) {
	dir, _, _ := sample(t)
	ctx, cancel := context.WithCancel(t.Context())
	for range Follow(ctx, dir, 0) {
		break
	}
	cancel()
	for ev, err := range Follow(ctx, dir, 0) {
		t.Errorf("got %v, %v after the end", ev, err)
	}
}

func TestFollowReportsWhatGoesWrong(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(path string) error
		want func(error) bool
	}{
		"damage":  {func(path string) error { return appendTo(path, "nonsense\n") }, isDamage},
		"shorter": {func(path string) error { return os.Truncate(path, 10) }, isDamage},
		"removed": {os.Remove, func(err error) bool { return errors.Is(err, fs.ErrNotExist) }},
		"moved and gone": {func(path string) error {
			dir := filepath.Dir(path)
			return errors.Join(appendTo(path, "torn"), os.Rename(dir, dir+"~"), os.RemoveAll(dir+"~"))
		}, func(err error) bool { return errors.Is(err, fs.ErrNotExist) }},
		"all gone": {func(path string) error { return os.RemoveAll(filepath.Dir(path)) }, func(err error) bool { return errors.Is(err, fs.ErrNotExist) }},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _, _ := sample(t)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var last error
			for ev, err := range Follow(ctx, dir, 0) {
				if last = err; ev.Seq == 6 {
					if err := c.harm(filepath.Join(dir, logName)); err != nil {
						t.Fatal(err)
					}
				}
			}
			if last == nil || !c.want(last) {
				t.Errorf("error %v", last)
			}
		})
	}
	for _, err := range Follow(t.Context(), filepath.Join(t.TempDir(), "none"), 0) {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("no folder: error %v", err)
		}
	}
}

func isDamage(err error) bool {
	var damage *LogError
	return errors.As(err, &damage)
}

// Somebody has the lock and has written a commit, which may not be durable yet.
func TestNobodyReadsWhileAWriterHasTheLock(t *testing.T) {
	dir, log, _ := sample(t)
	if err := os.Truncate(filepath.Join(dir, logName), 0); err != nil {
		t.Fatal(err)
	}
	lock, err := lockLog(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := appendTo(filepath.Join(dir, logName), string(log)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for ev, err := range Follow(ctx, dir, 0) {
		t.Errorf("got event %d, error %v", ev.Seq, err)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range Events(dir) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 6 {
		t.Errorf("%d events, want 6", n)
	}
}

func TestEventsNeedNoLockFileAndTouchNothing(t *testing.T) {
	dir, log, _ := sample(t)
	if err := os.Remove(filepath.Join(dir, lockName)); err != nil {
		t.Fatal(err)
	}
	if err := appendTo(filepath.Join(dir, logName), "{"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	r := ReadLog(dir)
	for range 2 { // each range begins anew
		n := 0
		for ev, err := range r.Events() {
			if n++; err != nil || ev.Seq != int64(n) {
				t.Fatalf("event %d: %d, error %v", n, ev.Seq, err)
			}
		}
		if n != 6 || r.Torn() != 7 {
			t.Errorf("%d events, torn line %d; want 6 and 7", n, r.Torn())
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("the folder holds %v, error %v", files, err)
	}
	got, err := os.ReadFile(filepath.Join(dir, logName))
	if err != nil || string(got) != string(log)+"{" {
		t.Errorf("the log has changed: %v", err)
	}
}

func TestEventsOfNoLogAreAnError(t *testing.T) {
	n := 0
	for _, err := range Events(t.TempDir()) {
		if n++; !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("error %v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d errors, want 1", n)
	}
}
