package world

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestSavesYieldsWhatAFileHoldsAndEachOtherThingThatIsSavedInIt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "law")
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Error(err)
		}
	}
	write(file, "one")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var seen []string
	for raw, err := range Saves(ctx, file) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, string(raw))
		switch len(seen) {
		case 1: // written in pieces, beside another file
			write(file, "t")
			write(file+"~", "not this")
			write(file, "two")
		case 2: // replaced, as many editors do
			write(file+"~", "three")
			if err := os.Rename(file+"~", file); err != nil {
				t.Fatal(err)
			}
		case 3: // gone for a moment, and the same again
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			write(file, "three")
			time.AfterFunc(5*rest, func() { write(file, "four") })
		case 4:
			cancel()
		}
	}
	if want := []string{"one", "two", "three", "four"}; !slices.Equal(seen, want) {
		t.Errorf("%q", seen)
	}
}

func TestSavesOfAFileWhoseFolderIsNotThereIsAnError(t *testing.T) {
	for raw, err := range Saves(t.Context(), filepath.Join(t.TempDir(), "none", "law")) {
		if err == nil {
			t.Errorf("%q", raw)
		}
		return
	}
	t.Error("neither a save nor an error")
}

func TestSavesEndsWithAnErrorWhenTheFolderIsGone(t *testing.T) {
	for name, harm := range map[string]func(dir string) error{
		"removed": os.RemoveAll,
		"moved":   func(dir string) error { return os.Rename(dir, dir+"~") },
		"replaced": func(dir string) error {
			return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "law"), []byte("two"), 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "game")
			if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "law"), []byte("one"), 0o600)); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			harmed := false
			for _, err := range Saves(ctx, filepath.Join(dir, "law")) {
				if err != nil && errors.Is(err, fs.ErrNotExist) {
					return
				}
				if err == nil && !harmed {
					harmed, err = true, harm(dir)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			t.Error("it has ended without an error")
		})
	}
}
