package viewer

import (
	"fmt"
	"slices"

	"github.com/vitrine-sim/vitrine/viewer/draw"
)

// explain adds to the legend what the colors and forms of the picture mean.
func (p *picture) explain() {
	for _, layer := range p.look.Layers {
		if layer.Name != "" {
			p.tell(color(layer.Color, dim), layer.form(p.look.Kind), layer.Name)
		}
	}
	p.explainWords()
	p.explainHeat()
	p.explainSigns()
	p.explainSight()
}

func (p *picture) tell(c draw.Color, f draw.Form, text string) {
	p.Legend = append(p.Legend, draw.Legend{Color: c, Form: f, Text: text})
}

// explainWords adds those that color places and the edges of agents.
func (p *picture) explainWords() {
	for _, t := range p.look.Colors {
		if c := color(t.Color, 0); c != 0 && slices.ContainsFunc(p.look.Places, func(s Place) bool { return s.Kind == t.Of }) {
			p.tell(c, draw.Hexagon, t.Of)
		}
		if c := color(t.Color, 0); c != 0 && slices.ContainsFunc(p.view.Agents, func(a Agent) bool { return p.get(p.look.Edge, a.Name) == t.Of }) {
			p.tell(c, draw.Ring, t.Of)
		}
	}
}

// explainHeat adds the colors of counts.
func (p *picture) explainHeat() {
	if p.view.Heat == nil {
		return
	}
	name, most := p.view.Heat.Name, p.hottest
	if most == 0 {
		p.tell(floor, draw.Rect, name+": none up to here")
		return
	}
	p.tell(heat(most, most), draw.Rect, fmt.Sprintf("%s: %d", name, most))
	p.tell(heat(1, most), draw.Rect, name+": 1")
}

// explainSigns adds the signs that are in the picture.
func (p *picture) explainSigns() {
	for _, s := range []sign{signOut, signDone, signQuarantined} {
		if p.signs[s.name] {
			p.tell(s.color, s.form, s.name)
		}
	}
}

// explainSight says of a view that hides nothing that it does not.
func (p *picture) explainSight() {
	switch {
	case p.view.Sees == "" || p.dimmed:
	case p.windowed:
		p.tell(floor, draw.Rect, p.view.Sees+" sees all cells")
	case p.view.Seen != "":
		p.tell(floor, draw.Rect, p.view.Sees+" sees all agents")
	default:
		p.tell(floor, draw.Rect, "what "+p.view.Sees+" sees is not known")
	}
}
