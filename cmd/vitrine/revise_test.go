package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

func TestRulesThatAreSavedWhileARunIsPlayedHoldWhenItIsPaused(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := played(t, "../../scenarios/pasture.toml")
	reopen(t, dir, 3000)
	m, _, err := openRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := new(app).reload(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	source := string(s.Files[s.Rules.Name])
	w := rulesWatch{runner: &runner{app: &app{err: os.Stderr}, setup: s, dir: dir}, file: s.Rules.Name, saved: source, tried: source}
	revised := func() (n int) {
		for ev, err := range world.Events(dir) {
			if err != nil {
				t.Fatal(err)
			}
			if ev.Kind == arena.KindOperator && strings.Contains(string(ev.Data), `"do":"revise"`) {
				n++
			}
		}
		return n
	}
	w.save(ctx, source)
	w.save(ctx, source+"# once\n")
	w.save(ctx, source+"# twice\n")
	if n := revised(); n != 0 || !w.waits {
		t.Fatalf("it is not paused, and the rules were revised %d times; waits: %t", n, w.waits)
	}
	if _, err := new(app).intervene(ctx, dir, arena.Command{Do: arena.DoPause}); err != nil {
		t.Fatal(err)
	}
	store, err := world.Open(dir)
	if err == nil {
		_, err = store.Commit(ctx, func(world.State) ([]world.Event, error) { return []world.Event{{Kind: arena.KindHeld}}, nil })
	}
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	w.group.Wait()
	if n := revised(); n != 1 || w.waits {
		t.Errorf("the rules were revised %d times; waits: %t", n, w.waits)
	}
	w.save(ctx, source)
	if n := revised(); n != 2 {
		t.Errorf("it is paused, and the rules were revised %d times in all", n)
	}
}
