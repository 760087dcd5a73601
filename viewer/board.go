package viewer

import (
	"fmt"
	"math"
	"slices"

	"github.com/vitrine-sim/vitrine/viewer/draw"
)

// board draws cells and what stands in them.
func (p *picture) board() {
	w, h := p.extent()
	p.add(draw.Shape{Form: draw.Rect, X: w / 2, Y: h / 2, W: w, H: h, Fill: floor, Stroke: edge, Width: 2})
	top := slices.IndexFunc(p.look.Layers, func(l Layer) bool { return l.Pieces != "" })
	if top < 0 {
		top = len(p.look.Layers)
	}
	for _, layer := range p.look.Layers[:top] {
		p.layer(layer, w, h)
	}
	p.heatCells()
	for _, layer := range p.look.Layers[top:] {
		p.layer(layer, w, h)
	}
	p.window(w, h)
	left := float32(0)
	if len(p.look.Pools) > 0 {
		wide := 2.4 * float32(len(p.look.Pools))
		p.pools(-0.6-wide/2, h/2)
		left = -wide - 0.8
	}
	p.seats(w, h, left)
}

// seats draws agents that have no place on the board in a row under it, with what they hold.
func (p *picture) seats(w, h, left float32) {
	var absent []int
	placed := p.placed()
	for i, a := range p.view.Agents {
		if _, ok := placed[a.Name]; !ok && !p.onBoard() {
			absent = append(absent, i)
		}
	}
	size := max(1, max(w, h)/24)
	columns := max(1, int((w-left)/(size*1.8)))
	most := p.most()
	tall := size * float32(1.9+0.24*float64(len(p.look.Bars)))
	for n, i := range absent {
		x, y := left+size*(0.9+1.8*float32(n%columns)), h+size+tall*float32(n/columns)
		p.warm(p.view.Agents[i].Name, x, y, size*1.5)
		p.agent(i, x, y, size)
		p.holdings(i, x, y+size*0.5, size, most)
	}
	lines := float32((len(absent) + columns - 1) / columns)
	p.bound(left-0.3, -0.3, w-left+0.6, h+0.6+lines*tall)
}

// onBoard says whether agents have places on the board, so that one who is not there is away.
func (p *picture) onBoard() bool {
	return slices.ContainsFunc(p.look.Layers, func(l Layer) bool { return l.Pieces != "" })
}

// extent returns how wide and high the board is.
func (p *picture) extent() (w, h float32) {
	width, okW := p.number(p.look.Width, "")
	height, okH := p.number(p.look.Height, "")
	for _, layer := range p.look.Layers {
		if rows, ok := p.get(layer.Rows, "").([]any); ok && layer.Rows != "" {
			height = max(height, float64(len(rows)))
			for _, row := range rows {
				if s, ok := row.(string); ok {
					width = max(width, float64(len([]rune(s))))
				}
			}
			okW, okH = true, true
		}
	}
	if !okW || !okH {
		for _, layer := range p.look.Layers {
			for _, c := range p.cells(layer) {
				if !okW {
					width = max(width, c.x+1)
				}
				if !okH {
					height = max(height, c.y+1)
				}
			}
		}
	}
	const most = 2000
	return float32(max(1, min(most, width))), float32(max(1, min(most, height)))
}

// A spot is a cell and whose it is.
type spot struct {
	x, y  float64
	agent int  // -1: nobody's
	piece bool // it is the agent itself
}

// cells returns the cells that a layer names, of all kinds but rows.
func (p *picture) cells(layer Layer) []spot {
	var spots []spot
	side, tiled := p.number(layer.Side, "")
	columns, _ := p.number(layer.Columns, "")
	columns = max(1, math.Floor(columns))
	list := func(v any, agent int) {
		var left, top float64
		if tiled && agent >= 0 {
			left, top = side*math.Mod(float64(agent), columns), side*math.Floor(float64(agent)/columns)
		}
		cells, _ := v.([]any)
		for _, c := range cells {
			if x, y, ok := cell(c); ok {
				spots = append(spots, spot{left + x, top + y, agent, false})
			}
		}
	}
	switch {
	case layer.Cells != "" && perAgent(layer.Cells):
		for i, a := range p.view.Agents {
			list(p.get(layer.Cells, a.Name), i)
		}
	case layer.Cells != "":
		list(p.get(layer.Cells, ""), -1)
	case layer.Pieces != "":
		for i, a := range p.view.Agents {
			if p.holds(p.look.Hidden, a.Name) {
				continue
			}
			if x, y, ok := cell(p.get(layer.Pieces, a.Name)); ok {
				spots = append(spots, spot{x, y, i, true})
			}
		}
	case layer.Things != "":
		for _, t := range p.things(layer) {
			if x, y, ok := cell(t.at); ok {
				spots = append(spots, spot{x, y, p.owner(t.owner), false})
			}
		}
	}
	return spots
}

