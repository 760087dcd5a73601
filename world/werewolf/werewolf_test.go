package werewolf

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/worldtest"
)

func TestTheRulesKeepWhatAllRulesMust(t *testing.T) {
	for _, config := range []Config{{Wolves: 1, Reveal: true}, {Wolves: 3}, {Wolves: 2, Parity: true, Reveal: true}} {
		worldtest.TestRules(t, func() (world.Rules, error) { return New(config) }, []string{"a", "b", "c", "d", "e", "f", "g"})
	}
}

// A table is an episode folded by hand, without a store.
type table struct {
	*worldtest.Episode
	t     testing.TB
	rules *Rules
	seed  uint64
}

func newTable(t testing.TB, config Config, seed uint64, agents int) *table {
	t.Helper()
	rules, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range agents {
		names = append(names, string(rune('a'+i)))
	}
	return &table{Episode: worldtest.Begin(t, rules, seed, names...), t: t, rules: rules, seed: seed}
}

// phase makes a phase begin.
func (g *table) phase(name string) {
	g.Commit(world.Event{Kind: "phase", Set: map[string]json.RawMessage{world.PhaseFact: world.JSON(name)}})
}

// act lets all who live follow the policy in one step.
func (g *table) act(policy string) {
	g.t.Helper()
	var actions []world.Action
	for _, agent := range g.Agents {
		if obs := g.Observe(agent); !obs.Terminated {
			actions = append(actions, Policies()[policy].Decide(g.seed, obs))
		}
	}
	g.Step(actions...)
}

// day plays a turn of two phases.
func (g *table) day(policy string) {
	g.t.Helper()
	for _, phase := range []string{PhaseVote, PhaseNight} {
		g.phase(phase)
		g.act(policy)
	}
	g.Commit(world.Event{Kind: world.KindTurn})
}

func (g *table) game() game {
	g.t.Helper()
	now, err := readGame(g.State)
	if err != nil {
		g.t.Fatal(err)
	}
	return now
}

// cast gives the agents these roles: w is a wolf, v a villager.
func (g *table) cast(roles string) {
	set := make(map[string]json.RawMessage)
	for i, r := range roles {
		set["roles/"+g.Agents[i]] = world.JSON(map[rune]string{'w': wolf, 'v': villager}[r])
	}
	g.Commit(world.Event{Kind: kindCast, Data: json.RawMessage("{}"), Set: set})
}

func named(agent, action, target string) world.Action {
	return world.Action{Agent: agent, Name: action, Args: world.JSON(map[string]string{"target": target})}
}

func TestAVillageByDayAndByNight(t *testing.T) {
	g := newTable(t, Config{Wolves: 2, Reveal: true}, 1, 6)
	g.cast("wwvvvv")
	g.phase("talk")
	for _, agent := range g.Agents {
		if obs := g.Observe(agent); len(obs.Actions) > 0 {
			t.Errorf("%s may %s in a phase to talk in", agent, obs.Actions[0].Name)
		}
	}
	g.phase(PhaseVote)
	g.Step(named("a", vote, "c"), named("b", vote, "c"), named("d", vote, "c"), named("e", vote, "a"))
	if obs := g.Observe("c"); !obs.Terminated || len(obs.Actions) > 0 {
		t.Errorf("c, lynched, sees %s", world.JSON(obs))
	}
	if obs := g.Observe("d"); len(obs.Actions) > 0 {
		t.Error("there is a second ballot on one day")
	}
	g.phase(PhaseNight)
	if obs := g.Observe("d"); len(obs.Actions) > 0 {
		t.Error("a villager may kill")
	}
	if got := string(g.Observe("a").Actions[0].Schema); !strings.Contains(got, `"enum":["d","e","f"]`) {
		t.Errorf("wolves may kill by %s", got)
	}
	g.Step(named("a", kill, "e"), named("b", kill, "e"))
	g.Commit(world.Event{Kind: world.KindTurn})
	want := `{"alive":["a","b","d","f"],"ballot":{"turn":0,"victim":"c","votes":{"a":"c","b":"c","d":"c","e":"a"}},` +
		`"dead":[{"by":"lynching","name":"c","role":"villager","turn":0},{"by":"wolves","name":"e","role":"villager","turn":0}],` +
		`"hunt":{"turn":0,"victim":"e"},"role":"villager","you":"d"}`
	if got := string(g.Observe("d").View); got != want {
		t.Errorf("d sees %s, want %s", got, want)
	}
	g.phase(PhaseVote)
	g.Step(named("d", vote, "a"))
	g.phase(PhaseNight)
	g.Step(named("b", kill, "d"))
	g.Commit(world.Event{Kind: world.KindTurn})
	g.phase(PhaseVote)
	g.Step(named("f", vote, "b"))
	for agent, reward := range map[string]float64{"a": 0, "b": 0, "c": 1, "d": 1, "e": 1, "f": 1} {
		if obs := g.Observe(agent); obs.Reward != reward || !obs.Terminated || !strings.Contains(string(obs.View), `"roles":{"a":"wolf"`) {
			t.Errorf("%s has %v and sees %s", agent, obs.Reward, obs.View)
		}
	}
	metrics, err := Measure(worldtest.Sequence(g.Log...))
	if want := "map[killed:2 lynched:3 lynched_wolves:2 villagers_won:1 wolves_won:0]"; err != nil || fmt.Sprint(metrics) != want {
		t.Errorf("the metrics are %v, %v; want %s", metrics, err, want)
	}
}

