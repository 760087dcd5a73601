package star

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/fishery"
	"github.com/vitrine-sim/vitrine/world/worldtest"
)

// pasture returns the shipped rules of pasture and pollution.
func pasture(t *testing.T, params map[string]any) *Rules {
	t.Helper()
	source, err := os.ReadFile("../../scenarios/pasture.star")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := Load("pasture.star", source, params)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func TestTheShippedPastureKeepsTheContract(t *testing.T) {
	worldtest.TestRules(t, func() (world.Rules, error) { return pasture(t, nil), nil }, seats)
}

// A played episode is one that is folded by hand.
type played struct {
	t     *testing.T
	rules world.Rules
	st    world.State
	log   []world.Event
}

func newPlayed(t *testing.T, rules world.Rules, seed uint64) *played {
	t.Helper()
	events, err := rules.Reset(seed, seats)
	if err != nil {
		t.Fatal(err)
	}
	p := &played{t: t, rules: rules}
	p.commit(append([]world.Event{{Kind: "seed", Set: map[string]json.RawMessage{world.SeedFact: world.JSON(seed)}}}, events...))
	return p
}

func (p *played) commit(events []world.Event) {
	p.t.Helper()
	events, err := p.st.Stamp(events)
	if err != nil {
		p.t.Fatal(err)
	}
	p.st = p.st.Apply(events...)
	p.log = append(p.log, events...)
}

func (p *played) events(yield func(world.Event, error) bool) {
	for _, ev := range p.log {
		if !yield(ev, nil) {
			return
		}
	}
}

// take plays a turn in which the agents ask for so much, all at once or one after the other. It returns what each got, what there was before,
// and whether it was the last turn.
func (p *played) take(name, arg string, asked []int, atOnce bool) (got []int, over bool) {
	p.t.Helper()
	var actions []world.Action
	for i, agent := range seats {
		actions = append(actions, world.Action{Agent: agent, Name: name, Args: world.JSON(map[string]int{arg: asked[i]})})
	}
	steps := [][]world.Action{actions}
	if !atOnce {
		steps = nil
		for _, a := range actions {
			steps = append(steps, []world.Action{a})
		}
	}
	begin := len(p.log)
	for _, actions := range steps {
		events, err := p.rules.Step(p.st, actions)
		if err != nil {
			p.t.Fatal(err)
		}
		p.commit(events)
	}
	for _, ev := range p.log[begin:] {
		var data struct{ Got, Caught *int }
		if ev.Agent != "" && json.Unmarshal(ev.Data, &data) == nil {
			if data.Got == nil {
				data.Got = data.Caught
			}
			if data.Got != nil {
				got = append(got, *data.Got)
			}
		}
	}
	p.commit([]world.Event{{Kind: world.KindTurn}})
	obs, err := p.rules.Observe(p.st, "a")
	if err != nil {
		p.t.Fatal(err)
	}
	return got, obs.Terminated
}

func (p *played) left() (left int) {
	p.t.Helper()
	obs, err := p.rules.Observe(p.st, "a")
	if err != nil {
		p.t.Fatal(err)
	}
	var view struct{ Left, Tons *int }
	if err := json.Unmarshal(obs.View, &view); err != nil {
		p.t.Fatal(err)
	}
	if view.Left == nil {
		view.Left = view.Tons
	}
	return *view.Left
}

func TestTheShippedPastureIsTheFisheryInOtherWords(t *testing.T) {
	lake, err := fishery.New(fishery.Default())
	if err != nil {
		t.Fatal(err)
	}
	contested := 0
	for seed := range uint64(100) {
		random := world.NewRand(seed, 0, "test")
		atOnce := seed%2 == 0
		fish, sheep := newPlayed(t, lake, seed), newPlayed(t, pasture(t, nil), seed)
		same := true
		for over := false; !over; {
			asked := make([]int, len(seats))
			for i := range asked {
				asked[i] = random.IntN(fish.left()/4 + 1)
			}
			before := fish.left()
			want, end := fish.take("fish", "tons", asked, atOnce)
			got, over2 := sheep.take("graze", "flocks", asked, atOnce)
			if total(asked) <= before {
				for i := range want {
					if got[i] != want[i] {
						t.Fatalf("seed %d: %v gives %v, in the fishery %v", seed, asked, got, want)
					}
				}
			} else {
				contested++
				same = false // who gets how much is by lot
			}
			if total(got) != total(want) || sheep.left() != fish.left() || over2 != end {
				t.Fatalf("seed %d: %v gives %v and leaves %d, in the fishery %v and %d", seed, asked, got, sheep.left(), want, fish.left())
			}
			over = end
		}
		want, err := fishery.Measure(fish.events)
		if err != nil {
			t.Fatal(err)
		}
		got, err := sheep.rules.(*Rules).Measure(sheep.events)
		if err != nil {
			t.Fatal(err)
		}
		if g, w := string(world.JSON(got)), string(world.JSON(want)); same && g != w {
			t.Errorf("seed %d: the metrics are %s, in the fishery %s", seed, g, w)
		}
	}
	if contested == 0 {
		t.Error("nothing was ever contested")
	}
}

func total(numbers []int) (sum int) {
	for _, n := range numbers {
		sum += n
	}
	return sum
}

func TestThePublishedRoundsOfTheFisheryAreThoseOfTheShippedPasture(t *testing.T) {
	file, err := os.Open("../../../shared/data/govsim_fishery_rounds.csv")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("NOT CHECKED against the published rounds: they are not beside the checkout")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var p *played
	for i, row := range rows[1:] {
		n := make([]int, len(row))
		for k, cell := range row[1:] {
			if n[k+1], err = strconv.Atoi(cell); err != nil {
				t.Fatal(err)
			}
		}
		if row[0] != rows[i][0] {
			p = newPlayed(t, pasture(t, nil), uint64(i))
		}
		before, wanted, given, after := n[2], n[3:8], n[8:13], n[13]
		if p.left() != before {
			t.Fatalf("%s, round %d: there is %d, published: %d", row[0], n[1], p.left(), before)
		}
		got, _ := p.take("graze", "flocks", wanted, true)
		for k := range got {
			if total(wanted) <= before && got[k] != given[k] || got[k] > wanted[k] {
				t.Errorf("%s, round %d: %v gives %v, published: %v", row[0], n[1], wanted, got, given)
			}
		}
		if total(got) != before-after {
			t.Errorf("%s, round %d: %v leaves %d, published: %d", row[0], n[1], wanted, before-total(got), after)
		}
	}
	t.Logf("%d published rounds", len(rows)-1)
}