// A thing is an object of a list: where it is and whose.
type thing struct {
	at    any
	owner string
}

func (p *picture) things(layer Layer) []thing {
	at := layer.At
	if at == "" {
		at = "at"
	}
	list, _ := p.get(layer.Things, "").([]any)
	var things []thing
	for _, v := range list {
		owner, _ := within(v, layer.Owner).(string)
		things = append(things, thing{within(v, at), owner})
	}
	return things
}

func (p *picture) owner(name string) int {
	if i, ok := p.index[name]; ok {
		return i
	}
	return -1
}

// layer draws one layer of a board of w by h.
func (p *picture) layer(layer Layer, w, h float32) {
	if layer.Rows != "" {
		p.letters(layer)
		return
	}
	shared := color(layer.Color, dim)
	spots := p.cells(layer)
	crowd, drawn := make(map[[2]float64]int), make(map[[2]float64]int) // pieces of a cell, and those of them that are drawn already
	for _, c := range spots {
		if c.piece {
			crowd[[2]float64{c.x, c.y}]++
		}
	}
	most := p.most()
	for _, c := range spots {
		if c.x < 0 || c.y < 0 || c.x >= float64(w) || c.y >= float64(h) {
			continue
		}
		x, y := float32(c.x)+0.5, float32(c.y)+0.5
		if c.piece {
			cell := [2]float64{c.x, c.y}
			columns := int(math.Ceil(math.Sqrt(float64(crowd[cell]))))
			lines := (crowd[cell] + columns - 1) / columns
			size, n := 1/float32(columns), drawn[cell]
			drawn[cell]++
			p.piece(layer, c.agent, x+size*(float32(n%columns)-float32(columns-1)/2), y+size*(float32(n/columns)-float32(lines-1)/2), 0.9*size, most)
			continue
		}
		s := draw.Shape{Form: layer.form(Board), X: x, Y: y, W: 0.92, H: 0.92, Fill: shared}
		if c.agent >= 0 {
			a := p.view.Agents[c.agent]
			s.Agent = a.Name
			if layer.Color == "" {
				s.Fill = color(a.Color, dim)
			}
		}
		if layer.Form != "" {
			s.W, s.H = 0.7, 0.7
		}
		p.lie(s.Fill)
		p.add(s)
	}
}

// piece draws an agent of that size on a cell, which way it looks, and what it holds.
func (p *picture) piece(layer Layer, i int, x, y, size float32, most []float64) {
	p.warm(p.view.Agents[i].Name, x, y, size*1.5)
	p.agent(i, x, y, size)
	if towards, ok := p.get(layer.Facing, p.view.Agents[i].Name).(string); ok && layer.Facing != "" {
		dx, dy := facing(towards)
		p.add(draw.Shape{Form: draw.Disc, X: x + 0.53*size*dx, Y: y + 0.53*size*dy, W: 0.26 * size, H: 0.26 * size, Fill: ink, From: 8, Agent: p.view.Agents[i].Name})
	}
	p.holdings(i, x, y+size/2, size, most)
}

func facing(towards string) (dx, dy float32) {
	switch towards {
	case "N":
		return 0, -1
	case "E":
		return 1, 0
	case "S":
		return 0, 1
	case "W":
		return -1, 0
	}
	return 0, 0
}

// letters draws rows of letters.
func (p *picture) letters(layer Layer) {
	rows, _ := p.get(layer.Rows, "").([]any)
	for y, row := range rows {
		s, _ := row.(string)
		for x, letter := range []rune(s) {
			if fill := p.look.tint(string(letter)); fill != 0 {
				p.lie(fill)
				p.add(draw.Shape{Form: draw.Rect, X: float32(x) + 0.5, Y: float32(y) + 0.5, W: 1, H: 1, Fill: fill})
			}
		}
	}
}

// far is farther than anything that is drawn.
const far = 1e6

// at returns the name of a cell.
func at(x, y float64) string { return fmt.Sprintf("%.0f,%.0f", x, y) }
