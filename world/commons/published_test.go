package commons

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
)

// within fails unless k of n is a share within four standard deviations of p; with p = 0 there must be none.
func within(t *testing.T, what string, k, n int, p float64) {
	t.Helper()
	share, bound := float64(k)/float64(n), 4*math.Sqrt(p*(1-p)/float64(n))
	t.Logf("%s: %d of %d, that is %.5f; want %.5f within %.5f", what, k, n, share, p, bound)
	if n == 0 || math.Abs(share-p) > bound {
		t.Errorf("%s: %d of %d, that is %.5f; want %.5f within %.5f", what, k, n, share, p, bound)
	}
}

// samples is how many draws are made for each probability.
func samples() int {
	if os.Getenv("VITRINE_LONG") == "1" {
		return 1_000_000
	}
	return 20_000
}

// Melting Pot's REGROWTH_PROBABILITIES, for each of some neighbourhoods: which cells around the middle hold an apple.
func TestAnEmptyCellBearsWithThePublishedFrequency(t *testing.T) {
	for _, test := range []struct {
		name   string
		apples []cell
		want   float64
	}{
		{"no apple near", nil, 0},
		{"apples just too far, at (2,1) and (3,0)", []cell{{5, 4}, {1, 2}, {4, 5}, {2, 1}, {6, 3}, {3, 0}}, 0},
		{"one, at (2,0)", []cell{{5, 3}}, 0.0025},
		{"one, at (1,1)", []cell{{2, 2}}, 0.0025},
		{"two", []cell{{3, 1}, {2, 3}}, 0.005},
		{"three", []cell{{3, 1}, {2, 3}, {4, 4}}, 0.025},
		{"four", []cell{{3, 1}, {2, 3}, {4, 4}, {1, 3}}, 0.025},
		{"all twelve", []cell{{3, 1}, {2, 2}, {3, 2}, {4, 2}, {1, 3}, {2, 3}, {4, 3}, {5, 3}, {2, 4}, {3, 4}, {4, 4}, {3, 5}}, 0.025},
	} {
		k, n := 0, samples()
		random := world.NewRand(1, 0, test.name)
		f := field{".......", ".......", ".......", "...a...", ".......", ".......", "......."}
		for range n {
			c := commons{field: f, apples: setOf(test.apples), dirt: map[cell]bool{}}
			k += len(c.grow(1, random).Apples)
		}
		within(t, test.name, k, n, test.want)
	}
}

// The same in the logs of whole episodes, by how many empty cells had how many apples near.
func TestApplesRegrowWithThePublishedFrequencyInWholeEpisodes(t *testing.T) {
	episodes := 3
	if os.Getenv("VITRINE_LONG") == "1" {
		episodes = 200
	}
	var empty, grown [4]int
	for seed := range episodes {
		config := Harvest()
		config.Turns = 200
		g := newPatch(t, config, uint64(seed), 4)
		g.play(map[string]string{"a": "greedy", "b": "prudent", "c": "prudent", "d": "prudent"})
		count(t, g.rules.field.cells("A"), g.Log, &empty, &grown)
	}
	for kind, p := range []float64{0, 0.0025, 0.005, 0.025} {
		within(t, fmt.Sprintf("%d episodes, cells with %d apples near (3: or more)", episodes, kind), grown[kind], empty[kind], p)
	}
}

