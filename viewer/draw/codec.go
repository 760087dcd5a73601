package draw

import (
	"encoding/binary"
	"errors"
	"math"
)

const magic = "vdl1"

// ErrFormat says that bytes are no encoded list.
var ErrFormat = errors.New("no draw list, or one of another version")

// Encode appends the list to b.
func (l *List) Encode(b []byte) []byte {
	table := map[string]uint64{"": 0}
	strings := []string{""}
	number := func(s string) uint64 {
		n, ok := table[s]
		if !ok {
			n = uint64(len(strings))
			table[s] = n
			strings = append(strings, s)
		}
		return n
	}
	for i := range l.Shapes {
		number(l.Shapes[i].Label)
		number(l.Shapes[i].Agent)
	}
	b = append(b, magic...)
	b = floats(b, l.X, l.Y, l.W, l.H)
	b = binary.LittleEndian.AppendUint32(b, uint32(l.Ground))
	b = text(b, l.Title)
	b = binary.AppendUvarint(b, uint64(len(strings)))
	for _, s := range strings {
		b = text(b, s)
	}
	b = binary.AppendUvarint(b, uint64(len(l.Shapes)))
	for i := range l.Shapes {
		s := &l.Shapes[i]
		b = append(b, byte(s.Form))
		b = floats(b, s.X, s.Y, s.W, s.H, s.Width, s.From)
		b = colors(b, s.Fill, s.Stroke, s.Ink)
		b = binary.AppendUvarint(b, number(s.Label))
		b = binary.AppendUvarint(b, number(s.Agent))
	}
	b = binary.AppendUvarint(b, uint64(len(l.Says)))
	for _, s := range l.Says {
		b = text(text(b, s.Agent), s.Text)
		b = append(b, flag(s.Thought))
	}
	b = binary.AppendUvarint(b, uint64(len(l.Legend)))
	for _, s := range l.Legend {
		b = text(append(colors(b, s.Color), byte(s.Form)), s.Text)
	}
	return b
}

func floats(b []byte, values ...float32) []byte {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func colors(b []byte, values ...Color) []byte {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	return b
}

func text(b []byte, s string) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// Decode reads a list that Encode wrote. Its error is [ErrFormat].
func Decode(b []byte) (*List, error) {
	d := decoder{b: b}
	if string(d.bytes(uint64(len(magic)))) != magic {
		return nil, ErrFormat
	}
	l := &List{X: d.float(), Y: d.float(), W: d.float(), H: d.float(), Ground: d.color(), Title: d.text()}
	strings := make([]string, d.count(1))
	for i := range strings {
		strings[i] = d.text()
	}
	label := func() string {
		n := d.uvarint()
		if n >= uint64(len(strings)) {
			d.bad = true
			return ""
		}
		return strings[n]
	}
	l.Shapes = make([]Shape, d.count(39))
	for i := range l.Shapes {
		l.Shapes[i] = Shape{
			Form: d.form(), X: d.float(), Y: d.float(), W: d.float(), H: d.float(), Width: d.float(), From: d.float(),
			Fill: d.color(), Stroke: d.color(), Ink: d.color(), Label: label(), Agent: label(),
		}
	}
	l.Says = make([]Say, d.count(3))
	for i := range l.Says {
		l.Says[i] = Say{Agent: d.text(), Text: d.text(), Thought: d.byte() != 0}
	}
	l.Legend = make([]Legend, d.count(6))
	for i := range l.Legend {
		l.Legend[i] = Legend{Color: d.color(), Form: d.form(), Text: d.text()}
	}
	if d.bad || len(d.b) > 0 {
		return nil, ErrFormat
	}
	return l, nil
}

// A decoder takes values off the front of b; once there are too few bytes for one, or it is none, bad is set and all that follow are 0.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) bytes(n uint64) []byte {
	if d.bad || n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return nil
	}
	head := d.b[:n]
	d.b = d.b[n:]
	return head
}

func (d *decoder) byte() byte {
	if b := d.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if b := d.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// float reads a finite number, because no other one can be painted.
func (d *decoder) float() float32 {
	f := math.Float32frombits(d.uint32())
	if f != f || math.IsInf(float64(f), 0) {
		d.bad = true
		return 0
	}
	return f
}

func (d *decoder) color() Color { return Color(d.uint32()) }

func (d *decoder) form() Form {
	f := Form(d.byte())
	if f >= forms {
		d.bad = true
	}
	return f
}

func (d *decoder) uvarint() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[size:]
	return n
}

// count reads how many things follow, of at least size bytes each.
func (d *decoder) count(size uint64) int {
	n := d.uvarint()
	if d.bad || n > uint64(len(d.b))/size {
		d.bad = true
		return 0
	}
	return int(n)
}

func (d *decoder) text() string { return string(d.bytes(d.uvarint())) }
