package draw

import (
	"reflect"
	"testing"
)

func TestShapesGoFromWhereTheyWereToWhereTheyWillBe(t *testing.T) {
	at := func(agent string, form Form, x, y, w float32) Shape {
		return Shape{Form: form, X: x, Y: y, W: w, H: 1, Agent: agent, Label: agent}
	}
	for name, c := range map[string]struct {
		from, to []Shape
		part     float64
		want     []Shape
	}{
		"at the start":                 {[]Shape{at("a", Disc, 0, 0, 1)}, []Shape{at("a", Disc, 4, 8, 1)}, 0, []Shape{at("a", Disc, 0, 0, 1)}},
		"on the way":                   {[]Shape{at("a", Disc, 0, 0, 1)}, []Shape{at("a", Disc, 4, 8, 3)}, 0.25, []Shape{at("a", Disc, 1, 2, 1.5)}},
		"at the end":                   {[]Shape{at("a", Disc, 0, 0, 1)}, []Shape{at("a", Disc, 4, 8, 1)}, 1, []Shape{at("a", Disc, 4, 8, 1)}},
		"before the start":             {[]Shape{at("a", Disc, 0, 0, 1)}, []Shape{at("a", Disc, 4, 8, 1)}, -1, []Shape{at("a", Disc, 0, 0, 1)}},
		"each has its own":             {[]Shape{at("a", Disc, 0, 0, 1), at("b", Disc, 2, 2, 1)}, []Shape{at("b", Disc, 4, 2, 1), at("a", Disc, 0, 2, 1)}, 0.5, []Shape{at("b", Disc, 3, 2, 1), at("a", Disc, 0, 1, 1)}},
		"the second from the second":   {[]Shape{at("a", Disc, 0, 0, 1), at("a", Disc, 2, 0, 1)}, []Shape{at("a", Disc, 0, 0, 1), at("a", Disc, 4, 0, 1)}, 0.5, []Shape{at("a", Disc, 0, 0, 1), at("a", Disc, 3, 0, 1)}},
		"another form is another one":  {[]Shape{at("a", Disc, 0, 0, 1)}, []Shape{at("a", Star, 4, 0, 1)}, 0.5, []Shape{at("a", Star, 4, 0, 1)}},
		"who comes is there":           {nil, []Shape{at("a", Disc, 4, 0, 1)}, 0.5, []Shape{at("a", Disc, 4, 0, 1)}},
		"who goes is gone":             {[]Shape{at("a", Disc, 0, 0, 1)}, []Shape{}, 0.5, []Shape{}},
		"what is nobody's has no past": {[]Shape{at("", Rect, 0, 0, 1)}, []Shape{at("", Rect, 4, 0, 1)}, 0.5, []Shape{at("", Rect, 4, 0, 1)}},
	} {
		t.Run(name, func(t *testing.T) {
			to := &List{W: 9, Title: "next", Shapes: c.to, Says: []Say{{Agent: "a", Text: "there"}}}
			before := to.Encode(nil)
			m := Between(&List{Shapes: c.from}, to)
			m.At(0.7) // has no effect on what comes
			got := m.At(c.part)
			if want := (&List{W: 9, Title: "next", Shapes: c.want, Says: to.Says}); !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v", got.Shapes)
			}
			if string(to.Encode(nil)) != string(before) {
				t.Error("the next list has changed")
			}
			if m.At(1) != to {
				t.Error("the end is not the next list")
			}
		})
	}
}

func BenchmarkMotion(b *testing.B) {
	from, to := &List{}, &List{}
	for i := range 1000 {
		for range 3 {
			from.Shapes = append(from.Shapes, Shape{Agent: string(rune(i)), X: 1})
			to.Shapes = append(to.Shapes, Shape{Agent: string(rune(i)), X: float32(i)})
		}
	}
	b.Run("between", func(b *testing.B) {
		for b.Loop() {
			Between(from, to)
		}
	})
	m := Between(from, to)
	b.Run("at", func(b *testing.B) {
		for b.Loop() {
			m.At(0.5)
		}
	})
}
