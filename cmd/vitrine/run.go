package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vitrine-sim/vitrine/agents/claude"
	"github.com/vitrine-sim/vitrine/agents/confine"
	"github.com/vitrine-sim/vitrine/agents/gateway"
	"github.com/vitrine-sim/vitrine/agents/scripted"
	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

// offlineModel is the name of the model in a result where the offline model played.
const offlineModel = "offline"

// replayPolicy is the policy that plays a file of recorded actions.
const replayPolicy = "replay"

// A runner is the flags of "run", and what they come to.
type runner struct {
	seed       string
	folder     string
	offline    bool
	model      string
	kind       string
	policy     string
	actions    string
	claude     string
	set        []string
	paused     bool
	silent     bool // the model traffic is not recorded
	pricesFile string
	fault      string // what befalls the model
	least      string // level of isolation
	endpoint   string // the model endpoint that the manifest of an earlier run names; empty: none

	window  *window // in which it is shown while it is played; nil: none
	stay    bool    // it is shown when it is over, too
	control bool    // those to whom it is shown may intervene

	access
	*app
	*setup
	dir        string
	resumed    *arena.Manifest // of the run that goes on; nil: it begins
	again      *again          // the run that is played again; nil: none
	recording  scripted.Recording
	actionsRaw []byte                      // its file
	recorded   map[string]*scripted.Player // by the name of the agent
	binary     claude.Binary
	upstream   http.RoundTripper
	evidence   map[string]*tamper.Evidence // of what agents try beside the game, by their names
	hosts      hosts
	facts      []*world.FactFiles // of agents that can read facts
	normal     *gateway.Normal
	recorder   *gateway.Recorder // nil: nothing is recorded
	prices     *gateway.Prices   // nil: models cost nothing
	keptPrices *arena.FileManifest
	boundary   confine.Boundary
	endpoints  map[string]*gateway.Endpoint // of the agents that are Claude Code, by name
}

func newRunner() *runner {
	return &runner{
		endpoints: make(map[string]*gateway.Endpoint), recorded: make(map[string]*scripted.Player), evidence: make(map[string]*tamper.Evidence),
	}
}

func runFlags(flags *flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	r := newRunner()
	flags.StringVar(&r.seed, "seed", "", "the seed `N` of all chance in the world, instead of the scenario's")
	flags.StringVar(&r.folder, "out", "", "the run's folder `DIR`, new or empty (default runs/SCENARIO-TIME)")
	flags.BoolVar(&r.offline, "offline", false, "play with the offline model: real processes, no network, no key, no cost")
	flags.StringVar(&r.model, "model", "", "the model `M` of every agent, instead of the scenario's")
	flags.StringVar(&r.kind, "agents", "", "make every agent `claude|scripted`")
	flags.StringVar(&r.policy, "policy", "", "the policy `P` of every agent that is scripted or plays offline; \"replay\" plays --actions")
	flags.StringVar(&r.actions, "actions", "", "the `FILE` of recorded actions for --policy replay, as JSON lines")
	flags.StringVar(&r.claude, "claude", "", "the Claude Code executable `PATH`, instead of the one on PATH or the pinned one")
	r.access.flags(flags, "$ANTHROPIC_BASE_URL")
	flags.BoolVar(&r.silent, "no-cassette", false, "do not record the model traffic; without it the run cannot be replayed with its processes, nor branched")
	flags.StringVar(&r.pricesFile, "prices", "", "what models cost, a `FILE` such as vitrine prices prints; the offline model costs nothing without it")
	flags.StringVar(&r.fault, "fault", "", "trouble with the model, as a list of `KIND:SHARE` of all requests and KIND@N, the Nth of each agent, such as "+
		"429:0.1,cut@3; kinds: "+strings.Join(gateway.FaultKinds(), ", "))
	flags.StringVar(&r.least, "min-level", "", "refuse to play where agents are kept apart at less than the `LEVEL` A+, A, B, C, D, E or F")
	flags.BoolVar(&r.paused, "paused", false, "pause before the first step; vitrine step and continue play on")
	flags.Func("set", "set a value of the scenario, as `path=value`, such as rules.capacity=50; may be repeated", func(s string) error {
		r.set = append(r.set, s)
		return nil
	})
	r.lookFlags(flags)
	return func(ctx context.Context, a *app, args []string) (any, error) {
		r.app = a
		r.trusts = true // whoever plays a scenario has its program started anyway
		if err := r.mayLook(); err != nil {
			return nil, err
		}
		return r.run(ctx, args[0])
	}
}

