package fishery

import (
	"encoding/csv"
	"errors"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/vitrine-sim/vitrine/world/worldtest"
)

// A round is one published round: tons in the lake, what each agent wanted and got, tons left.
type round struct {
	run           string
	number        int
	before        int
	wanted, given []int
	after         int
}

// rounds are some of the published rounds, from github.com/pedrocurvo/GovSim at 4b52a82, simulation/results.
var rounds = []round{
	{"fishing_v6.4/blooming-leaf-15", 0, 100, []int{10, 10, 10, 10, 10}, []int{10, 10, 10, 10, 10}, 50},
	{"fishing_v6.4/blooming-leaf-15", 1, 100, []int{10, 20, 4, 10, 10}, []int{10, 20, 4, 10, 10}, 46},
	{"fishing_v6.4/blooming-leaf-15", 2, 92, []int{9, 8, 3, 8, 18}, []int{9, 8, 3, 8, 18}, 46},
	{"fishing_v6.4/blooming-leaf-15", 3, 92, []int{46, 9, 3, 8, 9}, []int{46, 9, 3, 8, 9}, 17},
	{"fishing_v6.4/crimson-bush-40", 0, 100, []int{20, 20, 20, 20, 6}, []int{20, 20, 20, 20, 6}, 14},
	{"fishing_v6.4/crimson-bush-40", 1, 28, []int{15, 15, 5, 10, 5}, []int{7, 4, 5, 10, 2}, 0},
	{"fishing_v6.4/playful-rain-110", 0, 100, []int{0, 10, 60, 10, 150}, []int{0, 10, 37, 10, 43}, 0},
	{"fishing_v7.0/Qwen2.5-7B/dry-salad-130", 0, 100, []int{25, 30, 25, 25, 50}, []int{17, 30, 15, 21, 17}, 0},
}

func TestPublishedRoundsTypedInAreReplayed(t *testing.T) {
	replayRounds(t, rounds)
}

func TestAllPublishedRoundsAreReplayed(t *testing.T) {
	var all []round
	for _, row := range table(t, "govsim_fishery_rounds.csv", 14) {
		n := make([]int, len(row))
		for i, cell := range row[1:] {
			var err error
			if n[i+1], err = strconv.Atoi(cell); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, round{row[0], n[1], n[2], n[3:8], n[8:13], n[13]})
	}
	replayRounds(t, all)
	t.Logf("%d published rounds", len(all))
}

// replayRounds plays the rounds, grouped by run, and checks every figure that does not depend on the lots.
func replayRounds(t *testing.T, rounds []round) {
	t.Helper()
	var g *game
	for i, r := range rounds {
		if i == 0 || r.run != rounds[i-1].run {
			g = newGame(t, Default(), uint64(i), seats...)
		}
		obs, v := g.observe("a")
		if obs.Terminated || obs.Turn != r.number || v.Tons != r.before {
			t.Fatalf("%s: round %d begins in turn %d with %d tons, terminated %v; published: %d",
				r.run, r.number, obs.Turn, v.Tons, obs.Terminated, r.before)
		}
		if why := reason(g.Step(asks(seats, r.wanted)...)); why != "" {
			t.Fatalf("%s: round %d: refused: %s", r.run, r.number, why)
		}
		got := g.caught(seats)
		if sum(got) != sum(r.given) || g.fact("lake/tons") != r.after {
			t.Errorf("%s: round %d gives %v and leaves %d, published: %v and %d",
				r.run, r.number, got, g.fact("lake/tons"), r.given, r.after)
		}
		contested := sum(r.wanted) > r.before
		if !contested && !slices.Equal(got, r.given) {
			t.Errorf("%s: round %d gives %v, published: %v", r.run, r.number, got, r.given)
		}
		for i := range got {
			if got[i] < 0 || got[i] > r.wanted[i] {
				t.Errorf("%s: round %d gives %v of %v", r.run, r.number, got, r.wanted)
			}
		}
		g.EndTurn()
		if obs, _ := g.observe("e"); obs.Terminated != (r.after < 5 || r.number == 11) {
			t.Errorf("%s: terminated is %v after round %d with %d tons", r.run, obs.Terminated, r.number, r.after)
		}
	}
}

