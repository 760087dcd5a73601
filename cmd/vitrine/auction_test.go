package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/worldtest"
)

// twoBidders puts two bidders in the place of the auction's own.
const twoBidders = `agents=[{name="p0"},{name="p1"}]`

// episodes returns how many episodes a sample is of: n, or twenty times that where there is time.
func episodes(n uint64) uint64 {
	if os.Getenv("VITRINE_LONG") == "1" {
		return 20 * n
	}
	return n
}

func bid(agent string, amount int) world.Action {
	return world.Action{Agent: agent, Name: "bid", Args: world.JSON(map[string]int{"amount": amount})}
}

// A sample is figures whose mean is compared with what it should be.
type sample []float64

// mean returns the mean, and four of its standard errors.
func (s sample) mean() (mean, bound float64) {
	n := float64(len(s))
	for _, x := range s {
		mean += x / n
	}
	sum := 0.0
	for _, x := range s {
		sum += (x - mean) * (x - mean)
	}
	return mean, 4 * math.Sqrt(sum/(n-1)/n)
}

// near fails unless the mean is what it should be, within four standard errors.
func (s sample) near(t *testing.T, what string, want float64) {
	t.Helper()
	mean, bound := s.mean()
	t.Logf("%s: %.4f, want %.4f within %.4f, four standard errors of %d", what, mean, want, bound, len(s))
	if math.Abs(mean-want) > bound {
		t.Errorf("%s is %.4f, want %.4f within %.4f", what, mean, want, bound)
	}
}

// sold returns what the events of auctions say, in their order.
func (p *table) sold() (all []soldEvent) {
	p.t.Helper()
	for _, ev := range p.Log {
		if ev.Kind == "sold" {
			var one soldEvent
			if err := json.Unmarshal(ev.Data, &one); err != nil {
				p.t.Fatal(err)
			}
			one.Winner = ev.Agent
			all = append(all, one)
		}
	}
	return all
}

type soldEvent struct {
	Winner       string `json:"-"`
	Bids, Values map[string]int
	Price        float64
	Profit       float64
}

func TestTheAuctionKeepsTheContract(t *testing.T) {
	agents := seat(t, "auction").Agents
	worldtest.TestRules(t, func() (world.Rules, error) { return seat(t, "auction").rules, nil }, agents)
}

// From OpenSpiel's playthrough first_sealed_auction.txt in open_spiel/integration_tests/playthroughs: values 9 and 10, of which each bidder sees its own;
// legal bids 0 to 8 and 0 to 9; bids 3 and 5; rewards 0 and 5, and the end.
func TestTheAuctionGoesAsInOpenSpielsPlaythrough(t *testing.T) {
	p := seat(t, "auction", twoBidders, "rules.rounds=1", `rules.values="9 10"`)
	for i, value := range []int{9, 10} {
		agent := p.Agents[i]
		var view struct{ Value int }
		if err := json.Unmarshal(p.Observe(agent).View, &view); err != nil || view.Value != value {
			t.Errorf("%s sees the value %d, want %d: %v", agent, view.Value, value, err)
		}
		if got, want := p.legal(agent, "amount"), fmt.Sprintf(`{"maximum":%d,"minimum":0,"type":"integer"}`, value-1); got != want {
			t.Errorf("%s may bid %s, want %s", agent, got, want)
		}
	}
	if got := p.rewards(); !slices.Equal(got, []float64{0, 0}) {
		t.Errorf("before the bids the rewards are %v", got)
	}
	p.acts(bid("p0", 3), bid("p1", 5))
	p.EndTurn()
	if got := p.rewards(); !slices.Equal(got, []float64{0, 5}) || !p.Observe("p0").Terminated || !p.Observe("p1").Terminated {
		t.Errorf("the rewards are %v, want 0 and 5, and the end", got)
	}
}

// The returns of FPSBAState in open_spiel/games/first_sealed_auction/first_sealed_auction.cc: whoever bids most, and no tie, earns its value less its bid.
func TestTheAuctionPaysForEveryPairOfBids(t *testing.T) {
	p := seat(t, "auction", twoBidders, "rules.rounds=1", "rules.max_value=4", `rules.values="4 3"`)
	for a := range 4 {
		for b := range 3 {
			p.begin(1)
			p.acts(bid("p0", a), bid("p1", b))
			p.EndTurn()
			got := p.rewards()
			legal := [][]float64{{float64(4 - a), 0}, {0, float64(3 - b)}}
			switch {
			case a > b:
				legal = legal[:1]
			case a < b:
				legal = legal[1:]
			}
			if !slices.ContainsFunc(legal, func(want []float64) bool { return slices.Equal(got, want) }) {
				t.Errorf("for the bids %d and %d the rewards are %v, want one of %v", a, b, got, legal)
			}
		}
	}
}