// run plays a scenario. Everything that can be wrong is looked at before anything is made.
func (r *runner) run(ctx context.Context, path string) (any, error) {
	if err := r.setSeed(); err != nil {
		return nil, err
	}
	if r.least != "" {
		r.set = append(r.set, "limits.min_level="+r.least)
	}
	var err error
	if r.setup, err = load(ctx, path, r.set); err != nil {
		return nil, err
	}
	defer r.setup.close()
	if err := r.cast(); err != nil {
		return nil, err
	}
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	if err := r.createDir(); err != nil {
		return nil, err
	}
	return r.play(ctx)
}

// setSeed makes the seed that the flags name, if they do, one of the values that are set.
func (r *runner) setSeed() error {
	if r.seed == "" {
		return nil
	}
	if _, err := strconv.ParseUint(r.seed, 10, 64); err != nil {
		return misuse("a seed is a whole number from 0", "--seed: %q is none", r.seed)
	}
	r.set = append(r.set, "seed="+r.seed)
	return nil
}

// prepare finds what agents that are Claude Code need, and what keeps agents apart.
func (r *runner) prepare(ctx context.Context) error {
	if r.modelled() == 0 && r.fault != "" {
		return misuse("let Claude Code play: leave --agents out", "--fault: no agent has a model that there could be trouble with")
	}
	if r.modelled() > 0 {
		err := r.admit()
		if err == nil {
			r.upstream, err = r.chooseUpstream()
		}
		if err == nil {
			err = r.locate(ctx)
		}
		if err != nil {
			return err
		}
	}
	return r.enclose(ctx)
}

// locate finds Claude Code.
func (r *runner) locate(ctx context.Context) error {
	var err error
	if r.binary, err = claude.Locate(ctx, r.claude, r.log); err != nil {
		return r.unlocated(ctx, err)
	}
	return nil
}

// unlocated tells a named executable that will not do, which is misuse, from a failure to find one, and from an interruption.
func (r *runner) unlocated(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return early()
	case r.claude == "":
		return err
	}
	return misuse("name the executable of Claude Code, or leave --claude out", "--claude: %w", err)
}

// createDir makes the run's folder.
func (r *runner) createDir() error {
	dir := r.folder
	if dir == "" {
		dir = filepath.Join("runs", fmt.Sprintf("%s-%s-%d", r.Name, time.Now().Format("20060102-150405"), os.Getpid()))
	}
	var err error
	if r.dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	err = arena.CreateRun(r.dir)
	if info, statErr := os.Stat(r.dir); errors.Is(err, arena.ErrExists) && statErr == nil && info.IsDir() {
		if held := world.Holder(r.dir); held != nil {
			err = fmt.Errorf("%w: %w", err, held)
		}
	}
	if err != nil {
		return unusable(err)
	}
	return nil
}

// unusable is the failure of a run whose folder will not do.
func unusable(err error) error {
	if isFull(err) {
		return &failure{code: exitFailed, err: fmt.Errorf("run folder: %w", err), hint: "make room, or choose another folder with --out"}
	}
	return misuse("choose another folder with --out", "run folder: %w", err)
}

