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
	masks   map[maskKey]*image.Alpha
	held    int // bytes of masks
	labels  map[labelKey]*image.Alpha
	letters int // bytes of labels
	faces   map[int]*face
}

// Options are what one picture has besides its list and its camera.
type Options struct {
	Selected string  // the agent that is marked; empty: none
	Bubbles  bool    // what agents say is painted too
	Caption  string  // stands in the upper left corner
	Size     float64 // of the letters of bubbles, 1 is usual; 0 stands for 1
}

// A Surface is what is painted on: an image, or something that a graphics card has.
type Surface interface {
	// Size returns how many pixels wide and high it is.
	Size() (w, h int)
	// Fill lays a color over the pixels from x0, y0 to before x1, y1, as far as they are on it.
	Fill(x0, y0, x1, y1 int, c draw.Color)
	// Blend lays a color through a mask whose upper left corner is at left, top. The mask does not change any more.
	Blend(m *image.Alpha, left, top int, c draw.Color)
	// Line lays a color over a line with round ends, so many pixels wide.
	Line(x0, y0, x1, y1 float64, c draw.Color, width float64)
}

// Paint paints a list over all of img.
func (p *Painter) Paint(img *image.RGBA, l *draw.List, c draw.Camera, o Options) {
	p.PaintOn(canvas{img}, l, c, o)
}

// PaintOn paints a list over all of a surface.
func (p *Painter) PaintOn(on Surface, l *draw.List, c draw.Camera, o Options) {
	if o.Size == 0 {
		o.Size = 1
	}
	w, h := on.Size()
	on.Fill(0, 0, w, h, l.Ground|0xff)
	for i := range l.Shapes {
		if s := &l.Shapes[i]; c.Shown(s, w, h) {
			p.shape(on, s, c)
		}
	}
	if x, y, r, ok := l.Place(o.Selected); ok && o.Selected != "" {
		px, py := c.Screen(x, y, w, h)
		size := 2*r*c.Zoom + 12
		p.form(on, draw.Ring, px, py, size, size, 0, 0xffffffff, 3)
	}
	if o.Bubbles {
		for _, b := range c.Bubbles(l, w, h, o.Size) {
			p.bubble(on, b, o.Size)
		}
	}
	if o.Caption != "" {
		m := p.Label(o.Caption, captionHigh)
		on.Fill(8, 8, 8+m.Rect.Dx()+12, 8+m.Rect.Dy()+6, 0x14181ccc)
		on.Blend(m, 14, 11, 0xe8ecefff)
	}
}

// captionHigh is how high the letters of a caption are, in pixels.
const captionHigh = 15

func (p *Painter) shape(on Surface, s *draw.Shape, c draw.Camera) {
	w, h := on.Size()
	x, y := c.Screen(float64(s.X), float64(s.Y), w, h)
	sw, sh := float64(s.W)*c.Zoom, float64(s.H)*c.Zoom
	stroke := max(1, float64(s.Width))
	switch s.Form {
	case draw.Text:
		if high := math.Abs(sh); high >= letterLeast {
			p.label(on, s.Label, x, y, max(high, textLeast), math.Inf(1), s.Fill|s.Ink, s.Stroke)
		}
		return
	case draw.Line:
		on.Line(x-sw/2, y-sh/2, x+sw/2, y+sh/2, s.Stroke, stroke)
	case draw.Rect:
		box(on, x-sw/2, y-sh/2, x+sw/2, y+sh/2, s.Fill, s.Stroke, stroke)
	default:
		p.form(on, s.Form, x, y, math.Abs(sw), math.Abs(sh), s.Fill, s.Stroke, stroke)
	}
	if s.Label != "" {
		p.label(on, s.Label, x, y, min(math.Abs(sw), math.Abs(sh))/2, math.Abs(sw)*0.9, s.Ink, 0)
	}
}

// form paints a form in a box of w by h pixels around x, y.
func (p *Painter) form(on Surface, f draw.Form, x, y, w, h float64, fill, stroke draw.Color, width float64) {
	w, h = max(w, 1), max(h, 1)
	if f == draw.Ring {
		fill = 0
	}
	key := maskKey{form: f, w: int(w + 0.5), h: int(h + 0.5)}
	for _, part := range []struct {
		color draw.Color
		width uint8
	}{{fill, 0}, {stroke, uint8(min(255, width*4))}} {
		key.width = part.width
		switch {
		case part.color&0xff == 0:
		case w > maskMost || h > maskMost:
			m, left, top := visible(on, key, x, y)
			on.Blend(m, left, top, part.color)
		default:
			m := p.mask(key)
			on.Blend(m, whole(x-float64(m.Rect.Dx())/2), whole(y-float64(m.Rect.Dy())/2), part.color)
		}
	}
}

// maskMost is the size in pixels up to which forms are kept as masks, and heldMost how many bytes of them, and of labels.
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
	key.cover(m, float64(m.Rect.Dx())/2, float64(m.Rect.Dy())/2)
	if p.held += len(m.Pix); p.masks == nil || p.held > heldMost {
		p.masks, p.held = make(map[maskKey]*image.Alpha), len(m.Pix)
	}
	p.masks[key] = m
	return m
}

// cover fills a mask with the form around x, y.
func (key maskKey) cover(m *image.Alpha, x, y float64) {
	far := distance(key.form, float64(key.w), float64(key.h))
	for py := range m.Rect.Dy() {
		for px := range m.Rect.Dx() {
			d := far(float64(px)+0.5-x, float64(py)+0.5-y)
			if key.width > 0 {
				d = stroked(d, float64(key.width)/4)
			}
			m.Pix[py*m.Stride+px] = uint8(255*covered(d) + 0.5)
		}
	}
}

// visible returns a mask of the part of a form around x, y that is on a surface, and where it is.
func visible(on Surface, key maskKey, x, y float64) (m *image.Alpha, left, top int) {
	w, h := on.Size()
	rx, ry := float64(key.w)/2+1, float64(key.h)/2+1
	box := image.Rect(whole(x-rx), whole(y-ry), whole(x+rx)+1, whole(y+ry)+1).Intersect(image.Rect(0, 0, w, h))
	m = image.NewAlpha(image.Rect(0, 0, box.Dx(), box.Dy()))
	key.cover(m, x-float64(box.Min.X), y-float64(box.Min.Y))
	return m, box.Min.X, box.Min.Y
}

// box paints a box and its edge, both on whole pixels. However small it is, there is something of it.
func box(on Surface, x0, y0, x1, y1 float64, fill, stroke draw.Color, width float64) {
	l, t := whole(min(x0, x1)), whole(min(y0, y1))
	r, b := max(whole(max(x0, x1)), l+1), max(whole(max(y0, y1)), t+1)
	if fill&0xff != 0 {
		on.Fill(l, t, r, b, fill)
	}
	if stroke&0xff != 0 {
		n := int(width + 0.5)
		on.Fill(l, t, r, t+n, stroke)
		on.Fill(l, b-n, r, b, stroke)
		on.Fill(l, t+n, l+n, b-n, stroke)
		on.Fill(r-n, t+n, r, b-n, stroke)
	}
}

// whole rounds to a pixel; what is far off the picture stays off it.
func whole(v float64) int {
	const far = 1 << 20
	return int(math.Round(max(-far, min(far, v))))
}

// covered returns how much of a pixel is inside of an edge that is d pixels from its middle.
func covered(d float64) float64 { return max(0, min(1, 0.5-d)) }

// stroked turns the distance from an edge into that from a stroke along its inside.
func stroked(d, width float64) float64 { return math.Abs(d+width/2) - width/2 }
