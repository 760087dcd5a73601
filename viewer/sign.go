package viewer

import (
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
