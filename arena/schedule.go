package arena

// A Schedule divides a turn into steps: groups of agents that see the same state and act at once. Each live agent is in exactly
// one step. It depends on its arguments alone.
type Schedule func(turn int, live []string) [][]string

// Sequential gives every agent a step of its own, in seat order (PettingZoo: AEC).
func Sequential(_ int, live []string) [][]string {
	steps := make([][]string, len(live))
	for i, agent := range live {
		steps[i] = []string{agent}
	}
	return steps
}

// Parallel lets all agents act in one step.
func Parallel(_ int, live []string) [][]string { return [][]string{live} }
