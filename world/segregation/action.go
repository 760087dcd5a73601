package segregation

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// move is the name of the one action.
const move = "move"

func (t town) moveSpec(unhappy int) world.ActionSpec {
	return world.ActionSpec{
		Name:        move,
		Description: "Name a place [x, y] for each of your unhappy people, in the order in which you see them. Whose place is taken stays, and so do those for whom you name none.",
		Schema: fmt.Appendf(nil, `{"additionalProperties":false,"properties":{"to":{"items":{"items":{"maximum":%d,"minimum":0,"type":"integer"},`+
			`"maxItems":2,"minItems":2,"type":"array"},"maxItems":%d,"type":"array"}},"required":["to"],"type":"object"}`, t.side-1, unhappy),
	}
}

// judge returns the places that an action names, or the reason why it is illegal for somebody with so many unhappy people to move.
func (t town) judge(a world.Action, unhappy int, over bool) (to []place, reason string) {
	const want = `want {"to": [[x, y], ...]} with whole numbers x and y`
	switch {
	case a.Name != move:
		return nil, fmt.Sprintf("there is no action %.40q; the only one is %q", a.Name, move)
	case over:
		return nil, "the episode is over"
	case unhappy == 0:
		return nil, "none of your people is left to move in this turn"
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(a.Args, &fields); err != nil {
		return nil, "the arguments are no JSON object; " + want
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "to" {
			return nil, fmt.Sprintf("unknown argument %.40q; %s", name, want)
		}
	}
	var places *[][]*int // pointers, because null is nothing
	if err := json.Unmarshal(fields["to"], &places); err != nil || places == nil {
		return nil, fmt.Sprintf("to is %.40q; %s", fields["to"], want)
	}
	if len(*places) > unhappy {
		return nil, fmt.Sprintf("you name %d places for %d unhappy people", len(*places), unhappy)
	}
	for _, p := range *places {
		if len(p) != 2 || p[0] == nil || p[1] == nil {
			return nil, "a place has not two numbers; " + want
		}
		if min(*p[0], *p[1]) < 0 || max(*p[0], *p[1]) >= t.side {
			return nil, fmt.Sprintf("the place [%d, %d] is outside of the town, where x and y are from 0 to %d", *p[0], *p[1], t.side-1)
		}
		to = append(to, place{*p[0], *p[1]})
	}
	return to, ""
}
