package agentstest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/world"
)

// A clerk is an agent that waves. With a fault it breaks what agents must keep.
type clerk struct {
	fault string
	off   bool // whether it was ever called off
}

func (c *clerk) Act(ctx context.Context, obs world.Observation) (world.Action, error) {
	if ctx.Err() != nil || c.fault == "slow" {
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
			return world.Action{Name: "wave"}, nil
		}
		c.off = true
		switch c.fault {
		case "deaf":
			return world.Action{Name: "wave"}, nil
		case "dawdles":
			time.Sleep(time.Hour)
		case "vague":
			return world.Action{}, errors.New("called off")
		}
		return world.Action{}, ctx.Err()
	}
	switch {
	case c.fault == "sulks" && c.off:
		return world.Action{}, &agents.DeadError{Reason: "offended"}
	case c.fault == "tires" && obs.Turn == 2:
		return world.Action{}, agents.ErrNoAction
	case c.fault == "invents":
		return world.Action{Name: "salute"}, nil
	case c.fault == "stammers":
		return world.Action{Name: "wave", Args: []byte("{{")}, nil
	case c.fault == "passes":
		return world.Action{Name: world.Pass}, nil
	}
	return world.Action{Name: "wave", Args: []byte("{}")}, nil
}

func (c *clerk) Close() (agents.Usage, error) {
	switch c.fault {
	case "clings":
		return agents.Usage{}, errors.New("still there")
	case "miscounts":
		return agents.Usage{PeakMemory: -1}, nil
	}
	return agents.Usage{}, nil
}

// A hasty clerk answers without waiting.
type hasty struct{ *clerk }

func (h hasty) ActNow(obs world.Observation) (world.Action, error) {
	return h.Act(context.Background(), obs)
}

func observation() world.Observation {
	return world.Observation{Agent: "a", Actions: []world.ActionSpec{{Name: "bow"}, {Name: "wave"}}}
}

func TestAgentsThatKeepTheirPromisePass(t *testing.T) {
	for _, manner := range []string{"", "passes"} {
		TestAgent(t, observation(), func() agents.Agent { return &clerk{fault: manner} })
		TestAgent(t, observation(), func() agents.Agent { return hasty{&clerk{fault: manner}} })
	}
	if failed := failures(t, func() agents.Agent { return &clerk{fault: "slow"} }); len(failed) > 0 {
		t.Errorf("a slow agent fails %q", failed)
	}
}

func TestEveryFaultFails(t *testing.T) {
	const (
		turns, ended   = "it acts turn after turn", "when its context has ended it says so, and acts later"
		ending, inLine = "when its context ends it says so, and acts later", "called in line it acts turn after turn, if it says so"
		closed         = "it can be closed without having acted"
	)
	for fault, want := range map[string][]string{
		"deaf":      {ended},
		"dawdles":   {ended},
		"vague":     {ended},
		"sulks":     {ended},
		"tires":     {turns, ending},
		"invents":   {turns, ended, ending},
		"stammers":  {turns, ended, ending},
		"clings":    {turns, ended, ending, inLine, closed},
		"miscounts": {turns, ended, ending, inLine, closed},
	} {
		if failed := failures(t, func() agents.Agent { return &clerk{fault: fault} }); !slices.Equal(failed, want) {
			t.Errorf("an agent that %s fails %q, want %q", fault, failed, want)
		}
	}
	for _, fault := range []string{"tires", "invents", "stammers"} {
		if failed := failures(t, func() agents.Agent { return hasty{&clerk{fault: fault}} }); !slices.Contains(failed, inLine) {
			t.Errorf("an agent that %s in line fails %q", fault, failed)
		}
	}
}

// failures returns the names of the checks that fail with an agent that start returns, on a clock of their own.
func failures(t *testing.T, start func() agents.Agent) []string {
	t.Helper()
	var failed []string
	for _, c := range checks() {
		synctest.Test(t, func(t *testing.T) {
			if err := c.of(t.Context(), start(), observation()); err != nil {
				failed = append(failed, c.name)
				if strings.Contains(err.Error(), "%!") {
					t.Errorf("%s: %v", c.name, err)
				}
			}
		})
	}
	return failed
}
