package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world"
)

// tellAwaited says for whom the run in dir waits, if that takes more than a moment. What it returns ends that.
func (a *app) tellAwaited(ctx context.Context, dir string) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var telling sync.WaitGroup
	telling.Go(func() {
		select {
		case <-time.After(time.Second):
			a.tell("%s", a.awaited(ctx, dir))
		case <-ctx.Done():
		}
	})
	return func() {
		cancel()
		telling.Wait()
	}
}

// awaited says for whom the run in dir waits, and how long at most.
func (a *app) awaited(ctx context.Context, dir string) string {
	m, s, err := a.openSetup(ctx, dir)
	if err != nil { // such as rules that are a program, which nobody has asked to start
		return "waiting for whoever acts now"
	}
	defer s.close()
	for i, agent := range m.Agents[:min(len(m.Agents), len(s.Agents))] {
		s.Agents[i].Kind = agent.Kind // what the command line made of it
	}
	names, most := s.acting(dir)
	if len(names) == 0 {
		return "waiting until the step is over"
	}
	return fmt.Sprintf("waiting for %s, who may take up to %v for an act", strings.Join(names, ", "), most)
}

// acting returns who acts now in the run in dir, but for those who answer at once, and how long that may take.
func (s *setup) acting(dir string) (slow []string, most time.Duration) {
	st, err := world.Now(dir)
	if err != nil {
		return nil, 0
	}
	game, phase := s.game(), arena.Phase{Act: s.Limits.Act}
	phase.Schedule = game.Schedule
	var name string
	_ = st.Get(world.PhaseFact, &name) // there may be no phases
	if i := slices.IndexFunc(game.Phases, func(p arena.Phase) bool { return p.Name == name }); i >= 0 {
		phase = game.Phases[i]
	}
	acted := make(map[string]bool)
	for ev, err := range world.Turn(dir, st.Turn) {
		if err == nil && ev.Kind == arena.KindPhase {
			clear(acted)
		} else if err == nil && arena.IsAct(ev) && !game.Free {
			acted[ev.Agent] = true
		}
	}
	var live []string
	for _, agent := range game.Agents {
		takesPart := len(phase.Agents) == 0 || slices.Contains(phase.Agents, agent)
		if takesPart && (acted[agent] || stillActs(game, st, agent)) {
			live = append(live, agent)
		}
	}
	var names []string
	for _, step := range phase.Schedule(st.Turn, live) {
		names = slices.DeleteFunc(slices.Clone(step), func(agent string) bool { return acted[agent] })
		if len(names) > 0 {
			break
		}
	}
	for _, agent := range s.Agents {
		if slices.Contains(names, agent.Name) && agent.Kind != scenarios.Scripted {
			slow = append(slow, agent.Name)
			most = max(most, cmp.Or(agent.Act, phase.Act, s.Limits.Act)+agent.Overtime)
		}
	}
	return slow, most
}

// stillActs says whether an agent still acts in a state.
func stillActs(game arena.Game, st world.State, agent string) bool {
	obs, err := game.Observe(st, agent)
	status, _, standErr := game.Standing(st, agent)
	return err == nil && standErr == nil && status == arena.StatusActive && !obs.Terminated
}
