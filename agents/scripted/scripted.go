// Package scripted is agents without a model: baseline players that follow a written policy, and players that repeat what was
// recorded. They live in the supervisor and answer at once.
package scripted

import (
	"context"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/world"
)

// Stream returns the name of the stream of randomness that an agent's policy draws from. The offline model draws from the same
// one, so that a policy does the same in a scripted agent and behind a Claude Code process.
func Stream(agent string) string { return "policy/" + agent }

// An Agent follows a policy. It implements [agents.Agent].
type Agent struct {
	Policy world.Policy
	Seed   uint64 // of the run
}

var _ agents.Agent = Agent{}

// Act implements [agents.Agent].
func (a Agent) Act(ctx context.Context, obs world.Observation) (world.Action, error) {
	if err := ctx.Err(); err != nil {
		return world.Action{}, err
	}
	return a.Policy(obs, world.NewRand(a.Seed, obs.Turn, Stream(obs.Agent))), nil
}

// Close implements [agents.Agent].
func (Agent) Close() (agents.Usage, error) { return agents.Usage{}, nil }
