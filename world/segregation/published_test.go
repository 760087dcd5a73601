package segregation

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
)

// A sample is figures of as many towns.
type sample []float64

// mean returns the mean, and by how much it may be off with 99 percent confidence.
func (s sample) mean() (mean, bound float64) {
	n := float64(len(s))
	for _, x := range s {
		mean += x / n
	}
	squares := 0.0
	for _, x := range s {
		squares += (x - mean) * (x - mean)
	}
	return mean, 2.58 * math.Sqrt(squares/(n-1)/n)
}

// reference plays NetLogo's model as its text tells it, person by person and with nothing of what is tested. It returns the percentage of
// neighbours who are similar at the end, and how many people are still unhappy after as many ticks as there may be.
func reference(seed uint64, side, density, wanted, ticks int) (percent float64, left int) {
	random := rand.New(rand.NewPCG(seed, 2))
	type patch struct{ x, y int }
	color := make(map[patch]int)
	var people []patch // in no order that matters: they are shuffled before they move
	for x := range side {
		for y := range side {
			if random.IntN(100) < density {
				color[patch{x, y}] = random.IntN(2)
				people = append(people, patch{x, y})
			}
		}
	}
	around := func(n int) int { return ((n % side) + side) % side }
	for tick := 0; ; tick++ {
		similar, all := 0, 0
		var unhappy []int // indices of people
		for i, p := range people {
			same, near := 0, 0
			for _, d := range []patch{{-1, -1}, {0, -1}, {1, -1}, {-1, 0}, {1, 0}, {-1, 1}, {0, 1}, {1, 1}} {
				if c, ok := color[patch{around(p.x + d.x), around(p.y + d.y)}]; ok {
					near++
					if c == color[p] {
						same++
					}
				}
			}
			similar, all = similar+same, all+near
			if float64(same) < float64(wanted)*float64(near)/100 {
				unhappy = append(unhappy, i)
			}
		}
		if len(unhappy) == 0 || tick == ticks {
			return 100 * float64(similar) / float64(all), len(unhappy)
		}
		random.Shuffle(len(unhappy), func(i, j int) { unhappy[i], unhappy[j] = unhappy[j], unhappy[i] })
		for _, i := range unhappy {
			own := color[people[i]]
			delete(color, people[i])
			x, y := float64(people[i].x), float64(people[i].y)
			for taken := true; taken; _, taken = color[people[i]] {
				heading, step := random.Float64()*2*math.Pi, random.Float64()*10
				x, y = x+step*math.Sin(heading), y+step*math.Cos(heading)
				people[i] = patch{around(int(math.Floor(x + 0.5))), around(int(math.Floor(y + 0.5)))}
			}
			color[people[i]] = own
		}
	}
}

// TestASmallWishSegregatesATown is the published figure: NetLogo's model says that with 30 percent wanted people end up with 70 percent
// on average, neither over how many towns nor how exactly. The sentence is older than the density of 95 percent: it stood there when the model opened
// with 2000 people in the 2601 places, which is 77 percent. There it counts as met if the mean, with its bounds, is between 65 and 75. With
// 95 percent it is not met so: towns end up with about 75, and some never settle. Both densities must agree with a second program that plays
// NetLogo's model.
func TestASmallWishSegregatesATown(t *testing.T) {
	towns := 4
	if os.Getenv("VITRINE_LONG") != "" {
		towns = 40
	}
	for _, test := range []struct {
		density, agents int
		together        bool
	}{{77, 2, false}, {77, 8, false}, {77, 8, true}, {95, 2, false}, {95, 8, false}, {95, 8, true}} {
		if towns < 40 && test.agents > 2 {
			continue // these take long
		}
		t.Run(fmt.Sprintf("density %d, %d agents, together %v", test.density, test.agents, test.together), func(t *testing.T) {
			config := Default()
			config.Density, config.Turns = test.density, 200
			var first, last, ticks, second sample
			open, openSecond := 0, 0 // towns in which somebody is still unhappy
			for seed := range uint64(towns) {
				m := newGame(t, config, seed, test.agents).settle(seed, test.together)
				if m["unhappy"] > 0 {
					open++
				}
				if m["unhappy"] > 1 {
					t.Errorf("town %d ends with %.2f %% unhappy", seed, m["unhappy"])
				}
				first, last, ticks = append(first, m["similar_first"]), append(last, m["similar"]), append(ticks, m["ticks"])
				similar, left := reference(seed, config.Side, config.Density, config.Wanted, config.Turns)
				second = append(second, similar)
				if left > 0 {
					openSecond++
				}
			}
			began, _ := first.mean()
			mean, bound := last.mean()
			took, _ := ticks.mean()
			want, off := second.mean()
			t.Logf("similar %.2f %% at first and %.2f ± %.2f %% at the end, after %.1f ticks; by the second program %.2f ± %.2f %%; 99 %%, n = %d towns each, "+
				"of which %d and %d have somebody unhappy after %d ticks", began, mean, bound, took, want, off, towns, open, openSecond, config.Turns)
			if test.density == 77 && (mean-bound < 65 || mean+bound > 75) {
				t.Errorf("similar is %.2f ± %.2f %%, want about 70", mean, bound)
			}
			if apart := math.Abs(mean - want); apart > max(1.5*math.Hypot(bound, off), 0.75) {
				t.Errorf("similar is %.2f ± %.2f %%, by the second program %.2f ± %.2f %%", mean, bound, want, off)
			}
		})
	}
}

func TestPeopleWalkToPlacesWhereNobodyElseLives(t *testing.T) {
	g := newGame(t, Config{Side: 9, Density: 90, Wanted: 60, Turns: 10}, 3, 2)
	obs, v := g.observe("a0")
	action := world.Policy(walk).Decide(3, obs)
	var args struct{ To []place }
	if err := json.Unmarshal(action.Args, &args); err != nil || len(args.To) != len(v.Unhappy) {
		t.Fatalf("%d unhappy people walk to %s", len(v.Unhappy), action.Args)
	}
	home := 0 // who comes home again
	for i, to := range args.To {
		if to == v.Unhappy[i] {
			home++
		}
	}
	events := g.step(action)
	if want := fmt.Sprintf(`{"moved":%d,"stayed":%d}`, len(args.To)-home, home); string(events[0].Data) != want {
		t.Errorf("the move is %s, want %s", events[0].Data, want)
	}
	if a := walk(world.Observation{Agent: "a0", View: obs.View}, rand.New(rand.NewPCG(1, 1))); a.Name != world.Pass {
		t.Errorf("without a legal action it does %s", a.Name)
	}
}
