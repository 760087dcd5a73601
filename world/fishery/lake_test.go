package fishery

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
	"testing/quick"

	"github.com/vitrine-sim/vitrine/world"
)

func TestAShareIsNeverMoreThanAskedAndPaysTheWholePool(t *testing.T) {
	fair := func(pool uint16, tons []uint16, seed uint64) bool {
		asked := make([]int, len(tons))
		for i := range tons {
			asked[i] = int(tons[i]) >> (seed % 16) // small pools and large ones
		}
		got := share(int(pool), slices.Clone(asked), world.NewRand(seed, 0, "share"))
		for i := range got {
			if got[i] < 0 || got[i] > asked[i] {
				return false
			}
		}
		return len(got) == len(asked) && sum(got) == min(int(pool), sum(asked))
	}
	if err := quick.Check(fair, &quick.Config{MaxCount: 300}); err != nil {
		t.Error(err)
	}
}

// With 2 tons for requests of 1 and 2 there are two outcomes. Lots among those that still want more, ton by ton, give
// the whole pool to the second in 1 case of 4; lots among the tons asked for would do so in 1 of 3.
func TestEachTonIsDrawnAmongThoseThatStillWantMore(t *testing.T) {
	const draws = 20_000
	both := 0
	for seed := range uint64(draws) {
		got := share(2, []int{1, 2}, world.NewRand(seed, 0, "share"))
		switch {
		case slices.Equal(got, []int{0, 2}):
			both++
		case !slices.Equal(got, []int{1, 1}):
			t.Fatalf("the shares are %v", got)
		}
	}
	if p, sigma := float64(both)/draws, math.Sqrt(0.25*0.75/draws); math.Abs(p-0.25) > 4*sigma {
		t.Errorf("the second gets both in %.4f of the cases, want 0.25", p)
	}
}

// Five agents that ask for the same are paid the same on average, wherever they sit; and one that asks for so little that
// it gets all of it in every draw does so in any seat. The tolerance is four standard errors: with 5 equal chances for
// each of 100 tons, what one agent gets spreads by 4 tons.
func TestNoSeatIsFavoured(t *testing.T) {
	const draws = 500
	for _, c := range []struct {
		asked []int
		want  []float64
	}{
		{[]int{100, 100, 100, 100, 100}, []float64{20, 20, 20, 20, 20}},
		{[]int{150, 60, 60, 100, 1000}, []float64{20, 20, 20, 20, 20}},
		{[]int{4, 60, 60, 60, 60}, []float64{4, 24, 24, 24, 24}},
		{[]int{60, 60, 4, 60, 60}, []float64{24, 24, 4, 24, 24}},
		{[]int{60, 60, 60, 60, 4}, []float64{24, 24, 24, 24, 4}},
	} {
		g := newGame(t, Default(), 0, seats...)
		total := make([]int, 5)
		for seed := range draws {
			st := g.State.Apply(world.Event{Set: map[string]json.RawMessage{world.SeedFact: world.JSON(seed)}})
			events, err := g.rules.Step(st, asks(seats, c.asked))
			if err != nil {
				t.Fatal(err)
			}
			for i, ev := range events[1:] {
				var got catchData
				if err := json.Unmarshal(ev.Data, &got); err != nil || !got.Contested || ev.Agent != seats[i] {
					t.Fatalf("a catch is %+v", ev)
				}
				total[i] += got.Caught
			}
		}
		for i := range total {
			mean, tolerance := float64(total[i])/draws, 4*4/math.Sqrt(draws)
			if math.Abs(mean-c.want[i]) > tolerance {
				t.Errorf("asked %v: seat %d gets %.3f on average, want %.3f (+-%.3f)", c.asked, i, mean, c.want[i], tolerance)
			}
		}
	}
}

func FuzzReadTons(f *testing.F) {
	for _, args := range []string{`{"tons":10}`, `{"tons":1e1}`, `{"tons":10.5}`, `{"x":1}`, `[]`, ``, `{"tons":1e-400}`} {
		f.Add([]byte(args))
	}
	f.Fuzz(func(t *testing.T, args []byte) {
		tons, why := readTons(args)
		if tons < 0 || tons > maxAsk || why != "" && tons != 0 {
			t.Fatalf("%s asks for %d tons, refused for %q", args, tons, why)
		}
		if len(why) > 400 {
			t.Fatalf("the reason has %d bytes", len(why))
		}
		canonical, err := world.Canonical(args)
		if err != nil {
			return
		}
		again, whyAgain := readTons(canonical)
		if again != tons || (whyAgain == "") != (why == "") {
			t.Fatalf("%s asks for %d (%s), and as %s for %d (%s)", args, tons, why, canonical, again, whyAgain)
		}
	})
}
