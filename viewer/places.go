package viewer

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/viewer/draw"
)

// A site is a named place in a picture, and who and what is there.
type site struct {
	x, y   float32
	agents []int
	things []spot
	owner  int // -1: nobody
}

// places draws named places with those who are there, and what.
func (p *picture) places() {
	sites, size := p.sites()
	names := slices.Sorted(maps.Keys(sites))
	for _, link := range p.look.Links {
		if len(link) == 2 && sites[link[0]] != nil && sites[link[1]] != nil {
			a, b := sites[link[0]], sites[link[1]]
			p.line(float64(a.x), float64(a.y), float64(b.x), float64(b.y), edge, 2)
		}
	}
	least, most := [2]float32{math.MaxFloat32, math.MaxFloat32}, [2]float32{-math.MaxFloat32, -math.MaxFloat32}
	bars := p.most()
	for _, name := range names {
		s := sites[name]
		least = [2]float32{min(least[0], s.x), min(least[1], s.y)}
		most = [2]float32{max(most[0], s.x), max(most[1], s.y)}
		p.site(name, s, size, bars)
	}
	if len(names) == 0 {
		least, most = [2]float32{}, [2]float32{}
	}
	room := size/2 + 0.8
	left := least[0] - room
	if len(p.look.Pools) > 0 {
		wide := 2.4 * float32(len(p.look.Pools))
		p.pools(left-wide/2, (least[1]+most[1])/2)
		left -= wide + 0.4
	}
	p.bound(left, least[1]-room, most[0]+room-left, most[1]-least[1]+2*room)
	p.absent(sites, most[1]+room)
	p.unseen()
}

// site draws one place.
func (p *picture) site(name string, s *site, size float32, bars []float64) {
	stroke := edge
	if s.owner >= 0 {
		stroke = color(p.view.Agents[s.owner].Color, edge)
	}
	p.warm(name, s.x, s.y, size*1.35)
	p.add(draw.Shape{Form: draw.Hexagon, X: s.x, Y: s.y, W: size, H: size, Fill: floor, Stroke: stroke, Width: 2.5})
	p.add(draw.Shape{Form: draw.Text, X: s.x, Y: s.y - size*0.36, W: size, H: min(0.5, size*0.2), Label: name, Ink: dim})
	n := len(s.agents) + len(s.things)
	columns := max(1, int(math.Ceil(math.Sqrt(float64(n)))))
	pitch := size * 0.6 / float32(columns)
	spotAt := func(k int) (x, y float32) {
		lines := (n + columns - 1) / columns
		return s.x + pitch*(float32(k%columns)-float32(min(columns, n)-1)/2), s.y + size*0.08 + pitch*(float32(k/columns)-float32(lines-1)/2)
	}
	for k, t := range s.things {
		x, y := spotAt(k)
		shape := draw.Shape{Form: form(t.owner, draw.Disc), X: x, Y: y, W: pitch * 0.8, H: pitch * 0.8, Fill: dim, Stroke: ink}
		if t.agent >= 0 {
			a := p.view.Agents[t.agent]
			shape.Fill, shape.Label, shape.Ink, shape.Agent = color(a.Color, dim), a.Initials, dark, a.Name
		}
		p.add(shape)
	}
	for k, i := range s.agents {
		x, y := spotAt(len(s.things) + k)
		each := min(1, pitch*0.8)
		p.agent(i, x, y, each)
		p.holdings(i, x, y+each*0.5, each, bars)
	}
}

// absent draws agents that are at no place in a row below y.
func (p *picture) absent(sites map[string]*site, y float32) {
	there := make(map[int]bool)
	for _, s := range sites {
		for _, i := range s.agents {
			there[i] = true
		}
		for _, t := range s.things {
			there[t.agent] = true
		}
	}
	n := 0
	bars := p.most()
	for i, a := range p.view.Agents {
		if hidden, _ := p.get(p.look.Hidden, a.Name).(bool); hidden || there[i] && !p.seated() {
			continue
		}
		x := p.X + 1.2 + 1.8*float32(n)
		p.agent(i, x, y+0.6, 1)
		p.holdings(i, x, y+1.1, 1, bars)
		n++
	}
	if n > 0 {
		p.W = max(p.W, 1.8*float32(n)+1.2)
		p.H += 2 + 0.24*float32(len(p.look.Bars))
	}
}

// seated says whether agents sit under the map themselves, because only things of theirs are on it.
func (p *picture) seated() bool {
	return !slices.ContainsFunc(p.look.Layers, func(l Layer) bool { return l.Pieces != "" })
}

// sites returns the places by their names, and how large one is.
func (p *picture) sites() (sites map[string]*site, size float32) {
	sites = make(map[string]*site)
	get := func(name string) *site {
		if sites[name] == nil {
			sites[name] = &site{owner: -1}
		}
		return sites[name]
	}
	for name := range p.look.Places {
		get(name)
	}
	for _, layer := range p.look.Layers {
		switch {
		case layer.Pieces != "":
			for i, a := range p.view.Agents {
				if name, ok := p.get(layer.Pieces, a.Name).(string); ok && name != "" {
					s := get(name)
					s.agents = append(s.agents, i)
				}
			}
		case layer.Things != "":
			for _, t := range p.things(layer) {
				if name, ok := t.at.(string); ok {
					base, _, _ := strings.Cut(name, "/")
					s := get(base)
					s.things = append(s.things, spot{agent: p.owner(t.owner), owner: layer.Form})
				}
			}
		case layer.Owners != "":
			owners, _ := p.get(layer.Owners, "").(map[string]any)
			for name, owner := range owners {
				if of, ok := owner.(string); ok {
					get(name).owner = p.owner(of)
				}
			}
		}
	}
	return sites, p.arrange(sites)
}

// arrange gives places where they are: as the look says, and the others in a circle.
func (p *picture) arrange(sites map[string]*site) (size float32) {
	var free []string
	near := math.Inf(1)
	var fixed [][]float64
	for _, name := range slices.Sorted(maps.Keys(sites)) {
		at := p.look.Places[name]
		if len(at) != 2 || math.Abs(at[0]) > far || math.Abs(at[1]) > far {
			free = append(free, name)
			continue
		}
		sites[name].x, sites[name].y = float32(at[0]), float32(at[1])
		for _, other := range fixed {
			near = min(near, math.Hypot(at[0]-other[0], at[1]-other[1]))
		}
		fixed = append(fixed, at)
	}
	size = 3
	if near < 3/0.9 {
		size = float32(max(0.01, near*0.9))
	}
	r := max(size, size*1.25*float32(len(free))/(2*math.Pi))
	for i, name := range free {
		angle := 2*math.Pi*float64(i)/float64(len(free)) - math.Pi/2
		sites[name].x, sites[name].y = r*float32(math.Cos(angle)), r*float32(math.Sin(angle))
	}
	return size
}
