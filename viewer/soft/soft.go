// Package soft paints draw lists into images, in Go alone: no graphics card, no display, no C. It paints for browsers and machines without a
// graphics card, and makes pictures and films.
//
// Forms are painted by how far a pixel is from their edge, which gives smooth edges and strokes at any size; small ones are kept as masks, since there
// are mostly many of the same. Boxes keep to whole pixels, so that cells side by side leave no gap.
package soft

import (
	"image"
	"math"

	"github.com/vitrine-sim/vitrine/viewer/draw"
)

// A Painter paints. It keeps what it has learned about forms and letters from one picture to the next. One goroutine at a time can use it.
// Its zero value is ready.
type Painter struct {
	masks  map[maskKey]*image.Alpha
	held   int // bytes of masks
	labels map[labelKey]*image.Alpha
	faces  map[int]*face
}

// Options are what one picture has besides its list and its camera.
type Options struct {
	Selected string  // the agent that is marked; empty: none
	Bubbles  bool    // what agents say is painted too
	Size     float64 // of letters, 1 is usual; 0 stands for 1
}

// Paint paints a list over all of img.
func (p *Painter) Paint(img *image.RGBA, l *draw.List, c draw.Camera, o Options) {
	if o.Size == 0 {
		o.Size = 1
	}
	cv := canvas{img}
	w, h := cv.size()
	cv.fill(0, 0, w, h, l.Ground|0xff)
	for i := range l.Shapes {
		if s := &l.Shapes[i]; c.Shown(s, w, h) {
			p.shape(cv, s, c)
		}
	}
	if x, y, r, ok := l.Place(o.Selected); ok && o.Selected != "" {
		px, py := c.Screen(x, y, w, h)
		size := float32(2*r + 12/c.Zoom)
		p.form(cv, draw.Ring, px, py, float64(size)*c.Zoom, float64(size)*c.Zoom, 0, 0xffffffff, 3)
	}
	if o.Bubbles {
		for _, b := range c.Bubbles(l, w, h, o.Size) {
			p.bubble(cv, b, o.Size)
		}
	}
}

func (p *Painter) shape(cv canvas, s *draw.Shape, c draw.Camera) {
	w, h := cv.size()
	x, y := c.Screen(float64(s.X), float64(s.Y), w, h)
	sw, sh := float64(s.W)*c.Zoom, float64(s.H)*c.Zoom
	stroke := max(1, float64(s.Width))
	switch s.Form {
	case draw.Text:
		p.label(cv, s.Label, x, y, math.Abs(sh), math.Inf(1), s.Fill|s.Ink)
		return
	case draw.Line:
		cv.line(x-sw/2, y-sh/2, x+sw/2, y+sh/2, s.Stroke, stroke)
	case draw.Rect:
		cv.box(x-sw/2, y-sh/2, x+sw/2, y+sh/2, s.Fill, s.Stroke, stroke)
	default:
		p.form(cv, s.Form, x, y, math.Abs(sw), math.Abs(sh), s.Fill, s.Stroke, stroke)
	}
	if s.Label != "" {
		p.label(cv, s.Label, x, y, min(math.Abs(sw), math.Abs(sh))/2, math.Abs(sw)*0.9, s.Ink)
	}
}

// form paints a form in a box of w by h pixels around x, y.
func (p *Painter) form(cv canvas, f draw.Form, x, y, w, h float64, fill, stroke draw.Color, width float64) {
	if w < 1 || h < 1 {
		w, h = max(w, 1), max(h, 1)
	}
	if f == draw.Ring {
		fill = 0
	}
	if w > maskMost || h > maskMost {
		cv.direct(f, x, y, w, h, fill, stroke, width)
		return
	}
	key := maskKey{form: f, w: int(w + 0.5), h: int(h + 0.5)}
	if fill&0xff != 0 {
		cv.blend(p.mask(key), x, y, fill)
	}
	if stroke&0xff != 0 {
		key.width = uint8(min(255, width*4))
		cv.blend(p.mask(key), x, y, stroke)
	}
}

// maskMost is the size in pixels up to which forms are kept as masks, and heldMost how many bytes of them.
const (
	maskMost = 400
	heldMost = 64 << 20
)

// A maskKey is what a mask is of.
type maskKey struct {
	form  draw.Form
	w, h  int
	width uint8 // of the stroke, in quarters of a pixel; 0: the inside
}

func (p *Painter) mask(key maskKey) *image.Alpha {
	if m := p.masks[key]; m != nil {
		return m
	}
	const margin = 2
	m := image.NewAlpha(image.Rect(0, 0, key.w+2*margin, key.h+2*margin))
	far := distance(key.form, float64(key.w), float64(key.h))
	cx, cy := float64(m.Rect.Dx())/2, float64(m.Rect.Dy())/2
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			d := far(float64(x)+0.5-cx, float64(y)+0.5-cy)
			if key.width > 0 {
				d = stroked(d, float64(key.width)/4)
			}
			m.Pix[y*m.Stride+x] = uint8(255*covered(d) + 0.5)
		}
	}
	if p.held += len(m.Pix); p.masks == nil || p.held > heldMost {
		p.masks, p.held = make(map[maskKey]*image.Alpha), len(m.Pix)
	}
	p.masks[key] = m
	return m
}

// covered returns how much of a pixel is inside of an edge that is d pixels from its middle.
func covered(d float64) float64 { return max(0, min(1, 0.5-d)) }

// stroked turns the distance from an edge into that from a stroke along its inside.
func stroked(d, width float64) float64 { return math.Abs(d+width/2) - width/2 }
