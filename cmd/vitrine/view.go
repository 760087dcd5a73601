package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/vitrine-sim/vitrine/viewer/web"
)

// A viewing is what "view --json" prints when it begins.
type viewing struct {
	URL string `json:"url"`
}

// A window on a run is how it is shown to browsers.
type window struct {
	port    int
	control bool
	with    string // the folder of a run to compare it with; empty: none

	setups   []*setup
	controls *controls // nil: nobody may
	server   *web.Server
}

func viewFlags(flags *flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	w := &window{}
	flags.IntVar(&w.port, "port", 0, "listen on port `N` of the loopback interface (default any that is free)")
	flags.BoolVar(&w.control, "control", false, "let whoever looks pause the run, tell agents something, set facts and play seats")
	flags.StringVar(&w.with, "with", "", "compare it with another `RUN`")
	return func(ctx context.Context, a *app, args []string) (any, error) { return w.view(ctx, a, args[0]) }
}

// view shows a run to browsers until it is interrupted.
func (w *window) view(ctx context.Context, a *app, dir string) (any, error) {
	defer w.close()
	if err := w.open(ctx, a, dir); err != nil {
		return nil, err
	}
	if a.json {
		a.print(a.stdout, viewing{w.server.URL()})
	}
	fmt.Fprintf(a.out, "%s\n", w.server.URL())
	a.tell("showing %s at this address until Ctrl-C; whoever has it may look%s", dir, map[bool]string{true: ", and intervene"}[w.control])
	<-ctx.Done()
	return nil, nil
}

// open begins to show the run in dir.
func (w *window) open(ctx context.Context, a *app, dir string) error {
	if w.port < 0 || w.port > 65535 {
		return misuse("leave --port out to take any that is free", "--port: there is no port %d", w.port)
	}
	run, err := w.find(ctx, a, dir)
	if err != nil {
		return err
	}
	if w.control {
		w.controls = &controls{app: a, dir: dir}
		run.Control = w.controls.do
	}
	var other *web.Run
	if w.with != "" {
		second, err := w.find(ctx, a, w.with)
		if err != nil {
			return fmt.Errorf("--with: %w", err)
		}
		other = &second
	}
	if w.server, err = web.Open(run, other, w.port); err != nil {
		w.server = nil
		return err
	}
	return nil
}

// find returns what there is to show of the run in dir.
func (w *window) find(ctx context.Context, a *app, dir string) (web.Run, error) {
	m, _, err := openRun(dir)
	if err != nil {
		return web.Run{}, err
	}
	s, noRules := a.reload(ctx, m)
	w.setups = append(w.setups, s)
	return shownRun(ctx, dir, m, s, noRules)
}

// close ends it.
func (w *window) close() {
	if w.server != nil {
		_ = w.server.Close() // nobody looks any more
	}
	if w.controls != nil {
		w.controls.hurry()
	}
	for _, s := range w.setups {
		s.close()
	}
}

// lookFlags adds the flags by which a run is shown while it is played.
func (r *runner) lookFlags(flags *flag.FlagSet) {
	flags.BoolFunc("view", "show it in the browser while it is played; with --view=stay also when it is over, until Ctrl-C", func(s string) error {
		if s != "true" && s != "stay" {
			return errors.New("write --view or --view=stay")
		}
		r.window, r.stay = &window{}, s == "stay"
		return nil
	})
	flags.BoolVar(&r.control, "control", false, "with --view: let whoever looks pause the run, tell agents something, set facts and play seats")
}

// mayLook says why the flags of lookFlags do not go together, if so.
func (r *runner) mayLook() error {
	if r.control && r.window == nil {
		return misuse("add --view", "--control: nobody looks")
	}
	return nil
}

// show shows the run while it is played, if it shall be.
func (r *runner) show(ctx context.Context) {
	if r.window == nil {
		return
	}
	r.window.control = r.control
	if err := r.window.open(ctx, r.app, r.dir); err != nil {
		r.tell("it cannot be shown: %v", err) // and is played all the same
		return
	}
	r.tell("look at it at %s", r.window.server.URL())
}

// shut ends what show has begun: at once or, if it shall stay, when the program is interrupted.
func (r *runner) shut(ctx context.Context) {
	if r.window == nil {
		return
	}
	if r.stay && r.window.server != nil && ctx.Err() == nil {
		r.tell("still to be seen at %s until Ctrl-C", r.window.server.URL())
		<-ctx.Done()
	} else if r.window.server != nil && ctx.Err() == nil {
		r.window.server.Linger()
		r.tell("to be seen again with %s view %s", self(), relative(r.dir))
	}
	r.window.close()
}
