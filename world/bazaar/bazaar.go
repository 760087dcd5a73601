// Package bazaar is a market in which buyers and sellers shout prices: a continuous double auction, as pure rules.
//
// # The law
//
// The first agents in seat order are buyers, as many as are configured; the others are sellers. A buyer may buy a few units, each of which has
// a value for it; a seller may sell a few, each of which costs it something. These limits are private. Units are traded in
// their order, the most valuable and the cheapest first. In its turn a buyer bids a price for its next unit, and a seller asks one.
//
// The highest bid and the lowest ask stand, and everybody sees them. A bid that is not higher than the one that stands comes to nothing, as does an
// ask that is not lower. A bid that is at least the lowest ask is a trade, and so is an ask that is at most the highest bid; the price is
// that of the one that stood. After a trade nothing stands any more. A buyer earns the value of what it buys less the price, a seller the price
// less the cost; either may be a loss, for nobody is kept from bidding more than a value or asking less than a cost.
//
// After a number of turns a period is over: nothing stands any more, and in the next one everybody has all its units again. The episode
// ends after the last period. The reward of an agent is its profit in all of them.
//
// The quotes of one step are considered in the order in which they are given. A quote is for the unit that the agent saw as its next one: if that
// was traded earlier in the same step, it comes to nothing, so that nobody trades a unit at a price meant for another. So the rules hold for
// agents that act one after the other and for those that act at once. Of those that come when they like the rules do not know what they saw: a price is
// for the unit that is next when it comes.
//
// These are the rules of Gode and Sunder 1993, "Allocative Efficiency of Markets with Zero-Intelligence Traders", Journal of Political Economy 101,
// 119-137: quotes of a single unit, a trade cancels all others, and its price is that of the earlier quote; prices from 1 to 200. The paper
// shows the values and costs of its five markets only as figures, so those of [Default] are not the paper's.
//
// # Facts
//
//	market/ceiling   the highest price; the lowest is 1
//	market/periods   periods in the episode
//	market/turns     turns in a period
//	market/agents    names in seat order
//	market/book      {"ask":n,"asker":name,"bid":n,"bidder":name,"period":n,"prices":[...]}: what stands, 0 and no name where nothing does, and the
//	                 prices paid so far in the period; of a period that is over it says nothing about the one being played
//	traders/<name>   {"buyer":bool,"limits":[...],"period":n,"profit":n,"traded":n}: values or costs of its units, its profit so far, and how many it
//	                 has traded in the period, which is the last one in which it traded
//
// # Events
//
//	market  the market opens; data: {"buyers":n,"ceiling":n,"costs":[...],"periods":n,"turns":n,"values":[...]}, all units of a period
//	quote   an agent has bid or asked; data: {"bid":n} or {"ask":n}, and "vain":true where it came to nothing
//	trade   a unit has changed hands; data: {"buyer":name,"cost":n,"period":n,"price":n,"seller":name,"value":n}
package bazaar

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// Kinds of events; see the package comment.
const (
	kindMarket = "market"
	kindQuote  = "quote"
	kindTrade  = "trade"
)

// A Config is what can be chosen about a market.
type Config struct {
	Buyers  int   `toml:"buyers" min:"1" max:"999" doc:"How many agents buy, the first ones; all others sell."`
	Values  []int `toml:"values" min:"1" max:"10000" doc:"Of all units that buyers may buy in a period; dealt out one by one, the highest first."`
	Costs   []int `toml:"costs" min:"1" max:"10000" doc:"Of all units that sellers may sell; dealt out one by one, the lowest first."`
	Ceiling int   `toml:"ceiling" min:"1" max:"1000000" doc:"The highest price."`
	Periods int   `toml:"periods" min:"1" max:"1000" doc:"Periods in an episode."`
	Turns   int   `toml:"turns" min:"1" max:"10000" doc:"Turns in a period."`
}

// Default returns a market for six buyers and six sellers, as many as the paper has, with four units each, and six periods. Values
// fall from 150 and costs rise from 30 by 4, so that supply meets demand at a price of 90 and 16 units.
func Default() Config {
	c := Config{Buyers: 6, Ceiling: 200, Periods: 6, Turns: 100}
	for i := range 24 {
		c.Values = append(c.Values, 150-4*i)
		c.Costs = append(c.Costs, 30+4*i)
	}
	return c
}

// Rules are the law of one market. They implement [world.Rules].
type Rules struct {
	config Config
}

