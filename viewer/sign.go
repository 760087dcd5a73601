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
	signDone        = sign{draw.Rect, 0xb0bac3ff, "done"} // played to the end
	signQuarantined = sign{draw.Diamond, 0xf0e442ff, "quarantined"}
)

// A deed is what an agent did last in the turn.
type deed struct {
	text    string
	targets []string // other agents that its arguments name
	bad     bool     // it was refused, or there was none
}

// standing returns the sign of an agent, with the reference that says who is gone; nil: it still acts.
func (r *reader) standing(gone, agent string) *sign {
	var status string
	_ = r.st.Get(world.StatusFact+"/"+agent, &status)
	switch {
	case r.holds(gone, agent):
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

// Standing returns for each agent why it does not act any more in a state: "out", "done" if it played to the end, or "quarantined"; empty: it still acts.
func (lk Look) Standing(st world.State, agents []Agent) []string {
	r := reader{st: st, known: make(map[string]any)}
	standing := make([]string, len(agents))
	for i, a := range agents {
		if s := r.standing(lk.Gone, a.Name); s != nil {
			standing[i] = s.name
		}
	}
	return standing
}

// put draws a sign at a corner of an agent.
func (p *picture) put(s sign, x, y, size float32) {
	p.signs[s.name] = true
	p.add(draw.Shape{Form: s.form, X: x, Y: y, W: size * 1.2, H: size * 1.2, Fill: dark})
	p.add(draw.Shape{Form: s.form, X: x, Y: y, W: size, H: size, Fill: s.color})
}

// lie notes of what color things are that agents stand on.
func (p *picture) lie(c draw.Color) {
	p.light = p.light || contrast(c, ink) < 3
}

// readable returns the color of letters that can be read on a color.
func readable(on draw.Color) draw.Color {
	const black, white = draw.Color(0x000000ff), draw.Color(0xffffffff)
	if contrast(on, white) > contrast(on, black) {
		return white
	}
	return black
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
