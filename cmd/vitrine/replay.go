package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/gateway"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world"
)

// recordedKind is the kind of an agent whose acts are taken from the log of the run that is played again.
const recordedKind = "recorded"

// An again is a run that is played again by another one.
type again struct {
	*runner  // the other one
	dir      string
	manifest arena.Manifest
	events   int64 // of its log
	hash     string
	turn     int                      // from which the other one goes on live; negative: it does not
	games    []arena.Game             // by which it was played, and after them the one by which the other one goes on
	player   *gateway.Player          // nil: no agent has a model
	left     map[string]chan struct{} // by agent: it waits for an answer that it did not wait for when it was recorded
}

func replayFlags(flags *flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	r := newRunner()
	flags.StringVar(&r.folder, "out", "", "the new run's folder `DIR`, new or empty (default runs/SCENARIO-TIME)")
	flags.StringVar(&r.kind, "agents", "", "\"recorded\": without any process of an agent, from the log and the rules alone")
	flags.StringVar(&r.claude, "claude", "", "the Claude Code executable `PATH`, instead of the one on PATH or the pinned one")
	flags.BoolVar(&r.silent, "no-cassette", false, "do not record the model traffic of the new run")
	return func(ctx context.Context, a *app, args []string) (any, error) {
		r.app = a
		return r.replay(ctx, args[0])
	}
}

// replay plays a run again, with what its model answered. The new run has the same log, but for times and facts of processes.
func (r *runner) replay(ctx context.Context, dir string) (any, error) {
	if r.kind != "" && r.kind != recordedKind {
		return nil, misuse(`leave --agents out to play with the processes of the run, or say "recorded"`, "--agents: unknown kind %q", r.kind)
	}
	defer func() { r.setup.close() }()
	if err := r.repeat(ctx, dir, -1); err != nil {
		return nil, err
	}
	for i, a := range r.Agents {
		if r.kind == recordedKind || a.Kind == scenarios.Human {
			r.Agents[i].Kind = recordedKind
		}
	}
	if err := r.prepareAgain(ctx); err != nil {
		return nil, err
	}
	return r.play(ctx)
}

// repeat makes the run one that plays the run in a folder again, up to a turn or to its end.
func (r *runner) repeat(ctx context.Context, dir string, turn int) error {
	m, _, err := openRun(dir)
	if err != nil {
		return err
	}
	whole := m
	for i, branch := range m.Branches {
		if turn >= 0 && turn <= branch.Turn { // it goes on from what that went on from
			m.Branches, m.Agents = m.Branches[:i], branch.Agents
			break
		}
	}
	if r.setup, err = r.reload(ctx, m); err == nil {
		if len(m.Branches) < len(whole.Branches) {
			m.Seed = r.Seed
		}
		err = r.agrees(m)
	}
	if err != nil {
		return fmt.Errorf("the manifest: %w", err)
	}
	again := &again{runner: r, manifest: m, turn: turn, left: make(map[string]chan struct{})}
	if again.games, err = r.setup.games(ctx, m); err != nil {
		return fmt.Errorf("the manifest: %w", err)
	}
	if again.dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	log := world.ReadLog(dir)
	for ev, err := range log.Events() {
		if err != nil {
			return err
		}
		again.events = ev.Seq
	}
	again.hash = log.Hash()
	if again.events == 0 {
		return misuse("", "%s has not begun: there is nothing to play again", dir)
	}
	r.seat(m.Agents)
	r.again, r.offline = again, m.Model == offlineModel
	if m.Actions != "" {
		r.dir = again.dir
		return r.reread(m)
	}
	return nil
}

// seat makes the agents what a manifest says.
func (r *runner) seat(agents []arena.AgentManifest) {
	for i, a := range agents {
		r.Agents[i].Kind, r.Agents[i].Model, r.Agents[i].Policy, r.Agents[i].Command = a.Kind, a.Model, a.Policy, a.Command
		r.Agents[i].Read = a.Read
	}
}

// prepareAgain finds what the agents need, and makes the new run's folder.
func (r *runner) prepareAgain(ctx context.Context) error {
	if err := r.gone(r.again.manifest); err != nil {
		return err
	}
	if r.modelled() > 0 {
		if err := r.again.playable(); err != nil {
			return err
		}
		if err := r.choosePrices(); err != nil {
			return err
		}
		if err := r.admit(); err != nil {
			return err
		}
		if err := r.locate(ctx); err != nil {
			return err
		}
	}
	if err := r.enclose(ctx); err != nil {
		return err
	}
	return r.createDir()
}

// playable says why processes cannot be given again what they were given.
func (g *again) playable() error {
	const hint = "--agents recorded plays it again without processes"
	if !g.manifest.Cassette {
		return misuse(hint, "%s has no recording of its model traffic", relative(g.dir))
	}
	for _, a := range g.Agents {
		c, err := gateway.ReadCassette(arena.CassetteDir(g.dir), a.Name)
		if err == nil && len(c.Parts) > 1 {
			return misuse(hint, "%s was resumed: what its killed processes knew is not there any more", relative(g.dir))
		}
	}
	return g.restarted()
}

// restarted says which agent with a model was started again after a crash, before the turn from which it goes on live, if there is one: what it
// remembered of its conversation then, nobody knows any more.
func (g *again) restarted() error {
	for ev, err := range world.Events(g.dir) {
		if err != nil {
			return err
		}
		i := slices.IndexFunc(g.Agents, func(a scenarios.Agent) bool { return a.Name == ev.Agent })
		if _, again := arena.AgainAfter(ev); again && i >= 0 && isModelled(g.Agents[i]) && (g.turn < 0 || ev.Turn < g.turn) {
			return misuse("--agents recorded plays it again without processes",
				"%s of %s crashed in turn %d and was started again: what it knew then is not there any more", ev.Agent, relative(g.dir), ev.Turn)
		}
	}
	return nil
}

