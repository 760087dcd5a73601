package soft

import (
	"math"

	"github.com/vitrine-sim/vitrine/viewer/draw"
)

// distance returns the function that tells how far a point, from the middle of a form of w by h, is from its edge; inside it is negative.
func distance(f draw.Form, w, h float64) func(x, y float64) float64 {
	switch f {
	case draw.Disc, draw.Ring:
		return func(x, y float64) float64 {
			if w == h {
				return math.Hypot(x, y) - w/2
			}
			k := math.Hypot(2*x/w, 2*y/h)
			return (k - 1) * min(w, h) / 2
		}
	case draw.Triangle:
		return polygon(w, h, [][2]float64{{0, -0.5}, {0.5, 0.42}, {-0.5, 0.42}})
	case draw.Diamond:
		return polygon(w, h, [][2]float64{{0, -0.5}, {0.5, 0}, {0, 0.5}, {-0.5, 0}})
	case draw.Hexagon:
		return polygon(w, h, [][2]float64{{0.5, 0}, {0.25, 0.433}, {-0.25, 0.433}, {-0.5, 0}, {-0.25, -0.433}, {0.25, -0.433}})
	case draw.Cross:
		const a, b = 0.5, 0.3
		return polygon(w, h, [][2]float64{
			{-a, -b}, {-b, -a}, {0, -a + b}, {b, -a}, {a, -b}, {a - b, 0}, {a, b}, {b, a}, {0, a - b}, {-b, a}, {-a, b}, {-a + b, 0},
		})
	case draw.Star:
		points := make([][2]float64, 10)
		for i := range points {
			r := 0.5
			if i%2 == 1 {
				r = 0.21
			}
			angle := float64(i)*math.Pi/5 - math.Pi/2
			points[i] = [2]float64{r * math.Cos(angle), r * math.Sin(angle)}
		}
		return polygon(w, h, points)
	}
	return func(x, y float64) float64 { return max(math.Abs(x)-w/2, math.Abs(y)-h/2) }
}

// polygon returns the distance from one with these corners, in parts of w and h.
func polygon(w, h float64, corners [][2]float64) func(x, y float64) float64 {
	for i := range corners {
		corners[i][0] *= w
		corners[i][1] *= h
	}
	return func(x, y float64) float64 {
		nearest, inside := math.Inf(1), false
		for i, a := range corners {
			b := corners[(i+1)%len(corners)]
			ex, ey := b[0]-a[0], b[1]-a[1]
			t := max(0, min(1, ((x-a[0])*ex+(y-a[1])*ey)/(ex*ex+ey*ey)))
			nearest = min(nearest, math.Hypot(x-a[0]-t*ex, y-a[1]-t*ey))
			if (a[1] > y) != (b[1] > y) && x < a[0]+(y-a[1])/ey*ex {
				inside = !inside
			}
		}
		if inside {
			return -nearest
		}
		return nearest
	}
}
