package viewer

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/vitrine-sim/vitrine/viewer/draw"
	"github.com/vitrine-sim/vitrine/world"
)

// A Heat is a heat map: how often something was where, in counts by the names of agents or places, or by cells, which are "x,y".
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

// heatCells lays counts over cells, under those who stand there.
func (p *picture) heatCells() {
	for _, key := range slices.Sorted(maps.Keys(p.counts())) {
		var x, y float64
		if n, err := fmt.Sscanf(key, "%g,%g", &x, &y); n == 2 && err == nil && math.Abs(x) < far && math.Abs(y) < far {
			count := p.view.Heat.Counts[key]
			p.add(draw.Shape{Form: draw.Rect, X: float32(x) + 0.5, Y: float32(y) + 0.5, W: 1, H: 1, Fill: heat(count, p.hottest)})
			p.add(draw.Shape{Form: draw.Text, X: float32(x) + 0.16, Y: float32(y) + 0.16, W: 0.3, H: 0.3, Label: fmt.Sprint(count), Ink: ink, Stroke: dark})
		}
	}
}

func (p *picture) counts() map[string]int {
	if p.view.Heat == nil {
		return nil
	}
	return p.view.Heat.Counts
}

// heat returns the color of a count: the more of the most there is, the more of it one sees.
func heat(n, most int) draw.Color {
	return color("#d55e00", ink).Alpha(0.15 + 0.7*math.Sqrt(float64(n)/float64(max(most, 1))))
}

// warm lays the count of an agent or a place behind it.
func (p *picture) warm(name string, x, y, size float32) {
	if n := p.counts()[name]; n > 0 {
		p.add(draw.Shape{Form: draw.Disc, X: x, Y: y, W: size, H: size, Fill: heat(n, p.hottest)})
		p.add(draw.Shape{Form: draw.Text, X: x + size*0.45, Y: y - size*0.45, W: 0.5, H: 0.3, Label: fmt.Sprint(n), Ink: ink, Stroke: dark})
	}
}
