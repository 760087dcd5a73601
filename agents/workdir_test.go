package agents_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/vitrine-sim/vitrine/agents"
)

func TestAWorkingDirectoryIsMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	left := filepath.Join(dir, "work.new", "half.md") // of somebody who was killed
	if err := os.MkdirAll(filepath.Dir(left), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"notes.md": []byte("blank"), "deep/down/x": {0xff, 0}}
	if err := agents.MakeWork(dir, files); err != nil {
		t.Fatal(err)
	}
	for path, want := range files {
		if got, err := os.ReadFile(filepath.Join(dir, "work", path)); err != nil || string(got) != string(want) {
			t.Errorf("%s holds %q, %v", path, got, err)
		}
	}
	if found, err := os.ReadDir(filepath.Join(dir, "work")); err != nil || len(found) != 2 {
		t.Errorf("the folder has %v, %v", found, err)
	}

	// What the agent has made of it stays.
	notes := filepath.Join(dir, "work", "notes.md")
	if err := os.WriteFile(notes, []byte("full"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "work", "deep")); err != nil {
		t.Fatal(err)
	}
	if err := agents.MakeWork(dir, files); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(notes); err != nil || string(got) != "full" {
		t.Errorf("notes hold %q, %v", got, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "work", "deep")); !os.IsNotExist(err) {
		t.Errorf("what the agent deleted is there again: %v", err)
	}
}
