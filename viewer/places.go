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
	things []unit
	owner  int // -1: nobody
	kind   string
}

// A unit is a thing at a place.
type unit struct {
	agent int // whose it is; -1: nobody's
	form  draw.Form
	color draw.Color // if it is nobody's
}

// places draws named places with those who are there, and what.
func (p *picture) places() {
	sites, size := p.sites()
	names := slices.Sorted(maps.Keys(sites))
	for _, link := range p.look.Links {
		if len(link) == 2 && sites[link[0]] != nil && sites[link[1]] != nil {
			a, b := sites[link[0]], sites[link[1]]
			p.line(float64(a.x), float64(a.y), float64(b.x), float64(b.y), edge.Alpha(0.5), 1)
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
	margin := size/2 + 0.8
	left := least[0] - margin
	if len(p.look.Pools) > 0 {
		wide := 2.4 * float32(len(p.look.Pools))
		p.pools(left-wide/2, (least[1]+most[1])/2)
		left -= wide + 0.4
	}
	p.bound(left, least[1]-margin, most[0]+margin-left, most[1]-least[1]+2*margin)
	p.absent(sites, most[1]+margin)
	p.unseen()
}

// site draws one place.
func (p *picture) site(name string, s *site, size float32, bars []float64) {
	stroke := edge
	if s.owner >= 0 {
		stroke = color(p.view.Agents[s.owner].Color, edge)
	}
	fill, letters := floor, dim
	if c := p.look.tint(s.kind); c != 0 {
		fill, letters = c, readable(c)
	}
	p.warm(name, s.x, s.y, size*1.35)
	p.add(draw.Shape{Form: draw.Hexagon, X: s.x, Y: s.y, W: size, H: size, Fill: fill, Stroke: stroke, Width: 2.5})
	p.add(draw.Shape{Form: draw.Text, X: s.x, Y: s.y - size*0.25, W: size, H: min(0.5, size*0.3), Label: name, Ink: letters})
	n := len(s.agents) + len(s.things)
	columns := max(1, int(math.Ceil(math.Sqrt(float64(n)))))
	pitch := size * 0.56 / float32(columns)
	spotAt := func(k int) (x, y float32) {
		lines := (n + columns - 1) / columns
		return s.x + pitch*(float32(k%columns)-float32(min(columns, n)-1)/2), s.y + size*0.12 + pitch*(float32(k/columns)-float32(lines-1)/2)
	}
	for k, t := range s.things {
		x, y := spotAt(k)
		shape := draw.Shape{Form: t.form, X: x, Y: y, W: pitch * 0.8, H: pitch * 0.8, Fill: t.color, Stroke: ink}
		if t.agent >= 0 {
			a := p.view.Agents[t.agent]
			shape.Fill, shape.Label, shape.Ink, shape.Agent = color(a.Color, dim), a.Initials, readable(color(a.Color, dim)), a.Name
		}
		p.add(shape)
	}
	for k, i := range s.agents {
		x, y := spotAt(len(s.things) + k)
		each := min(1, pitch*0.8)
		p.warm(p.view.Agents[i].Name, x, y, each*1.5)
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
		if p.holds(p.look.Hidden, a.Name) || there[i] && !p.seated() {
			continue
		}
		x := p.X + 1.2 + 1.8*float32(n)
		p.warm(a.Name, x, y+0.6, 1.5)
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
	for _, place := range p.look.Places {
		get(place.Name).kind = place.Kind
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
					s.things = append(s.things, unit{p.owner(t.owner), layer.form(Places), color(layer.Color, dim)})
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
	known := make(map[string][]float64)
	for _, place := range p.look.Places {
		known[place.Name] = place.At
	}
	var fixed [][]float64
	for _, name := range slices.Sorted(maps.Keys(sites)) {
		at := known[name]
		if len(at) != 2 || math.Abs(at[0]) > far || math.Abs(at[1]) > far {
			free = append(free, name)
			continue
		}
		sites[name].x, sites[name].y = float32(at[0]), float32(at[1])
		fixed = append(fixed, at)
	}
	size = room(fixed)
	r := max(size, size*1.25*float32(len(free))/(2*math.Pi))
	for i, name := range free {
		angle := 2*math.Pi*float64(i)/float64(len(free)) - math.Pi/2
		sites[name].x, sites[name].y = r*float32(math.Cos(angle)), r*float32(math.Sin(angle))
	}
	return size
}

// room returns how large places can be that stand at these points: most of them do not touch the next one.
func room(points [][]float64) float32 {
	const most, least = 3, 0.01
	near := make([]float64, 0, len(points))
	for i, a := range points {
		nearest := math.Inf(1)
		for k, b := range points {
			if i != k {
				nearest = min(nearest, math.Hypot(a[0]-b[0], a[1]-b[1]))
			}
		}
		near = append(near, nearest)
	}
	if len(near) == 0 {
		return most
	}
	slices.Sort(near)
	return float32(max(least, min(most, 0.95*near[len(near)/4])))
}
