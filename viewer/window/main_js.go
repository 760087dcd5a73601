package main

import (
	"image"
	"sync"
	"syscall/js"

	"github.com/hajimehoshi/ebiten/v2"

	"github.com/vitrine-sim/vitrine/viewer/draw"
	"github.com/vitrine-sim/vitrine/viewer/soft"
	"github.com/vitrine-sim/vitrine/viewer/stage"
)

// A screen is a canvas that Ebitengine has made itself, over all of the document that it is in, which is a frame in the page. It paints on an
// image whenever the page wants that, and Ebitengine shows the image.
type screen struct {
	soft.Painter
	*surface
	open    sync.Once         // gives the page the painter
	changed bool              // it has painted what is not shown yet
	shown   func(*image.RGBA) // paints on an image what it has painted last; nil: nothing
}

func main() {
	s := &screen{surface: newSurface()}
	s.Resize(1, 1)
	ebiten.SetScreenClearedEveryFrame(false)
	if err := ebiten.RunGameWithOptions(s, &ebiten.RunGameOptions{InitUnfocused: true}); err != nil {
		js.Global().Get("console").Call("error", err.Error())
	}
}

// Update implements [ebiten.Game]. Before it is called first nothing can be painted.
func (s *screen) Update() error {
	s.open.Do(func() { stage.Open("ebiten", s) })
	return nil
}

// Draw implements [ebiten.Game].
func (s *screen) Draw(on *ebiten.Image) {
	if s.changed {
		on.DrawImage(s.target, nil)
		s.changed = false
	}
}

// Layout implements [ebiten.Game].
func (s *screen) Layout(int, int) (w, h int) {
	return s.Size()
}

// Attach implements [stage.Screen]. Ebitengine has a canvas of its own.
func (s *screen) Attach(js.Value) {}

// Resize implements [stage.Screen].
func (s *screen) Resize(w, h int) {
	if s.target != nil {
		s.target.Deallocate()
	}
	s.target = ebiten.NewImage(w, h)
}

// Show implements [stage.Screen].
func (s *screen) Show(l *draw.List, c draw.Camera, selected string) bool {
	s.shown = func(img *image.RGBA) { s.Paint(img, l, c, soft.Options{Selected: selected}) }
	s.PaintOn(s, l, c, soft.Options{Selected: selected})
	s.flush()
	s.changed = true
	return true
}

// Pixels implements [stage.Screen]. What the graphics card has can be read only between calls from the page; the painter without one paints the same.
func (s *screen) Pixels() []byte {
	w, h := s.Size()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	if s.shown != nil {
		s.shown(img)
	}
	return img.Pix
}
