package bazaar

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
)

// play plays all periods of a market with a policy. One after the other means in an order drawn for each turn, otherwise all quote at once
// and are considered in such an order.
func play(t *testing.T, config Config, seed uint64, policy world.Policy, together bool) map[string]float64 {
	t.Helper()
	g := newGame(t, config, seed, 12)
	for range config.Periods * config.Turns {
		order := slices.Clone(g.Agents)
		world.NewRand(seed, g.State.Turn, "schedule").Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		var actions []world.Action
		for _, agent := range order {
			obs, _ := g.observe(agent)
			action := policy.Decide(seed, obs)
			if together {
				actions = append(actions, action)
			} else {
				g.Step(action)
			}
		}
		if together {
			g.Step(actions...)
		}
		g.EndTurn()
	}
	return g.measure()
}

// markets are schedules of several shapes, for six buyers and six sellers.
func markets() map[string]Config {
	line := func(n, values, fall, costs, rise int) Config {
		c := Config{Buyers: 6, Ceiling: 200, Periods: 1, Turns: 100}
		for i := range n {
			c.Values = append(c.Values, values-fall*i)
			c.Costs = append(c.Costs, costs+rise*i)
		}
		return c
	}
	standard := Default()
	standard.Periods = 1
	return map[string]Config{
		"the standard one":         standard,
		"a low price":              line(18, 100, 4, 20, 3),
		"a small volume":           line(12, 150, 8, 62, 8),
		"a high price":             line(18, 195, 2, 100, 5),
		"few units left untraded":  line(24, 180, 4, 60, 3),
		"steep demand, flat costs": line(24, 190, 7, 80, 1),
	}
}

// TestABudgetConstraintIsEnoughForEfficiency is the finding of Gode and Sunder 1993. As they found, zero-intelligence traders
// with a budget constraint make more than 95 percent of the profit that can be made, and those without one clearly less.
//
// Without a constraint everybody trades all its units sooner or later, whatever they are worth. Where there are as many to buy as to sell, efficiency
// is therefore the sum of all values less that of all costs, of the most that can be made: known without playing.
func TestABudgetConstraintIsEnoughForEfficiency(t *testing.T) {
	episodes, played := 10, markets()
	if os.Getenv("VITRINE_LONG") == "" {
		played = map[string]Config{"the standard one": played["the standard one"]}
	} else {
		episodes = 60
	}
	for name, config := range played {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := meets(config.Values, config.Costs)
			for _, together := range []bool{false, true} {
				mean := make(map[string]float64)
				for _, policy := range []string{"zic", "ziu"} {
					var sum, squares float64
					for seed := range uint64(episodes) {
						if together {
							seed += 1_000_000 // other draws than those of traders one after the other
						}
						efficiency := play(t, config, seed, Policies()[policy], together)["efficiency"]
						sum += efficiency
						squares += efficiency * efficiency
					}
					n := float64(episodes)
					mean[policy] = sum / n
					bound := 2.58 * math.Sqrt(max(0, squares/n-mean[policy]*mean[policy])/n)
					t.Logf("%s, together %v: efficiency %.2f ± %.2f %% (99 %%), n = %d periods; supply meets demand at %v and %d units",
						policy, together, mean[policy], bound, episodes, e.price, e.units)
					if policy == "zic" && mean[policy]-bound <= 95 {
						t.Errorf("%s: efficiency is %.2f ± %.2f, want more than 95", policy, mean[policy], bound)
					}
				}
				all := 0
				for i := range config.Values {
					all += config.Values[i] - config.Costs[i]
				}
				if want := 100 * float64(all) / float64(e.surplus); math.Abs(mean["ziu"]-want) > 0.5 {
					t.Errorf("without a constraint, efficiency is %.2f, want %.2f", mean["ziu"], want)
				}
				if mean["ziu"] > mean["zic"]-5 {
					t.Errorf("without a constraint, efficiency is %.2f, with one %.2f", mean["ziu"], mean["zic"])
				}
			}
		})
	}
}

func TestPoliciesNameLegalPricesAndPassWithoutAUnit(t *testing.T) {
	g := newGame(t, small(), 1, 4)
	random := rand.New(rand.NewPCG(1, 1))
	for name, policy := range Policies() {
		for range 200 {
			for _, agent := range g.Agents {
				obs, v := g.observe(agent)
				price, reason := market{ceiling: v.Ceiling}.readPrice(policy(obs, random).Args)
				loss := v.Role == "buyer" && price > v.Limit || v.Role == "seller" && price < v.Limit
				if reason != "" || name != "ziu" && loss || name == "honest" && price != v.Limit {
					t.Fatalf("%s as a %s with the limit %d: price %d, %s", name, v.Role, v.Limit, price, reason)
				}
			}
		}
		if a := policy(world.Observation{Agent: "a0", View: []byte(`{}`)}, random); a.Name != world.Pass {
			t.Errorf("%s does %s without a legal action", name, a.Name)
		}
	}
}
