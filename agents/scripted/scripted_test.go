package scripted

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/agentstest"
	"github.com/vitrine-sim/vitrine/world"
)

func encode(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// write returns a recording as the text of its file.
func write(t *testing.T, rec Recording) string {
	t.Helper()
	var text strings.Builder
	for _, name := range rec.Agents() {
		for _, turn := range slices.Sorted(maps.Keys(rec[name])) {
			for _, a := range rec[name][turn] {
				text.WriteString(encode(t, recordedAction{Turn: &turn, Agent: name, Action: a.Name, Args: a.Args}) + "\n")
			}
		}
	}
	return text.String()
}

// draws is the policy that asks for what chance says.
func draws(obs world.Observation, random *rand.Rand) world.Action {
	return world.Action{Agent: obs.Agent, Name: "fish", Args: world.JSON(map[string]any{"tons": random.IntN(1_000_000)})}
}

// observation is what the agents of these tests are shown.
func observation() world.Observation {
	return world.Observation{Agent: "a", View: json.RawMessage(`{}`), Actions: []world.ActionSpec{{Name: "fish"}}}
}

func TestAScriptedAgentKeepsWhatAgentsPromise(t *testing.T) {
	agentstest.TestAgent(t, observation(), func() agents.Agent { return Agent{Policy: draws, Seed: 1} })
}

func TestAPlayerKeepsWhatAgentsPromise(t *testing.T) {
	rec, err := ReadRecording("x", strings.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	agentstest.TestAgent(t, observation(), func() agents.Agent { return rec.Player("a") })
}

func TestAnAgentDrawsFromItsOwnStreamOfChance(t *testing.T) {
	act := func(seed uint64, agent string, turn int) string {
		t.Helper()
		obs := observation()
		obs.Agent, obs.Turn = agent, turn
		action, err := Agent{Policy: draws, Seed: seed}.Act(t.Context(), obs)
		if err != nil {
			t.Fatal(err)
		}
		return string(action.Args)
	}
	want := string(draws(observation(), world.NewRand(7, 2, "policy/a")).Args)
	if got := act(7, "a", 2); got != want {
		t.Errorf("the agent does %s, its stream says %s", got, want)
	}
	if got := act(7, "a", 2); got != want {
		t.Errorf("asked again it does %s, not %s", got, want)
	}
	for name, got := range map[string]string{
		"another seed": act(8, "a", 2), "another agent": act(7, "b", 2), "another turn": act(7, "a", 3),
	} {
		if got == want {
			t.Errorf("%s changes nothing", name)
		}
	}
}
