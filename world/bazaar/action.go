package bazaar

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// Names of the actions.
const (
	bid = "bid" // of buyers
	ask = "ask" // of sellers
)

// verb returns the name of what the trader may do.
func (t trader) verb() string {
	if t.Buyer {
		return bid
	}
	return ask
}

func (m market) quoteSpec(t trader) world.ActionSpec {
	text := "Bid a price for your next unit. It stands if it is higher than the bid that stands, and buys at the ask that stands if it is at least that."
	if !t.Buyer {
		text = "Ask a price for your next unit. It stands if it is lower than the ask that stands, and sells at the bid that stands if it is at most that."
	}
	return world.ActionSpec{
		Name: t.verb(), Description: text,
		Schema: fmt.Appendf(nil, `{"additionalProperties":false,"properties":{"price":{"maximum":%d,"minimum":1,"type":"integer"}},`+
			`"required":["price"],"type":"object"}`, m.ceiling),
	}
}

// judge returns the price that an agent's action bids or asks, or the reason why it is illegal in st.
func (m market) judge(st world.State, a world.Action) (price int, reason string, err error) {
	if !slices.Contains(m.agents, a.Agent) {
		return 0, fmt.Sprintf("no agent %.40q at this market", a.Agent), nil
	}
	t, err := m.readTrader(st, a.Agent)
	switch {
	case err != nil:
		return 0, "", err
	case a.Name != t.verb():
		return 0, fmt.Sprintf("there is no action %.40q for a %s; the only one is %q", a.Name, t.role(), t.verb()), nil
	case m.period >= m.periods:
		return 0, "the episode is over", nil
	case t.left() == 0:
		return 0, "you have no unit left in this period", nil
	}
	price, reason = m.readPrice(a.Args)
	return price, reason, nil
}

// readPrice returns the price in the arguments {"price": n}, or what is wrong with them. As in canonical JSON, 10, 10.0 and 1e1
// are the same whole number.
func (m market) readPrice(args json.RawMessage) (price int, reason string) {
	const want = `want {"price": n} with a whole number n`
	var fields map[string]json.RawMessage
	if len(args) > 0 {
		if err := json.Unmarshal(args, &fields); err != nil {
			return 0, "the arguments are no JSON object; " + want
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "price" {
			return 0, fmt.Sprintf("unknown argument %.40q; %s", name, want)
		}
	}
	var n *float64 // a pointer, because null is no number
	if err := json.Unmarshal(fields["price"], &n); err != nil || n == nil || *n != math.Trunc(*n) {
		return 0, fmt.Sprintf("price is %.40q; %s", fields["price"], want)
	}
	if *n < 1 || *n > float64(m.ceiling) {
		return 0, fmt.Sprintf("price is %.40s; it must be from 1 to %d", fields["price"], m.ceiling)
	}
	return int(*n), ""
}
