package draw

import "math"

// A Camera is where one looks at a list from.
type Camera struct {
	X, Y float64 // the point of the world in the middle of the picture
	Zoom float64 // pixels of a unit
}

// Zooms beyond these show nothing.
const (
	minZoom = 0.01
	maxZoom = 1000
)

// Fit returns the camera that shows all of a list in a picture of w by h pixels, with a little room around it.
func Fit(l *List, w, h int) Camera {
	zoom := math.Inf(1)
	if l.W > 0 {
		zoom = float64(w) / float64(l.W)
	}
	if l.H > 0 {
		zoom = min(zoom, float64(h)/float64(l.H))
	}
	if math.IsInf(zoom, 1) {
		zoom = 1
	}
	return Camera{X: float64(l.X + l.W/2), Y: float64(l.Y + l.H/2), Zoom: bounded(zoom * 0.94)}
}

// Screen returns the pixel, of a picture of w by h, in which a point of the world is.
func (c Camera) Screen(x, y float64, w, h int) (px, py float64) {
	return (x-c.X)*c.Zoom + float64(w)/2, (y-c.Y)*c.Zoom + float64(h)/2
}

// World returns the point of the world that is in a pixel.
func (c Camera) World(px, py float64, w, h int) (x, y float64) {
	return (px-float64(w)/2)/c.Zoom + c.X, (py-float64(h)/2)/c.Zoom + c.Y
}

// ZoomAt returns the camera that is factor times as near, with the same point of the world in the pixel as before.
func (c Camera) ZoomAt(px, py, factor float64, w, h int) Camera {
	x, y := c.World(px, py, w, h)
	zoom := bounded(c.Zoom * factor)
	return Camera{X: x - (px-float64(w)/2)/zoom, Y: y - (py-float64(h)/2)/zoom, Zoom: zoom}
}

func bounded(zoom float64) float64 { return max(minZoom, min(maxZoom, zoom)) }

// Shown says whether a shape is in a picture of w by h pixels and large enough to be painted.
func (c Camera) Shown(s *Shape, w, h int) bool {
	if float64(s.From) > c.Zoom {
		return false
	}
	px, py := c.Screen(float64(s.X), float64(s.Y), w, h)
	rx, ry := math.Abs(float64(s.W))*c.Zoom/2+2, math.Abs(float64(s.H))*c.Zoom/2+2
	if s.Form == Text || s.Label != "" {
		rx = max(rx, float64(len(s.Label))*ry)
	}
	return px+rx >= 0 && px-rx <= float64(w) && py+ry >= 0 && py-ry <= float64(h)
}

// reach is how many pixels beside a small shape a click still means it.
const reach = 4

// Pick returns the agent whose shape is in a pixel, the uppermost one; empty: there is none.
func (c Camera) Pick(l *List, px, py float64, w, h int) string {
	for i := len(l.Shapes) - 1; i >= 0; i-- {
		s := &l.Shapes[i]
		if s.Agent == "" || !c.Shown(s, w, h) {
			continue
		}
		sx, sy := c.Screen(float64(s.X), float64(s.Y), w, h)
		if math.Abs(px-sx) <= math.Abs(float64(s.W))*c.Zoom/2+reach && math.Abs(py-sy) <= math.Abs(float64(s.H))*c.Zoom/2+reach {
			return s.Agent
		}
	}
	return ""
}
