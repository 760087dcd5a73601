package viewer

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/viewer/draw"
	"github.com/vitrine-sim/vitrine/world"
)

// The colors of what belongs to no agent.
const (
	ground = draw.Color(0x22282fff)
	floor  = draw.Color(0x2c343dff)
	edge   = draw.Color(0x7d8b98ff)
	ink    = draw.Color(0xe8ecefff)
	dim    = draw.Color(0x98a4afff)
	water  = draw.Color(0x56b4e9ff)
	dark   = draw.Color(0x14181cff)
	fog    = draw.Color(0x10141899)
)

// A picture is a list in the making.
type picture struct {
	*draw.List
	reader
	look  Look
	view  View
	index map[string]int // of agents, by name
	did   map[string]deed
	light bool            // there are things on which the light edge of an agent is not seen
	signs map[string]bool // names of those that are in the picture

	hottest int // the most that is counted anywhere

	seen             any  // what the agent sees whose view is shown; nil: it is not known
	windowed, dimmed bool // cells are hidden from the agent whose view is shown if it does not see them; something is
}

// Draw returns the picture of a state.
func (lk Look) Draw(st world.State, v View) *draw.List {
	p := &picture{
		List: &draw.List{Ground: ground}, reader: reader{st: st, known: make(map[string]any)},
		look: lk, view: v, index: make(map[string]int), did: make(map[string]deed), signs: make(map[string]bool),
	}
	for i, a := range v.Agents {
		p.index[a.Name] = i
	}
	_ = json.Unmarshal([]byte(v.Seen), &p.seen) // what is no JSON is not known
	for _, n := range p.counts() {
		p.hottest = max(p.hottest, n)
	}
	p.readTurn()
	switch lk.Kind {
	case Board:
		p.board()
	case Places:
		p.places()
	default:
		p.ring()
	}
	p.deeds()
	p.says()
	p.explain()
	p.Title = fmt.Sprintf("turn %d, %d agents", st.Turn, len(v.Agents))
	return p.List
}

// readTurn finds out what agents did. Whoever has come to another place before a deed, which the picture does not show, is no target in it.
func (p *picture) readTurn() {
	changed := make(map[string]bool) // facts, before the event
	moved := func(agent string) bool {
		return slices.ContainsFunc(p.look.Layers, func(l Layer) bool {
			fact, _ := locate(l.Pieces, agent)
			return changed[fact]
		})
	}
	for _, e := range p.view.Turn {
		if _, ok := p.index[e.Agent]; ok {
			switch {
			case e.Kind == KindAction:
				d := p.deed(e.Data)
				if d.targets = slices.DeleteFunc(d.targets, moved); moved(e.Agent) {
					d.targets = nil
				}
				p.did[e.Agent] = d
			case Failed(e.Kind):
				p.did[e.Agent] = deed{text: e.Kind, bad: true}
			case e.Kind == world.KindRefusal:
				d := p.did[e.Agent]
				d.bad = true
				p.did[e.Agent] = d
			}
		}
		for fact := range e.Set {
			changed[fact] = true
		}
	}
}

func (p *picture) deed(data json.RawMessage) deed {
	var action struct {
		Name string
		Args map[string]any
	}
	if json.Unmarshal(data, &action) != nil || action.Name == world.Pass {
		return deed{}
	}
	d := deed{text: action.Name}
	for _, key := range slices.Sorted(maps.Keys(action.Args)) {
		switch arg := action.Args[key].(type) {
		case string:
			if _, ok := p.index[arg]; ok {
				d.targets = append(d.targets, arg)
			}
			d.text += " " + short(arg)
		case float64, bool:
			d.text += fmt.Sprint(" ", arg)
		}
	}
	d.text = short(d.text)
	return d
}

// short returns a text that fits under an agent.
func short(text string) string {
	const most = 18
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}

