package bazaar

import (
	"encoding/json"
	"fmt"
	"iter"
	"math"

	"github.com/vitrine-sim/vitrine/world"
)

// Where the metrics come from.
const (
	gode  = `Gode and Sunder 1993, "Allocative Efficiency of Markets with Zero-Intelligence Traders"`
	smith = `Smith 1962, "An Experimental Study of Competitive Market Behavior"`
)

// Metrics returns what [Measure] computes.
func Metrics() []world.Metric {
	const alpha = "100 * s / p, s being the root of the mean square of price - p, and p the price at which supply meets demand, the middle where it is a range"
	return []world.Metric{
		{
			Name: "efficiency", Unit: "percent", Source: gode,
			Formula: "profit of all traders, of the most that they could have made together: in each period that has begun, the sum of value - cost " +
				"over the units for which supply meets demand",
		},
		{Name: "volume", Unit: "units a period", Source: gode, Formula: "trades, divided by the periods that have begun"},
		{Name: "price", Unit: "currency", Source: gode, Formula: "mean price of the trades; 0 if there were none"},
		{Name: "alpha", Unit: "percent", Source: smith, Formula: alpha + "; 0 if nobody traded"},
		{Name: "alpha_last", Unit: "percent", Source: smith, Formula: "alpha of the last period in which somebody traded"},
	}
}

// Measure computes the [Metrics] of an episode from the events of its log, in their order and from nothing else. It is an error if
// the log has no market event, or holds an event of this world that cannot be read; an error from the sequence is passed on.
func Measure(events iter.Seq2[world.Event, error]) (map[string]float64, error) {
	var market marketData
	var all, last tally // of the episode, and of the last period in which somebody traded
	turns, period := 0, 0
	for ev, err := range events {
		if err != nil {
			return nil, err
		}
		turns = max(turns, ev.Turn+1)
		switch ev.Kind {
		case kindMarket:
			err = json.Unmarshal(ev.Data, &market)
		case kindTrade:
			var t tradeData
			err = json.Unmarshal(ev.Data, &t)
			if t.Period != period {
				last, period = tally{}, t.Period
			}
			all.add(t)
			last.add(t)
		}
		if err != nil {
			return nil, fmt.Errorf("read event %d, a %s: %w", ev.Seq, ev.Kind, err)
		}
	}
	if market.Turns == 0 {
		return nil, fmt.Errorf("no %s event in the log: it is no bazaar's", kindMarket)
	}
	begun := float64(min(market.Periods, (turns-1)/market.Turns+1))
	e := meets(market.Values, market.Costs)
	return map[string]float64{
		"efficiency": share(all.surplus, begun*float64(e.surplus)),
		"volume":     all.trades / begun,
		"price":      all.mean(),
		"alpha":      all.alpha(e.price),
		"alpha_last": last.alpha(e.price),
	}, nil
}

// A tally is what the metrics need to know of some trades.
type tally struct {
	trades, surplus float64
	prices, squares float64 // sums of the prices, and of their squares
}

func (t *tally) add(d tradeData) {
	price := float64(d.Price)
	t.trades++
	t.surplus += float64(d.Value - d.Cost)
	t.prices += price
	t.squares += price * price
}

func (t *tally) mean() float64 { return t.prices / max(1, t.trades) }

// alpha returns the percentage by which prices are off p.
func (t *tally) alpha(p float64) float64 {
	if t.trades == 0 {
		return 0
	}
	square := t.squares/t.trades - 2*p*t.mean() + p*p // of price - p, in the mean
	return 100 * math.Sqrt(max(0, square)) / p
}

// share returns the percentage that part is of whole; 100 of nothing.
func share(part, whole float64) float64 {
	if whole == 0 {
		return 100
	}
	return 100 * part / whole
}

// An equilibrium is where supply meets demand.
type equilibrium struct {
	units, surplus int     // in one period
	price          float64 // the middle, where it is a range
}

// meets returns where supply meets demand. The values fall and the costs rise.
func meets(values, costs []int) equilibrium {
	var e equilibrium
	for e.units < min(len(values), len(costs)) && values[e.units] >= costs[e.units] {
		e.surplus += values[e.units] - costs[e.units]
		e.units++
	}
	// The last unit that is traded and the first that is not bound the price.
	low, high := 1, math.MaxInt
	if e.units > 0 {
		low, high = costs[e.units-1], values[e.units-1]
	}
	if e.units < len(values) {
		low = max(low, values[e.units])
	}
	if e.units < len(costs) {
		high = min(high, costs[e.units])
	}
	e.price = (float64(low) + float64(high)) / 2
	return e
}
