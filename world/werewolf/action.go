package werewolf

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// Names of the actions.
const (
	vote = "vote"
	kill = "kill"
)

// due returns the action that is now the order of the day, or of the night; "" if there is none, or it has been done.
func (g game) due(st world.State) string {
	var phase string
	if _, ok := st.Fact(world.PhaseFact); !ok {
		phase = []string{PhaseVote, PhaseNight}[st.Turn%2]
	} else {
		_ = st.Get(world.PhaseFact, &phase) // what is no name is no phase of ours
	}
	switch {
	case phase == PhaseVote && g.ballot.Turn < st.Turn:
		return vote
	case phase == PhaseNight && g.hunt.Turn < st.Turn:
		return kill
	}
	return ""
}

func (g game) spec(me int, name string) world.ActionSpec {
	targets := []string{}
	for _, seat := range g.targets(me, name) {
		targets = append(targets, g.names[seat])
	}
	description := "Vote for the one who shall be lynched. Whoever has most votes is; among equals a lot is drawn."
	if name == kill {
		description = "Name the villager whom the wolves shall kill this night. Whoever most wolves name is killed; among equals a lot is drawn."
	}
	return world.ActionSpec{Name: name, Description: description, Schema: world.JSON(map[string]any{
		"type": "object", "additionalProperties": false, "required": []string{"target"},
		"properties": map[string]any{"target": map[string]any{"type": "string", "enum": targets}},
	})}
}

// Step implements [world.Rules]: the votes of one step are counted, and whoever they hit dies.
func (r *Rules) Step(st world.State, actions []world.Action) ([]world.Event, error) {
	g, err := readGame(st)
	if err != nil {
		return nil, err
	}
	actions = slices.Clone(actions)
	slices.SortStableFunc(actions, func(x, y world.Action) int { return g.seat(x.Agent) - g.seat(y.Agent) })
	var events []world.Event
	votes := slices.Repeat([]int{-1}, len(g.names))
	for _, a := range actions {
		if a.Name == world.Pass {
			continue
		}
		target, reason := g.judge(st, a)
		if reason != "" {
			events = append(events, a.Refuse(reason))
			continue
		}
		votes[g.seat(a.Agent)] = target
	}
	tied := most(votes)
	if len(tied) == 0 {
		return events, nil
	}
	return append(events, g.strike(st, votes, tied)...), nil
}

// judge returns the seat that an agent's action names, or the reason why it is illegal.
func (g game) judge(st world.State, a world.Action) (target int, reason string) {
	me, due := g.seat(a.Agent), g.due(st)
	switch {
	case me < 0:
		return -1, fmt.Sprintf("no agent %.40q in this village", a.Agent)
	case g.won != "":
		return -1, "the game is over"
	case g.dead[me]:
		return -1, "you are dead"
	case a.Name != vote && a.Name != kill:
		return -1, fmt.Sprintf("there is no action %.40q; there are %q by day and %q by night", a.Name, vote, kill)
	case !g.may(me, a.Name):
		return -1, "you are no wolf"
	case a.Name != due:
		return -1, fmt.Sprintf("this is not the time to %s", a.Name)
	}
	return g.readTarget(me, a)
}

// readTarget returns the seat in the arguments {"target": name}, or what is wrong with them.
func (g game) readTarget(me int, a world.Action) (target int, reason string) {
	const want = `want {"target": name}`
	var fields map[string]json.RawMessage
	if len(a.Args) > 0 {
		if err := json.Unmarshal(a.Args, &fields); err != nil {
			return -1, "the arguments are no JSON object; " + want
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "target" {
			return -1, fmt.Sprintf("unknown argument %.40q; %s", name, want)
		}
	}
	var name *string // a pointer, because null is no name
	if err := json.Unmarshal(fields["target"], &name); err != nil || name == nil {
		return -1, fmt.Sprintf("target is %.40q; %s", fields["target"], want)
	}
	seat := g.seat(*name)
	switch {
	case seat < 0:
		return -1, fmt.Sprintf("no agent %.40q in this village", *name)
	case seat == me:
		return -1, "you cannot name yourself"
	case g.dead[seat]:
		return -1, fmt.Sprintf("%s is dead", *name)
	case !slices.Contains(g.targets(me, a.Name), seat):
		return -1, fmt.Sprintf("%s is a wolf like you", *name)
	}
	return seat, ""
}

// strike returns the events of the death of one of those who have most votes.
func (g game) strike(st world.State, votes, tied []int) []world.Event {
	kind, path, by, stream := kindBallot, "werewolf/ballot", byLynching, "lynch"
	if g.due(st) == kill {
		kind, path, by, stream = kindHunt, "werewolf/hunt", byWolves, "hunt"
	}
	seat := choose(tied, st.Rand(stream))
	victim := g.names[seat]
	data := ballotData{Victim: victim, Votes: make(map[string]string)}
	for i, target := range votes {
		if target >= 0 {
			data.Votes[g.names[i]] = g.names[target]
		}
	}
	if len(tied) > 1 {
		for _, i := range tied {
			data.Tied = append(data.Tied, g.names[i])
		}
	}
	fact := ballot{Turn: st.Turn, Victim: victim, Votes: data.Votes}
	if kind == kindHunt {
		fact.Votes = nil
	}
	events := []world.Event{
		{Kind: kind, Data: world.JSON(data), Set: map[string]json.RawMessage{path: world.JSON(fact)}},
		{
			Agent: victim, Kind: kindDeath, Data: world.JSON(deathData{By: by, Role: g.role(seat)}),
			Set: map[string]json.RawMessage{"dead/" + victim: world.JSON(death{By: by, Turn: st.Turn})},
		},
	}
	g.dead = slices.Clone(g.dead)
	g.dead[seat] = true
	if winner := g.winner(); winner != "" {
		events = append(events, world.Event{
			Kind: kindWin, Data: world.JSON(winData{Winner: winner}),
			Set: map[string]json.RawMessage{"werewolf/winner": world.JSON(winner)},
		})
	}
	return events
}

type ballotData struct {
	Tied   []string          `json:"tied,omitempty"`
	Victim string            `json:"victim"`
	Votes  map[string]string `json:"votes"`
}

type deathData struct {
	By   string `json:"by"`
	Role string `json:"role"`
}

type winData struct {
	Winner string `json:"winner"`
}
