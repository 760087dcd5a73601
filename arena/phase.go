package arena

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

// A Phase is a named part of a turn, such as talk, act or vote. The rules know it by the fact [world.PhaseFact].
type Phase struct {
	Name     string
	Schedule Schedule
	Actions  []string      // names of those that are legal in it, as far as the rules allow them; empty: all
	Agents   []string      // who takes part; empty: everybody
	Act      time.Duration // clock of one act; 0: the episode's
}

// A step is some agents that see the same state and act at once.
type step struct {
	phase  *Phase
	live   []string // who still acted when the turn began
	agents []string
	then   []world.Event // with which it closes: a phase begins, or a turn ends
}

// steps divides a turn of a game into steps. A phase in which nobody takes part is an empty step, so that it ends all the same.
func (g *Game) steps(turn int, live []string) []step {
	phases := g.phases()
	var all []step
	for i := range phases {
		phase := &phases[i]
		for _, agents := range phase.Schedule(turn, phase.present(live)) {
			all = append(all, step{phase: phase, live: live, agents: agents})
		}
		if len(all) == 0 || all[len(all)-1].phase != phase {
			all = append(all, step{phase: phase, live: live})
		}
		last := &all[len(all)-1]
		if i < len(phases)-1 {
			last.then = g.begins(i + 1)
		} else {
			last.then = append([]world.Event{{Kind: world.KindTurn}}, g.begins(0)...)
		}
	}
	return all
}

// phases returns the phases of a turn. A turn without phases is one that is all of it.
func (g *Game) phases() []Phase {
	if len(g.Phases) == 0 {
		return []Phase{{Schedule: g.Schedule}}
	}
	return g.Phases
}

// begins returns the event with which a phase begins; none in a game without phases.
func (g *Game) begins(i int) []world.Event {
	if len(g.Phases) == 0 {
		return nil
	}
	name := world.JSON(g.Phases[i].Name)
	return []world.Event{{
		Kind: KindPhase, Data: world.JSON(map[string]any{"name": name}), Set: map[string]json.RawMessage{world.PhaseFact: name},
	}}
}

// present returns who of the live agents takes part.
func (p *Phase) present(live []string) []string {
	if len(p.Agents) == 0 {
		return live
	}
	return slices.DeleteFunc(slices.Clone(live), func(agent string) bool { return !slices.Contains(p.Agents, agent) })
}

// present returns who of the live agents takes part in a turn at all.
func (g *Game) present(live []string) []string {
	if len(g.Phases) == 0 {
		return live
	}
	return slices.DeleteFunc(slices.Clone(live), func(agent string) bool {
		return !slices.ContainsFunc(g.Phases, func(p Phase) bool { return len(p.Agents) == 0 || slices.Contains(p.Agents, agent) })
	})
}

// allows says whether an action is one of the phase's.
func (p *Phase) allows(action string) bool {
	return action == world.Pass || len(p.Actions) == 0 || slices.Contains(p.Actions, action)
}

// narrow leaves of what an agent may do what is legal in the phase.
func (p *Phase) narrow(obs *world.Observation) {
	if len(p.Actions) > 0 {
		obs.Actions = slices.DeleteFunc(slices.Clone(obs.Actions), func(spec world.ActionSpec) bool { return !p.allows(spec.Name) })
	}
}

// forbid puts a pass in the place of each action that is none of the phase's, and returns the refusals.
func (p *Phase) forbid(actions []world.Action) []world.Event {
	var refusals []world.Event
	for i, a := range actions {
		if p.allows(a.Name) {
			continue
		}
		reason := fmt.Sprintf("%.40q is no action of the phase %q, which has %s", a.Name, p.Name, strings.Join(p.Actions, ", "))
		refusals = append(refusals, a.Refuse(reason))
		actions[i] = world.Action{Agent: a.Agent, Name: world.Pass}
	}
	return refusals
}

// Observe returns what an agent sees in a state, as it would be shown to it there: with the messages that wait for it, and of what it may do what is legal
// in the phase that is being played.
func (g *Game) Observe(st world.State, agent string) (world.Observation, error) {
	obs, _, err := g.observe(st, agent)
	var name string
	if err != nil || st.Get(world.PhaseFact, &name) != nil {
		return obs, err // or there are no phases
	}
	for i := range g.Phases {
		if phase := &g.Phases[i]; phase.Name == name {
			if phase.narrow(&obs); len(phase.present([]string{agent})) == 0 {
				obs.Actions = nil
			}
		}
	}
	return obs, nil
}
