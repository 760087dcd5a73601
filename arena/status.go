package arena

import (
	"fmt"

	"github.com/vitrine-sim/vitrine/world"
)

// A Status is where an agent stands in an episode (Kaggle's words).
type Status string

const (
	StatusActive  Status = "active"  // it acts when its turn comes
	StatusDone    Status = "done"    // the episode is over and it was there to its end
	StatusTimeout Status = "timeout" // out: it was late
	StatusInvalid Status = "invalid" // out: it did nothing, or nothing legal
	StatusError   Status = "error"   // out: it could not act, or crashed
	StatusBudget  Status = "budget"  // out: a budget was spent, so its model did not answer any more

	StatusQuarantined Status = "quarantined" // out: it crashed again and again
)

func statusPath(agent string) string { return world.StatusFact + "/" + agent }

func statusOf(st world.State, agent string) (Status, error) {
	if raw, _ := st.Fact(statusPath(agent)); string(raw) == `"active"` { // which it mostly is, and everybody is asked all the time
		return StatusActive, nil
	}
	var status Status
	err := st.Get(statusPath(agent), &status)
	return status, err
}

// statusOfKind returns the status of an agent that is out after an event of that kind.
func statusOfKind(kind string) Status {
	return map[string]Status{
		KindTimeout: StatusTimeout, KindInvalid: StatusInvalid, KindError: StatusError, KindCrash: StatusError, KindBudget: StatusBudget,
	}[kind]
}

// Standing returns where an agent stands in a state: its status and its reward so far. Rules that fail there have no reward for it.
func (g *Game) Standing(st world.State, agent string) (Status, float64, error) {
	status, err := statusOf(st, agent)
	if err != nil {
		return "", 0, err
	}
	rules, err := g.law(st)
	if err != nil {
		return status, 0, err
	}
	obs, err := rules.Observe(st, agent)
	if err != nil {
		return status, 0, fmt.Errorf("observe as %s: %w", agent, err)
	}
	return status, obs.Reward, nil
}
