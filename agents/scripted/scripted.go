// Package scripted is agents without a model: baseline players that follow a written policy, and players that repeat what was
// recorded. They live in the supervisor and answer at once.
package scripted

import (
	"context"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/world"
)

// An Agent follows a policy. It implements [agents.Immediate].
type Agent struct {
	Policy world.Policy
	Seed   uint64 // of the run
}

var _ agents.Immediate = Agent{}

// Act implements [agents.Agent].
func (a Agent) Act(ctx context.Context, obs world.Observation) (world.Action, error) {
	return act(ctx, a, obs)
}

// ActNow implements [agents.Immediate].
func (a Agent) ActNow(obs world.Observation) (world.Action, error) {
	return a.Policy.Decide(a.Seed, obs), nil
}

// act lets an agent act, unless it is too late for that.
func act(ctx context.Context, a agents.Immediate, obs world.Observation) (world.Action, error) {
	if err := ctx.Err(); err != nil {
		return world.Action{}, err
	}
	return a.ActNow(obs)
}

// Close implements [agents.Agent].
func (Agent) Close() (agents.Usage, error) { return agents.Usage{}, nil }
