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
		if s.revision != "" {
			revised.File, revised.Rules.Name = s.revision, filepath.Base(s.revision)
		}
		revised.Files[revised.Rules.Name] = []byte(source)
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
	by := *a
	by.revision = args[1]
	command := func([]string) arena.Command { return arena.Command{Do: arena.DoRevise, Source: string(raw)} }
	return operate(command, "the rules of "+args[1]+" hold from now on")(nil)(ctx, &by, args)
}

// A rulesWatch is what a designer has done to the file of the rules while a run is played.
type rulesWatch struct {
	*runner
	file  string
	group sync.WaitGroup

	mu    sync.Mutex
	saved string // what the file holds
	tried string // what was last put in the place of other rules, or was refused
	waits bool   // somebody waits until what is saved can hold
}

// watchRules makes what is saved in the file of the rules hold whenever the game is paused, from a state on, until the returned function is called.
func (r *runner) watchRules(ctx context.Context, st world.State) (end func()) {
	if !r.Rules.InFile() || r.again != nil && r.again.turn < 0 {
		return func() {}
	}
	source := string(r.Files[r.Rules.Name])
	file := r.Beside(r.Rules.Name)
	if r.resumed != nil || r.again != nil { // it may be on another machine, and knows only what the file held
		if raw, err := os.ReadFile(file); err == nil && string(raw) != arena.Revised(st, source) {
			r.tell("changes of %s are not followed in a run that goes on; %s revise %s %s makes it hold", file, self(), relative(r.dir), file)
		}
		return func() {}
	}
	w := rulesWatch{runner: r, file: file, saved: source, tried: source}
	ctx, cancel := context.WithCancel(ctx)
	w.group.Go(func() {
		for raw, err := range world.Saves(ctx, w.file) {
			if err != nil {
				r.tell("changes of the rules will not be seen: %v", err)
				return
			}
			w.save(ctx, string(raw))
		}
	})
	return func() {
		cancel()
		w.group.Wait()
	}
}

// save makes what the file holds now hold in the game, at once or as soon as that is paused.
func (w *rulesWatch) save(ctx context.Context, source string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.saved = source
	seq, done := w.load(ctx)
	if done {
		return
	}
	w.tell("%s has changed: it will hold when the run is paused", w.file)
	if !w.waits {
		w.waits = true
		w.group.Go(func() { w.wait(ctx, seq) })
	}
}

// wait loads what the file holds when the game is paused, after an event.
func (w *rulesWatch) wait(ctx context.Context, seq int64) {
	for ev, err := range world.Follow(ctx, w.dir, seq) {
		if err == nil && ev.Kind == arena.KindHeld && w.retry(ctx) {
			return
		}
	}
}

func (w *rulesWatch) retry(ctx context.Context) (done bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, done = w.load(ctx)
	w.waits = !done
	return done
}

// load makes the file's rules hold, if they are others and the game is paused. If they must wait for that it is not done, and the number
// is that of the last event, after which it was not paused. The lock is held.
func (w *rulesWatch) load(ctx context.Context) (seq int64, done bool) {
	if w.saved == w.tried {
		return 0, true
	}
	st, err := world.Now(w.dir)
	if err == nil && !arena.Held(st) {
		return st.Seq, false
	}
	w.tried = w.saved
	var event *change
	if err == nil {
		event, err = w.intervene(ctx, w.dir, arena.Command{Do: arena.DoRevise, Source: w.saved})
	}
	if err != nil {
		w.complain(err)
		return 0, true
	}
	w.tell("the rules of %s hold from now on (event %d, in turn %d)", w.file, event.Seq, event.Turn)
	return 0, true
}
