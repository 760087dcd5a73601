package soft

import (
	"bytes"
	"fmt"
	"image"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/viewer/draw"
)

const (
	red   = draw.Color(0xff0000ff)
	green = draw.Color(0x00ff00ff)
	black = draw.Color(0x000000ff)
)

func paint(t *testing.T, l *draw.List, o Options) *image.RGBA {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 200, 100))
	var p Painter
	p.Paint(img, l, draw.Camera{Zoom: 10}, o)
	return img
}

// at returns the color of a pixel.
func at(img *image.RGBA, x, y int) draw.Color {
	c := img.RGBAAt(x, y)
	return draw.Color(c.R)<<24 | draw.Color(c.G)<<16 | draw.Color(c.B)<<8 | draw.Color(c.A)
}

func TestEachFormFillsItsMiddleAndNotTheGroundAround(t *testing.T) {
	for _, f := range []draw.Form{draw.Rect, draw.Disc, draw.Triangle, draw.Diamond, draw.Hexagon, draw.Cross, draw.Star} {
		for _, size := range []float32{0.8, 4, 50} { // a mask, a larger one, and none
			img := paint(t, &draw.List{Ground: black, Shapes: []draw.Shape{{Form: f, W: size, H: size, Fill: red}}}, Options{})
			if got := at(img, 100, 50); got != red {
				t.Errorf("form %d of %g: the middle is %08x", f, size, got)
			}
			if got := at(img, 1, 98); size < 20 && got != black {
				t.Errorf("form %d of %g: the corner is %08x", f, size, got)
			}
		}
	}
}

func TestCellsSideBySideLeaveNoGap(t *testing.T) {
	l := &draw.List{Ground: black}
	for x := range 6 {
		l.Shapes = append(l.Shapes, draw.Shape{Form: draw.Rect, X: float32(x) - 2.5, W: 1, H: 1, Fill: red})
	}
	img := image.NewRGBA(image.Rect(0, 0, 200, 100))
	var p Painter
	p.Paint(img, l, draw.Camera{X: 0.123, Zoom: 13.7}, Options{})
	c := draw.Camera{X: 0.123, Zoom: 13.7}
	from, _ := c.Screen(-3, 0, 200, 100)
	to, _ := c.Screen(3, 0, 200, 100)
	for x := int(from) + 1; x < int(to); x++ {
		if got := at(img, x, 50); got != red {
			t.Errorf("pixel %d is %08x", x, got)
		}
	}
}

func TestWhatIsClearLetsShineThrough(t *testing.T) {
	img := paint(t, &draw.List{Ground: black, Shapes: []draw.Shape{{Form: draw.Rect, W: 4, H: 4, Fill: red}, {Form: draw.Disc, W: 4, H: 4, Fill: green.Alpha(0.5)}}}, Options{})
	if got := at(img, 100, 50); got != 0x7f8000ff {
		t.Errorf("the middle is %08x", got)
	}
}

func TestALineGoesFromCornerToCorner(t *testing.T) {
	for _, h := range []float32{4, -4, 0} {
		img := paint(t, &draw.List{Ground: black, Shapes: []draw.Shape{{Form: draw.Line, W: 8, H: h, Stroke: red, Width: 3}}}, Options{})
		for _, end := range [][2]int{{62, 50 - int(h*5*38/40)}, {100, 50}, {138, 50 + int(h*5*38/40)}} {
			if got := at(img, end[0], end[1]); got>>24 < 0x60 {
				t.Errorf("height %g: pixel %v is %08x", h, end, got)
			}
		}
		if h != 0 && at(img, 138, 50-int(h*5*38/40)) != black {
			t.Errorf("height %g: it is where it should not be", h)
		}
	}
}

func TestTheSelectedAgentIsMarkedAndLabelsCanBeRead(t *testing.T) {
	l := &draw.List{Ground: black, Shapes: []draw.Shape{{Form: draw.Disc, W: 4, H: 4, Fill: green, Label: "AB", Ink: red, Agent: "a"}}}
	plain, marked := paint(t, l, Options{}), paint(t, l, Options{Selected: "a"})
	if bytes.Equal(plain.Pix, marked.Pix) {
		t.Error("the mark is not seen")
	}
	letters := 0
	for y := range 100 {
		for x := range 200 {
			if at(plain, x, y) == red {
				letters++
			}
		}
	}
	if letters < 40 {
		t.Errorf("%d pixels of letters", letters)
	}
}

func TestAPainterKeepsNoMoreLabelsThanItHasRoomFor(t *testing.T) {
	var p Painter
	long := strings.Repeat("what agents say ", 40)
	for i := range 300 {
		p.Label(fmt.Sprint(i, long), letterMost)
		held := 0
		for key, m := range p.labels {
			held += len(m.Pix) + len(key.text)
		}
		if held > heldMost || held != p.letters {
			t.Fatalf("after %d labels it keeps %d bytes, and counts %d", i+1, held, p.letters)
		}
	}
	if one, again := p.Label("AB", 20), p.Label("AB", 20); one != again {
		t.Error("a label is painted twice")
	}
}

func TestBubblesArePaintedWhereTheyAreLaidOut(t *testing.T) {
	l := &draw.List{Ground: black, Shapes: []draw.Shape{{Form: draw.Disc, Y: 3, W: 1, H: 1, Fill: green, Agent: "a"}}, Says: []draw.Say{{Agent: "a", Text: "hello"}}}
	b := draw.Camera{Zoom: 10}.Bubbles(l, 200, 100, 1)
	if len(b) != 1 {
		t.Fatal(b)
	}
	img := paint(t, l, Options{Bubbles: true})
	if got := at(img, int(b[0].X+3), int(b[0].Y+3)); got == black {
		t.Error("there is no bubble")
	}
	if got := at(paint(t, l, Options{}), int(b[0].X+3), int(b[0].Y+3)); got != black {
		t.Error("there is a bubble that nobody asked for")
	}
}

func BenchmarkFrame(b *testing.B) {
	for _, agents := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(agents), func(b *testing.B) {
			side := 1
			for side*side < agents {
				side++
			}
			l := &draw.List{W: float32(side) * 1.6, H: float32(side) * 1.6, Ground: 0x22282fff}
			for i := range agents {
				x, y := float32(i%side)*1.6, float32(i/side)*1.6
				name := fmt.Sprint("agent", i)
				l.Shapes = append(l.Shapes,
					draw.Shape{Form: draw.Form(1 + i%6), X: x, Y: y, W: 1, H: 1, Fill: draw.Color(i*7919)<<8 | 0xff, Stroke: 0xffffffff, Label: "AB", Ink: black, Agent: name},
					draw.Shape{Form: draw.Rect, X: x, Y: y + 0.6, W: 1, H: 0.14, Fill: green, From: 10, Agent: name})
			}
			img := image.NewRGBA(image.Rect(0, 0, 1280, 720))
			var p Painter
			c := draw.Fit(l, 1280, 720)
			for b.Loop() {
				p.Paint(img, l, c, Options{})
			}
		})
	}
}
