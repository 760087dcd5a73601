package bazaar

import (
	"math"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/worldtest"
)

func TestSupplyMeetsDemand(t *testing.T) {
	for _, test := range []struct {
		values, costs []int
		want          equilibrium
	}{
		{[]int{90, 80, 60, 50}, []int{20, 30, 40, 70}, equilibrium{3, 140, 55}}, // from 50 to 60
		{[]int{10}, []int{10}, equilibrium{1, 0, 10}},
		{[]int{10}, []int{4}, equilibrium{1, 6, 7}},
		{[]int{10, 9}, []int{4}, equilibrium{1, 6, 9.5}},
		{[]int{10}, []int{4, 6}, equilibrium{1, 6, 5}},
		{[]int{10}, []int{20}, equilibrium{0, 0, 15}},
		{Default().Values, Default().Costs, equilibrium{16, 960, 90}},
	} {
		if got := meets(test.values, test.costs); got != test.want {
			t.Errorf("%v and %v meet at %+v, want %+v", test.values, test.costs, got, test.want)
		}
	}
}

func TestTheMetricsAreThoseOfTheTrades(t *testing.T) {
	g := newGame(t, small(), 1, 4)
	if m := g.measure(); m["efficiency"] != 0 || m["volume"] != 0 || m["price"] != 0 || m["alpha"] != 0 || m["alpha_last"] != 0 {
		t.Errorf("before the first trade the metrics are %v", m)
	}
	g.step(quotes("a0 65", "a2 1", "a1 45", "a3 45")...) // at 65 and 45: values 90 and 80, costs 20 and 30
	for range 3 {
		g.EndTurn()
	}
	g.step(quotes("a0 58", "a3 1")...)
	m := g.measure()
	want := map[string]float64{
		"efficiency": 100 * (70. + 50 + 60) / 280,
		"volume":     1.5,
		"price":      56,
		"alpha":      100 * math.Sqrt((100.+100+9)/3) / 55,
		"alpha_last": 100 * 3. / 55,
	}
	if len(m) != len(want) || len(m) != len(Metrics()) {
		t.Errorf("the metrics are %v", m)
	}
	for _, metric := range Metrics() {
		if math.Abs(m[metric.Name]-want[metric.Name]) > 1e-9 {
			t.Errorf("%s is %v, want %v", metric.Name, m[metric.Name], want[metric.Name])
		}
	}
	if _, err := Measure(worldtest.Sequence()); err == nil {
		t.Error("no error without a market")
	}
	if _, err := Measure(worldtest.Sequence(world.Event{Kind: kindMarket, Data: []byte(`[]`)})); err == nil {
		t.Error("no error with an event that cannot be read")
	}
}
