package viewer

import (
	"github.com/vitrine-sim/vitrine/world"
)

// A Heat is how often something was where: counts by the names of agents or places, or by cells, which are "x,y".
type Heat struct {
	Name   string
	Counts map[string]int
}

// Where returns the cell or the place of each agent that has one in a state, as a [Heat] names them.
func (lk Look) Where(st world.State, agents []Agent) []string {
	r := reader{st: st, known: make(map[string]any)}
	var where []string
	for _, layer := range lk.Layers {
		if layer.Pieces == "" {
			continue
		}
		for _, a := range agents {
			v := r.get(layer.Pieces, a.Name)
			name, isPlace := v.(string)
			if x, y, ok := cell(v); ok {
				name = at(x, y)
			} else if !isPlace || name == "" {
				continue
			}
			if !r.holds(lk.Hidden, a.Name) {
				where = append(where, name)
			}
		}
	}
	return where
}
