package diplomacy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/vitrine-sim/vitrine/world"
)

// A game is the facts about all of it.
type game struct {
	turns   int
	agents  []string
	turn    int // the last one that was resolved
	units   []unit
	centers map[string]string // power by supply center
	last    []report
}

// A report is what came of an order.
type report struct {
	Order  string `json:"order"`
	Result string `json:"result"`
}

// read reads the game from the facts of st. It is an error if one is missing, of another type, or cannot be.
func (r *Rules) read(st world.State) (g game, err error) {
	for _, fact := range []struct {
		path string
		to   any
	}{
		{"board/turns", &g.turns},
		{"board/agents", &g.agents},
		{"board/turn", &g.turn},
		{"board/units", &g.units},
		{"board/centers", &g.centers},
		{"board/last", &g.last},
	} {
		if err := st.Get(fact.path, fact.to); err != nil {
			return g, err
		}
	}
	if g.centers == nil {
		g.centers = make(map[string]string)
	}
	taken := make(map[string]bool)
	for _, u := range g.units {
		if !r.board.stands(u.Fleet, u.Place) || taken[province(u.Place)] {
			return g, fmt.Errorf("%s cannot stand there", u)
		}
		taken[province(u.Place)] = true
	}
	return g, nil
}

// power returns the name of the power that an agent plays, and whether it plays one.
func (g game) power(agent string) (string, bool) {
	seat := slices.Index(g.agents, agent)
	if seat < 0 || seat >= len(homes()) {
		return "", false
	}
	name, _, _ := strings.Cut(homes()[seat], " ")
	return name, true
}

// over says whether the episode is: no more than one power has units, or it is too late.
func (g game) over(turn int) bool {
	powers := make(map[string]bool)
	for _, u := range g.units {
		powers[u.Power] = true
	}
	return turn >= g.turns || len(powers) < 2
}

// owned returns how many supply centers a power has.
func (g game) owned(power string) int {
	n := 0
	for _, owner := range g.centers { // a count has no order
		if owner == power {
			n++
		}
	}
	return n
}

// take gives supply centers to the units that stand there.
func (g *game) take() {
	g.centers = maps.Clone(g.centers)
	for _, u := range g.units {
		if slices.Contains(strings.Fields(supplyCenters), province(u.Place)) {
			g.centers[province(u.Place)] = u.Power
		}
	}
}

// give is the name of the one action.
const give = "order"

// Bounds of what one action may hold.
const (
	maxOrders = 40
	maxLength = 60 // letters of one order
)

func orderSpec() world.ActionSpec {
	return world.ActionSpec{
		Name:        give,
		Description: `Order your units: "A vie H", "A vie - tri", "A tyr S A ven", "A tyr S A ven - tri", "F nth C A lon - bel". Units without an order hold.`,
		Schema: fmt.Appendf(nil, `{"additionalProperties":false,"properties":{"orders":{"items":{"maxLength":%d,"type":"string"},"maxItems":%d,"type":"array"}},`+
			`"required":["orders"],"type":"object"}`, maxLength, maxOrders),
	}
}

// judge returns the orders that an action gives, or the reason why it is illegal in this turn.
func (g game) judge(turn int, a world.Action) (texts []string, reason string) {
	const want = `want {"orders": [texts]}`
	power, ok := g.power(a.Agent)
	switch {
	case !ok:
		return nil, fmt.Sprintf("no agent %.40q in this game", a.Agent)
	case a.Name != give:
		return nil, fmt.Sprintf("there is no action %.40q; the only one is %q", a.Name, give)
	case g.over(turn):
		return nil, "the episode is over"
	case g.turn >= turn:
		return nil, "the orders of this turn have been carried out"
	case !slices.ContainsFunc(g.units, func(u unit) bool { return u.Power == power }):
		return nil, "you have no units left"
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(a.Args, &fields); err != nil {
		return nil, "the arguments are no JSON object; " + want
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "orders" {
			return nil, fmt.Sprintf("unknown argument %.40q; %s", name, want)
		}
	}
	var orders *[]*string // pointers, because null is nothing
	if err := json.Unmarshal(fields["orders"], &orders); err != nil || orders == nil || slices.Contains(*orders, nil) {
		return nil, fmt.Sprintf("orders is %.40q; %s", fields["orders"], want)
	}
	if len(*orders) > maxOrders {
		return nil, fmt.Sprintf("you give %d orders, want at most %d", len(*orders), maxOrders)
	}
	for _, text := range *orders {
		if utf8.RuneCountInString(*text) > maxLength {
			return nil, fmt.Sprintf("the order %.40q has more than %d letters", *text, maxLength)
		}
		texts = append(texts, *text)
	}
	return texts, ""
}

// word returns the name of the order's kind.
func (o order) word() string { return []string{"hold", "move", "support", "convoy"}[o.kind] }

// text returns the order of a unit as it is written.
func (o order) text(u unit, units []unit) string {
	other := "A " + o.of
	for _, v := range units {
		if province(v.Place) == o.of {
			other = v.String()
		}
	}
	switch o.kind {
	case move:
		return u.String() + " - " + o.to
	case support:
		if o.to == "" {
			return u.String() + " S " + other
		}
		return u.String() + " S " + other + " - " + o.to
	case convoy:
		return u.String() + " C " + other + " - " + o.to
	}
	return u.String() + " H"
}

// word says what came of an order.
func (r result) word() string {
	switch {
	case r.void:
		return "void"
	case r.succeeds:
		return "made"
	}
	return "failed"
}
