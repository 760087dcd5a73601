//go:build js

// The command page is the painter of a browser without a graphics card. It gives the page the object vitrinePainter and then waits.
//
// What the page does with it: attach a canvas, give it a size, load a list, paint. All positions are pixels of the canvas. The painter paints only
// what has changed since it painted last.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"image"
	"syscall/js"
	"time"

	"github.com/vitrine-sim/vitrine/viewer/draw"
	"github.com/vitrine-sim/vitrine/viewer/soft"
)

// A stage is what is painted, and where.
type stage struct {
	soft.Painter
	img      *image.RGBA
	list     *draw.List
	camera   draw.Camera
	selected string
	stale    bool // something has changed since it was painted
	drawn    int
	took     time.Duration

	context js.Value // of the canvas
	pixels  js.Value // a Uint8ClampedArray of as many bytes as img
}

func main() {
	s := &stage{list: &draw.List{Ground: 0x22282fff}, img: image.NewRGBA(image.Rect(0, 0, 1, 1)), camera: draw.Camera{Zoom: 1}}
	object := js.Global().Get("Object").New()
	object.Set("name", "soft")
	for name, f := range s.functions() {
		object.Set(name, js.FuncOf(func(_ js.Value, args []js.Value) any { return f(args) }))
	}
	js.Global().Set("vitrinePainter", object)
	if ready := js.Global().Get("vitrinePainterReady"); ready.Type() == js.TypeFunction {
		ready.Invoke(object)
	}
	select {}
}

// functions returns what the page can call, by name.
func (s *stage) functions() map[string]func(args []js.Value) any {
	return map[string]func(args []js.Value) any{
		"attach":   s.attach,
		"size":     s.size,
		"load":     s.load,
		"paint":    s.paint,
		"view":     s.view,
		"fit":      func([]js.Value) any { return s.look(draw.Fit(s.list, s.img.Rect.Dx(), s.img.Rect.Dy())) },
		"zoomAt":   s.zoomAt,
		"pan":      s.pan,
		"select":   s.choose,
		"pick":     s.pick,
		"screenOf": s.screenOf,
		"bubbles":  s.bubbles,
		"legend":   s.legend,
		"hash":     s.hash,
		"stats": func([]js.Value) any {
			return map[string]any{"drawn": s.drawn, "ms": float64(s.took.Microseconds()) / 1000}
		},
	}
}

func (s *stage) attach(args []js.Value) any {
	s.context = args[0].Call("getContext", "2d", map[string]any{"alpha": false})
	s.stale = true
	return nil
}

// size takes the width and height of the canvas in pixels.
func (s *stage) size(args []js.Value) any {
	const most = 8192
	w, h := max(1, min(most, args[0].Int())), max(1, min(most, args[1].Int()))
	if w != s.img.Rect.Dx() || h != s.img.Rect.Dy() {
		s.img = image.NewRGBA(image.Rect(0, 0, w, h))
		s.pixels = js.Global().Get("Uint8ClampedArray").New(len(s.img.Pix))
		s.stale = true
	}
	return nil
}

// load takes an encoded list, and says whether it is one.
func (s *stage) load(args []js.Value) any {
	b := make([]byte, args[0].Get("length").Int())
	js.CopyBytesToGo(b, args[0])
	l, err := draw.Decode(b)
	if err != nil {
		return false
	}
	s.list, s.stale = l, true
	return true
}

// paint says whether there was something to paint.
func (s *stage) paint([]js.Value) any {
	if !s.stale || s.context.IsUndefined() || s.pixels.IsUndefined() {
		return false
	}
	begun := time.Now()
	s.Paint(s.img, s.list, s.camera, soft.Options{Selected: s.selected})
	js.CopyBytesToJS(s.pixels, s.img.Pix)
	data := js.Global().Get("ImageData").New(s.pixels, s.img.Rect.Dx(), s.img.Rect.Dy())
	s.context.Call("putImageData", data, 0, 0)
	s.stale = false
	s.drawn++
	s.took = time.Since(begun)
	return true
}

// look sets the camera and returns it.
func (s *stage) look(c draw.Camera) any {
	if c != s.camera {
		s.camera, s.stale = c, true
	}
	return map[string]any{"x": c.X, "y": c.Y, "zoom": c.Zoom}
}

// view takes {x, y, zoom}, or nothing; it returns where one looks from.
func (s *stage) view(args []js.Value) any {
	c := s.camera
	if len(args) > 0 && args[0].Type() == js.TypeObject {
		v := args[0]
		c = draw.Camera{X: v.Get("x").Float(), Y: v.Get("y").Float(), Zoom: v.Get("zoom").Float()}
	}
	return s.look(c)
}

func (s *stage) zoomAt(args []js.Value) any {
	return s.look(s.camera.ZoomAt(args[0].Float(), args[1].Float(), args[2].Float(), s.img.Rect.Dx(), s.img.Rect.Dy()))
}

// pan takes by how many pixels what is seen moves.
func (s *stage) pan(args []js.Value) any {
	c := s.camera
	c.X -= args[0].Float() / c.Zoom
	c.Y -= args[1].Float() / c.Zoom
	return s.look(c)
}

// choose takes the name of the agent that is marked, or "".
func (s *stage) choose(args []js.Value) any {
	if name := args[0].String(); name != s.selected {
		s.selected, s.stale = name, true
	}
	return nil
}

func (s *stage) pick(args []js.Value) any {
	return s.camera.Pick(s.list, args[0].Float(), args[1].Float(), s.img.Rect.Dx(), s.img.Rect.Dy())
}

// screenOf takes an agent and returns {x, y, r}, or null if it is not in the picture's world.
func (s *stage) screenOf(args []js.Value) any {
	x, y, r, ok := s.list.Place(args[0].String())
	if !ok {
		return nil
	}
	px, py := s.camera.Screen(x, y, s.img.Rect.Dx(), s.img.Rect.Dy())
	return map[string]any{"x": px, "y": py, "r": r * s.camera.Zoom}
}

// bubbles takes the size of letters, 1 is usual.
func (s *stage) bubbles(args []js.Value) any {
	size := 1.0
	if len(args) > 0 {
		size = args[0].Float()
	}
	out := []any{}
	for _, b := range s.camera.Bubbles(s.list, s.img.Rect.Dx(), s.img.Rect.Dy(), size) {
		lines := make([]any, len(b.Lines))
		for i, line := range b.Lines {
			lines[i] = line
		}
		out = append(out, map[string]any{
			"agent": b.Agent, "text": b.Text, "thought": b.Thought, "lines": lines,
			"x": b.X, "y": b.Y, "w": b.W, "h": b.H, "tipX": b.TipX, "tipY": b.TipY,
		})
	}
	return out
}

// legend returns what colors mean, and the title of the list.
func (s *stage) legend([]js.Value) any {
	out := []any{}
	for _, e := range s.list.Legend {
		r, g, b, _ := e.Color.RGBA()
		out = append(out, map[string]any{"red": int(r), "green": int(g), "blue": int(b), "form": int(e.Form), "text": e.Text})
	}
	return map[string]any{"title": s.list.Title, "entries": out}
}

// hash returns SHA-256 of the pixels that were painted last.
func (s *stage) hash([]js.Value) any {
	sum := sha256.Sum256(s.img.Pix)
	return hex.EncodeToString(sum[:])
}
