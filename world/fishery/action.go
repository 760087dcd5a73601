package fishery

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// fish is the name of the one action.
const fish = "fish"

// maxAsk is the most tons that anybody may ask for: all of the largest lake there can be. It is legal to ask for more than
// there is.
const maxAsk = maxCapacity

func fishSpec() world.ActionSpec {
	return world.ActionSpec{
		Name:        fish,
		Description: "Ask for whole tons of fish. If all agents together ask for more than there is, lots are drawn for each ton.",
		Schema: json.RawMessage(`{"additionalProperties":false,` +
			`"properties":{"tons":{"maximum":1000000,"minimum":0,"type":"integer"}},"required":["tons"],"type":"object"}`),
	}
}

// judge returns how many tons an agent's action asks for, or the reason why it is illegal in this turn.
func (l lake) judge(turn int, f fisher, a world.Action) (tons int, reason string) {
	switch {
	case a.Name != fish:
		return 0, fmt.Sprintf("there is no action %.40q; the only one is %q", a.Name, fish)
	case l.over(turn):
		return 0, "the episode is over"
	case f.Turn >= turn:
		return 0, "you have already fished in this turn"
	}
	return readTons(a.Args)
}

// readTons returns the tons in the arguments {"tons": n}, or what is wrong with them. As in canonical JSON, 10, 10.0 and
// 1e1 are the same whole number; "10" is none. Names are told apart by case; of equal names the last one counts.
func readTons(args json.RawMessage) (tons int, reason string) {
	const want = `want {"tons": n} with a whole number n`
	var fields map[string]json.RawMessage
	if len(args) > 0 {
		if err := json.Unmarshal(args, &fields); err != nil {
			return 0, "the arguments are no JSON object; " + want
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "tons" {
			return 0, fmt.Sprintf("unknown argument %.40q; %s", name, want)
		}
	}
	raw, ok := fields["tons"]
	if !ok {
		return 0, "tons is missing; " + want
	}
	var n *float64 // a pointer, because null is no number
	if err := json.Unmarshal(raw, &n); err != nil || n == nil {
		return 0, fmt.Sprintf("tons is %.40s; %s", raw, want)
	}
	if *n != math.Trunc(*n) {
		return 0, fmt.Sprintf("tons is %.40s, not a whole number", raw)
	}
	if *n < 0 || *n > maxAsk {
		return 0, fmt.Sprintf("tons is %.40s; it must be from 0 to %d", raw, maxAsk)
	}
	return int(*n), ""
}