// isFull says whether there was no room for something.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// play plays the episode in the run's folder, which is there: empty, or with a run that goes on.
func (r *runner) play(ctx context.Context) (any, error) {
	defer r.shut(ctx)
	began := time.Now()
	lease, err := world.Acquire(r.dir)
	switch {
	case err != nil && r.resumed != nil:
		return nil, fmt.Errorf("%s: %w", relative(r.dir), err)
	case err != nil:
		return nil, unusable(err)
	}
	defer func() { _ = lease.Release() }() // the end of the process releases it as well
	if r.resumed == nil {
		if err = r.begin(began); isFull(err) {
			err = unusable(err)
		}
	} else {
		err = arena.RemoveResult(r.dir)
	}
	if err != nil {
		return nil, err
	}
	store, err := world.Open(r.dir)
	if err != nil {
		return nil, err
	}
	r.announce(ctx, store.State())
	if keep := r.substrate.keep; keep != nil {
		if err := keep(filepath.Join(r.dir, arena.RulesLogName)); err != nil {
			return nil, errors.Join(err, store.Close())
		}
	}
	outcome, err := r.episode(ctx, store)
	err = errors.Join(err, store.Close())
	if err != nil && outcome.Status != "" {
		r.tell("%s, but not all was left in order: %v", outcome.Status, err) // the log is whole
		err = nil
	}
	if err != nil {
		outcome.End = arena.End{Status: arena.Failed, Reason: err.Error()}
	}
	result, resultErr := r.result(outcome, store.Hash())
	if err == nil && errors.Is(resultErr, context.Canceled) {
		return nil, interruptedIn(outcome.State.Turn, ", and without a result, because the rules do not answer", r.dir)
	}
	result.WallMS = outcome.Time.Milliseconds()
	unwritten := arena.WriteResult(r.dir, result)
	if err = errors.Join(err, resultErr); err != nil {
		err = r.roomless(errors.Join(err, unwritten))
		return struct {
			arena.Result
			Errors []report `json:"errors"` // as of what did not take place
		}{result, reports(err)}, err
	}
	r.summarize(result)
	if unwritten != nil {
		return result, r.roomless(&failure{code: exitFailed, err: unwritten, hint: unscored(r.dir)})
	}
	if r.again != nil && r.again.turn < 0 {
		return result, r.repeated(result)
	}
	if left := r.recording.Len() - r.played(); left > 0 && r.resumed == nil {
		r.tell("%s: %d of %s never came to be played", r.actions, left, plural(r.recording.Len(), "action"))
	}
	return result, r.verdict(result)
}

// roomless adds to what has ended a run, if that is that there was no room for more, how it goes on.
func (r *runner) roomless(err error) error {
	m, unread := arena.ReadManifest(r.dir)
	if !isFull(err) || unread != nil || repeats(r.dir, m) != "" {
		return err
	}
	return &failure{code: exitFailed, err: err, hint: fmt.Sprintf("make room, and then: %s resume %s", self(), relative(r.dir))}
}

// announce says what is played, and shows it.
func (r *runner) announce(ctx context.Context, st world.State) {
	switch {
	case r.again != nil:
		r.tell("playing %s again in %s", relative(r.again.dir), relative(r.dir))
	case r.resumed == nil:
		r.tell("playing in %s", relative(r.dir))
	default:
		r.tell("playing on in %s, from turn %d", relative(r.dir), st.Turn)
	}
	r.show(ctx)
}

// begin writes what the run is made from.
func (r *runner) begin(start time.Time) error {
	if _, err := arena.ReadManifest(r.dir); err == nil {
		return misuse("choose another folder with --out", "run folder: %s: another run was faster", r.dir)
	}
	m, err := r.manifest(start)
	if err != nil {
		return err
	}
	if r.actionsRaw == nil {
		return arena.WriteManifest(r.dir, m)
	}
	if err := arena.WriteActions(r.dir, r.actionsRaw); err != nil {
		return err
	}
	if err := arena.WriteManifest(r.dir, m); err != nil {
		return errors.Join(err, os.Remove(filepath.Join(r.dir, arena.ActionsName))) // so that the folder will do later
	}
	return nil
}

// episode plays the episode with the gateway open and its agents' seats filled.
func (r *runner) episode(ctx context.Context, store *world.Store) (arena.Outcome, error) {
	seats, err := r.seats()
	if err != nil {
		return arena.Outcome{}, errors.Join(err, r.closeEndpoints())
	}
	if err := r.rewound(store.State()); err != nil {
		return arena.Outcome{}, errors.Join(err, r.closeEndpoints())
	}
	progress := progress{to: r.app, dir: r.dir}
	episode := arena.Episode{
		Game: r.game(), Dir: r.dir, Store: store, Seats: seats, Act: r.Limits.Act, Overtime: r.Limits.Overtime, Time: r.Limits.Time, Hung: r.Limits.Hung,
		Starts: runtime.GOMAXPROCS(0), Paused: r.paused, OnTurn: progress.turn, OnCrash: progress.crash,
	}
	if r.paused || arena.Held(store.State()) {
		episode.OnHeld = sync.OnceFunc(func() { r.tell("it is paused: %s continue %s, or step", self(), relative(r.dir)) })
	}
	run := episode.Run
	if r.again != nil {
		run = r.again.playedBy(&episode)
	}
	unwatch := r.watchRules(ctx, store.State())
	outcome, err := run(ctx)
	unwatch()
	progress.done()
	return outcome, errors.Join(err, r.closeEndpoints())
}
