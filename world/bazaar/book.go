package bazaar

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// A book is what stands in a period, and what has been paid in it.
type book struct {
	Ask    int    `json:"ask"` // the lowest; 0: none
	Asker  string `json:"asker"`
	Bid    int    `json:"bid"` // the highest; 0: none
	Bidder string `json:"bidder"`
	Period int    `json:"period"`
	Prices []int  `json:"prices"`
}

// A trader is the facts of one agent.
type trader struct {
	Buyer  bool  `json:"buyer"`
	Limits []int `json:"limits"` // values or costs of its units, in the order in which it trades them
	Period int   `json:"period"` // the last one in which it has traded
	Profit int   `json:"profit"` // in all periods
	Traded int   `json:"traded"` // units in that period
}

func (t trader) left() int  { return len(t.Limits) - t.Traded }
func (t trader) limit() int { return t.Limits[t.Traded] } // of the next unit, if one is left

func (t trader) role() string {
	if t.Buyer {
		return "buyer"
	}
	return "seller"
}

// trades returns the trader after it has traded its next unit.
func (t trader) trades(price int) trader {
	if t.Buyer {
		t.Profit += t.limit() - price
	} else {
		t.Profit += price - t.limit()
	}
	t.Traded++
	return t
}

// A market is the facts about all of it, as they are in the period being played.
type market struct {
	ceiling, periods, turns int
	agents                  []string
	book                    book
	period                  int // being played, from 0
}

// readMarket reads the market from the facts of st. It is an error if one is missing, of another type, or cannot be.
func readMarket(st world.State) (m market, err error) {
	for _, fact := range []struct {
		path string
		to   any
	}{
		{"market/ceiling", &m.ceiling},
		{"market/periods", &m.periods},
		{"market/turns", &m.turns},
		{"market/agents", &m.agents},
		{"market/book", &m.book},
	} {
		if err := st.Get(fact.path, fact.to); err != nil {
			return m, err
		}
	}
	if m.ceiling < 1 || m.periods < 1 || m.turns < 1 {
		return m, errors.New("the ceiling, the periods and the turns of a market are at least 1")
	}
	b := m.book
	if min(b.Ask, b.Bid, b.Period) < 0 || max(b.Ask, b.Bid) > m.ceiling || (b.Ask > 0) != (b.Asker != "") || (b.Bid > 0) != (b.Bidder != "") {
		return m, fmt.Errorf("what stands, %s, cannot", world.JSON(b))
	}
	if m.period = st.Turn / m.turns; m.book.Period != m.period || m.book.Prices == nil {
		m.book = book{Period: m.period, Prices: []int{}}
	}
	return m, nil
}

// readTrader reads the facts of one agent. It is an error if it is none at this market.
func (m market) readTrader(st world.State, name string) (t trader, err error) {
	if !slices.Contains(m.agents, name) {
		return t, fmt.Errorf("no agent %.40q at this market", name)
	}
	if err := st.Get("traders/"+name, &t); err != nil {
		return t, err
	}
	if t.Traded < 0 || t.Traded > len(t.Limits) {
		return t, fmt.Errorf("%s has traded %d of %d units", name, t.Traded, len(t.Limits))
	}
	if t.Period != m.period {
		t.Period, t.Traded = m.period, 0
	}
	return t, nil
}

// Check implements [world.Checker]: who is said to stand trades here and has a unit left, and a limit is a price.
func (r *Rules) Check(st world.State) error {
	m, err := readMarket(st)
	if err != nil {
		return err
	}
	for _, name := range m.agents {
		t, err := m.readTrader(st, name)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(t.Limits, func(limit int) bool { return limit < 1 || limit > m.ceiling }) {
			return fmt.Errorf("limits of %s are not all from 1 to %d", name, m.ceiling)
		}
		if stands := name == m.book.Bidder || name == m.book.Asker; stands && t.left() == 0 {
			return fmt.Errorf("%s has a quote and no unit left", name)
		}
	}
	for _, name := range []string{m.book.Bidder, m.book.Asker} {
		if name != "" && !slices.Contains(m.agents, name) {
			return fmt.Errorf("no agent %q at this market", name)
		}
	}
	return nil
}

type quoteData struct {
	Ask  int  `json:"ask,omitempty"`
	Bid  int  `json:"bid,omitempty"`
	Vain bool `json:"vain,omitempty"`
}

type tradeData struct {
	Buyer  string `json:"buyer"`
	Cost   int    `json:"cost"`
	Period int    `json:"period"`
	Price  int    `json:"price"`
	Seller string `json:"seller"`
	Value  int    `json:"value"`
}

// quote returns the events of one agent's legal bid or ask, and changes the book and the traders to what they are after it. The
// traders are those that have traded since st: what they quote there was for a unit that is gone.
func (m *market) quote(st world.State, now map[string]trader, agent string, price int) ([]world.Event, error) {
	t, err := m.readTrader(st, agent)
	if err != nil {
		return nil, err
	}
	_, traded := now[agent]
	b := m.book
	data := quoteData{Ask: price, Vain: b.Ask > 0 && price >= b.Ask}
	other, at, meets := b.Bidder, b.Bid, b.Bid > 0 && price <= b.Bid
	if t.Buyer {
		data = quoteData{Bid: price, Vain: b.Bid > 0 && price <= b.Bid}
		other, at, meets = b.Asker, b.Ask, b.Ask > 0 && price >= b.Ask
	}
	data.Vain = data.Vain || traded
	ev := world.Event{Agent: agent, Kind: kindQuote, Data: world.JSON(data)}
	switch {
	case data.Vain:
		return []world.Event{ev}, nil
	case meets:
		trade, err := m.trade(st, now, agent, other, at)
		return []world.Event{ev, trade}, err
	case t.Buyer:
		m.book.Bid, m.book.Bidder = price, agent
	default:
		m.book.Ask, m.book.Asker = price, agent
	}
	ev.Set = map[string]json.RawMessage{"market/book": world.JSON(m.book)}
	return []world.Event{ev}, nil
}

// newest returns a trader as it is after the quotes that have been considered.
func (m *market) newest(st world.State, now map[string]trader, name string) (trader, error) {
	if t, ok := now[name]; ok {
		return t, nil
	}
	return m.readTrader(st, name)
}

// trade returns the event in which a buyer and a seller, named in any order, trade a unit at a price.
func (m *market) trade(st world.State, now map[string]trader, one, other string, price int) (world.Event, error) {
	buys, err := m.newest(st, now, one)
	if err != nil {
		return world.Event{}, err
	}
	sells, err := m.newest(st, now, other)
	if err != nil {
		return world.Event{}, err
	}
	buyer, seller := one, other
	if !buys.Buyer {
		buys, sells, buyer, seller = sells, buys, other, one
	}
	if !buys.Buyer || sells.Buyer || buys.left() == 0 || sells.left() == 0 {
		return world.Event{}, fmt.Errorf("%s cannot trade with %s", one, other)
	}
	data := tradeData{Buyer: buyer, Cost: sells.limit(), Period: m.period, Price: price, Seller: seller, Value: buys.limit()}
	now[buyer], now[seller] = buys.trades(price), sells.trades(price)
	m.book = book{Period: m.period, Prices: append(slices.Clip(m.book.Prices), price)}
	return world.Event{Kind: kindTrade, Data: world.JSON(data), Set: map[string]json.RawMessage{
		"market/book":       world.JSON(m.book),
		"traders/" + buyer:  world.JSON(now[buyer]),
		"traders/" + seller: world.JSON(now[seller]),
	}}, nil
}
