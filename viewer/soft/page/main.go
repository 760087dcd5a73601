//go:build js

// The command page is the painter of a browser without a graphics card. It gives the page the object vitrinePainter, which package stage
// describes, and then waits.
package main

import (
	"image"
	"syscall/js"

	"github.com/vitrine-sim/vitrine/viewer/draw"
	"github.com/vitrine-sim/vitrine/viewer/soft"
	"github.com/vitrine-sim/vitrine/viewer/stage"
)

// A screen is an image that is put into a canvas.
type screen struct {
	soft.Painter
	img     *image.RGBA
	context js.Value // of the canvas
	pixels  js.Value // a Uint8ClampedArray of as many bytes as img
}

func main() {
	s := &screen{}
	s.Resize(1, 1)
	stage.Open("soft", s)
	select {}
}

// Attach implements [stage.Screen].
func (s *screen) Attach(canvas js.Value) {
	s.context = canvas.Call("getContext", "2d", map[string]any{"alpha": false})
}

// Resize implements [stage.Screen].
func (s *screen) Resize(w, h int) {
	s.img = image.NewRGBA(image.Rect(0, 0, w, h))
	s.pixels = js.Global().Get("Uint8ClampedArray").New(len(s.img.Pix))
}

// Show implements [stage.Screen].
func (s *screen) Show(l *draw.List, c draw.Camera, selected string) bool {
	if s.context.IsUndefined() {
		return false
	}
	s.Paint(s.img, l, c, soft.Options{Selected: selected})
	js.CopyBytesToJS(s.pixels, s.img.Pix)
	s.context.Call("putImageData", js.Global().Get("ImageData").New(s.pixels, s.img.Rect.Dx(), s.img.Rect.Dy()), 0, 0)
	return true
}

// Pixels implements [stage.Screen].
func (s *screen) Pixels() []byte { return s.img.Pix }
