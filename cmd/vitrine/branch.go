package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/scripted"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world"
)

func branchFlags(flags *flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	r := newRunner()
	turn, agents := -1, []string(nil)
	flags.Func("turn", "the turn `K`, from 1, that is the first to be played anew", func(s string) error {
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil || n == 0 {
			return errors.New("a turn to branch at is a whole number from 1; to play turn 0 anew is a run of its own")
		}
		turn = int(n)
		return nil
	})
	flags.StringVar(&r.seed, "seed", "", "the seed `N` of all chance in the world from there on")
	flags.StringVar(&r.model, "model", "", "the model `M` of every agent from there on")
	flags.StringVar(&r.policy, "policy", "", "the policy `P` from there on of every agent that is scripted or plays offline")
	flags.Func("agent", "the model or the policy of one agent from there on, as `NAME=M`; may be repeated", func(s string) error {
		agents = append(agents, s)
		return nil
	})
	flags.Func("set", "set a value of the scenario from there on, as `path=value`, such as limits.turns=20; may be repeated", func(s string) error {
		r.set = append(r.set, s)
		return nil
	})
	flags.StringVar(&r.folder, "out", "", "the branch's folder `DIR`, new or empty (default runs/SCENARIO-TIME)")
	flags.BoolVar(&r.offline, "offline", false, "go on with the offline model, whichever answered before")
	flags.StringVar(&r.claude, "claude", "", "the Claude Code executable `PATH`, instead of the one on PATH or the pinned one")
	r.access.flags(flags, "the run's")
	flags.BoolVar(&r.paused, "paused", false, "pause before the first step of the branch; vitrine world set, step and continue go on")
	flags.BoolVar(&r.silent, "no-cassette", false, "do not record the model traffic of the branch")
	return func(ctx context.Context, a *app, args []string) (any, error) {
		r.app = a
		if turn < 0 {
			return nil, misuse("vitrine branch RUN --turn K", "--turn: from which turn on?")
		}
		return r.branch(ctx, args[0], turn, agents)
	}
}

// branch plays the first turns of a run again, so that its world, its folders and its conversations are what they were, and then goes on
// by itself, with what is to be different.
func (r *runner) branch(ctx context.Context, dir string, turn int, agents []string) (any, error) {
	offline := r.offline
	defer func() { r.setup.close() }()
	if err := r.repeat(ctx, dir, turn); err != nil {
		return nil, err
	}
	r.offline = r.offline || offline
	r.endpoint = r.again.manifest.Endpoint
	if err := r.again.reaches(turn); err != nil {
		return nil, err
	}
	if err := r.change(ctx, agents); err != nil {
		return nil, err
	}
	if r.modelled() > 0 {
		upstream, err := r.chooseUpstream()
		if err != nil {
			return nil, err
		}
		r.upstream = upstream
	}
	if err := r.prepareAgain(ctx); err != nil {
		return nil, err
	}
	return r.play(ctx)
}

// reaches says why a run has no such turn to go on from.
func (g *again) reaches(turn int) error {
	st, err := world.Now(g.dir)
	if err == nil && st.Turn < turn {
		err = misuse(fmt.Sprintf("its turns are 0 to %d", st.Turn), "there is no turn %d in %s", turn, relative(g.dir))
	}
	for _, a := range g.manifest.Agents {
		if err == nil && a.Kind == recordedKind {
			err = misuse("branch the run that it plays again", "%s was played without processes: agent %s cannot go on", relative(g.dir), a.Name)
		}
	}
	return err
}

// changeable is what a branch may set. Everything else has formed the world or the processes already.
var changeable = regexp.MustCompile(`^(limits\..*|restart\..*|messages\..*|schedule|rotate|seed|model|agents\.[^.]+\.(model|policy|act|overtime))$`)

// change makes of the runner's setup that of the branch.
func (r *runner) change(ctx context.Context, agents []string) error {
	if err := r.setSeed(); err != nil {
		return err
	}
	for _, set := range r.set {
		if path, _, _ := strings.Cut(set, "="); !changeable.MatchString(path) {
			return misuse("what the world holds can be changed where the branch begins: --paused, then vitrine world set RUN PATH VALUE",
				"--set %s: a branch cannot change it any more; it can change limits, messages, schedule, rotate, seed, and models and policies", set)
		}
	}
	g := r.again
	old, err := r.reload(ctx, g.manifest)
	if err != nil {
		return err
	}
	defer old.close()
	g.manifest.Branches = append(slices.Clone(g.manifest.Branches), arena.Branch{
		Run: filepath.Base(g.dir), Hash: g.hash, Turn: g.turn, Set: append([]string{}, r.set...), Agents: g.manifest.Agents,
	})
	now, err := r.reload(ctx, g.manifest)
	if err != nil {
		return err
	}
	now.earlier = append(now.earlier, r.setup)
	r.setup, g.games = now, append(g.games, now.game())
	if (now.Schedule == scenarios.Free) != (old.Schedule == scenarios.Free) {
		return misuse("branch with another schedule", "a branch cannot change whether everybody acts whenever it is ready")
	}
	r.reseat(old)
	return r.recast(agents)
}

