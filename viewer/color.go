package viewer

import (
	"math"
	"strconv"

	"github.com/vitrine-sim/vitrine/viewer/draw"
)

// color returns the color that "#rrggbb" says, or other if it says none.
func color(s string, other draw.Color) draw.Color {
	if len(s) == 7 && s[0] == '#' {
		if n, err := strconv.ParseUint(s[1:], 16, 32); err == nil {
			return draw.Color(n)<<8 | 0xff
		}
	}
	return other
}

// readable returns the color of letters that can be read on a color.
func readable(on draw.Color) draw.Color {
	const black, white = draw.Color(0x000000ff), draw.Color(0xffffffff)
	if contrast(on, white) > contrast(on, black) {
		return white
	}
	return black
}

// contrast returns how well one color can be told from another, from 1 to 21, as the Web Content Accessibility Guidelines define it.
func contrast(a, b draw.Color) float64 {
	light := func(c draw.Color) float64 {
		r, g, b, _ := c.RGBA()
		sum := 0.05
		for _, part := range []struct {
			v uint8
			n float64
		}{{r, 0.2126}, {g, 0.7152}, {b, 0.0722}} {
			sum += part.n * math.Pow(float64(part.v)/255, 2.2)
		}
		return sum
	}
	return max(light(a), light(b)) / min(light(a), light(b))
}
