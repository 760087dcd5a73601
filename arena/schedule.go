package arena

import (
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// A Schedule divides a turn, or a phase of it, into steps: groups of agents that see the same state and act at once. Each live
// agent is in exactly one step. It depends on its arguments alone.
type Schedule func(turn int, live []string) [][]string

// Parallel lets all agents act in one step.
func Parallel(_ int, live []string) [][]string { return [][]string{live} }

// Sequential gives every agent a step of its own, in seat order (PettingZoo: AEC).
func Sequential(_ int, live []string) [][]string {
	return slices.Collect(slices.Chunk(live, 1))
}

// Rotated returns the schedule in which one agent acts after the other in seat order, each turn beginning one agent later
// than the turn before. Who begins the first turn is drawn from the seed.
func Rotated(seed uint64) Schedule {
	first := world.NewRand(seed, 0, "rotation").Uint32()
	return func(turn int, live []string) [][]string {
		if len(live) == 0 {
			return nil
		}
		begins := int((uint64(first) + uint64(turn)) % uint64(len(live)))
		return Sequential(turn, slices.Concat(live[begins:], live[:begins]))
	}
}

// Shuffled returns the schedule in which one agent acts after the other, in an order that is drawn for each turn from the seed
// and the name of the phase, empty where a turn has none.
func Shuffled(seed uint64, phase string) Schedule {
	return func(turn int, live []string) [][]string {
		order := slices.Clone(live)
		world.NewRand(seed, turn, "schedule/"+phase).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		return Sequential(turn, order)
	}
}