// reseat makes the agents what they were in the run, but for what was set.
func (r *runner) reseat(old *setup) {
	set := slices.Clone(r.Agents)
	r.seat(r.again.manifest.Agents)
	for i, a := range set {
		if a.Model != old.Agents[i].Model {
			r.Agents[i].Model = modelOf(a)
		}
		if a.Policy != old.Agents[i].Policy || r.Agents[i].Policy == "" {
			r.Agents[i].Policy = a.Policy
		}
	}
}

// recast makes the agents what the flags want, each of which is NAME=M, a model or a policy.
func (r *runner) recast(flags []string) error {
	for i := range r.Agents {
		if a := &r.Agents[i]; r.model != "" && isModelled(*a) {
			a.Model = r.model
		}
	}
	if r.policy != "" {
		if _, ok := r.substrate.policy(r.policy); !ok {
			return misuse(scenarios.Suggest(r.policy, r.substrate.policyNames()), "--policy: unknown policy %q", r.policy)
		}
		r.everyPolicy()
	}
	for _, flag := range flags {
		name, value, ok := strings.Cut(flag, "=")
		i := slices.Index(r.names(), name)
		switch {
		case !ok || value == "":
			return misuse("--agent NAME=MODEL, or NAME=POLICY", "--agent %s: what shall it be?", flag)
		case i < 0:
			return misuse(scenarios.Suggest(name, r.names()), "--agent %s: there is no agent %q", flag, name)
		}
		a := &r.Agents[i]
		_, isPolicy := r.substrate.policy(value)
		switch {
		case isPolicy && (a.Kind == scenarios.Scripted || isModelled(*a) && r.offline):
			a.Policy = value
		case isModelled(*a):
			a.Model = value
		case a.Kind != scenarios.Scripted:
			return misuse("", "--agent %s: %s is of kind %s: it has neither a policy nor a model", flag, name, a.Kind)
		default:
			return misuse(scenarios.Suggest(value, r.substrate.policyNames()), "--agent %s: %q is no policy, and %s has no model", flag, value, name)
		}
	}
	return nil
}

// An era is what an agent was in some turns of a run that is played again.
type era struct {
	arena.AgentManifest
	from int // turn
	seed uint64
}

// eras returns what an agent was, one after the other, and at last is in a branch.
func (g *again) eras(i int) []era {
	var all []era
	from := 0
	for k, branch := range g.manifest.Branches {
		all = append(all, era{branch.Agents[i], from, g.games[k].Seed})
		from = branch.Turn
	}
	last := arena.AgentManifest{Name: g.Agents[i].Name, Kind: g.Agents[i].Kind, Model: g.Agents[i].Model, Policy: g.Agents[i].Policy}
	return append(all, era{last, from, g.Seed})
}

// A changing is an agent that follows one policy after another. It implements [agents.Agent].
type changing struct {
	from []int // first turns
	each []scripted.Agent
}

// Act implements [agents.Agent].
func (c changing) Act(ctx context.Context, obs world.Observation) (world.Action, error) {
	i := len(c.from) - 1
	for i > 0 && obs.Turn < c.from[i] {
		i--
	}
	return c.each[i].Act(ctx, obs)
}

// Close implements [agents.Agent].
func (changing) Close() (agents.Usage, error) { return agents.Usage{}, nil }

// scripted returns the agent that follows the policies that another one followed.
func (g *again) scripted(i int) agents.Agent {
	var c changing
	for _, era := range g.eras(i) {
		policy, _ := g.substrate.policy(era.Policy)
		c.from, c.each = append(c.from, era.from), append(c.each, scripted.Agent{Policy: policy, Seed: era.seed})
	}
	return c
}

// begins is told that one of the branches begins. Its agents get their models; and if it is the run's own, those are asked from now on.
func (g *again) begins(index int) error {
	for i, a := range g.Agents {
		eras := g.eras(i)
		if endpoint := g.endpoints[a.Name]; endpoint != nil && eras[index+1].Model != eras[index].Model {
			endpoint.SetModel(eras[index+1].Model)
		}
	}
	if g.turn >= 0 && index == len(g.games)-2 && g.player != nil {
		g.player.GoLive(g.upstream)
		g.tell("from turn %d on it goes its own way", g.turn)
	}
	return nil
}
