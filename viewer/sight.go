package viewer

import (
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/viewer/draw"
)

// Cells returns the cells of a board that an agent sees by the window of the look, as "x,y"; nil where it sees all, or nobody knows where
// it is. Who is hidden sees none.
func (lk Look) Cells(v View, get func(ref, agent string) any) map[string]bool {
	if lk.Window.At == "" || v.Sees == "" {
		return nil
	}
	cx, cy, ok := cell(get(lk.Window.At, v.Sees))
	if !ok {
		return nil
	}
	fx, fy := float32(0), float32(-1)
	if towards, ok := get(lk.Window.Facing, v.Sees).(string); ok && lk.Window.Facing != "" {
		fx, fy = facing(towards)
	}
	seen := make(map[string]bool)
	if away := get(lk.Hidden, v.Sees); away != nil && away != false {
		return seen
	}
	w := lk.Window.bounded()
	for ahead := -w.Behind; ahead <= w.Ahead; ahead++ {
		for aside := -w.Aside; aside <= w.Aside; aside++ {
			seen[at(cx+float64(ahead)*float64(fx)-float64(aside)*float64(fy), cy+float64(ahead)*float64(fy)+float64(aside)*float64(fx))] = true
		}
	}
	return seen
}

func (w Window) bounded() Window {
	const most = 200
	w.Ahead, w.Behind, w.Aside = min(most, w.Ahead), min(most, w.Behind), min(most, w.Aside)
	return w
}

// felt returns what a reference names that is behind a #: in what the agent sees whose view is shown if it is there, since the rules may have moved it as
// the turn began, and else in the state.
func (p *picture) felt(ref, agent string) any {
	if _, inner, ok := strings.Cut(ref, "#"); ok {
		if v := follow(p.seen, inner); v != nil {
			return v
		}
	}
	return p.get(ref, agent)
}

// window dims the cells that the agent whose view is shown does not see.
func (p *picture) window(w, h float32) {
	seen := p.look.Cells(p.view, p.felt)
	if seen == nil {
		p.unseen()
		return
	}
	p.windowed = true
	for y := range int(h) {
		from := -1
		for x := 0; x <= int(w); x++ {
			hidden := x < int(w) && !seen[at(float64(x), float64(y))]
			if hidden && from < 0 {
				from = x
			}
			if !hidden && from >= 0 {
				p.add(draw.Shape{Form: draw.Rect, X: float32(from+x) / 2, Y: float32(y) + 0.5, W: float32(x - from), H: 1, Fill: fog})
				from, p.dimmed = -1, true
			}
		}
	}
}

// names returns all strings and names of fields in a value.
func names(v any) []string {
	var found []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			found = append(found, v)
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for key, e := range v {
				found = append(found, key)
				walk(e)
			}
		}
	}
	walk(v)
	return found
}

// unseen dims the agents of whom the one whose view is shown sees nothing.
func (p *picture) unseen() {
	if p.view.Sees == "" || p.view.Seen == "" {
		return
	}
	words := names(follow(p.seen, p.look.Sees))
	for i := range p.Shapes {
		s := &p.Shapes[i]
		if s.Agent != "" && s.Agent != p.view.Sees && !slices.Contains(words, s.Agent) {
			s.Fill, s.Stroke, s.Ink = s.Fill.Alpha(0.2), s.Stroke.Alpha(0.2), s.Ink.Alpha(0.2)
			p.dimmed = true
		}
	}
}
