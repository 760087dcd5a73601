package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/vitrine-sim/vitrine/agents/gateway"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world"
)

// shippedPrices is what a manifest calls the prices that come along.
const shippedPrices = "shipped"

// printPrices prints the prices that come along, as a file that one can change.
func printPrices(_ context.Context, a *app, _ []string) (any, error) {
	text := gateway.ShippedPrices()
	_, err := a.out.Write(text)
	return json.RawMessage(text), err
}

// choosePrices reads what models cost: as the command line says, or the scenario, or the prices that come along. The offline model costs nothing,
// unless one of the first two says what it shall cost. A run that goes on has the prices with which it began, and so has one that plays another
// again.
func (r *runner) choosePrices() error {
	kept := &arena.FileManifest{Path: shippedPrices}
	raw, err := gateway.ShippedPrices(), error(nil)
	switch {
	case r.resumed != nil:
		if kept = r.resumed.Prices; kept == nil {
			return nil
		}
		raw = []byte(kept.Text)
	case r.again != nil && (r.again.turn < 0 || r.again.manifest.Prices != nil):
		if kept = r.again.manifest.Prices; kept == nil {
			return nil
		}
		raw = []byte(kept.Text)
	case r.pricesFile != "":
		if raw, err = os.ReadFile(r.pricesFile); err != nil {
			return misuse("", "--prices: %w", err)
		}
		kept.Path = r.pricesFile
	case r.Prices != "":
		kept.Path, raw = r.Beside(r.Prices), r.Files[r.Prices]
	case r.offline:
		return nil
	}
	kept.Text, kept.SHA256 = string(raw), sum(raw)
	if r.prices, err = gateway.ParsePrices(raw); err != nil {
		mistake := &scenarios.Error{File: kept.Path, Msg: err.Error(), Hint: self() + " prices prints a file to begin with"}
		if at := (*gateway.PricesError)(nil); errors.As(err, &at) {
			mistake.Line = at.Line
		}
		return mistake
	}
	r.keptPrices = kept
	return nil
}

// affords refuses budgets that cannot be kept, because nobody knows what a model costs, and those for which no request is small enough.
func (r *runner) affords() error {
	all := scenarios.Budget{Tokens: r.Budget.Tokens, Dollars: r.Budget.Dollars}
	for i, a := range r.Agents {
		if !isModelled(a) {
			continue
		}
		if why, hint := r.cannotKeep(a, all); why != "" {
			return r.Error("budget", fmt.Sprintf("agent %s: %s", a.Name, why), hint)
		}
		if why, hint := r.cannotKeep(a, a.Budget); why != "" {
			at := fmt.Sprintf("agents.%d.budget", i)
			if a.Budget == r.Budget.Agent {
				at = "budget.agent"
			}
			return r.Error(at, fmt.Sprintf("agent %s: %s", a.Name, why), hint)
		}
	}
	return nil
}

// cannotKeep says why an agent can make no request within a budget; empty: it can.
func (r *runner) cannotKeep(a scenarios.Agent, b scenarios.Budget) (why, hint string) {
	most := longestAnswer(a)
	more := "give it more, or let max_tokens be less"
	if b.Tokens > 0 && b.Tokens <= most {
		return fmt.Sprintf("%d tokens are not enough for one answer, which may have %d", b.Tokens, most), more
	}
	if b.Dollars == 0 || r.prices == nil {
		return "", ""
	}
	price, known := r.prices.Of(a.Model)
	if !known {
		return fmt.Sprintf("the model %q has no price, and the budget is in dollars", a.Model),
			self() + " prices prints the prices, and --prices takes others; or write a budget in tokens"
	}
	if cost := price.Output * float64(most) / 1e6; cost > b.Dollars {
		return fmt.Sprintf("%v dollars are not enough for one answer, which may have %d tokens and cost %v", b.Dollars, most, gateway.Dollars(cost)), more
	}
	return "", ""
}

// allOf returns the budget of all agents together.
func allOf(b scenarios.RunBudget) gateway.Budget {
	return eachOf(scenarios.Budget{Requests: b.Requests, Tokens: b.Tokens, Dollars: b.Dollars})
}

// eachOf returns the budget of one agent.
func eachOf(b scenarios.Budget) gateway.Budget {
	return gateway.Budget{Requests: int64(b.Requests), Tokens: int64(b.Tokens), Cost: gateway.Dollars(b.Dollars)}
}

// told returns a budget as a result tells it; nil: there is none.
func told(b gateway.Budget) *arena.Budget {
	if b == (gateway.Budget{}) {
		return nil
	}
	return &arena.Budget{Requests: b.Requests, Tokens: b.Tokens, Dollars: b.Cost.Dollars()}
}

