package soft

import (
	"image"
	"math"

	"github.com/vitrine-sim/vitrine/viewer/draw"
)

// A canvas is an image that is opaque everywhere.
type canvas struct{ *image.RGBA }

func (cv canvas) size() (w, h int) { return cv.Rect.Dx(), cv.Rect.Dy() }

// fill paints the pixels from x0, y0 to before x1, y1.
func (cv canvas) fill(x0, y0, x1, y1 int, c draw.Color) {
	w, h := cv.size()
	x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, w), min(y1, h)
	r, g, b, a := c.RGBA()
	if x0 >= x1 || y0 >= y1 || a == 0 {
		return
	}
	for y := y0; y < y1; y++ {
		row := cv.Pix[y*cv.Stride+4*x0 : y*cv.Stride+4*x1]
		switch {
		case a < 255:
			for i := 0; i < len(row); i += 4 {
				mix(row[i:i+4:i+4], r, g, b, uint32(a))
			}
		case y == y0:
			row[0], row[1], row[2], row[3] = r, g, b, 255
			for n := 4; n < len(row); n *= 2 {
				copy(row[n:], row[:n])
			}
		default:
			copy(row, cv.Pix[y0*cv.Stride+4*x0:y0*cv.Stride+4*x1])
		}
	}
}

// mix lays a color over a pixel, a of 255 of it.
func mix(pixel []uint8, r, g, b uint8, a uint32) {
	pixel[0] = over(pixel[0], r, a)
	pixel[1] = over(pixel[1], g, a)
	pixel[2] = over(pixel[2], b, a)
	pixel[3] = 255
}

func over(below, above uint8, a uint32) uint8 {
	return uint8((uint32(below)*(255-a) + uint32(above)*a + 127) / 255)
}

// box paints a box and its edge, both on whole pixels. However small it is, there is something of it.
func (cv canvas) box(x0, y0, x1, y1 float64, fill, stroke draw.Color, width float64) {
	if x0 > x1 {
		x0, x1 = x1, x0
	}
	if y0 > y1 {
		y0, y1 = y1, y0
	}
	l, t := whole(x0), whole(y0)
	r, b := max(whole(x1), l+1), max(whole(y1), t+1)
	cv.fill(l, t, r, b, fill)
	if stroke&0xff != 0 {
		n := int(width + 0.5)
		cv.fill(l, t, r, t+n, stroke)
		cv.fill(l, b-n, r, b, stroke)
		cv.fill(l, t+n, l+n, b-n, stroke)
		cv.fill(r-n, t+n, r, b-n, stroke)
	}
}

// whole rounds to a pixel; what is far off the picture stays off it.
func whole(v float64) int {
	const far = 1 << 20
	return int(math.Round(max(-far, min(far, v))))
}

// blend lays a color through a mask around x, y.
func (cv canvas) blend(m *image.Alpha, x, y float64, c draw.Color) {
	cv.blendAt(m, whole(x-float64(m.Rect.Dx())/2), whole(y-float64(m.Rect.Dy())/2), c)
}

// blendAt lays a color through a mask whose upper left corner is at left, top.
func (cv canvas) blendAt(m *image.Alpha, left, top int, c draw.Color) {
	w, h := cv.size()
	r, g, b, alpha := c.RGBA()
	x0, x1 := max(0, -left), min(m.Rect.Dx(), w-left)
	for my := max(0, -top); my < min(m.Rect.Dy(), h-top); my++ {
		at := (top+my)*cv.Stride + 4*(left+x0)
		for mx := x0; mx < x1; mx++ {
			if a := m.Pix[my*m.Stride+mx]; a != 0 {
				mix(cv.Pix[at:at+4:at+4], r, g, b, uint32(a)*uint32(alpha)/255)
			}
			at += 4
		}
	}
}

// direct paints a form that is too large for a mask.
func (cv canvas) direct(f draw.Form, x, y, w, h float64, fill, stroke draw.Color, width float64) {
	far := distance(f, w, h)
	wide, high := cv.size()
	fr, fg, fb, fa := fill.RGBA()
	sr, sg, sb, sa := stroke.RGBA()
	for py := max(0, whole(y-h/2)-1); py < min(high, whole(y+h/2)+2); py++ {
		for px := max(0, whole(x-w/2)-1); px < min(wide, whole(x+w/2)+2); px++ {
			d := far(float64(px)+0.5-x, float64(py)+0.5-y)
			if d > 1 {
				continue
			}
			pixel := cv.Pix[py*cv.Stride+4*px : py*cv.Stride+4*px+4]
			if a := uint32(covered(d) * float64(fa)); a > 0 {
				mix(pixel, fr, fg, fb, a)
			}
			if a := uint32(covered(stroked(d, width)) * float64(sa)); a > 0 {
				mix(pixel, sr, sg, sb, a)
			}
		}
	}
}

// line paints a line with round ends.
func (cv canvas) line(x0, y0, x1, y1 float64, c draw.Color, width float64) {
	w, h := cv.size()
	r, g, b, alpha := c.RGBA()
	dx, dy := x1-x0, y1-y0
	long := dx*dx + dy*dy
	room := width/2 + 1
	top, bottom := max(0, whole(min(y0, y1)-room)), min(h, whole(max(y0, y1)+room)+1)
	for py := top; py < bottom; py++ {
		left, right := min(x0, x1), max(x0, x1)
		if steep := math.Abs(dy); steep > 1e-9 { // the part of the line that is near this row of pixels
			t0, t1 := (float64(py)-room-y0)/dy, (float64(py)+1+room-y0)/dy
			t0, t1 = max(0, min(t0, t1)), min(1, max(t0, t1))
			left, right = min(x0+t0*dx, x0+t1*dx), max(x0+t0*dx, x0+t1*dx)
		}
		for px := max(0, whole(left-room)); px < min(w, whole(right+room)+1); px++ {
			vx, vy := float64(px)+0.5-x0, float64(py)+0.5-y0
			t := 0.0
			if long > 0 {
				t = max(0, min(1, (vx*dx+vy*dy)/long))
			}
			if a := uint32(covered(math.Hypot(vx-t*dx, vy-t*dy)-width/2) * float64(alpha)); a > 0 {
				at := py*cv.Stride + 4*px
				mix(cv.Pix[at:at+4:at+4], r, g, b, a)
			}
		}
	}
}
