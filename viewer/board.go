package viewer

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/viewer/draw"
)

// board draws cells and what stands in them.
func (p *picture) board() {
	w, h := p.extent()
	box := p.inUse(w, h)
	ground := draw.Shape{Form: draw.Rect, X: box.x + box.w/2, Y: box.y + box.h/2, W: box.w, H: box.h, Fill: floor}
	if box == (area{0, 0, w, h}) {
		ground.Stroke, ground.Width = edge, 2
	}
	p.add(ground)
	top := slices.IndexFunc(p.look.Layers, func(l Layer) bool { return l.Pieces != "" })
	if top < 0 {
		top = len(p.look.Layers)
	}
	for _, layer := range p.look.Layers[:top] {
		p.layer(layer, w, h)
	}
	if slices.ContainsFunc(p.look.Layers[:top], func(l Layer) bool { return l.Cells != "" && l.Form == "" }) {
		p.grid(box)
	}
	p.heatCells()
	for _, layer := range p.look.Layers[top:] {
		p.layer(layer, w, h)
	}
	p.window(w, h)
	if n := float32(len(p.look.Pools)); n > 0 {
		wide := 2.4 * n
		p.pools(box.x-0.6-wide/2, box.y+box.h/2)
		box.x -= wide + 0.8
		box.w += wide + 0.8
	}
	p.seats(box)
}

// An area is a part of a board, from its upper left corner.
type area struct{ x, y, w, h float32 }

// inUse returns the part of a board that is shown: all of it but where it is large and has nothing but cells, which may be few. Then it is where these
// are, in steps, so that it stays the same for many turns.
func (p *picture) inUse(w, h float32) area {
	const large, margin, step = 100, 4, 32
	all := area{0, 0, w, h}
	if max(w, h) <= large || slices.ContainsFunc(p.look.Layers, func(l Layer) bool { return l.Cells == "" }) {
		return all
	}
	left, top, right, bottom := float64(w), float64(h), 0.0, 0.0
	for _, layer := range p.look.Layers {
		for _, c := range p.cells(layer) {
			left, top, right, bottom = min(left, c.x), min(top, c.y), max(right, c.x+1), max(bottom, c.y+1)
		}
	}
	if right <= left || bottom <= top {
		return all
	}
	down := func(v float64) float32 { return float32(max(0, math.Floor((v-margin)/step)*step)) }
	up := func(v float64, most float32) float32 { return min(most, float32(math.Ceil((v+margin)/step)*step)) }
	x, y := down(left), down(top)
	return area{x, y, up(right, w) - x, up(bottom, h) - y}
}

// seats draws all agents in rows under the board, with what they hold, if they have no places on it.
func (p *picture) seats(box area) {
	if p.onBoard() {
		p.bound(box.x-0.3, box.y-0.3, box.w+0.6, box.h+0.6)
		return
	}
	n := len(p.view.Agents)
	size := max(1, max(box.w, box.h)/24)
	columns := max(1, int(box.w/(size*1.8)))
	most := p.most()
	tall := size * float32(1.9+0.24*float64(len(p.look.Bars)))
	for i := range n {
		x, y := box.x+size*(0.9+1.8*float32(i%columns)), box.y+box.h+size+tall*float32(i/columns)
		p.warm(p.view.Agents[i].Name, x, y, size*1.5)
		p.agent(i, x, y, size)
		p.holdings(i, x, y+size*0.5, size, most)
	}
	lines := float32((n + columns - 1) / columns)
	p.bound(box.x-0.3, box.y-0.3, box.w+0.6, box.h+0.6+lines*tall)
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
	where, others := strings.CutPrefix(layer.Where, "!")
	for _, v := range list {
		if where != "" && (within(v, where) == true) == others {
			continue
		}
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
		s := draw.Shape{Form: layer.form(Board), X: x, Y: y, W: 1, H: 1, Fill: shared}
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

// grid draws the lines between cells, where these are so large that one sees more of them than of the lines.
func (p *picture) grid(box area) {
	const from = 10
	for x := box.x + 1; x < box.x+box.w; x++ {
		p.add(draw.Shape{Form: draw.Rect, X: x, Y: box.y + box.h/2, H: box.h, Fill: floor, From: from})
	}
	for y := box.y + 1; y < box.y+box.h; y++ {
		p.add(draw.Shape{Form: draw.Rect, X: box.x + box.w/2, Y: y, W: box.w, Fill: floor, From: from})
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
