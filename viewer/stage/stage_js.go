package stage

import (
	"crypto/sha256"
	"encoding/hex"
	"syscall/js"
	"time"

	"github.com/vitrine-sim/vitrine/viewer/draw"
)

// A Screen shows what is on a stage.
type Screen interface {
	// Attach takes the canvas of the page.
	Attach(canvas js.Value)
	// Resize sets how many pixels wide and high the canvas is.
	Resize(w, h int)
	// Show paints all of it, with the selected agent marked, and says whether it could.
	Show(l *draw.List, c draw.Camera, selected string) bool
	// Pixels returns the picture that it has painted last: four bytes for each pixel, red, green, blue and 255, row by row.
	Pixels() []byte
}

// A Stage is what is painted, and where one looks from.
type Stage struct {
	screen   Screen
	w, h     int
	list     *draw.List   // what is seen
	before   *draw.List   // what was seen when goal came
	goal     *draw.List   // what is seen at the end of the way
	motion   *draw.Motion // from the one to the other; nil: it is not known yet
	camera   draw.Camera
	selected string
	stale    bool // something has changed since it was painted
	drawn    int
	took     time.Duration
}

// Open gives the page the object vitrinePainter, with that name, and calls its function vitrinePainterReady with it, if it has one.
func Open(name string, screen Screen) *Stage {
	empty := &draw.List{Ground: 0x22282fff}
	s := &Stage{screen: screen, w: 1, h: 1, list: empty, goal: empty, camera: draw.Camera{Zoom: 1}}
	object := js.Global().Get("Object").New()
	object.Set("name", name)
	for name, f := range s.functions() {
		object.Set(name, js.FuncOf(func(_ js.Value, args []js.Value) any { return f(args) }))
	}
	js.Global().Set("vitrinePainter", object)
	if ready := js.Global().Get("vitrinePainterReady"); ready.Type() == js.TypeFunction {
		ready.Invoke(object)
	}
	return s
}

// functions returns what the page can call, by name.
func (s *Stage) functions() map[string]func(args []js.Value) any {
	return map[string]func(args []js.Value) any{
		"attach":   s.attach,
		"size":     s.size,
		"load":     s.load,
		"blend":    s.blend,
		"paint":    func([]js.Value) any { return s.Paint() },
		"view":     s.view,
		"fit":      func([]js.Value) any { return s.look(draw.Fit(s.goal, s.w, s.h)) },
		"zoomAt":   s.zoomAt,
		"pan":      s.pan,
		"select":   s.choose,
		"pick":     s.pick,
		"screenOf": s.screenOf,
		"bubbles":  s.bubbles,
		"about":    s.about,
		"pixels":   s.pixels,
		"hash":     s.hash,
		"stats": func([]js.Value) any {
			return map[string]any{"drawn": s.drawn, "ms": float64(s.took.Microseconds()) / 1000}
		},
	}
}

func (s *Stage) attach(args []js.Value) any {
	s.screen.Attach(args[0])
	s.stale = true
	return nil
}

// size takes the width and height of the canvas in pixels. A canvas that gets them is empty, even if it had them before.
func (s *Stage) size(args []js.Value) any {
	s.Resize(args[0].Int(), args[1].Int())
	s.stale = true
	return nil
}

// Resize sets the width and height of the canvas in pixels.
func (s *Stage) Resize(w, h int) {
	const most = 8192
	w, h = max(1, min(most, w)), max(1, min(most, h))
	if w != s.w || h != s.h {
		s.w, s.h, s.stale = w, h, true
		s.screen.Resize(w, h)
	}
}

// load takes an encoded list, and says whether it is one.
func (s *Stage) load(args []js.Value) any {
	b := make([]byte, args[0].Get("length").Int())
	js.CopyBytesToGo(b, js.Global().Get("Uint8Array").New(args[0].Get("buffer"), args[0].Get("byteOffset"), len(b))) // the page's may be of another document
	l, err := draw.Decode(b)
	if err != nil {
		return false
	}
	s.before, s.list, s.goal, s.motion, s.stale = s.list, l, l, nil, true
	return true
}

