package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

// verdict is the error, and so the exit code, that a result amounts to.
func (r *runner) verdict(result arena.Result) error {
	acted := func(a arena.AgentResult) bool { return a.Actions+a.Passes > 0 }
	left := func(a arena.AgentResult) bool { return a.Status == arena.StatusDone }
	hint := fmt.Sprintf("%s show %s says why", self(), relative(result.Run))
	switch {
	case result.Status == arena.Interrupted:
		return interruptedIn(result.Turns, "", result.Run)
	case result.Status == arena.Truncated && result.Reason == arena.TimeLimit:
		hint := "limits.time says how much there is: --set limits.time=2h"
		return &failure{code: exitBudget, err: fmt.Errorf("the time of the whole episode is up, %v", r.Limits.Time), hint: hint}
	case result.Status == arena.Truncated && result.Reason == arena.BudgetLimit:
		return &failure{code: exitBudget, err: fmt.Errorf("a budget is spent: %s", firstReason(result)), hint: "budget says how much there is, and limits.on_budget what follows"}
	case !slices.ContainsFunc(result.Agents, acted):
		return &failure{code: exitFailed, err: fmt.Errorf("no agent ever acted: %s", firstReason(result)), hint: cmp.Or(r.aboutScripts(), hint)}
	case !slices.ContainsFunc(result.Agents, left):
		return &failure{code: exitFailed, err: fmt.Errorf("every agent is out: %s", firstReason(result)), hint: hint}
	}
	return nil
}

// interruptedIn is the failure of a run in dir that was interrupted.
func interruptedIn(turn int, how, dir string) error {
	return &failure{
		code: exitInterrupted, err: fmt.Errorf("interrupted in turn %d%s", turn, how), hint: onward(dir),
	}
}

// firstReason returns why the first agent that did not act did not; if the log has no reason it is that with which the run has ended.
func firstReason(result arena.Result) string {
	for ev, err := range world.Events(result.Run) {
		if why := reasonOf(ev); err == nil && why != "" {
			return ev.Agent + ": " + why
		}
	}
	return result.Reason
}

// reasonOf returns in a line why an agent did not do what it wanted, or nothing; empty if an event does not say that.
func reasonOf(ev world.Event) string {
	var why struct {
		Reason, Detail string
		Troubles       []arena.Trouble
	}
	raw := ev.Proc
	if ev.Kind == world.KindRefusal {
		raw = ev.Data
	}
	if json.Unmarshal(raw, &why) != nil || why.Reason == "" {
		return ""
	}
	if len(why.Troubles) > 0 { // which the agent may have misunderstood
		return fmt.Sprintf("%s (%s)", why.Troubles[0].What, why.Reason)
	}
	lines := strings.Split(strings.TrimSpace(why.Detail), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return why.Reason + ": " + last
	}
	return why.Reason
}