func TestAmongEqualsALotIsDrawn(t *testing.T) {
	died := make(map[string]int)
	for seed := range uint64(400) {
		g := newTable(t, Config{Wolves: 1}, seed, 5)
		g.cast("wvvvv")
		events := g.Step(named("a", vote, "b"), named("b", vote, "c"), named("c", vote, "b"), named("d", vote, "c"), named("e", vote, "a"))
		if !strings.Contains(string(events[0].Data), `"tied":["b","c"]`) {
			t.Fatalf("the ballot is %s", events[0].Data)
		}
		died[events[1].Agent]++
	}
	if died["b"]+died["c"] != 400 || died["b"] < 160 || died["c"] < 160 { // 200 each, and four standard deviations
		t.Errorf("of 400 draws between b and c died %v", died)
	}
}

func TestWithParityTheWolvesWinWhenTheyAreHalfOfTheLiving(t *testing.T) {
	for parity, winner := range map[bool]string{false: "", true: wolves} {
		g := newTable(t, Config{Wolves: 1, Parity: parity}, 1, 3)
		g.cast("wvv")
		g.Step(named("a", vote, "b"))
		if got := g.game().won; got != winner {
			t.Errorf("with parity %v and one wolf of two, %q has won", parity, got)
		}
	}
}

func TestNobodyDiesWhenNobodyVotes(t *testing.T) {
	g := newTable(t, Default(), 1, 7)
	if events := g.Step(world.Action{Agent: "a", Name: world.Pass}); len(events) > 0 {
		t.Errorf("a pass gives %s", world.JSON(events))
	}
	if obs := g.Observe("b"); len(obs.Actions) == 0 {
		t.Error("without a vote the ballot is over")
	}
}

func TestWhatIsIllegalIsRefusedWithItsReason(t *testing.T) {
	g := newTable(t, Config{Wolves: 2}, 1, 6)
	g.cast("wwvvvv")
	g.Step(named("a", vote, "f"))
	night := g.State
	g.Commit(world.Event{Kind: world.KindTurn})
	night, day := g.State, night
	for _, test := range []struct {
		st     world.State
		action world.Action
		want   string
	}{
		{day, named("b", vote, "c"), "not the time to vote"},
		{day, named("b", kill, "c"), "not the time to kill"},
		{night, named("b", vote, "c"), "not the time to vote"},
		{night, named("c", kill, "d"), "you are no wolf"},
		{night, named("f", kill, "d"), "you are dead"},
		{night, named("a", kill, "a"), "name yourself"},
		{night, named("a", kill, "b"), "b is a wolf like you"},
		{night, named("a", kill, "f"), "f is dead"},
		{night, named("a", kill, "zoe"), `no agent \"zoe\"`},
		{night, named("zoe", kill, "a"), `no agent \"zoe\"`},
		{night, named("a", "eat", "c"), `no action \"eat\"`},
		{night, world.Action{Agent: "a", Name: kill}, `want {\"target\": name}`},
		{night, world.Action{Agent: "a", Name: kill, Args: json.RawMessage(`{"target":"c","with":"teeth"}`)}, `unknown argument \"with\"`},
	} {
		events, err := g.rules.Step(test.st, []world.Action{test.action})
		if err != nil || len(events) != 1 || events[0].Kind != world.KindRefusal || !strings.Contains(string(events[0].Data), test.want) {
			t.Errorf("%s gives %s, %v; want %s", world.JSON(test.action), world.JSON(events), err, test.want)
		}
	}
}

func TestAVillageThatCannotBeIsAnError(t *testing.T) {
	for _, n := range []int{-1, 0, 1000} {
		if _, err := New(Config{Wolves: n}); err == nil {
			t.Errorf("no error with %d wolves", n)
		}
	}
	for _, test := range []struct {
		config Config
		agents int
		ok     bool
	}{
		{Config{Wolves: 2}, 0, false},
		{Config{Wolves: 2}, 2, false},
		{Config{Wolves: 2}, 3, true},
		{Config{Wolves: 2, Parity: true}, 4, false},
		{Config{Wolves: 2, Parity: true}, 5, true},
	} {
		rules, err := New(test.config)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rules.Reset(1, []string{"a", "b", "c", "d", "e"}[:test.agents]); (err == nil) != test.ok {
			t.Errorf("%+v with %d agents: %v", test.config, test.agents, err)
		}
	}
}