// record returns what answers the agents' requests, and records that unless it shall not.
func (r *runner) record() (http.RoundTripper, error) {
	if r.modelled() == 0 {
		return nil, nil
	}
	r.normal = gateway.NewNormal(r.dir)
	r.normal.AddKeys(r.upstream)
	upstream := r.upstream
	if r.again != nil {
		player, err := gateway.NewPlayer(arena.CassetteDir(r.again.dir), r.dir, r.normal, r.names())
		if err != nil {
			return nil, err
		}
		player.Left = r.again.wait
		r.again.player, upstream = player, player
	}
	if r.silent {
		return upstream, nil
	}
	r.recorder = gateway.NewRecorder(arena.CassetteDir(r.dir), r.dir, r.normal, upstream)
	return r.recorder, nil
}

// declare makes a manifest say what the new run plays again.
func (g *again) declare(m *arena.Manifest) {
	m.Set, m.Branches = g.manifest.Set, g.manifest.Branches
	if g.turn < 0 {
		m.Repeats = filepath.Base(g.dir)
	}
}

// refuseCommands refuses the commands of an operator to a run that only repeats another one.
func refuseCommands(dir string, m arena.Manifest) error {
	what := repeats(dir, m)
	if what == "" {
		return nil
	}
	hint := whoPlays(dir)
	if world.Holder(dir) != nil {
		hint = "try again when it is there; Ctrl-C ends it"
		if m.Repeats != "" {
			hint = "vitrine branch goes its own way; Ctrl-C ends it"
		}
	}
	return &failure{code: exitFailed, err: &arena.RefusedError{Reason: what}, hint: hint}
}

// sit makes a seat one of a run that is played again.
func (g *again) sit(seat *arena.Seat, a scenarios.Agent) {
	seat.Recorded = a.Kind == recordedKind || a.Kind == scenarios.Human
	left, start := make(chan struct{}, 1), seat.Start
	g.left[a.Name] = left
	seat.Start = func(ctx context.Context, fenced arena.Fenced) (agents.Agent, error) {
		agent, err := start(ctx, fenced)
		if err != nil {
			return nil, err
		}
		return &repeating{Agent: agent, left: left}, nil
	}
}

// wait is told that an agent waits for an answer that it did not wait for then.
func (g *again) wait(agent string) {
	select {
	case g.left[agent] <- struct{}{}:
	default: // it is being told
	}
}

// A repeating is an agent that does again what it did. Where it went away in the middle of an answer then, because its time was up, it does so
// at once.
type repeating struct {
	agents.Agent
	left <-chan struct{}
}

// Act implements [agents.Agent].
func (a *repeating) Act(ctx context.Context, obs world.Observation) (world.Action, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	select {
	case <-a.left: // in the act before, when that had ended already
	default:
	}
	go func() { // ends with the act
		select {
		case <-a.left:
			cancel()
		case <-ctx.Done():
		}
	}()
	return a.Agent.Act(ctx, obs)
}

// playedBy makes an episode one that plays the run again, and returns how to run it.
func (g *again) playedBy(e *arena.Episode) func(context.Context) (arena.Outcome, error) {
	e.Game, e.Branches = g.games[0], g.games[1:]
	e.Past = &arena.Past{Dir: g.dir, Turns: g.turn, Branched: g.begins}
	return func(ctx context.Context) (arena.Outcome, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		if g.player != nil {
			g.player.Mismatched = func(error) { cancel() }
		}
		outcome, err := e.Run(ctx)
		if g.player == nil {
			return outcome, err
		}
		if mismatch := g.player.Mismatch(); mismatch != nil {
			outcome.End, err = arena.End{}, g.mismatched(mismatch)
		}
		return outcome, err
	}
}

// mismatched is the failure of a run whose agents ask what they did not ask.
func (g *again) mismatched(err error) error {
	hint := "the world went as recorded up to there; --agents recorded plays it again without processes"
	if found := g.binary.Version; found != g.manifest.Claude {
		hint = fmt.Sprintf("it was recorded with Claude Code %s, and this is %s; --claude names another one", g.manifest.Claude, found)
	}
	return &failure{code: exitFailed, err: fmt.Errorf("a request is not the one that was recorded: %w", err), hint: hint}
}

// repeated says whether the run was played again as it was. Its log can be no other one, unless it was left before its end.
func (r *runner) repeated(result arena.Result) error {
	switch {
	case result.Hash == r.again.hash:
		r.tell("the same %s as in %s", plural(int(r.again.events), "event"), relative(r.again.dir))
		for _, a := range r.Agents {
			if n := r.again.unasked(a.Name); n > 0 {
				r.tell("agent %s: %s of the recording did not come again", a.Name, plural(n, "request"))
			}
		}
		return nil
	case result.Status == arena.Interrupted:
		return &failure{code: exitInterrupted, err: errors.New("interrupted: " + result.Reason), hint: "play it again from its beginning"}
	}
	return fmt.Errorf("the log is another one than that of %s: %d events with the hash %s", relative(r.again.dir), result.Events, result.Hash)
}

func (g *again) unasked(agent string) int {
	if g.player == nil {
		return 0
	}
	return g.player.Unasked(agent)
}
