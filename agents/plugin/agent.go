package plugin

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	pb "github.com/vitrine-sim/vitrine/agents/plugin/proto/vitrine/v1"
	"github.com/vitrine-sim/vitrine/world"
)

// farewell is how long a plugin may take to hear that its part is over.
const farewell = time.Second

// An Agent is a player in another program. It implements [agents.Vital].
type Agent struct {
	program *program
	client  pb.AgentClient
	answers atomic.Int64
}

var _ agents.Vital = (*Agent)(nil)

// StartAgent starts a plugin that plays. What it says on its standard error is in stderr.log in its folder. It is ended if ctx ends before it has started.
func StartAgent(ctx context.Context, cfg Config) (*Agent, error) {
	said := &agents.Stderr{Evidence: cfg.Evidence}
	program, err := start(ctx, cfg, said)
	if err != nil {
		return nil, fmt.Errorf("start plugin: %w", err)
	}
	if err := said.KeepIn(filepath.Join(cfg.Dir, "stderr.log")); err != nil {
		return nil, errors.Join(fmt.Errorf("start plugin: %w", err), program.close())
	}
	return &Agent{program: program, client: pb.NewAgentClient(program.conn)}, nil
}

// Act implements [agents.Agent].
func (a *Agent) Act(ctx context.Context, obs world.Observation) (world.Action, error) {
	if err := ctx.Err(); err != nil {
		return world.Action{}, err
	}
	var act world.Action
	err := a.program.call(ctx, func(ctx context.Context) error {
		answer, err := a.client.Act(ctx, &pb.Observation{Json: world.JSON(obs)})
		if isLate(ctx, err) {
			<-ctx.Done()
		}
		if ctx.Err() != nil {
			return nil // explained below
		}
		a.answers.Add(1)
		if err == nil {
			act, err = readAction(answer)
		}
		return err
	})
	switch {
	case ctx.Err() != nil:
		return world.Action{}, ctx.Err()
	case err == nil && act.Name == "":
		return world.Action{}, agents.ErrNoAction
	}
	return act, err
}

// Heard implements [agents.Vital]. A sign of life is an answer in time, and anything on its standard error.
func (a *Agent) Heard() int64 { return a.answers.Load() + a.program.output.Heard() }

// Kill implements [agents.Vital].
func (a *Agent) Kill(reason string) *agents.DeadError {
	return a.program.process.Dead(reason, a.program.output.LastWords)
}

// PID returns the process id.
func (a *Agent) PID() int { return a.program.process.PID() }

// Close implements [agents.Agent].
func (a *Agent) Close() (agents.Usage, error) {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	_, _ = a.client.Close(ctx, &pb.CloseRequest{}) // whoever does not listen is ended anyway
	err := a.program.close()
	return agents.Usage{PeakMemory: a.program.process.PeakMemory()}, err
}