func TestCheckKnowsWhatCannotBeAVillage(t *testing.T) {
	g := newTable(t, Config{Wolves: 2}, 1, 6)
	g.cast("wwvvvv")
	if err := g.rules.Check(g.State); err != nil {
		t.Errorf("before the first day: %v", err)
	}
	g.day("random")
	if err := g.rules.Check(g.State); err != nil {
		t.Errorf("after the first day: %v", err)
	}
	for _, test := range []struct{ path, value string }{
		{"werewolf/winner", `"wolves"`},
		{"werewolf/winner", `"nobody"`},
		{"werewolf/agents", `[]`},
		{"werewolf/agents", `["a","b","c","d","e","f","f"]`},
		{"werewolf/agents", `["a","b","c","d","e"]`},
		{"werewolf/ballot", `{"turn":2,"victim":"a"}`},
		{"werewolf/ballot", `{"turn":0,"victim":"zoe"}`},
		{"werewolf/hunt", `7`},
		{"roles/a", `"seer"`},
		{"roles/zoe", `"wolf"`},
		{"dead/zoe", `{"by":"wolves","turn":0}`},
		{"dead/f", `{"by":"hunger","turn":0}`},
		{"dead/f", `{"by":"wolves","turn":2}`},
	} {
		set := world.Event{Set: map[string]json.RawMessage{test.path: json.RawMessage(test.value)}}
		if err := g.rules.Check(g.State.Apply(set)); err == nil {
			t.Errorf("no error with %s = %s", test.path, test.value)
		}
	}
}

func TestAPolicyPassesWhenThereIsNothingToDo(t *testing.T) {
	spec := world.ActionSpec{Name: vote}
	for name, policy := range Policies() {
		for _, obs := range []world.Observation{
			{Agent: "a"},
			{Agent: "a", View: world.JSON(view{Agent: "a", Alive: []string{"a", "b"}})},
			{Agent: "a", View: world.JSON(view{Agent: "a", Alive: []string{"a"}}), Actions: []world.ActionSpec{spec}},
			{Agent: "a", View: []byte("nonsense"), Actions: []world.ActionSpec{spec}},
			{Agent: "a", View: world.JSON(view{Agent: "a", Alive: []string{"a", "b"}}), Actions: []world.ActionSpec{{Name: "say"}}},
		} {
			if a := policy.Decide(1, obs); a.Agent != "a" || a.Name != world.Pass {
				t.Errorf("%s answers %+v with %+v", name, obs, a)
			}
		}
	}
}

func TestALoyalWolfNeverVotesForAWolf(t *testing.T) {
	disloyal := false
	for seed := range uint64(20) {
		for _, name := range []string{"loyal", "random"} {
			g := newTable(t, Config{Wolves: 3}, seed, 9)
			for g.game().won == "" {
				g.day(name)
			}
			betrayed := betrayals(t, g)
			if name == "loyal" && betrayed > 0 {
				t.Errorf("with seed %d wolves vote for wolves %d times", seed, betrayed)
			}
			disloyal = disloyal || betrayed > 0
		}
	}
	if !disloyal {
		t.Error("nor do random ones")
	}
}

// betrayals returns how often wolves have voted for wolves.
func betrayals(t *testing.T, g *table) int {
	n := 0
	pack := g.game().pack(-1)
	for _, ev := range g.Log {
		var data ballotData
		if ev.Kind != kindBallot {
			continue
		}
		if err := json.Unmarshal(ev.Data, &data); err != nil {
			t.Fatal(err)
		}
		for voter, target := range data.Votes {
			if slices.Contains(pack, voter) && slices.Contains(pack, target) {
				n++
			}
		}
	}
	return n
}

func TestMeasureNeedsAGameOfWerewolf(t *testing.T) {
	if _, err := Measure(worldtest.Sequence()); err == nil {
		t.Error("no error without a cast")
	}
	for _, ev := range []world.Event{
		{Kind: kindDeath, Data: []byte("7")},
		{Kind: kindWin, Data: []byte("7")},
		{Kind: kindWin, Data: []byte(`{"winner":"nobody"}`)},
	} {
		if _, err := Measure(worldtest.Sequence(world.Event{Kind: kindCast}, ev)); err == nil {
			t.Errorf("no error with %s", world.JSON(ev))
		}
	}
}
