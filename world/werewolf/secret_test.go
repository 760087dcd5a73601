package werewolf

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
)

// What somebody may not know can have no effect on what it sees: where two agents whose roles are hidden from it swap them, it sees the same
// bytes, and is told the same reasons.
func TestAHiddenRoleIsInNobodysObservation(t *testing.T) {
	swaps := 0
	for seed := range uint64(4) {
		config := Config{Wolves: 2, Reveal: seed%2 == 0}
		g := newTable(t, config, seed, 7)
		for g.game().won == "" {
			for _, phase := range []string{"talk", PhaseVote, PhaseNight} {
				g.phase(phase)
				swaps += swapRoles(t, g)
				g.act("random")
			}
			g.Commit(world.Event{Kind: world.KindTurn})
		}
	}
	if swaps < 1000 {
		t.Errorf("only %d swaps were looked at", swaps)
	}
	t.Logf("%d swaps of a hidden wolf and a hidden villager change nothing for anybody else", swaps)
}

// swapRoles looks at each agent that is no wolf, and at each wolf and villager whose roles are hidden from it. It returns how many they were.
func swapRoles(t *testing.T, g *table) int {
	t.Helper()
	now, swaps := g.game(), 0
	hidden := func(seat int) bool { return !now.dead[seat] || !now.reveal }
	for me, name := range now.names {
		if now.wolf[me] || now.won != "" {
			continue
		}
		seen, told := g.Observe(name), toldIn(t, g, g.State, name)
		for i := range now.names {
			for j := range now.names {
				if !now.wolf[i] || now.wolf[j] || j == me || !hidden(i) || !hidden(j) {
					continue
				}
				other := g.State.Apply(world.Event{Seq: g.State.Seq, Set: map[string]json.RawMessage{
					"roles/" + now.names[i]: world.JSON(villager), "roles/" + now.names[j]: world.JSON(wolf),
				}})
				obs, err := g.rules.Observe(other, name)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := string(world.JSON(obs)), string(world.JSON(seen)); got != want {
					t.Fatalf("%s sees %s, and %s where %s and %s have swapped roles", name, want, got, now.names[i], now.names[j])
				}
				if got := toldIn(t, g, other, name); got != told {
					t.Fatalf("%s is told %s, and %s where %s and %s have swapped roles", name, told, got, now.names[i], now.names[j])
				}
				swaps++
			}
		}
	}
	return swaps
}

// toldIn returns the reasons why an agent may not kill each of the others, or itself.
func toldIn(t *testing.T, g *table, st world.State, name string) string {
	t.Helper()
	var reasons strings.Builder
	for _, target := range g.Agents {
		events, err := g.rules.Step(st, []world.Action{named(name, kill, target)})
		if err != nil || len(events) != 1 || events[0].Kind != world.KindRefusal {
			t.Fatalf("%s kills: %s, %v", name, world.JSON(events), err)
		}
		reasons.WriteString(string(events[0].Data))
	}
	return reasons.String()
}

func TestAWolfKnowsItsPackAndAVillagerNone(t *testing.T) {
	g := newTable(t, Config{Wolves: 3}, 1, 7)
	g.cast("wvwvwvv")
	for agent, want := range map[string]string{
		"a": `{"alive":["a","b","c","d","e","f","g"],"pack":["c","e"],"role":"wolf","you":"a"}`,
		"b": `{"alive":["a","b","c","d","e","f","g"],"role":"villager","you":"b"}`,
	} {
		if got := string(g.Observe(agent).View); got != want {
			t.Errorf("%s sees %s, want %s", agent, got, want)
		}
	}
}
