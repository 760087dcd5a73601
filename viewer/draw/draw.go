// Package draw is the draw list, or display list: what stands between those who know a world and those who paint.
//
// A [List] is the picture of one moment, in units of the world: a tile of a board is one by one. Whoever makes it knows no pixels; whoever
// paints it, with a [Camera], knows no world. So a painter can be in the supervisor, in a browser, or in a window, and all show the same.
// The package imports nothing of ours and little else, because it goes into the browser too.
//
// # Format
//
// [List.Encode] is the form in which it travels: the four bytes "vdl1", then uvarints, strings with their length before them, and 32-bit
// floats, little endian, in the order of the fields. Strings of shapes are numbers of a table that stands before the shapes.
package draw

// A Color is red, green, blue and opacity, 8 bits each, red in the highest ones: 0xRRGGBBAA. It is not premultiplied. 0 is nothing.
type Color uint32

// RGBA returns the four parts of it.
func (c Color) RGBA() (r, g, b, a uint8) {
	return uint8(c >> 24), uint8(c >> 16), uint8(c >> 8), uint8(c)
}

// Alpha returns the color with its opacity multiplied by a, which is 0 to 1.
func (c Color) Alpha(a float64) Color {
	return c&^0xff | Color(float64(c&0xff)*a+0.5)
}

// A Form is what a shape is.
type Form uint8

// The forms. All but Line and Text fill the box of their shape.
const (
	Rect Form = iota
	Disc
	Triangle // on its side
	Diamond
	Hexagon
	Cross
	Star
	Ring // a disc of its stroke alone
	Line // from the middle of its box's first corner to the opposite one: (X-W/2, Y-H/2) to (X+W/2, Y+H/2); W and H may be negative
	Text // Label alone, in the middle of its box, as high as the box
	forms
)

// A Shape is one thing to paint.
type Shape struct {
	Form   Form
	X, Y   float32 // its middle
	W, H   float32 // its size
	Fill   Color   // inside; of a Text, of its letters
	Stroke Color   // of its edge, of a Line, or around the letters of a Text; 0: none
	Width  float32 // of the stroke, in pixels at any zoom; 0 stands for 1
	Label  string  // painted over its middle, in Ink, as high as half of its box at most
	Ink    Color   // of the label
	Agent  string  // whom a click on it means; empty: nobody
	From   float32 // pixels that a unit must have for it to be painted; 0: always
}

// A Say is what an agent says, in a bubble beside its shape.
type Say struct {
	Agent   string
	Text    string
	Thought bool // it is thought and not said
}

// A Legend explains a color.
type Legend struct {
	Color Color
	Form  Form
	Text  string
}

// A List is the picture of a moment.
type List struct {
	X, Y, W, H float32 // the box that the whole world is in
	Ground     Color
	Title      string   // one line for people who cannot see it
	Shapes     []Shape  // the first ones lie under the later ones
	Says       []Say    // the most important first
	Legend     []Legend // what colors mean
}

// Place returns the middle of the shape of an agent, which is the last one that bears its name and is painted at any zoom, and its half size.
func (l *List) Place(agent string) (x, y, r float64, ok bool) {
	for i := len(l.Shapes) - 1; i >= 0; i-- {
		if s := &l.Shapes[i]; s.Agent == agent && s.From == 0 {
			return float64(s.X), float64(s.Y), float64(max(s.W, s.H)) / 2, true
		}
	}
	return 0, 0, 0, false
}