// agent draws an agent of that size.
func (p *picture) agent(i int, x, y, size float32) {
	a := p.view.Agents[i]
	fill, stroke := color(a.Color, dim), ink
	letters := readable(fill)
	sign := p.standing(p.look.Gone, a.Name)
	if sign != nil && *sign != signDone {
		fill, stroke, letters = fill.Alpha(0.3), edge, dim
	}
	width := float32(1.5)
	if word, ok := p.get(p.look.Edge, a.Name).(string); ok && p.look.tint(word) != 0 {
		stroke, width = p.look.tint(word), 4
	}
	if p.light {
		p.add(draw.Shape{Form: form(a.Shape, draw.Disc), X: x, Y: y, W: size * 1.14, H: size * 1.14, Fill: dark})
	}
	p.add(draw.Shape{Form: form(a.Shape, draw.Disc), X: x, Y: y, W: size, H: size, Fill: fill, Stroke: stroke, Width: width, Label: a.Initials, Ink: letters, Agent: a.Name})
	if sign != nil {
		p.put(*sign, x+size*0.35, y-size*0.35, size*0.36)
	}
}

// holdings draws the bars of an agent of that width below it, and what stands there, the smaller the smaller it is.
func (p *picture) holdings(i int, x, y, width float32, most []float64) {
	name := p.view.Agents[i].Name
	y += 0.12 * width
	for b, bar := range p.look.Bars {
		n, ok := p.number(bar.Fact, name)
		if !ok {
			continue
		}
		fill := color(bar.Color, color(palette[b%len(palette)], ink))
		share := share(n, most[b])
		p.add(draw.Shape{Form: draw.Rect, X: x, Y: y, W: width, H: 0.14 * width, Fill: floor, From: 10 / width, Agent: name})
		p.add(draw.Shape{Form: draw.Rect, X: x - width/2*(1-share), Y: y, W: width * share, H: 0.14 * width, Fill: fill, From: 10 / width, Agent: name})
		p.add(draw.Shape{Form: draw.Text, X: x + 0.8*width, Y: y, W: 0.5 * width, H: 0.24 * width, Label: figure(n), Ink: ink, Stroke: dark, From: 30 / width, Agent: name})
		y += 0.24 * width
	}
	text := p.did[name].text
	if p.look.Text != "" {
		if v := p.get(p.look.Text, name); v != nil {
			text = short(fmt.Sprint(v))
		}
	}
	if text != "" {
		letters := dim
		if p.did[name].bad {
			letters = color("#ff8c5a", ink)
		}
		p.add(draw.Shape{Form: draw.Text, X: x, Y: y + 0.08*width, W: width, H: 0.26 * width, Label: text, Ink: letters, Stroke: dark, From: 24 / width, Agent: name})
	}
}

// share returns which part of as much as there can be n is: 0 to 1.
func share(n, of float64) float32 {
	if of <= 0 {
		return 0
	}
	return float32(max(0, min(1, n/of)))
}

// most returns what the bars of agents are measured by.
func (p *picture) most() []float64 {
	most := make([]float64, len(p.look.Bars))
	for b, bar := range p.look.Bars {
		if n, ok := p.number(bar.Of, ""); ok {
			most[b] = n
			continue
		}
		for _, a := range p.view.Agents {
			if n, ok := p.number(bar.Fact, a.Name); ok {
				most[b] = max(most[b], n)
			}
		}
	}
	return most
}