// blend takes how much of the way from the list that was seen before the last load is gone, 0 to 1. At 1 all is as the loaded list has it.
func (s *Stage) blend(args []js.Value) any {
	if part := args[0].Float(); part < 1 {
		if s.motion == nil {
			s.motion = draw.Between(s.before, s.goal)
		}
		s.list, s.stale = s.motion.At(part), true
	} else if s.list != s.goal {
		s.list, s.stale = s.goal, true
	}
	return nil
}

// Paint paints what has changed, and says whether there was something.
func (s *Stage) Paint() bool {
	begun := time.Now()
	if !s.stale || !s.screen.Show(s.list, s.camera, s.selected) {
		return false
	}
	s.stale = false
	s.drawn++
	s.took = time.Since(begun)
	return true
}

// look sets the camera and returns it.
func (s *Stage) look(c draw.Camera) any {
	if c != s.camera {
		s.camera, s.stale = c, true
	}
	return map[string]any{"x": c.X, "y": c.Y, "zoom": c.Zoom}
}

// view takes {x, y, zoom}, or nothing; it returns where one looks from.
func (s *Stage) view(args []js.Value) any {
	c := s.camera
	if len(args) > 0 && args[0].Type() == js.TypeObject {
		v := args[0]
		c = draw.Camera{X: v.Get("x").Float(), Y: v.Get("y").Float(), Zoom: v.Get("zoom").Float()}
	}
	return s.look(c)
}

func (s *Stage) zoomAt(args []js.Value) any {
	return s.look(s.camera.ZoomAt(args[0].Float(), args[1].Float(), args[2].Float(), s.w, s.h))
}

// pan takes by how many pixels what is seen moves.
func (s *Stage) pan(args []js.Value) any {
	c := s.camera
	c.X -= args[0].Float() / c.Zoom
	c.Y -= args[1].Float() / c.Zoom
	return s.look(c)
}

// choose takes the name of the agent that is marked, or "".
func (s *Stage) choose(args []js.Value) any {
	if name := args[0].String(); name != s.selected {
		s.selected, s.stale = name, true
	}
	return nil
}

func (s *Stage) pick(args []js.Value) any {
	return s.camera.Pick(s.list, args[0].Float(), args[1].Float(), s.w, s.h)
}

// screenOf takes an agent and returns {x, y, r}, or null if it is not in the picture's world.
func (s *Stage) screenOf(args []js.Value) any {
	x, y, r, ok := s.list.Place(args[0].String())
	if !ok {
		return nil
	}
	px, py := s.camera.Screen(x, y, s.w, s.h)
	return map[string]any{"x": px, "y": py, "r": r * s.camera.Zoom}
}

// bubbles takes the size of letters, 1 is usual.
func (s *Stage) bubbles(args []js.Value) any {
	size := 1.0
	if len(args) > 0 && args[0].Type() == js.TypeNumber {
		size = args[0].Float()
	}
	out := []any{}
	for _, b := range s.camera.Bubbles(s.list, s.w, s.h, size) {
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

// pixels returns what was painted last, as a Uint8ClampedArray.
func (s *Stage) pixels([]js.Value) any {
	b := s.screen.Pixels()
	array := js.Global().Get("Uint8ClampedArray").New(len(b))
	js.CopyBytesToJS(array, b)
	return array
}

// hash returns SHA-256 of the pixels, in hexadecimal digits.
func (s *Stage) hash([]js.Value) any {
	sum := sha256.Sum256(s.screen.Pixels())
	return hex.EncodeToString(sum[:])
}

// about returns {x, y, w, h}, the box that the whole world is in, its title, and in legend what colors mean.
func (s *Stage) about([]js.Value) any {
	l := s.goal
	legend := []any{}
	for _, e := range l.Legend {
		legend = append(legend, map[string]any{"color": int(e.Color), "form": int(e.Form), "text": e.Text})
	}
	return map[string]any{"x": l.X, "y": l.Y, "w": l.W, "h": l.H, "title": l.Title, "legend": legend}
}
