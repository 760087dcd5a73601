package main

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

// revisions compile rules that take the place of those in the scenario's file, with its parameters; nil where the rules are in no file.
// Policies and metrics stay those with which the run began.
func (s *setup) revisions() *arena.Revisions {
	if !s.Rules.InFile() {
		return nil
	}
	return arena.NewRevisions(func(source string) (world.Rules, error) {
		revised := *s.Scenario
		revised.Agents, revised.Files = slices.Clone(s.Agents), maps.Clone(s.Files)
		revised.Files[s.Rules.Name] = []byte(source)
		sub, err := fileRules(&revised)
		if err != nil {
			return nil, err
		}
		return sub.rules(&revised)
	})
}

// revise puts the rules of a file in the place of those that hold in a run.
func revise(ctx context.Context, a *app, args []string) (any, error) {
	raw, err := os.ReadFile(args[1])
	if err != nil {
		return nil, misuse("", "%w", err)
	}
	command := func([]string) arena.Command { return arena.Command{Do: arena.DoRevise, Source: string(raw)} }
	return operate(command, "the rules of "+args[1]+" hold from now on")(nil)(ctx, a, args)
}

// A rulesWatch is what a designer has done to the file of the rules while a run is played.
type rulesWatch struct {
	*runner
	file string

	mu    sync.Mutex
	saved string // what the file holds
	tried string // what was last put in the place of other rules, or was refused, or must wait
}

// watchRules makes what is saved in the file of the rules hold whenever the game is paused, until the returned function is called.
func (r *runner) watchRules(ctx context.Context) (end func()) {
	if !r.Rules.InFile() || r.resumed != nil { // a run that goes on knows no file, only what it held
		return func() {}
	}
	source := string(r.Files[r.Rules.Name])
	w := rulesWatch{runner: r, file: filepath.Join(filepath.Dir(r.File), filepath.FromSlash(r.Rules.Name)), saved: source, tried: source}
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() {
		for raw, err := range world.Saves(ctx, w.file) {
			if err != nil {
				r.tell("changes of the rules will not be seen: %v", err)
				return
			}
			w.save(ctx, string(raw))
		}
	})
	group.Go(func() {
		for ev, err := range world.Follow(ctx, r.dir, 0) {
			if err == nil && ev.Kind == arena.KindHeld {
				w.load(ctx)
			}
		}
	})
	return func() {
		cancel()
		group.Wait()
	}
}

// save notes what the file holds.
func (w *rulesWatch) save(ctx context.Context, source string) {
	w.mu.Lock()
	w.saved = source
	w.mu.Unlock()
	if !w.load(ctx) {
		w.tell("%s has changed: it will hold when the run is paused", w.file)
	}
}

// load makes the file's rules hold, if they are others and the game is paused. It returns false if they must wait for that.
func (w *rulesWatch) load(ctx context.Context) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.saved == w.tried {
		return true
	}
	st, err := world.Now(w.dir)
	if err == nil && !arena.Held(st) {
		return false
	}
	w.tried = w.saved
	var done *change
	if err == nil {
		done, err = intervene(ctx, w.dir, arena.Command{Do: arena.DoRevise, Source: w.saved})
	}
	if err != nil {
		w.complain(err)
		return true
	}
	w.tell("the rules of %s hold from now on (event %d, in turn %d)", w.file, done.Seq, done.Turn)
	return true
}
