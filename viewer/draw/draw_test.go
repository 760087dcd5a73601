package draw

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

func crowd() *List {
	l := &List{X: -1, Y: -2, W: 20, H: 10, Ground: 0x22282FFF, Title: "a crowd"}
	for i := range 15 {
		name := string(rune('a' + i))
		l.Shapes = append(l.Shapes, Shape{Form: Disc, X: float32(i), Y: float32(i % 5), W: 1, H: 1, Fill: 0x0072B2FF, Label: strings.ToUpper(name), Agent: name})
		l.Says = append(l.Says, Say{Agent: name, Text: strings.Repeat("fish is scarce ", i+1), Thought: i%2 == 0})
	}
	l.Shapes = append(l.Shapes, Shape{Form: Line, W: -3, H: 2, Stroke: 0xFFFFFFFF, Width: 2, From: 5})
	l.Legend = []Legend{{Color: 0x0072B2FF, Form: Disc, Text: "fishers"}}
	return l
}

func TestAListIsTheSameAfterItsJourney(t *testing.T) {
	want := crowd()
	got, err := Decode(want.Encode(nil))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestWhatIsNoListIsRefused(t *testing.T) {
	whole := crowd().Encode(nil)
	for cut := range whole {
		if _, err := Decode(whole[:cut]); err != ErrFormat {
			t.Fatalf("of %d bytes the first %d: %v", len(whole), cut, err)
		}
	}
	if _, err := Decode(append(whole, 0)); err != ErrFormat {
		t.Error("with a byte too much:", err)
	}
	if _, err := Decode((&List{W: float32(math.NaN())}).Encode(nil)); err != ErrFormat {
		t.Error("with what is no number:", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(crowd().Encode(nil))
	f.Add((&List{}).Encode(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Decode(l.Encode(nil))
		if err != nil || len(again.Shapes) != len(l.Shapes) {
			t.Fatal("a list that was read cannot be read again:", err)
		}
		Fit(l, 640, 360).Bubbles(l, 640, 360, 1)
	})
}

func TestACameraKeepsThePointUnderTheCursor(t *testing.T) {
	const w, h = 1280, 720
	c := Fit(crowd(), w, h)
	for _, factor := range []float64{1.2, 3, 0.5, 1e9, 1e-9} {
		x, y := c.World(300, 100, w, h)
		near := c.ZoomAt(300, 100, factor, w, h)
		px, py := near.Screen(x, y, w, h)
		if math.Abs(px-300) > 1e-6 || math.Abs(py-100) > 1e-6 {
			t.Errorf("factor %g: the point went to %g, %g", factor, px, py)
		}
	}
}

func TestAFittedListIsInThePicture(t *testing.T) {
	l := crowd()
	c := Fit(l, 640, 360)
	for _, corner := range [][2]float32{{l.X, l.Y}, {l.X + l.W, l.Y + l.H}} {
		px, py := c.Screen(float64(corner[0]), float64(corner[1]), 640, 360)
		if px < 0 || px > 640 || py < 0 || py > 360 {
			t.Errorf("corner %v is at %g, %g", corner, px, py)
		}
	}
	if c := Fit(&List{}, 640, 360); c.Zoom != 0.94 {
		t.Errorf("an empty list: %+v", c)
	}
}

func TestAClickMeansTheUppermostAgent(t *testing.T) {
	l := crowd()
	l.Shapes = append(l.Shapes, Shape{Form: Rect, X: 3, Y: 3, W: 1, H: 1, Agent: "top"})
	c := Fit(l, 1280, 720)
	for agent, at := range map[string][2]float64{"top": {3, 3}, "a": {0, 0}, "": {17, 7}} {
		px, py := c.Screen(at[0], at[1], 1280, 720)
		if got := c.Pick(l, px, py, 1280, 720); got != agent {
			t.Errorf("at %v: %q, not %q", at, got, agent)
		}
	}
}

func TestBubblesNeitherOverlapNorLeaveThePicture(t *testing.T) {
	l := crowd()
	for _, size := range []float64{0.8, 1, 2} {
		for _, zoom := range []float64{0.2, 1, 4} {
			const w, h = 1280, 720
			c := Fit(l, w, h)
			c.Zoom *= zoom
			bubbles := c.Bubbles(l, w, h, size)
			if len(bubbles) == 0 || len(bubbles) > MaxBubbles {
				t.Fatalf("size %g, zoom %g: %d bubbles", size, zoom, len(bubbles))
			}
			for i, b := range bubbles {
				if !b.free(bubbles[:i]) || b.X < 0 || b.Y < 0 || b.X+b.W > w || b.Y+b.H > h {
					t.Errorf("size %g, zoom %g: bubble %d is at %g, %g", size, zoom, i, b.X, b.Y)
				}
				if len(b.Lines) > bubbleLines {
					t.Errorf("bubble %d has %d lines", i, len(b.Lines))
				}
			}
		}
	}
}

func TestOfALongTextNoMoreIsReadThanIsSeen(t *testing.T) {
	for _, text := range []string{strings.Repeat("x", 1<<20), strings.Repeat("\xff", 1<<20), strings.Repeat("fish ", 1<<18)} {
		var lines []string
		runs := testing.AllocsPerRun(1, func() { lines = breakLines(text) })
		if len(lines) != bubbleLines || !strings.HasSuffix(lines[bubbleLines-1], "…") || runs > 100 {
			t.Errorf("%.5q…: %d lines, %.0f allocations", text, len(lines), runs)
		}
	}
	if lines := breakLines("ab " + strings.Repeat("ö", lineLetters+1)); len(lines) != 3 || lines[0] != "ab" || lines[2] != "ö" {
		t.Errorf("%q", lines)
	}
}