// From OpenSpiel's playthrough normal_form_extensive_game(game=first_sealed_auction(players=3,max_value=3)).txt: the expected returns of three bidders of
// which two always bid 0, and the third bids 1 if its value is 3, and else 0.
func TestAuctionsPayInTheMeanWhatOpenSpielExpects(t *testing.T) {
	want := []float64{0.444444, 0.444444, 1}
	p := seat(t, "auction", `agents=[{name="p0"},{name="p1"},{name="p2"}]`, "rules.rounds=20", "rules.max_value=3")
	won := make([]sample, 3)
	for seed := range episodes(100) {
		p.begin(seed)
		for range 20 {
			var view struct{ Value int }
			if err := json.Unmarshal(p.Observe("p2").View, &view); err != nil {
				t.Fatal(err)
			}
			p.acts(bid("p0", 0), bid("p1", 0), bid("p2", max(0, view.Value-2)))
			p.EndTurn()
		}
		for _, one := range p.sold() {
			for i, agent := range p.Agents {
				profit := 0.0
				if one.Winner == agent {
					profit = one.Profit
				}
				won[i] = append(won[i], profit)
			}
		}
	}
	for i, s := range won {
		s.near(t, "earned by "+p.Agents[i], want[i])
	}
}

// The values of OpenSpiel's first_sealed_auction are 1 to 10 with a chance of 0.1 each, in ChanceOutcomes of its playthrough.
func TestTheAuctionDrawsItsValuesEvenly(t *testing.T) {
	p := seat(t, "auction", "rules.rounds=1000")
	var counts [11]float64
	n := 0.0
	for seed := range uint64(10) {
		p.begin(seed)
		for _, agent := range p.Agents {
			var values []int
			if err := p.State.Get("values/"+agent, &values); err != nil {
				t.Fatal(err)
			}
			for _, v := range values {
				counts[v]++
				n++
			}
		}
	}
	bound := 4.5 * math.Sqrt(0.1*0.9/n)
	for v, count := range counts[1:] {
		t.Logf("value %d: %.4f, want 0.1 within %.4f, 4.5 standard errors of %v", v+1, count/n, bound, n)
		if math.Abs(count/n-0.1) > bound {
			t.Errorf("the value %d is drawn in %.4f of cases, want 0.1 within %.4f", v+1, count/n, bound)
		}
	}
}

// In theory (Vickrey 1961) n bidders whose values are uniform from 0 to m bid (n-1)/n of them in equilibrium, and the expected price is m (n-1)/(n+1). With
// whole numbers it is the sum over v of floor((n-1) v / n) times the chance that v is the highest value: this is what the price must be in the mean,
// within four standard errors. How near that is to Vickrey's is computed and not drawn: less than 1, the step of a bid.
func TestTheRevenueOfTheAuctionInEquilibriumIsVickreys(t *testing.T) {
	const most = 1000
	for _, n := range []int{2, 3, 5} {
		t.Run(fmt.Sprintf("%d bidders", n), func(t *testing.T) {
			exact := 0.0
			for v := 1; v <= most; v++ {
				highest := math.Pow(float64(v)/most, float64(n)) - math.Pow(float64(v-1)/most, float64(n))
				exact += math.Floor(float64((n-1)*v)/float64(n)) * highest
			}
			vickrey := float64(most*(n-1)) / float64(n+1)
			t.Logf("expected: %.3f in whole numbers, %.3f by Vickrey's formula", exact, vickrey)
			if math.Abs(exact-vickrey) >= 1 {
				t.Errorf("whole numbers make %.3f of Vickrey's %.3f", exact, vickrey)
			}
			bidders := fmt.Sprintf(`agents=[{name="p",count=%d}]`, n)
			p := seat(t, "auction", bidders, "rules.rounds=20", fmt.Sprintf("rules.max_value=%d", most))
			var prices sample
			efficiency, played := 0.0, episodes(30)
			for seed := range played {
				p.begin(seed)
				p.play("equilibrium")
				for _, one := range p.sold() {
					prices = append(prices, one.Price)
				}
				efficiency += p.measures()["efficiency"] / float64(played)
			}
			prices.near(t, "price", exact)
			if t.Logf("efficiency: %.3f percent of %d auctions", efficiency, len(prices)); efficiency < 99.9 {
				t.Errorf("the highest value wins with %.3f percent of what can be won; equal bids of unlike values lose less than 0.1", efficiency)
			}
		})
	}
}
