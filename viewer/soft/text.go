package soft

import (
	"image"
	imagedraw "image/draw"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/vitrine-sim/vitrine/viewer/draw"
)

// Letters are at least so many pixels high, or they are not painted, and at most so many.
const (
	letterLeast = 7
	textLeast   = 10 // of a text alone, which has more room than its box
	letterMost  = 64
)

// A face is letters of one size. It keeps those that it has made.
type face struct {
	font.Face
	up, down int // pixels over and under the line
	glyphs   map[rune]glyph
}

// A glyph is a letter as its face makes it.
type glyph struct {
	box     image.Rectangle // beside where it stands
	mask    *image.Alpha
	advance fixed.Int26_6
	ok      bool
}

// Glyph is of [font.Face]. All letters stand on whole pixels, for they are hinted.
func (f *face) Glyph(dot fixed.Point26_6, r rune) (box image.Rectangle, mask image.Image, at image.Point, advance fixed.Int26_6, ok bool) {
	g, known := f.glyphs[r]
	if !known {
		box, mask, at, advance, ok := f.Face.Glyph(fixed.Point26_6{}, r)
		g = glyph{box, image.NewAlpha(image.Rect(0, 0, box.Dx(), box.Dy())), advance, ok}
		if !box.Empty() {
			imagedraw.Draw(g.mask, g.mask.Rect, mask, at, imagedraw.Src) // the face uses its own again
		}
		f.glyphs[r] = g
	}
	return g.box.Add(image.Pt(dot.X.Round(), dot.Y.Round())), g.mask, image.Point{}, g.advance, g.ok
}

// A labelKey is what a label is of.
type labelKey struct {
	text string
	size int
}

// typeface reads the letters once: they are Go's own, from bytes in the program, so that it cannot fail.
var typeface = sync.OnceValue(func() *opentype.Font {
	f, err := opentype.Parse(gomedium.TTF)
	if err != nil {
		panic(err)
	}
	return f
})

func (p *Painter) face(size int) *face {
	if f := p.faces[size]; f != nil {
		return f
	}
	f, err := opentype.NewFace(typeface(), &opentype.FaceOptions{Size: float64(size), DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		panic(err) // only of a size that is none
	}
	m := f.Metrics()
	made := &face{Face: f, up: m.Ascent.Ceil(), down: m.Descent.Ceil(), glyphs: make(map[rune]glyph)}
	if p.faces == nil {
		p.faces = make(map[int]*face)
	}
	p.faces[size] = made
	return made
}

// Label returns a mask of a text, whose letters are size pixels high.
func (p *Painter) Label(text string, size int) *image.Alpha {
	key := labelKey{text, size}
	if m := p.labels[key]; m != nil {
		return m
	}
	f := p.face(size)
	w := min(font.MeasureString(f, text).Ceil(), 4096)
	m := image.NewAlpha(image.Rect(0, 0, max(w, 1), f.up+f.down))
	d := font.Drawer{Dst: m, Src: image.White, Face: f, Dot: fixed.P(0, f.up)}
	d.DrawString(text)
	held := len(m.Pix) + len(text)
	if p.letters += held; p.labels == nil || p.letters > heldMost {
		p.labels, p.letters = make(map[labelKey]*image.Alpha), held
	}
	p.labels[key] = m
	return m
}

// label paints a text in the middle of x, y, with letters as high as that, and less high if it would be wider than that; and a color around them.
func (p *Painter) label(on Surface, text string, x, y, high, wide float64, c, around draw.Color) {
	size := min(int(high+0.5), letterMost)
	if text == "" || size < letterLeast {
		return
	}
	m := p.Label(text, size)
	for float64(m.Rect.Dx()) > wide && size > letterLeast {
		size = max(letterLeast, min(size-1, int(float64(size)*wide/float64(m.Rect.Dx()))))
		m = p.Label(text, size)
	}
	left, top := whole(x-float64(m.Rect.Dx())/2), whole(y-float64(m.Rect.Dy())/2)
	if around&0xff != 0 {
		for _, d := range [...][2]int{{-1, -1}, {1, -1}, {-1, 1}, {1, 1}} {
			on.Blend(m, left+d[0], top+d[1], around)
		}
	}
	on.Blend(m, left, top, c)
}

// bubble paints what an agent says.
func (p *Painter) bubble(on Surface, b draw.Bubble, size float64) {
	fill, letters := draw.Color(0xf4f1eaf2), draw.Color(0x14181cff)
	if b.Thought {
		fill = 0xc9d4def2
	}
	cx, cy := b.X+b.W/2, b.Y+b.H/2
	on.Line(cx, cy, cx+(b.TipX-cx)*0.75, cy+(b.TipY-cy)*0.75, fill, 5*size)
	box(on, b.X, b.Y, b.X+b.W, b.Y+b.H, fill, 0x14181c66, 1)
	px := int(12*size + 0.5)
	for i, line := range b.Lines {
		m := p.Label(line, px)
		on.Blend(m, int(b.X+6*size), int(b.Y+(6+16*float64(i))*size), letters)
	}
}
