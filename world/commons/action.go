package commons

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// Names of the actions.
const (
	move  = "move"
	turn  = "turn"
	zap   = "zap"
	clean = "clean"
)

// cleanCooldown is how many turns one waits after cleaning.
const cleanCooldown = 2

// ways are the directions of a move, or of a turn, by how many right angles they are to the right of where one faces.
func ways(action string) []string {
	if action == turn {
		return []string{"", "right", "", "left"}
	}
	return []string{"forward", "right", "backward", "left"}
}

// specs returns what the agent in a seat may do.
func (c *commons) specs(seat, now int) []world.ActionSpec {
	const one = `{"additionalProperties":false,"properties":{"direction":{"enum":%s,"type":"string"}},"required":["direction"],"type":"object"}`
	all := []world.ActionSpec{
		{Name: move, Description: "Move one cell, without turning. You eat the apple that you find there.", Schema: fmt.Appendf(nil, one, `["forward","backward","left","right"]`)},
		{Name: turn, Description: "Turn by a right angle.", Schema: fmt.Appendf(nil, one, `["left","right"]`)},
		{Name: zap, Description: "Fire a beam that takes away for a while whom it hits."},
		{Name: clean, Description: "Fire a beam that cleans what is dirty in the river."},
	}
	return slices.DeleteFunc(all, func(spec world.ActionSpec) bool { return c.bars(seat, now, spec.Name) != "" })
}

// bars returns why the agent in a seat may not do something in a turn.
func (c *commons) bars(seat, now int, action string) string {
	me := c.agents[seat]
	switch {
	case c.over(now):
		return "the episode is over"
	case me.Away:
		return "you were zapped, and are away"
	case me.Turn >= now:
		return "you have already acted in this turn"
	case action == zap && me.Zap > now:
		return fmt.Sprintf("you cannot zap before turn %d", me.Zap)
	case action == clean && me.Clean > now:
		return fmt.Sprintf("you cannot clean before turn %d", me.Clean)
	case action == clean && !c.field.river():
		return "there is no river to clean"
	case !slices.Contains([]string{move, turn, zap, clean}, action):
		return fmt.Sprintf("there is no action %.40q", action)
	}
	return ""
}

// readWay returns in which direction an action goes, in right angles to the right, or what is wrong with its arguments.
func readWay(a world.Action) (right int, reason string) {
	if a.Name != move && a.Name != turn {
		return 0, ""
	}
	const want = `want {"direction": way}`
	var fields map[string]json.RawMessage
	if len(a.Args) > 0 {
		if err := json.Unmarshal(a.Args, &fields); err != nil {
			return 0, "the arguments are no JSON object; " + want
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "direction" {
			return 0, fmt.Sprintf("unknown argument %.40q; %s", name, want)
		}
	}
	var way string
	err := json.Unmarshal(fields["direction"], &way)
	right = slices.Index(ways(a.Name), way)
	if err != nil || way == "" || right < 0 {
		return 0, fmt.Sprintf("direction is %.40q, which is no way to %s", fields["direction"], a.Name)
	}
	return right, ""
}

// A deed is a legal action.
type deed struct {
	seat  int
	name  string
	right int // of a move or a turn: right angles to the right
}

// Step implements [world.Rules]: the turn begins if it has not; then agents move, zap and clean.
func (r *Rules) Step(st world.State, actions []world.Action) ([]world.Event, error) {
	c, err := read(st)
	if err != nil {
		return nil, err
	}
	var events []world.Event
	if !c.over(st.Turn) {
		events = c.begin(st)
	}
	var deeds []deed
	for _, a := range actions {
		if a.Name == world.Pass {
			continue
		}
		seat := slices.Index(c.names, a.Agent)
		reason := fmt.Sprintf("no agent %.40q here", a.Agent)
		right := 0
		if seat >= 0 {
			if reason = c.bars(seat, st.Turn, a.Name); reason == "" {
				right, reason = readWay(a)
			}
		}
		if reason != "" {
			events = append(events, a.Refuse(reason))
			continue
		}
		deeds = append(deeds, deed{seat, a.Name, right})
	}
	for _, d := range deeds {
		c.agents[d.seat].Turn = st.Turn
	}
	return append(events, c.do(st.Turn, deeds)...), nil
}
