package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"os"
	"runtime"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/claude"
	"github.com/vitrine-sim/vitrine/agents/gateway"
	"github.com/vitrine-sim/vitrine/agents/scripted"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world"
)

// defaultModel is the model of agents whose scenario names none.
const defaultModel = "claude-sonnet-4-5"

// chooseUpstream returns what answers the agents' requests to their model. Nobody spends money or watches a puppet by accident:
// without a key, one has to ask for the offline model.
func (r *runner) chooseUpstream() (http.RoundTripper, error) {
	if r.offline {
		policies := make(map[string]world.Policy)
		for _, a := range r.Agents {
			policies[a.Name], _ = r.substrate.policy(a.Policy)
		}
		return gateway.NewOffline(func(agent string) world.Policy { return policies[agent] }, r.Seed), nil
	}
	key, token := os.Getenv("ANTHROPIC_API_KEY"), os.Getenv("ANTHROPIC_AUTH_TOKEN")
	if key == "" && token == "" {
		return nil, misuse("set ANTHROPIC_API_KEY to play with a real model, or add --offline to play with a scripted one",
			"no key for the model")
	}
	r.baseURL = cmp.Or(r.baseURL, os.Getenv("ANTHROPIC_BASE_URL"))
	upstream, err := gateway.NewAPI(r.baseURL, key, token)
	if err != nil {
		return nil, misuse("--base-url or ANTHROPIC_BASE_URL name the endpoint, ANTHROPIC_API_KEY holds the key", "%w", err)
	}
	return upstream, nil
}

// seats returns a seat for each agent. Those that are Claude Code have their folder and their gateway then.
func (r *runner) seats() ([]arena.Seat, error) {
	gw := &gateway.Gateway{Upstream: r.upstream, Log: r.log}
	if r.offline {
		gw.InFlight = runtime.GOMAXPROCS(0) // it answers at once, so more at a time only makes each of them slower
	}
	var seats []arena.Seat
	for _, a := range r.Agents {
		seat := arena.Seat{Name: a.Name}
		if a.Kind == scenarios.Claude {
			var err error
			if seat, err = r.claudeCode(gw, a); err != nil {
				return nil, err
			}
		} else {
			seat.Start = r.scripted(a)
		}
		seats = append(seats, seat)
	}
	return seats, nil
}

// scripted returns how to start an agent that follows a policy or repeats what was recorded.
func (r *runner) scripted(a scenarios.Agent) func(context.Context, arena.Fenced) (agents.Agent, error) {
	if r.recording != nil {
		player := r.recording.Player(a.Name)
		r.recorded[a.Name] = player
		return func(context.Context, arena.Fenced) (agents.Agent, error) { return player, nil }
	}
	return func(context.Context, arena.Fenced) (agents.Agent, error) {
		policy, _ := r.substrate.policy(a.Policy)
		return scripted.Agent{Policy: policy, Seed: r.Seed}, nil
	}
}

// claudeCode opens the gateway of an agent in its private folder, and returns its seat.
func (r *runner) claudeCode(gw *gateway.Gateway, a scenarios.Agent) (arena.Seat, error) {
	dir := arena.AgentDir(r.dir, a.Name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return arena.Seat{}, err
	}
	token := rand.Text()
	endpoint, err := gw.Open(a.Name, claude.Socket(dir), token)
	if err != nil {
		return arena.Seat{}, err
	}
	r.endpoints[a.Name] = endpoint
	transcript, told, err := r.recall(a)
	if err != nil {
		return arena.Seat{}, err
	}
	start := func(ctx context.Context, fenced arena.Fenced) (agents.Agent, error) {
		return claude.Start(ctx, claude.Config{
			Binary: r.binary.Path, Version: version, Dir: dir, Token: token, Model: a.Model, Prompt: a.Prompt,
			Tools: a.Tools, Thinking: a.Thinking, Log: r.log, Resume: transcript, Told: told,
			Fenced: func(action world.Action, reason string) { fenced(action.Name, reason) },
		})
	}
	meter := func() arena.Metered {
		used := endpoint.Usage()
		return arena.Metered{ModelRequests: used.Requests, TokensIn: used.TokensIn, TokensOut: used.TokensOut}
	}
	return arena.Seat{Name: a.Name, Start: start, Meter: meter}, nil
}

func (r *runner) closeEndpoints() error {
	var errs []error
	for _, a := range r.Agents {
		if endpoint := r.endpoints[a.Name]; endpoint != nil {
			errs = append(errs, endpoint.Close())
		}
	}
	return errors.Join(errs...)
}