// count adds the empty cells at the beginning of each turn, and those of them that bear, by the apples near them. It knows the map and the
// facts in the log, and measures distances by itself.
func count(t *testing.T, orchard []cell, log []world.Event, empty, grown *[4]int) {
	t.Helper()
	var apples []cell // before the event
	near := func(at cell) int {
		n := 0
		for _, apple := range apples {
			if math.Hypot(float64(apple[0]-at[0]), float64(apple[1]-at[1])) <= 2 {
				n++
			}
		}
		return min(n, 3)
	}
	for _, ev := range log {
		if ev.Kind == kindGrow {
			for _, at := range orchard {
				if !slices.Contains(apples, at) {
					empty[near(at)]++
				}
			}
			var data growData
			if err := json.Unmarshal(ev.Data, &data); err != nil {
				t.Fatal(err)
			}
			for _, at := range data.Apples {
				grown[near(at)]++
			}
		}
		if raw, ok := ev.Set["commons/apples"]; ok {
			apples = nil
			if err := json.Unmarshal(raw, &apples); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Of two patches that are further apart than 2, one is eaten up: it never bears again, though the other one does.
func TestAnEmptyPatchNeverRegrows(t *testing.T) {
	f := field{"AAA....AAA", "AAA....AAA", "AAA....AAA"}
	random, other, turns := world.NewRand(1, 0, "patches"), 0, samples()/10
	for range turns {
		c := commons{field: f, apples: setOf([]cell{{7, 0}, {8, 1}, {9, 2}}), dirt: map[cell]bool{}}
		for _, at := range c.grow(1, random).Apples {
			if at[0] < 7 {
				t.Fatalf("the empty patch bears at %v", at)
			}
			other++
		}
	}
	if other == 0 {
		t.Error("nor does the other one bear")
	}
	t.Logf("%d turns of 9 empty cells: 0 apples; the patch beside it, with 3 left: %d", turns, other)
}

func TestTheGreedyExtinguishTheOrchardAndThePrudentLiveOnIt(t *testing.T) {
	const agents = 5
	episodes := 2
	if os.Getenv("VITRINE_LONG") == "1" {
		episodes = 20
	}
	config := Harvest()
	config.Turns = 150
	policies := func(name string) map[string]string {
		m := make(map[string]string)
		for i := range agents {
			m[string(rune('a'+i))] = name
		}
		return m
	}
	for seed := range episodes {
		greedy := newPatch(t, config, uint64(seed), agents)
		fast := greedy.play(policies("greedy"))
		prudent := newPatch(t, config, uint64(seed), agents)
		slow := prudent.play(policies("prudent"))
		t.Logf("seed %d: greedy eat %v and are left with %v in turn %d; prudent eat %v and are left with %v in turn %d",
			seed, fast["apples"], fast["left"], greedy.State.Turn, slow["apples"], slow["left"], prudent.State.Turn)
		if fast["left"] != 0 || greedy.State.Turn >= config.Turns {
			t.Errorf("seed %d: the greedy leave %v apples", seed, fast["left"])
		}
		if slow["left"] == 0 || prudent.State.Turn != config.Turns || slow["apples"] <= fast["apples"] {
			t.Errorf("seed %d: the prudent leave %v apples, and eat %v to %v", seed, slow["left"], slow["apples"], fast["apples"])
		}
	}
}

// Melting Pot's maxAppleGrowthRate 0.05, thresholdDepletion 0.4 and thresholdRestoration 0 in clean-up.
func TestAnOrchardBearsByHowDirtyTheRiverIs(t *testing.T) {
	f := field{"~~~~~~~~~~", "aaaaaaaaaa"}
	for dirty, want := range []float64{0.05, 0.0375, 0.025, 0.0125, 0, 0, 0, 0, 0, 0, 0} {
		k, n := 0, samples()
		random := world.NewRand(1, dirty, "river")
		for range n / 10 {
			c := commons{field: f, apples: map[cell]bool{}, dirt: setOf(f.cells("~")[:dirty])}
			k += len(c.grow(1, random).Apples)
		}
		within(t, fmt.Sprintf("%d of 10 cells dirty", dirty), k, n, want)
	}
}

// Melting Pot's dirtSpawnProbability 0.5 and delayStartOfDirtSpawning 50.
func TestTheRiverBecomesDirtyWithThePublishedFrequency(t *testing.T) {
	f := field{"~~~~", "aaaa"}
	k, n := 0, samples()
	random := world.NewRand(1, 0, "dirt")
	where := make(map[cell]int)
	for range n {
		c := commons{field: f, apples: map[cell]bool{}, dirt: map[cell]bool{}}
		if got := c.grow(50, random).Dirt; len(got) > 0 {
			t.Fatalf("dirt in turn 50: %v", got)
		}
		for _, at := range c.grow(51, random).Dirt {
			k++
			where[at]++
		}
	}
	within(t, "one more dirty cell in a turn after the 50th", k, n, 0.5)
	for _, at := range f.cells("~") {
		within(t, fmt.Sprintf("of these at %v", at), where[at], k, 0.25)
	}
}

func TestWithoutCleanersTheOrchardBearsNothing(t *testing.T) {
	config := Cleanup()
	config.Turns = 150
	all := map[string]string{"a": "greedy", "b": "greedy", "c": "greedy", "d": "greedy", "e": "greedy"}
	alone := newPatch(t, config, 1, 5).play(all)
	all["a"], all["b"] = "cleaner", "cleaner"
	helped := newPatch(t, config, 1, 5).play(all)
	t.Logf("five greedy eat %v apples; with two cleaners among them %v, with %v cells cleaned", alone["apples"], helped["apples"], helped["cleaned"])
	if alone["apples"] != 0 || helped["apples"] < 50 {
		t.Errorf("five greedy eat %v apples; with two cleaners among them %v", alone["apples"], helped["apples"])
	}
}
