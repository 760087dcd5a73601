package viewer

import (
	"math"
	"testing"

	"github.com/vitrine-sim/vitrine/viewer/draw"
)

// sights are how people see linear red, green and blue who lack nothing, or one kind of cones (Machado, Oliveira and Fernandes, 2009).
var sights = map[string][3][3]float64{
	"normal": {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"protan": {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"deutan": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	"tritan": {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
}

// A lab is a color in CIELAB.
type lab struct{ l, a, b float64 }

// seen returns a color as somebody sees it.
func seen(c draw.Color, sight [3][3]float64) lab {
	var in, out [3]float64
	in[0], in[1], in[2] = linear(uint8(c>>24)), linear(uint8(c>>16)), linear(uint8(c>>8))
	for i, row := range sight {
		for k, n := range row {
			out[i] += n * in[k]
		}
		out[i] = max(0, min(1, out[i]))
	}
	f := func(t float64) float64 {
		if t > 216.0/24389 {
			return math.Cbrt(t)
		}
		return (24389.0/27*t + 16) / 116
	}
	x := f((0.4124564*out[0] + 0.3575761*out[1] + 0.1804375*out[2]) / 0.95047)
	y := f(0.2126729*out[0] + 0.7151522*out[1] + 0.0721750*out[2])
	z := f((0.0193339*out[0] + 0.1191920*out[1] + 0.9503041*out[2]) / 1.08883)
	return lab{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

func linear(part uint8) float64 {
	if v := float64(part) / 255; v > 0.04045 {
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return float64(part) / 255 / 12.92
}

// ciede2000 returns how far two colors are apart, by the names of Sharma, Wu and Dalal (2005).
func ciede2000(p, q lab) float64 {
	rad := math.Pi / 180
	seventh := func(c float64) float64 { return math.Sqrt(math.Pow(c, 7) / (math.Pow(c, 7) + math.Pow(25, 7))) }
	g := 1.5 - 0.5*seventh((math.Hypot(p.a, p.b)+math.Hypot(q.a, q.b))/2)
	c1, c2 := math.Hypot(p.a*g, p.b), math.Hypot(q.a*g, q.b)
	h1, h2 := math.Atan2(p.b, p.a*g)/rad, math.Atan2(q.b, q.a*g)/rad
	dh := math.Remainder(h2-h1, 360)
	l, c, h := (p.l+q.l)/2, (c1+c2)/2, math.Mod(h1+dh/2+720, 360)
	t := 1 - 0.17*math.Cos((h-30)*rad) + 0.24*math.Cos(2*h*rad) + 0.32*math.Cos((3*h+6)*rad) - 0.2*math.Cos((4*h-63)*rad)
	dl := (q.l - p.l) / (1 + 0.015*(l-50)*(l-50)/math.Sqrt(20+(l-50)*(l-50)))
	dc := (c2 - c1) / (1 + 0.045*c)
	dH := 2 * math.Sqrt(c1*c2) * math.Sin(dh/2*rad) / (1 + 0.015*c*t)
	turn := -2 * seventh(c) * math.Sin(60*math.Exp(-math.Pow((h-275)/25, 2))*rad)
	return math.Sqrt(dl*dl + dc*dc + dH*dH + turn*dc*dH)
}

func TestAllCanTellTheColorsOfAgentsApart(t *testing.T) {
	for want, pair := range map[float64][2]lab{ // of the data that Sharma, Wu and Dalal publish
		2.0425: {{50, 2.6772, -79.7751}, {50, 0, -82.7485}}, 4.3065: {{50, 2.5, 0}, {50, 0, -2.5}},
	} {
		if got := ciede2000(pair[0], pair[1]); math.Abs(got-want) > 1e-4 {
			t.Errorf("of %v it is %.4f, not %.4f", pair, got, want)
		}
	}
	for name, sight := range sights {
		for i, a := range palette {
			for _, b := range palette[:i] {
				if far := ciede2000(seen(color(a, 0), sight), seen(color(b, 0), sight)); far < 10 {
					t.Errorf("%s: %s and %s are %.1f apart", name, a, b, far)
				}
			}
			if c := contrast(color(a, 0), ground); c < 3 {
				t.Errorf("%s is not seen on the ground: %.2f", a, c)
			}
			if c := contrast(color(a, 0), readable(color(a, 0))); c < 4.5 {
				t.Errorf("letters on %s are not read: %.2f", a, c)
			}
		}
	}
}
