package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/worldtest"
)

// A look is what a villager sees.
type look struct {
	YouAreAt string `json:"you_are_at"`
	Here     []string
	Party    *struct{ At string }
	Memory   []struct{ From, Topic, Text, Note string }
}

func (p *table) looks(agent string) (l look) {
	p.t.Helper()
	if err := json.Unmarshal(p.Observe(agent).View, &l); err != nil {
		p.t.Fatal(err)
	}
	return l
}

func does(agent, action string, args map[string]string) world.Action {
	return world.Action{Agent: agent, Name: action, Args: world.JSON(args)}
}

func goes(agent, to string) world.Action { return does(agent, "go", map[string]string{"to": to}) }

func tells(agent, to, topic string) world.Action {
	return does(agent, "tell", map[string]string{"to": to, "topic": topic, "text": "listen"})
}

// invited returns who has heard of the party.
func (p *table) invited() []string { return p.State.Paths("heard/") }

func TestTheVillageKeepsTheContract(t *testing.T) {
	three := `agents=[{name="a",count=3,role="r"}]`
	agents := seat(t, "village", three).Agents
	worldtest.TestRules(t, func() (world.Rules, error) { return seat(t, "village", three).rules, nil }, agents)
}

// A day that is counted by hand: a tells b at the shop, b goes to the park and tells c, while a tells b again; d hears of nothing and walks into it.
func TestWordOfThePartySpreadsFromMouthToMouth(t *testing.T) {
	p := seat(t, "village", "rules.turns=3", `rules.start="shop shop park square"`, `agents=[{name="a",role="r"},{name="b",role="r"},{name="c",role="r"},{name="d",role="r"}]`)
	if l := p.looks("a"); l.Party == nil || l.Party.At != "cafe" || !slices.Equal(l.Here, []string{"b"}) {
		t.Errorf("the host sees %+v", l)
	}
	if l := p.looks("b"); l.Party != nil || !slices.Equal(l.Here, []string{"a"}) {
		t.Errorf("b sees %+v", l)
	}
	refused := func(a world.Action) {
		t.Helper()
		events, err := p.rules.Step(p.State, []world.Action{a})
		if err != nil || len(events) != 1 || events[0].Kind != world.KindRefusal {
			t.Errorf("%s %s is not refused: %v, %v", a.Name, a.Args, events, err)
		}
	}
	refused(tells("a", "c", "party")) // who is somewhere else
	refused(tells("b", "a", "party")) // who has not heard of it
	refused(tells("c", "d", "other")) // nobody is there

	p.acts(tells("a", "b", "party"), goes("b", "park")) // b hears it, and goes
	p.EndTurn()
	if l := p.looks("b"); l.Party == nil || l.YouAreAt != "park" || len(l.Memory) != 1 || l.Memory[0].From != "a" || l.Memory[0].Topic != "party" {
		t.Errorf("b sees %+v", l)
	}
	p.acts(tells("b", "c", "party"), does("c", "note", map[string]string{"text": "mine"}), goes("a", "park"), goes("d", "cafe"))
	p.EndTurn()
	if l := p.looks("c"); len(l.Memory) != 2 || l.Party == nil {
		t.Errorf("c sees %+v", l)
	}
	for _, other := range []string{"a", "b", "d"} {
		if view := string(p.Observe(other).View); strings.Contains(view, "mine") {
			t.Errorf("%s sees the note of c: %s", other, view)
		}
	}
	p.acts(tells("a", "b", "party"), goes("b", "cafe"), goes("c", "cafe"))
	p.EndTurn()
	if got := p.rewards(); !slices.Equal(got, []float64{0, 2, 2, 2}) {
		t.Errorf("the rewards are %v: a has stayed in the park", got)
	}
	want := map[string]float64{"heard": 75, "attendance": 75, "came": 100 * 2. / 3, "hops": 2, "told": 3}
	if got := p.measures(); !maps.Equal(got, want) {
		t.Errorf("the metrics are %v, want %v", got, want)
	}
}

// Who tells, tells one; so word can at most double in a turn, and goes no two steps at once.
func TestWordOfThePartyAtMostDoublesInATurn(t *testing.T) {
	p := seat(t, "village", `agents=[{name="a",count=16,role="r"}]`, `rules.start="`+strings.Repeat("park ", 16)+`"`, "rules.turns=12")
	gossip, _ := p.substrate.policy("gossip")
	for turn := 0; len(p.invited()) < 16; turn++ {
		if turn == 12 {
			t.Fatalf("after 12 turns at one place only %d of 16 have heard", len(p.invited()))
		}
		before := len(p.invited())
		var actions []world.Action
		for _, agent := range p.Agents {
			if a := gossip.Decide(1, p.Observe(agent)); a.Name == "tell" { // nobody walks
				actions = append(actions, a)
			}
		}
		p.acts(actions...)
		p.EndTurn()
		if now := len(p.invited()); now > 2*before || now == before && before < 8 {
			t.Errorf("in turn %d those who have heard become %d, who were %d", turn, now, before)
		}
	}
}

func TestAVillagerForgetsTheOldest(t *testing.T) {
	p := seat(t, "village", "rules.memory=3", "rules.turns=9")
	for i := range 5 {
		p.acts(does("isa", "note", map[string]string{"text": fmt.Sprint(i)}))
		p.EndTurn()
	}
	var notes []string
	for _, thing := range p.looks("isa").Memory {
		notes = append(notes, thing.Note)
	}
	if !slices.Equal(notes, []string{"2", "3", "4"}) {
		t.Errorf("it remembers %q", notes)
	}
}
