package arena

import (
	"encoding/json"
	"maps"
	"math"

	"github.com/vitrine-sim/vitrine/world"
)

// A Metered is what one or several agents have used of their models, as far as those have reported it.
type Metered struct {
	ModelRequests int64               `json:"model_requests"`
	Cut           int64               `json:"cut,omitempty"`     // of those, how many broke off before all their tokens were reported
	TokensIn      int64               `json:"tokens_in"`         // input, cache writes and cache reads together
	TokensOut     int64               `json:"tokens_out"`        //
	Dollars       *float64            `json:"dollars"`           // null: nobody knows, for there is a model without a price
	Assumed       *Assumed            `json:"assumed,omitempty"` // missing: nothing
	Models        map[string]ModelUse `json:"models,omitempty"`  // the same by model, by the names that agents asked for
}

// An Assumed is what requests that were cut may have used at most, besides what was reported: budgets count it, and it is no part of what was used.
type Assumed struct {
	Tokens  int64   `json:"tokens"`  // in and out
	Dollars float64 `json:"dollars"` // without those of models that have no price
}

// add returns what is assumed in both; nil is nothing.
func (a *Assumed) add(b *Assumed) *Assumed {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return &Assumed{a.Tokens + b.Tokens, *addDollars(&a.Dollars, &b.Dollars)}
}

// A ModelUse is what was used of one model.
type ModelUse struct {
	Requests     int64    `json:"requests"`
	Cut          int64    `json:"cut"` // of those, how many broke off before all their tokens were reported
	Input        int64    `json:"input"`
	CacheWrite5m int64    `json:"cache_write_5m"` // tokens that were written to the cache for five minutes
	CacheWrite1h int64    `json:"cache_write_1h"` // for an hour
	CacheRead    int64    `json:"cache_read"`
	Output       int64    `json:"output"`
	WebSearches  int64    `json:"web_searches"`
	Dollars      *float64 `json:"dollars"` // null: the model has no price
	Assumed      *Assumed `json:"assumed,omitempty"`
}

func (m ModelUse) add(n ModelUse) ModelUse {
	return ModelUse{
		m.Requests + n.Requests, m.Cut + n.Cut, m.Input + n.Input, m.CacheWrite5m + n.CacheWrite5m, m.CacheWrite1h + n.CacheWrite1h,
		m.CacheRead + n.CacheRead, m.Output + n.Output, m.WebSearches + n.WebSearches, addDollars(m.Dollars, n.Dollars), m.Assumed.add(n.Assumed),
	}
}

// Add returns what was used in both.
func (m Metered) Add(n Metered) Metered {
	sum := Metered{
		ModelRequests: m.ModelRequests + n.ModelRequests, Cut: m.Cut + n.Cut, Assumed: m.Assumed.add(n.Assumed), TokensIn: m.TokensIn + n.TokensIn, TokensOut: m.TokensOut + n.TokensOut,
		Dollars: addDollars(m.Dollars, n.Dollars), Models: maps.Clone(m.Models),
	}
	for name, use := range n.Models {
		if sum.Models == nil {
			sum.Models = make(map[string]ModelUse)
		}
		if was, ok := sum.Models[name]; ok {
			use = was.add(use)
		}
		sum.Models[name] = use
	}
	return sum
}

// addDollars adds amounts, of which nil is one that nobody knows, without what floating-point numbers leave behind the twelfth decimal.
func addDollars(a, b *float64) *float64 {
	if a == nil || b == nil {
		return nil
	}
	sum := math.Round((*a+*b)*1e12) / 1e12
	return &sum
}

// UsedBy returns what each agent with a model had used of it when the turn ended that an event of the kind [world.KindTurn] ends.
func UsedBy(ev world.Event) map[string]Metered {
	var used soFar
	_ = json.Unmarshal(ev.Proc, &used) // what is not of the world may be missing
	return used.Model
}
