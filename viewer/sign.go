package viewer

import (
	"math"

	"github.com/vitrine-sim/vitrine/viewer/draw"
	"github.com/vitrine-sim/vitrine/world"
)

// A sign says at an agent that it does not act any more.
type sign struct {
	form  draw.Form
	color draw.Color
	name  string
}

var (
	signOut         = sign{draw.Cross, 0xd55e00ff, "out"}
	signDone        = sign{draw.Disc, 0x009e73ff, "done"}
	signQuarantined = sign{draw.Diamond, 0xf0e442ff, "quarantined"}
)

// A deed is what an agent did last in the turn.
type deed struct {
	text    string
	targets []string // other agents that its arguments name
	bad     bool     // it was refused, or there was none
}

// sign returns that of an agent; nil: it still acts.
func (p *picture) sign(agent string) *sign {
	var status string
	_ = p.st.Get(world.StatusFact+"/"+agent, &status)
	switch {
	case p.holds(p.look.Gone, agent):
		return &signOut
	case status == "" || status == "active":
		return nil
	case status == "done":
		return &signDone
	case status == "quarantined":
		return &signQuarantined
	}
	return &signOut
}

// put draws a sign at a corner of an agent.
func (p *picture) put(s sign, x, y, size float32) {
	p.signs[s.name] = true
	p.add(draw.Shape{Form: s.form, X: x, Y: y, W: size * 1.2, H: size * 1.2, Fill: dark})
	p.add(draw.Shape{Form: s.form, X: x, Y: y, W: size, H: size, Fill: s.color})
}

// explainSigns adds those that are in the picture to its legend.
func (p *picture) explainSigns() {
	for _, s := range []sign{signOut, signDone, signQuarantined} {
		if p.signs[s.name] {
			p.Legend = append(p.Legend, draw.Legend{Color: s.color, Form: s.form, Text: s.name})
		}
	}
}

// lie notes of what color things are that agents stand on.
func (p *picture) lie(c draw.Color) {
	p.light = p.light || contrast(c, ink) < 3
}

// contrast returns how well one color can be told from another, from 1 to 21, as the Web Content Accessibility Guidelines define it.
func contrast(a, b draw.Color) float64 {
	light := func(c draw.Color) float64 {
		r, g, b, _ := c.RGBA()
		sum := 0.05
		for _, part := range []struct {
			v uint8
			n float64
		}{{r, 0.2126}, {g, 0.7152}, {b, 0.0722}} {
			sum += part.n * math.Pow(float64(part.v)/255, 2.2)
		}
		return sum
	}
	return max(light(a), light(b)) / min(light(a), light(b))
}
