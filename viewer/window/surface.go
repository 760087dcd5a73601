//go:build js || ebiten_desktop

// The command window is the painter with a graphics card, by Ebitengine. In a browser, where it is WebAssembly, it gives the page in which it is the
// object vitrinePainter, which package stage describes; on a desktop it is a window of its own that shows what a viewer's server has.
//
// Nothing else in this module knows Ebitengine, and without the tag ebiten_desktop not even this is built for desktops, because that takes
// a C compiler and the headers of X.
package main

import (
	"image"
	"math"

	"github.com/hajimehoshi/ebiten/v2"

	"github.com/vitrine-sim/vitrine/viewer/draw"
)

// A surface is what a graphics card paints on. Boxes and lines are triangles, sent together; masks are images, of which it keeps those that it has sent.
type surface struct {
	target *ebiten.Image
	white  *ebiten.Image // a pixel
	masks  map[*image.Alpha]*ebiten.Image
	held   int // pixels of masks

	vertices []ebiten.Vertex
	indices  []uint16
}

// The most pixels of masks that are kept, and vertices that are sent at once; indices have 16 bits.
const (
	heldMost     = 64 << 20
	verticesMost = 1 << 14
)

func newSurface() *surface {
	white := ebiten.NewImage(3, 3)
	white.Fill(image.White)
	return &surface{white: white.SubImage(image.Rect(1, 1, 2, 2)).(*ebiten.Image), masks: make(map[*image.Alpha]*ebiten.Image)}
}

// Size implements [soft.Surface].
func (s *surface) Size() (w, h int) { return s.target.Bounds().Dx(), s.target.Bounds().Dy() }

// Fill implements [soft.Surface].
func (s *surface) Fill(x0, y0, x1, y1 int, c draw.Color) {
	s.quad([4]corner{{float32(x0), float32(y0), 1}, {float32(x1), float32(y0), 1}, {float32(x0), float32(y1), 1}, {float32(x1), float32(y1), 1}}, c)
}

// Line implements [soft.Surface]. Its edges fade within a pixel.
func (s *surface) Line(x0, y0, x1, y1 float64, c draw.Color, width float64) {
	dx, dy := x1-x0, y1-y0
	long := math.Hypot(dx, dy)
	if long < 1e-9 {
		return
	}
	nx, ny := -dy/long, dx/long
	edges := [4]struct{ off, alpha float64 }{{-width/2 - 0.5, 0}, {-width/2 + 0.5, 1}, {width/2 - 0.5, 1}, {width/2 + 0.5, 0}}
	for i, from := range edges[:3] {
		to := edges[i+1]
		s.quad([4]corner{
			{float32(x0 + nx*from.off), float32(y0 + ny*from.off), float32(from.alpha)},
			{float32(x0 + nx*to.off), float32(y0 + ny*to.off), float32(to.alpha)},
			{float32(x1 + nx*from.off), float32(y1 + ny*from.off), float32(from.alpha)},
			{float32(x1 + nx*to.off), float32(y1 + ny*to.off), float32(to.alpha)},
		}, c)
	}
}

// A corner is where one is, and how much of the color there is.
type corner struct{ x, y, alpha float32 }

// quad adds a four-cornered area to what is sent next.
func (s *surface) quad(corners [4]corner, c draw.Color) {
	if len(s.vertices)+4 > verticesMost {
		s.flush()
	}
	first := uint16(len(s.vertices))
	r, g, b, a := parts(c)
	for _, at := range corners {
		s.vertices = append(s.vertices, ebiten.Vertex{DstX: at.x, DstY: at.y, SrcX: 1.5, SrcY: 1.5, ColorR: r, ColorG: g, ColorB: b, ColorA: a * at.alpha})
	}
	s.indices = append(s.indices, first, first+1, first+2, first+1, first+3, first+2)
}

// flush sends what is to be sent. Whatever comes next lies over it.
func (s *surface) flush() {
	if len(s.indices) > 0 {
		s.target.DrawTriangles(s.vertices, s.indices, s.white, nil)
		s.vertices, s.indices = s.vertices[:0], s.indices[:0]
	}
}

// Blend implements [soft.Surface].
func (s *surface) Blend(m *image.Alpha, left, top int, c draw.Color) {
	s.flush()
	options := &ebiten.DrawImageOptions{}
	options.GeoM.Translate(float64(left), float64(top))
	r, g, b, a := parts(c)
	options.ColorScale.Scale(r*a, g*a, b*a, a)
	s.target.DrawImage(s.mask(m), options)
}

// mask returns the image of a mask, white where it is whole.
func (s *surface) mask(m *image.Alpha) *ebiten.Image {
	if img := s.masks[m]; img != nil {
		return img
	}
	w, h := m.Rect.Dx(), m.Rect.Dy()
	if s.held += w * h; s.held > heldMost {
		for _, img := range s.masks {
			img.Deallocate()
		}
		clear(s.masks)
		s.held = w * h
	}
	pixels := make([]byte, 4*w*h)
	for y := range h {
		for x := range w {
			v := m.Pix[y*m.Stride+x]
			at := 4 * (y*w + x)
			pixels[at], pixels[at+1], pixels[at+2], pixels[at+3] = v, v, v, v
		}
	}
	img := ebiten.NewImage(w, h)
	img.WritePixels(pixels)
	s.masks[m] = img
	return img
}

// parts returns the four parts of a color, 0 to 1.
func parts(c draw.Color) (r, g, b, a float32) {
	red, green, blue, alpha := c.RGBA()
	return float32(red) / 255, float32(green) / 255, float32(blue) / 255, float32(alpha) / 255
}