// New returns the rules of a market, or an error that names each value that is out of range.
func New(config Config) (*Rules, error) {
	var errs []error
	for _, n := range []struct {
		name          string
		is, low, high int
	}{
		{"buyers", config.Buyers, 1, 999},
		{"ceiling", config.Ceiling, 1, 1_000_000},
		{"periods", config.Periods, 1, 1000},
		{"turns", config.Turns, 1, 10_000},
	} {
		if n.is < n.low || n.is > n.high {
			errs = append(errs, fmt.Errorf("%s is %d, want %d to %d", n.name, n.is, n.low, n.high))
		}
	}
	for i, limits := range [][]int{config.Values, config.Costs} {
		name := []string{"values", "costs"}[i]
		if len(limits) == 0 || len(limits) > 10_000 {
			errs = append(errs, fmt.Errorf("there are %d %s, want 1 to 10000", len(limits), name))
		}
		if i := slices.IndexFunc(limits, func(limit int) bool { return limit < 1 || limit > config.Ceiling }); i >= 0 {
			errs = append(errs, fmt.Errorf("one of the %s is %d, want 1 to the ceiling, %d", name, limits[i], config.Ceiling))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	config.Values, config.Costs = slices.Sorted(slices.Values(config.Values)), slices.Sorted(slices.Values(config.Costs))
	slices.Reverse(config.Values)
	return &Rules{config: config}, nil
}

type marketData struct {
	Buyers  int   `json:"buyers"`
	Ceiling int   `json:"ceiling"`
	Costs   []int `json:"costs"`
	Periods int   `json:"periods"`
	Turns   int   `json:"turns"`
	Values  []int `json:"values"`
}

// Reset implements [world.Rules]: units are dealt out to all. It is an error if somebody gets none, or if nobody sells.
func (r *Rules) Reset(_ uint64, agents []string) ([]world.Event, error) {
	c := r.config
	if len(agents) <= c.Buyers {
		return nil, fmt.Errorf("of %d agents %d are buyers, and nobody is left to sell", len(agents), c.Buyers)
	}
	if sellers := len(agents) - c.Buyers; len(c.Values) < c.Buyers || len(c.Costs) < sellers {
		return nil, fmt.Errorf("%d values for %d buyers and %d costs for %d sellers: somebody has no unit to trade",
			len(c.Values), c.Buyers, len(c.Costs), sellers)
	}
	set := map[string]json.RawMessage{
		"market/ceiling": world.JSON(c.Ceiling),
		"market/periods": world.JSON(c.Periods),
		"market/turns":   world.JSON(c.Turns),
		"market/agents":  world.JSON(agents),
		"market/book":    world.JSON(book{Prices: []int{}}),
	}
	for i, name := range agents {
		t := trader{Buyer: i < c.Buyers, Limits: dealt(c.Values, i, c.Buyers)}
		if !t.Buyer {
			t.Limits = dealt(c.Costs, i-c.Buyers, len(agents)-c.Buyers)
		}
		set["traders/"+name] = world.JSON(t)
	}
	data := marketData{Buyers: c.Buyers, Ceiling: c.Ceiling, Costs: c.Costs, Periods: c.Periods, Turns: c.Turns, Values: c.Values}
	return []world.Event{{Kind: kindMarket, Data: world.JSON(data), Set: set}}, nil
}

// dealt returns what one of many gets of limits that are dealt out one by one.
func dealt(limits []int, who, of int) []int {
	var got []int
	for i := who; i < len(limits); i += of {
		got = append(got, limits[i])
	}
	return got
}

// A view is what an agent sees.
type view struct {
	Ask       int    `json:"ask,omitempty"` // the one that stands, if one does
	Bid       int    `json:"bid,omitempty"`
	Ceiling   int    `json:"ceiling"`         // the highest price
	Mine      bool   `json:"mine,omitempty"`  // the bid or the ask is this agent's
	Limit     int    `json:"limit,omitempty"` // value or cost of its next unit; missing where it has none left
	Period    int    `json:"period"`          // being played, from 0
	Periods   int    `json:"periods"`
	Prices    []int  `json:"prices"` // of all trades in this period
	Profit    int    `json:"profit"` // of this agent so far
	Role      string `json:"role"`   // buyer or seller
	TurnsLeft int    `json:"turns_left"`
	Units     int    `json:"units"` // that it has left in this period
}

// Observe implements [world.Rules]. An agent sees what stands, the prices of the period, and its own limits and profit.
func (r *Rules) Observe(st world.State, agent string) (world.Observation, error) {
	m, err := readMarket(st)
	if err != nil {
		return world.Observation{}, err
	}
	t, err := m.readTrader(st, agent)
	if err != nil {
		return world.Observation{}, err
	}
	v := view{
		Ask: m.book.Ask, Bid: m.book.Bid, Ceiling: m.ceiling, Period: min(m.period, m.periods-1), Periods: m.periods,
		Prices: m.book.Prices, Profit: t.Profit, Role: t.role(), Units: t.left(),
		Mine: agent == m.book.Asker || agent == m.book.Bidder,
	}
	if m.period < m.periods {
		v.TurnsLeft = m.turns - st.Turn%m.turns
	}
	obs := world.Observation{Agent: agent, Turn: st.Turn, Reward: float64(t.Profit), Terminated: m.period >= m.periods}
	if t.left() > 0 {
		v.Limit = t.limit()
		if !obs.Terminated {
			obs.Actions = []world.ActionSpec{m.quoteSpec(t)}
		}
	}
	obs.View = world.JSON(v)
	return obs, nil
}

// Hidden returns the facts of which an agent must not learn anything: what all others value, have traded and earned.
func (r *Rules) Hidden(st world.State, agent string) ([]string, error) {
	paths := st.Paths("traders/")
	return slices.DeleteFunc(paths, func(path string) bool { return path == "traders/"+agent }), nil
}

// Step implements [world.Rules]: quotes are considered one after the other, in the order in which they are given.
func (r *Rules) Step(st world.State, actions []world.Action) ([]world.Event, error) {
	m, err := readMarket(st)
	if err != nil {
		return nil, err
	}
	now := make(map[string]trader, len(actions)) // those who have traded in this step
	var events []world.Event
	for _, a := range actions {
		if a.Name == world.Pass {
			continue
		}
		price, reason, err := m.judge(st, a)
		if err != nil {
			return nil, err
		}
		if reason != "" {
			events = append(events, a.Refuse(reason))
			continue
		}
		quoted, err := m.quote(st, now, a.Agent, price)
		if err != nil {
			return nil, err
		}
		events = append(events, quoted...)
	}
	return events, nil
}
