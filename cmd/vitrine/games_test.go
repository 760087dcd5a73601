package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/worldtest"
)

// A table is a shipped scenario at play in memory: its rules, a state, and the events that made it.
type table struct {
	*setup
	*worldtest.Episode
	t *testing.T
}

// seat begins an episode of the shipped scenario, with these overrides.
func seat(t *testing.T, name string, set ...string) *table {
	t.Helper()
	s, err := load(t.Context(), filepath.Join("..", "..", "scenarios", name+".toml"), set)
	if err != nil {
		t.Fatal(err)
	}
	p := &table{setup: s, t: t}
	p.begin(s.Seed)
	return p
}

// begin begins another episode of the same rules.
func (p *table) begin(seed uint64) {
	p.t.Helper()
	p.Episode = worldtest.Begin(p.t, p.rules, seed, names(p.Scenario)...)
}

// acts lets agents do what is not refused, at once.
func (p *table) acts(actions ...world.Action) {
	p.t.Helper()
	for _, ev := range p.Step(actions...) {
		if ev.Kind == world.KindRefusal {
			p.t.Fatalf("%s: %s", ev.Agent, ev.Data)
		}
	}
}

// play plays turns in which all agents act at once by a policy, until the rules end it.
func (p *table) play(policy string) {
	p.t.Helper()
	decide, ok := p.substrate.policy(policy)
	if !ok {
		p.t.Fatalf("there is no policy %q", policy)
	}
	for !p.Observe(p.Agents[0]).Terminated {
		var actions []world.Action
		for _, agent := range p.Agents {
			actions = append(actions, decide.Decide(p.Seed, p.Observe(agent)))
		}
		p.acts(actions...)
		p.EndTurn()
	}
}

// rewards returns what the agents have earned, in seat order.
func (p *table) rewards() []float64 {
	p.t.Helper()
	var all []float64
	for _, agent := range p.Agents {
		all = append(all, p.Observe(agent).Reward)
	}
	return all
}

func (p *table) measures() map[string]float64 {
	p.t.Helper()
	values, err := p.substrate.measure(worldtest.Sequence(p.Log...))
	if err != nil {
		p.t.Fatal(err)
	}
	return values
}

// legal returns the schema of an argument of the one action that an agent has.
func (p *table) legal(agent, arg string) string {
	p.t.Helper()
	obs := p.Observe(agent)
	if len(obs.Actions) != 1 {
		p.t.Fatalf("%s has the actions %v, want one", agent, obs.Actions)
	}
	var schema struct{ Properties map[string]json.RawMessage }
	if err := json.Unmarshal(obs.Actions[0].Schema, &schema); err != nil {
		p.t.Fatal(err)
	}
	return string(schema.Properties[arg])
}

func moves(agent, move string) world.Action {
	return world.Action{Agent: agent, Name: "choose", Args: world.JSON(map[string]string{"move": move})}
}

func TestTheMatrixGamesKeepTheContract(t *testing.T) {
	agents := seat(t, "rps").Agents
	worldtest.TestRules(t, func() (world.Rules, error) { return seat(t, "rps").rules, nil }, agents)
}

// The utilities are those of open_spiel/games/matrix_games/matrix_games.cc, row by row, first all of the first player and then all of the second. The
// names of the actions, that they are legal for both in state 0 and none is in state 1, and that rewards are 0 in state 0, is from the playthroughs
// matrix_rps.txt, matrix_sh.txt, matrix_cd.txt and matrix_bos.txt in open_spiel/integration_tests/playthroughs.
func TestMatrixGamesPayWhatOpenSpielPaysForEveryJointAction(t *testing.T) {
	for _, game := range []struct {
		name        string
		moves       []string
		row, column []float64
		equilibria  int // pairs of moves that are best replies to each other, counted by hand
	}{
		{"rps", []string{"Rock", "Paper", "Scissors"}, []float64{0, -1, 1, 1, 0, -1, -1, 1, 0}, []float64{0, 1, -1, -1, 0, 1, 1, -1, 0}, 0},
		{"staghunt", []string{"Stag", "Hare"}, []float64{2, 0, 1, 1}, []float64{2, 1, 0, 1}, 2},
		{"chicken", []string{"Dare", "Chicken"}, []float64{0, 4, 1, 3}, []float64{0, 1, 4, 3}, 2},
		{"bos", []string{"Bach", "Stravinsky"}, []float64{3, 0, 0, 2}, []float64{2, 0, 0, 3}, 2},
	} {
		t.Run(game.name, func(t *testing.T) {
			p := seat(t, game.name, "rules.rounds=1")
			n, equilibria := len(game.moves), 0.0
			for i, row := range game.moves {
				for j, column := range game.moves {
					p.begin(1)
					want := string(world.JSON(map[string]any{"enum": game.moves}))
					for _, agent := range p.Agents {
						if got := p.legal(agent, "move"); got != want || p.Observe(agent).Terminated || p.Observe(agent).Reward != 0 {
							t.Fatalf("in state 0 %s may choose %s, want %s: %+v", agent, got, want, p.Observe(agent))
						}
					}
					p.acts(moves(p.Agents[0], row), moves(p.Agents[1], column))
					p.EndTurn()
					if got, want := p.rewards(), []float64{game.row[i*n+j], game.column[i*n+j]}; !slices.Equal(got, want) {
						t.Errorf("%s and %s win %v, want %v", row, column, got, want)
					}
					for _, agent := range p.Agents {
						if obs := p.Observe(agent); !obs.Terminated || len(obs.Actions) > 0 {
							t.Errorf("state 1 is not the end: %+v", obs)
						}
					}
					equilibria += p.measures()["equilibrium"] / 100
				}
			}
			if equilibria != float64(game.equilibria) {
				t.Errorf("%v pairs of moves are an equilibrium, want %d", equilibria, game.equilibria)
			}
			t.Logf("%d joint actions, all of them, exactly", n*n)
		})
	}
}

func TestAMoveOfAMatrixGameIsHiddenUntilBothHaveChosen(t *testing.T) {
	p := seat(t, "bos")
	anna, bob := p.Agents[0], p.Agents[1]
	before := string(p.Observe(bob).View)
	p.acts(moves(anna, "Stravinsky"))
	if obs := p.Observe(anna); len(obs.Actions) > 0 {
		t.Errorf("who has chosen may do it again: %v", obs.Actions)
	}
	if after := string(p.Observe(bob).View); after != before {
		t.Errorf("the other sees %s, saw %s", after, before)
	}
	p.acts(moves(bob, "Stravinsky"))
	if got := p.rewards(); !slices.Equal(got, []float64{2, 3}) {
		t.Errorf("one after the other they win %v, want 2 and 3", got)
	}
	p.EndTurn()
	p.acts(moves(bob, "Bach")) // and the other does not choose: there is no such round
	p.EndTurn()
	p.acts(moves(anna, "Bach"))
	if got := p.rewards(); !slices.Equal(got, []float64{2, 3}) {
		t.Errorf("moves of two rounds make one: %v", got)
	}
}
