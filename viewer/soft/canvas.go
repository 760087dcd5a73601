package soft

import (
	"image"
	"math"

	"github.com/vitrine-sim/vitrine/viewer/draw"
)

// A canvas is an image that is opaque everywhere.
type canvas struct{ *image.RGBA }

// Size returns the size of the image.
func (cv canvas) Size() (w, h int) { return cv.Rect.Dx(), cv.Rect.Dy() }

// Fill implements [Surface].
func (cv canvas) Fill(x0, y0, x1, y1 int, c draw.Color) {
	w, h := cv.Size()
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

// Blend implements [Surface].
func (cv canvas) Blend(m *image.Alpha, left, top int, c draw.Color) {
	w, h := cv.Size()
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

// Line implements [Surface].
func (cv canvas) Line(x0, y0, x1, y1 float64, c draw.Color, width float64) {
	w, h := cv.Size()
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
