package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/claude"
	"github.com/vitrine-sim/vitrine/agents/confine"
	"github.com/vitrine-sim/vitrine/agents/gateway"
	"github.com/vitrine-sim/vitrine/agents/lines"
	"github.com/vitrine-sim/vitrine/agents/plugin"
	"github.com/vitrine-sim/vitrine/agents/scripted"
	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world"
)

// seats returns a seat for each agent. Those that are Claude Code have their folder and their gateway then.
func (r *runner) seats() ([]arena.Seat, error) {
	upstream, err := r.record()
	if err != nil {
		return nil, err
	}
	// An answer for which there is no time left is of no use. One that falls silent is cut early enough to be asked for again.
	gw := &gateway.Gateway{
		Upstream: upstream, Log: r.log, Idle: min(2*time.Minute, r.Limits.Act/2), Patience: r.Limits.Act,
		Prices: r.prices, Offline: r.offline, Budget: allOf(r.Budget), Budgets: make(map[string]gateway.Budget), Evidence: r.evidence,
	}
	for _, a := range r.Agents {
		gw.Budgets[a.Name], r.evidence[a.Name] = eachOf(a.Budget), new(tamper.Evidence)
	}
	if r.again != nil && r.again.player != nil {
		gw.Recorded = r.again.player.Recorded
	}
	quick := r.offline && r.Offline.Latency == 0 && r.Offline.Rate == 0
	if quick || r.again != nil && r.again.turn < 0 {
		gw.InFlight = runtime.GOMAXPROCS(0) // it answers at once, so more at a time only makes each of them slower
	}
	var seats []arena.Seat
	for i, a := range r.Agents {
		if r.again != nil {
			a.Model = r.again.eras(i)[0].Model // until there is another
		}
		seat := arena.Seat{Name: a.Name}
		var err error
		switch a.Kind {
		case scenarios.Claude:
			seat, err = r.claudeCode(gw, a)
		case scenarios.Exec, scenarios.Plugin:
			seat, err = r.program(gw, a)
		case scenarios.Human:
			seat.Start = r.human(a)
		default:
			seat.Start = r.scripted(a)
		}
		if err != nil {
			return nil, err
		}
		if endpoint, start := r.endpoints[a.Name], seat.Start; endpoint != nil {
			seat.Start = func(ctx context.Context, fenced arena.Fenced) (agents.Agent, error) {
				endpoint.Fence(func(action, reason string) { fenced(action, reason, false) })
				return start(ctx, fenced)
			}
		}
		seat.Clocks, seat.Evidence = r.clocks(a), r.evidence[a.Name]
		if r.again != nil {
			r.again.sit(&seat, a)
		}
		seats = append(seats, seat)
	}
	return seats, nil
}

// clocks returns the clocks of an agent if they are not those of all.
func (s *setup) clocks(a scenarios.Agent) *arena.Clocks {
	if (a.Act == 0 || a.Act == s.Limits.Act && len(s.Phases) == 0) && a.Overtime == s.Limits.Overtime {
		return nil
	}
	return &arena.Clocks{Act: a.Act, Overtime: a.Overtime}
}

// byName tells of refused actions by their names.
func byName(fenced arena.Fenced) func(action world.Action, reason string, newest bool) {
	return func(action world.Action, reason string, newest bool) { fenced(action.Name, reason, newest) }
}

// human returns how to open a seat for whoever takes it.
func (r *runner) human(a scenarios.Agent) func(context.Context, arena.Fenced) (agents.Agent, error) {
	return func(_ context.Context, fenced arena.Fenced) (agents.Agent, error) {
		seat, err := lines.Listen(arena.AgentDir(r.dir, a.Name), byName(fenced))
		if err != nil {
			return nil, err
		}
		r.tell("%s is played by hand: %s play %s %s", a.Name, self(), relative(r.dir), a.Name) // from now on
		return seat, nil
	}
}

// program returns the seat of a program, with a gateway if it wants one.
func (r *runner) program(gw *gateway.Gateway, a scenarios.Agent) (arena.Seat, error) {
	dir := arena.AgentDir(r.dir, a.Name)
	env := variables(a)
	cell := confine.Cell{Dir: dir, Read: r.readable(a), Hidden: r.dir, Limits: limitsOf(a.Limits)}
	seat := arena.Seat{Name: a.Name}
	serve, reach, err := r.openDoor(a)
	if err != nil {
		return seat, err
	}
	cell.Serve, env = serve, append(env, reach...)
	if seat.Facts, err = r.openFacts(a); err != nil {
		return seat, err
	}
	if seat.Facts != nil {
		cell.Files = append(cell.Files, world.FactsFolder)
	}
	if a.Gateway {
		token, endpoint, err := r.open(gw, a.Name)
		if err != nil {
			return seat, err
		}
		env = append(append(env, claude.GatewayEnv(token)...), "VITRINE_MODEL="+a.Model, "VITRINE_CLAUDE="+r.binary.Path)
		env = append(env, claude.AnswerEnv(a.MaxTokens)...)
		asks(&seat, endpoint)
		cell.Files = append(cell.Files, filepath.Base(claude.Socket(dir)))
	}
	seat.Start = func(ctx context.Context, fenced arena.Fenced) (agents.Agent, error) {
		if err := agents.MakeWork(dir, a.Work); err != nil {
			return nil, fmt.Errorf("make the work folder: %w", err)
		}
		if a.Kind == scenarios.Plugin {
			return plugin.StartAgent(ctx, plugin.Config{Command: a.Command, Dir: dir, Env: env, Boundary: r.boundary, Cell: &cell, Evidence: r.evidence[a.Name]})
		}
		return lines.Start(lines.Config{Command: a.Command, Env: env, Boundary: r.boundary, Cell: cell, Fenced: byName(fenced), Evidence: r.evidence[a.Name]})
	}
	return seat, nil
}

