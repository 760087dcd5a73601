package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

func TestWhatPackagesLogIsToldAsAllElse(t *testing.T) {
	said, err := os.Create(filepath.Join(t.TempDir(), "said"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	logs := func(*flag.FlagSet) func(context.Context, *app, []string) (any, error) {
		return func(_ context.Context, a *app, _ []string) (any, error) {
			a.log.Info("fetching it, once", "version", "2.1", "into", "/cache")
			a.log.With("agent", "ann").Warn("it gave\n no answer: \x1b[1m")
			a.log.Debug("nobody wants to know")
			a.log.Error("it ended", "error", errors.New("gone"))
			return nil, nil
		}
	}
	command{name: "log", flags: logs}.run(t.Context(), nil, said, said)
	const want = "vitrine: fetching it, once (version 2.1, into /cache)\nvitrine: ann: it gave  no answer:  [1m\nvitrine: it ended (error gone)\n"
	if got, err := os.ReadFile(said.Name()); err != nil || string(got) != want {
		t.Errorf("it says\n%s, not\n%s: %v", got, want, err)
	}
}