// equalTerms says whether all seats have the same budgets and the same clocks.
func (s *setup) equalTerms() bool {
	for _, a := range s.Agents {
		if a.Budget != s.Agents[0].Budget || s.clocks(a) != nil {
			return false
		}
	}
	return true
}

// meter returns what tells what an agent has used of its models.
func meter(endpoint *gateway.Endpoint) func() arena.Metered {
	return func() arena.Metered {
		used := endpoint.Usage()
		m := arena.Metered{
			ModelRequests: used.Requests, Cut: used.Cut, TokensIn: used.In(), TokensOut: used.Output, Dollars: dollars(used), Assumed: assumed(used),
			Models: make(map[string]arena.ModelUse),
		}
		for name, u := range endpoint.Models() {
			m.Models[cmp.Or(name, "none")] = arena.ModelUse{
				Requests: u.Requests, Cut: u.Cut, Input: u.Input, CacheWrite5m: u.CacheWrite5m, CacheWrite1h: u.CacheWrite1h,
				CacheRead: u.CacheRead, Output: u.Output, WebSearches: u.WebSearches, Dollars: dollars(u), Assumed: assumed(u),
			}
		}
		return m
	}
}

// dollars returns what a usage costs; nil: nobody knows.
func dollars(u gateway.Usage) *float64 {
	if u.Unpriced > 0 {
		return nil
	}
	d := u.Cost.Dollars()
	return &d
}

// assumed returns what is assumed of the requests of a usage that were cut; nil: nothing.
func assumed(u gateway.Usage) *arena.Assumed {
	if u.Assumed == (gateway.Assumed{}) {
		return nil
	}
	return &arena.Assumed{Tokens: u.Assumed.Tokens, Dollars: u.Assumed.Cost.Dollars()}
}

// printedCost prints an amount of dollars that may be unknown.
func printedCost(d *float64) string {
	if d == nil {
		return "cost unknown"
	}
	return gateway.Dollars(*d).String()
}

// printedUse says what was used of models, and apart from that what is assumed; empty: nothing.
func printedUse(m arena.Metered) string {
	if m.ModelRequests == 0 && m.TokensIn == 0 && m.TokensOut == 0 {
		return ""
	}
	used := fmt.Sprintf("%s, %s tokens in, %s out, %s", plural(int(m.ModelRequests), "request"), thousands(m.TokensIn), thousands(m.TokensOut), printedCost(m.Dollars))
	if m.Cut > 0 {
		used += fmt.Sprintf("; %d cut", m.Cut)
	}
	if a := m.Assumed; a != nil {
		used += fmt.Sprintf(", of which budgets assume %s tokens more, %s", thousands(a.Tokens), gateway.Dollars(a.Dollars))
	}
	return used
}

// usedBy returns what all agents together had used of their models when the turn ended that an event ends.
func usedBy(ev world.Event) arena.Metered {
	sum := arena.Metered{Dollars: new(float64)}
	for _, used := range arena.UsedBy(ev) { // order does not matter
		sum = sum.Add(used)
	}
	return sum
}

// usedBefore returns what all agents together had used of their models before a turn.
func usedBefore(dir string, turn int) (arena.Metered, error) {
	used := arena.Metered{Dollars: new(float64)}
	if turn < 1 {
		return used, nil
	}
	for ev, err := range world.Turn(dir, turn-1) {
		if err != nil {
			return used, err
		}
		if ev.Kind == world.KindTurn {
			used = usedBy(ev)
		}
	}
	return used, nil
}

// usedSince says what was used of models between two points in time; empty: nothing.
func usedSince(before, now arena.Metered) string {
	spent := arena.Metered{
		ModelRequests: now.ModelRequests - before.ModelRequests, Cut: now.Cut - before.Cut,
		TokensIn: now.TokensIn - before.TokensIn, TokensOut: now.TokensOut - before.TokensOut,
	}
	if before.Dollars != nil && now.Dollars != nil {
		d := *now.Dollars - *before.Dollars
		spent.Dollars = &d
	}
	if now.Assumed != nil {
		was := cmp.Or(before.Assumed, new(arena.Assumed))
		if more := (arena.Assumed{Tokens: now.Assumed.Tokens - was.Tokens, Dollars: now.Assumed.Dollars - was.Dollars}); more != (arena.Assumed{}) {
			spent.Assumed = &more
		}
	}
	used := printedUse(spent)
	if used == "" {
		return ""
	}
	return "models: " + used
}