// openFacts returns what shows an agent the facts that it may read as files; nil if there are none.
func (r *runner) openFacts(a scenarios.Agent) (func(world.State, []string) error, error) {
	if !a.IsProcess() || len(a.Facts) == 0 {
		return nil, nil
	}
	files, err := world.NewFactFiles(arena.AgentDir(r.dir, a.Name), a.Facts)
	if err != nil {
		return nil, err
	}
	r.facts = append(r.facts, files)
	return files.Show, nil
}

// open opens the gateway of an agent in its private folder, and returns the token that the agent needs there.
func (r *runner) open(gw *gateway.Gateway, agent string) (token string, endpoint *gateway.Endpoint, err error) {
	dir := arena.AgentDir(r.dir, agent)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, err
	}
	token = rand.Text()
	r.normal.AddSecret(token)
	if endpoint, err = gw.Open(agent, claude.Socket(dir), token); err == nil {
		r.endpoints[agent] = endpoint
	}
	return token, endpoint, err
}

// asks makes a seat one whose agent asks its model through an endpoint.
func asks(seat *arena.Seat, endpoint *gateway.Endpoint) {
	seat.Meter, seat.Spent, seat.Troubles, seat.Asks = meter(endpoint), endpoint.Spent, troublesOf(endpoint), endpoint.Asked
}

// troublesOf returns what tells what troubles an agent had with its model.
func troublesOf(endpoint *gateway.Endpoint) func() []arena.Trouble {
	return func() []arena.Trouble {
		var all []arena.Trouble
		for _, t := range endpoint.Troubles() {
			all = append(all, arena.Trouble(t))
		}
		return all
	}
}

// scripted returns how to start an agent that follows a policy or repeats what was recorded.
func (r *runner) scripted(a scenarios.Agent) func(context.Context, arena.Fenced) (agents.Agent, error) {
	if r.recording != nil {
		player := r.recording.Player(a.Name)
		r.recorded[a.Name] = player
		return func(context.Context, arena.Fenced) (agents.Agent, error) { return player, nil }
	}
	return func(context.Context, arena.Fenced) (agents.Agent, error) {
		if r.again != nil {
			return r.again.scripted(slices.Index(r.names(), a.Name)), nil
		}
		policy, _ := r.substrate.policy(a.Policy)
		return scripted.Agent{Policy: policy, Seed: r.Seed}, nil
	}
}

// claudeCode opens the gateway of an agent in its private folder, and returns its seat.
func (r *runner) claudeCode(gw *gateway.Gateway, a scenarios.Agent) (arena.Seat, error) {
	dir := arena.AgentDir(r.dir, a.Name)
	token, endpoint, err := r.open(gw, a.Name)
	if err != nil {
		return arena.Seat{}, err
	}
	serve, reach, err := r.openDoor(a)
	if err != nil {
		return arena.Seat{}, err
	}
	facts, err := r.openFacts(a)
	if err != nil {
		return arena.Seat{}, err
	}
	var transcript, told string
	if r.resumed != nil {
		if transcript, told, err = r.recall(a, "The program that runs this game was stopped and has been started again"); err != nil {
			return arena.Seat{}, err
		}
	}
	start := func(ctx context.Context, fenced arena.Fenced, transcript, told string) (agents.Agent, error) {
		if err := agents.MakeWork(dir, a.Work); err != nil {
			return nil, fmt.Errorf("make the work folder: %w", err)
		}
		return claude.Start(ctx, claude.Config{
			Binary: r.binary.Path, Version: version, Dir: dir, Token: token, Model: a.Model, Prompt: a.Prompt,
			Tools: a.Tools, Thinking: a.Thinking, MaxTokens: a.MaxTokens, Env: append(variables(a), reach...), Servers: servers(a), Log: r.log,
			Resume: transcript, Told: told, Boundary: r.boundary, Read: r.readable(a), Hidden: r.dir, Limits: limitsOf(a.Limits), Serve: serve,
			Facts:    facts != nil,
			Fenced:   byName(fenced),
			Evidence: r.evidence[a.Name],
		})
	}
	seat := arena.Seat{Name: a.Name, Facts: facts}
	asks(&seat, endpoint)
	seat.Start = func(ctx context.Context, fenced arena.Fenced) (agents.Agent, error) {
		return start(ctx, fenced, transcript, told)
	}
	seat.Restart = func(ctx context.Context, fenced arena.Fenced, why string) (agents.Agent, error) {
		transcript, told, err := r.recall(a, "Your process has crashed ("+why+") and has been started again")
		if err != nil {
			return nil, err
		}
		return start(ctx, fenced, transcript, told)
	}
	return seat, nil
}

func (r *runner) closeEndpoints() error {
	errs := []error{r.hosts.close()}
	for _, files := range r.facts {
		errs = append(errs, files.Close())
	}
	for _, a := range r.Agents {
		if endpoint := r.endpoints[a.Name]; endpoint != nil {
			errs = append(errs, endpoint.Close())
		}
	}
	if r.recorder != nil {
		errs = append(errs, r.recorder.Close())
	}
	return errors.Join(errs...)
}