// pools draws what all share as tanks around x, y, and returns how wide they are together.
func (p *picture) pools(x, y float32) {
	const width, height, apart = 1.6, 2.2, 2.4
	left := x - apart*float32(len(p.look.Pools)-1)/2
	for i, pool := range p.look.Pools {
		n, ok := p.number(pool.Fact, "")
		if !ok {
			continue
		}
		of, bounded := p.number(pool.Of, "")
		if !bounded {
			of = max(n, 1)
		}
		share := share(n, of)
		cx := left + apart*float32(i)
		label := figure(n)
		if bounded {
			label += " / " + figure(of)
		}
		p.add(draw.Shape{Form: draw.Rect, X: cx, Y: y, W: width, H: height, Fill: floor})
		p.add(draw.Shape{Form: draw.Rect, X: cx, Y: y + height/2*(1-share), W: width, H: height * share, Fill: color(pool.Color, water)})
		p.add(draw.Shape{Form: draw.Rect, X: cx, Y: y, W: width, H: height, Stroke: edge, Width: 2})
		p.add(draw.Shape{Form: draw.Text, X: cx, Y: y + height/2 + 0.3, W: width, H: 0.36, Label: label, Ink: ink})
		p.add(draw.Shape{Form: draw.Text, X: cx, Y: y - height/2 - 0.3, W: width, H: 0.32, Label: name(pool), Ink: dim})
	}
}

// name returns what a bar is called.
func name(b Bar) string {
	if b.Name != "" {
		return b.Name
	}
	return b.Fact[strings.LastIndexAny(b.Fact, "/#.")+1:]
}

// figure returns a number in few digits.
func figure(n float64) string {
	if n == math.Trunc(n) && math.Abs(n) < 1e6 {
		return fmt.Sprintf("%.0f", n)
	}
	return fmt.Sprintf("%.3g", n)
}

// placed returns the shapes of agents that there are so far: of each the one that [draw.List.Place] finds.
func (p *picture) placed() map[string]draw.Shape {
	placed := make(map[string]draw.Shape, len(p.view.Agents))
	for _, s := range p.Shapes {
		if s.Agent != "" && s.From == 0 {
			placed[s.Agent] = s
		}
	}
	return placed
}

// deeds draws arrows from those who did something to those whom they did it to.
func (p *picture) deeds() {
	placed := p.placed()
	for _, a := range p.view.Agents {
		from, ok := placed[a.Name]
		x, y := float64(from.X), float64(from.Y)
		for _, target := range p.did[a.Name].targets {
			to, there := placed[target]
			tx, ty, r := float64(to.X), float64(to.Y), float64(max(to.W, to.H))/2
			far := math.Hypot(tx-x, ty-y)
			if !ok || !there || far < 1e-6 {
				continue
			}
			dx, dy := (tx-x)/far, (ty-y)/far
			stroke := color(a.Color, dim).Alpha(0.8)
			if p.did[a.Name].bad {
				stroke = stroke.Alpha(0.4)
			}
			ex, ey := tx-dx*r*1.2, ty-dy*r*1.2
			sx, sy := x+dx*r*1.2, y+dy*r*1.2
			p.line(sx, sy, ex, ey, stroke, 2)
			const barb = 0.25
			p.line(ex, ey, ex-barb*(dx+dy/2), ey-barb*(dy-dx/2), stroke, 2)
			p.line(ex, ey, ex-barb*(dx-dy/2), ey-barb*(dy+dx/2), stroke, 2)
		}
	}
}

func (p *picture) line(x1, y1, x2, y2 float64, stroke draw.Color, width float32) {
	p.add(draw.Shape{
		Form: draw.Line, X: float32(x1+x2) / 2, Y: float32(y1+y2) / 2, W: float32(x2 - x1), H: float32(y2 - y1), Stroke: stroke, Width: width,
	})
}

// says adds what agents say in the turn, the last first.
func (p *picture) says() {
	for _, e := range slices.Backward(p.view.Turn) {
		var message struct {
			Text string
			To   []string
		}
		if e.Kind != KindMessage || json.Unmarshal(e.Data, &message) != nil || message.Text == "" {
			continue
		}
		if len(message.To) > 0 {
			message.Text = "→ " + strings.Join(message.To, ", ") + ": " + message.Text
		}
		p.Says = append(p.Says, draw.Say{Agent: e.Agent, Text: message.Text})
	}
}

func (p *picture) add(s draw.Shape) { p.Shapes = append(p.Shapes, s) }

// bound sets the box of the world.
func (p *picture) bound(x, y, w, h float32) { p.X, p.Y, p.W, p.H = x, y, w, h }