// A published is what is known of one run: its figures, but not how they came about.
type published struct {
	run                             string
	gains                           []int
	survival, overs                 int
	efficiency, equality, overUsage float64
}

func readMetrics(t *testing.T) []published {
	t.Helper()
	var all []published
	for _, row := range table(t, "govsim_metrics.csv", 10) {
		n := make([]float64, len(row))
		for i, cell := range row[1:] {
			var err error
			if n[i+1], err = strconv.ParseFloat(cell, 64); err != nil {
				t.Fatal(err)
			}
		}
		p := published{run: row[0], survival: int(n[6]), efficiency: n[7], equality: n[8], overUsage: n[9]}
		for _, gain := range n[1:6] {
			p.gains = append(p.gains, int(gain))
		}
		p.overs = int(math.Round(p.overUsage * float64(5*p.survival) / 100))
		all = append(all, p)
	}
	return all
}

func TestPublishedEfficiencyAndEqualityFollowFromTheGains(t *testing.T) {
	for _, p := range readMetrics(t) {
		if got := efficiency(sum(p.gains), 600); !near(got, p.efficiency) {
			t.Errorf("%s: efficiency is %v, published: %v", p.run, got, p.efficiency)
		}
		if got := equality(p.gains); !near(got, p.equality) {
			t.Errorf("%s: equality is %v, published: %v", p.run, got, p.equality)
		}
		if got := overUsage(p.overs, 5*p.survival); !near(got, p.overUsage) {
			t.Errorf("%s: over-usage is %v, published: %v", p.run, got, p.overUsage)
		}
	}
}

// The published runs give totals only. For each of them some course of events is found that has these totals, and
// is played by the rules; the metrics of its log must then be the published ones.
func TestPublishedMetricsFollowFromALog(t *testing.T) {
	all := readMetrics(t)
	ended := 0
	for _, p := range all {
		turns := findTrail(p.gains, p.survival, p.overs)
		if p.run == "wandering-forest-1235" { // found by a much longer search of the same kind
			turns = [][]int{
				{0, 12, 11, 0, 0},
				{0, 11, 0, 11, 1},
				{11, 0, 2, 0, 11},
				{14, 22, 20, 16, 15},
				{4, 3, 4, 3, 3},
				{2, 2, 1, 2, 2},
				{2, 2, 2, 2, 2},
				{2, 2, 2, 2, 2},
				{1, 1, 2, 2, 2},
			}
		}
		if turns == nil {
			t.Errorf("%s: no course of events found for %+v", p.run, p)
			continue
		}
		g := newGame(t, Default(), 1, seats...)
		for _, catch := range turns {
			if obs, _ := g.observe("a"); obs.Terminated {
				t.Fatalf("%s: ended in turn %d of %v", p.run, obs.Turn, turns)
			}
			g.Step(asks(seats, catch)...)
			g.EndTurn()
		}
		if obs, _ := g.observe("a"); obs.Terminated {
			ended++
		}
		m, err := Measure(worldtest.Sequence(g.Log...))
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]float64{
			"survival_time": float64(p.survival), "efficiency": p.efficiency, "equality": p.equality,
			"over_usage": p.overUsage, "total": float64(sum(p.gains)),
		}
		for name, value := range want {
			if !near(m[name], value) {
				t.Errorf("%s: %s is %v, published: %v", p.run, name, m[name], value)
			}
		}
	}
	t.Logf("%d of %d runs end as the rules say; of the others only courses were found that are broken off alive", ended, len(all))
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9 }

// table reads a file of the reference data, which is no part of the project and lies beside its checkout.
func table(t *testing.T, name string, columns int) [][]string {
	t.Helper()
	file, err := os.Open("../../../shared/data/" + name)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("NOT CHECKED against the published runs: there is no %s beside the checkout", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	in := csv.NewReader(file)
	in.FieldsPerRecord = columns
	rows, err := in.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 2 {
		t.Fatalf("%s is empty", name)
	}
	return rows[1:]
}
