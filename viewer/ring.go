package viewer

import (
	"math"

	"github.com/vitrine-sim/vitrine/viewer/draw"
)

// Above so many, agents sit in rows, because a ring of them would be mostly hole.
const ringMost = 40

// ring draws agents around what they share.
func (p *picture) ring() {
	n := len(p.view.Agents)
	most := p.most()
	tall := float32(0.6 + 0.24*float64(len(p.look.Bars))) // below an agent
	if n > ringMost {
		p.rows(n, tall, most)
		return
	}
	room := float32(max(2.2, 1.2*float64(len(p.look.Pools))))
	r := max(room+1.2, float32(n)*2.1/(2*math.Pi))
	p.bound(-r-1.6, -r-1.2, 2*r+3.2, 2*r+2.4+tall)
	p.add(draw.Shape{Form: draw.Disc, W: 2 * (r - 1), H: 2 * (r - 1), Fill: floor.Alpha(0.6)})
	p.pools(0, 0)
	for i := range n {
		angle := 2*math.Pi*float64(i)/float64(n) - math.Pi/2
		x, y := r*float32(math.Cos(angle)), r*float32(math.Sin(angle))
		p.warm(p.view.Agents[i].Name, x, y, 1.7)
		p.agent(i, x, y, 1)
		p.holdings(i, x, y+0.5, 1, most)
	}
	p.unseen()
}

// rows draws a great many agents, with what they share to the left of them.
func (p *picture) rows(n int, tall float32, most []float64) {
	columns := int(math.Ceil(math.Sqrt(float64(n) * 1.6)))
	high := 1.3 + tall
	left := float32(-1)
	if len(p.look.Pools) > 0 {
		w := 2.4 * float32(len(p.look.Pools))
		p.pools(-1.5-w/2, 2)
		left -= w + 1
	}
	for i := range n {
		x, y := float32(i%columns)*1.6, float32(i/columns)*high
		p.warm(p.view.Agents[i].Name, x, y, 1.5)
		p.agent(i, x, y, 1)
		p.holdings(i, x, y+0.5, 1, most)
	}
	p.bound(left, -1, float32(columns)*1.6-left, max(4.5, float32((n+columns-1)/columns)*high+0.6))
	p.unseen()
}
