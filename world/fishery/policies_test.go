package fishery

import (
	"testing"

	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/worldtest"
)

// play plays an episode of five agents with the same policy and returns its metrics.
func play(t *testing.T, config Config, policy string) map[string]float64 {
	t.Helper()
	g := newGame(t, config, 1, seats...)
	for {
		var actions []world.Action
		for _, name := range seats {
			obs, _ := g.observe(name)
			if obs.Terminated {
				m, err := Measure(worldtest.Sequence(g.Log...))
				if err != nil {
					t.Fatal(err)
				}
				return m
			}
			actions = append(actions, Policies()[policy](obs, world.NewRand(1, obs.Turn, name)))
		}
		if why := reason(g.Step(actions...)); why != "" {
			t.Fatalf("%s was refused: %s", policy, why)
		}
		g.EndTurn()
	}
}

func TestSteadyKeepsTheLakeAndGreedyEmptiesItAtOnce(t *testing.T) {
	for _, c := range []struct {
		policy string
		want   map[string]float64
	}{
		// as in the published run divine-aardvark-991: 120 tons each, nothing overused
		{"steady", map[string]float64{"survival_time": 12, "efficiency": 100, "equality": 100, "over_usage": 0, "total": 600}},
		{"greedy", map[string]float64{"survival_time": 1, "efficiency": 100.0 / 6, "total": 100}},
	} {
		m := play(t, Default(), c.policy)
		for name, want := range c.want {
			if !near(m[name], want) {
				t.Errorf("%s: %s is %v, want %v", c.policy, name, m[name], want)
			}
		}
	}
	if m := play(t, Config{Capacity: 99, Collapse: 5, Turns: 40}, "steady"); m["survival_time"] != 40 || m["over_usage"] != 0 {
		t.Errorf("in a lake of 99 tons, steady gives %v", m)
	}
}

func TestRandomAsksForNoMoreThanItsShareAndForEachAmount(t *testing.T) {
	seen := make(map[string]bool)
	for turn := range 500 {
		obs := world.Observation{
			Agent: "a", Turn: turn, View: world.JSON(view{Tons: 34, Agents: 5}), Actions: []world.ActionSpec{fishSpec()},
		}
		seen[string(Policies()["random"](obs, world.NewRand(1, turn, "a")).Args)] = true
	}
	for tons := range 7 {
		args := string(world.JSON(map[string]int{"tons": tons}))
		if !seen[args] {
			t.Errorf("%s was never asked for", args)
		}
		delete(seen, args)
	}
	if len(seen) > 0 {
		t.Errorf("asked for more than a fifth of 34 tons: %v", seen)
	}
}

func TestAPolicyPassesWhenItMayNotFish(t *testing.T) {
	for name, policy := range Policies() {
		for _, obs := range []world.Observation{
			{Agent: "a"},
			{Agent: "a", View: world.JSON(view{Tons: 100, Agents: 5})},
			{Agent: "a", View: []byte("nonsense"), Actions: []world.ActionSpec{fishSpec()}},
		} {
			if a := policy(obs, nil); a.Agent != "a" || a.Name != world.Pass {
				t.Errorf("%s answers %+v with %+v", name, obs, a)
			}
		}
	}
}
