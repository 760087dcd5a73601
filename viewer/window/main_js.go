package main

import (
	"crypto/sha256"
	"encoding/hex"
	"syscall/js"

	"github.com/hajimehoshi/ebiten/v2"

	"github.com/vitrine-sim/vitrine/viewer/draw"
	"github.com/vitrine-sim/vitrine/viewer/soft"
	"github.com/vitrine-sim/vitrine/viewer/stage"
)

// A screen is a canvas that Ebitengine has made itself, over all of the page that it is in.
type screen struct {
	soft.Painter
	*surface
	stage *stage.Stage
}

func main() {
	s := &screen{surface: newSurface()}
	s.stage = stage.Open("ebiten", s)
	ebiten.SetScreenClearedEveryFrame(false)
	if err := ebiten.RunGameWithOptions(s, &ebiten.RunGameOptions{InitUnfocused: true}); err != nil {
		js.Global().Get("console").Call("error", err.Error())
	}
}

// Update is of [ebiten.Game].
func (s *screen) Update() error { return nil }

// Draw is of [ebiten.Game].
func (s *screen) Draw(target *ebiten.Image) {
	s.target = target
	s.stage.Paint()
}

// Layout is of [ebiten.Game].
func (s *screen) Layout(w, h int) (int, int) {
	ratio := ebiten.Monitor().DeviceScaleFactor()
	w, h = int(float64(w)*ratio), int(float64(h)*ratio)
	s.stage.Resize(w, h)
	return w, h
}

// Attach is of [stage.Screen]. Ebitengine has a canvas of its own.
func (s *screen) Attach(js.Value) {}

// Resize is of [stage.Screen].
func (s *screen) Resize(int, int) {}

// Show is of [stage.Screen]. Outside of Draw there is nothing to paint on.
func (s *screen) Show(l *draw.List, c draw.Camera, selected string) bool {
	if s.target == nil {
		return false
	}
	s.PaintOn(s, l, c, soft.Options{Selected: selected})
	s.flush()
	return true
}

// Hash is of [stage.Screen]: SHA-256 of the pixels.
func (s *screen) Hash() string {
	if s.target == nil {
		return ""
	}
	w, h := s.Size()
	pixels := make([]byte, 4*w*h)
	s.target.ReadPixels(pixels)
	sum := sha256.Sum256(pixels)
	return hex.EncodeToString(sum[:])
}
