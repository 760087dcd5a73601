package arena

import (
	"maps"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// A Preview is how an episode begins, as far as that is certain before anybody has acted.
type Preview struct {
	Turns [][]Step            // of each of the first turns, its steps, as long as nobody is out; no steps in a free-running game
	Seen  []world.Observation // what each agent sees first and may do, in seat order

	Actions []string // names of what anybody could do at first, whichever phase came first; sorted
}

// A Step is some agents who see the same state and act at once.
type Step struct {
	Phase  string   `json:"phase,omitempty"` // empty where turns have no phases
	Agents []string `json:"agents"`
}

// Preview returns how an episode of the game begins, with the order of so many turns.
func (g *Game) Preview(turns int) (Preview, error) {
	var p Preview
	st, err := g.first()
	if err != nil {
		return p, err
	}
	seen, err := g.look(st, g.Agents)
	if err != nil {
		return p, err
	}
	if p.Actions, err = g.actions(st); err != nil {
		return p, err
	}
	live := agentsOf(seen)
	for _, agent := range g.Agents {
		obs := world.Observation{Agent: agent}
		if i := slices.Index(live, agent); i >= 0 {
			obs = seen[i]
		}
		if phase := g.firstPhase(agent); phase != nil {
			phase.narrow(&obs)
		}
		p.Seen = append(p.Seen, obs)
	}
	for turn := range min(turns, g.Turns) {
		var steps []Step
		if !g.Free {
			for _, s := range g.steps(turn, live) {
				steps = append(steps, Step{s.phase.Name, s.agents})
			}
		}
		p.Turns = append(p.Turns, steps)
	}
	return p, nil
}

// first returns the state with which an episode begins.
func (g *Game) first() (world.State, error) {
	events, err := g.opening(world.State{})
	return world.State{}.Apply(events...), err
}

// actions returns the names of what anybody could do in a state, in any phase; sorted.
func (g *Game) actions(st world.State) ([]string, error) {
	names := make(map[string]bool)
	for i := range g.phases() {
		seen, err := g.look(st.Apply(g.begins(i)...), g.Agents)
		if err != nil {
			return nil, err
		}
		for _, obs := range seen {
			for _, spec := range obs.Actions {
				names[spec.Name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// DefaultRefused says why the default action would be illegal for everybody who is offered it at first, whichever phase came first. It is empty if it
// would be legal for somebody, or nobody is offered it.
func (g *Game) DefaultRefused() (reason string, err error) {
	st, err := g.first()
	if err != nil {
		return "", err
	}
	phases := g.phases()
	for i := range phases {
		p := &phases[i]
		if !p.allows(g.Default.Name) {
			continue
		}
		begun := st.Apply(g.begins(i)...)
		seen, err := g.look(begun, p.present(g.Agents))
		if err != nil {
			return "", err
		}
		for _, obs := range seen {
			if !slices.ContainsFunc(obs.Actions, func(spec world.ActionSpec) bool { return spec.Name == g.Default.Name }) {
				continue
			}
			events, err := g.consider(begun, []world.Action{{Agent: obs.Agent, Name: g.Default.Name, Args: g.Default.Args}}, p, nil)
			refused := slices.IndexFunc(events, func(ev world.Event) bool { return ev.Kind == world.KindRefusal })
			if err != nil || refused < 0 {
				return "", err
			}
			reason = refusalReason(events[refused])
		}
	}
	return reason, nil
}

// firstPhase returns the first phase in which an agent takes part; nil if there is none.
func (g *Game) firstPhase(agent string) *Phase {
	for i := range g.Phases {
		if len(g.Phases[i].present([]string{agent})) > 0 {
			return &g.Phases[i]
		}
	}
	return nil
}
