package gateway

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
)

// Prices are what models cost, from a file such as the one that comes along:
//
//	{
//	  "date": "2026-10-24", "source": "https://...", "note": "...",
//	  "web_search": 0.01,
//	  "inference_geo": {"us": 1.1},
//	  "models": {
//	    "claude-sonnet-4-5": {"input": 3, "cache_write_5m": 3.75, "cache_write_1h": 6, "cache_read": 0.3, "output": 15},
//	    "claude-haiku-5-5": {..., "long": {"over": 100000, "input": 0.5, ...}}
//	  }
//	}
//
// All is in US dollars: for a million tokens of that kind, for one web search. A model that is asked for by its name with a date,
// claude-sonnet-4-5-20250929, has the price of the name without it. "long" are the prices of all tokens of a request that holds more tokens
// than "over". A factor is for requests that were answered in that part of the world.
type Prices struct {
	Date      string             `json:"date"`   // of the prices, as YYYY-MM-DD
	Source    string             `json:"source"` // where they are published
	Note      string             `json:"note,omitempty"`
	WebSearch float64            `json:"web_search"`
	Geo       map[string]float64 `json:"inference_geo,omitempty"`
	Models    map[string]Price   `json:"models"`
}

// A Price is what a million tokens of a model cost, in US dollars.
type Price struct {
	Rates
	Long *LongPrice `json:"long,omitempty"`
}

// A LongPrice is what a model costs in a request of more than so many tokens.
type LongPrice struct {
	Over int64 `json:"over"`
	Rates
}

// Rates are prices of a million tokens of each kind, in US dollars.
type Rates struct {
	Input        float64 `json:"input"`
	CacheWrite5m float64 `json:"cache_write_5m"`
	CacheWrite1h float64 `json:"cache_write_1h"`
	CacheRead    float64 `json:"cache_read"`
	Output       float64 `json:"output"`
}

//go:embed prices.json
var shippedPrices []byte

// ShippedPrices returns the file of prices that comes along.
func ShippedPrices() []byte { return bytes.Clone(shippedPrices) }

// maxPrice is the highest price that is believed, in dollars for a million tokens or for one web search.
const maxPrice = 10_000

var datePattern = regexp.MustCompile(`^\d{4}-\d\d-\d\d$`)

// A PricesError is a mistake in a file of prices.
type PricesError struct {
	Line int // 0: it is in none
	Err  error
}

func (e *PricesError) Error() string { return e.Err.Error() }

// ParsePrices reads a file of prices. An error is [*PricesError].
func ParsePrices(raw []byte) (*Prices, error) {
	p, line, err := parsePrices(raw)
	if err != nil {
		return nil, &PricesError{line, err}
	}
	return p, nil
}

func parsePrices(raw []byte) (p *Prices, line int, err error) {
	p = new(Prices)
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(p); err != nil {
		return nil, 1 + bytes.Count(raw[:errorOffset(err, dec, raw)], []byte("\n")), err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, 0, errors.New("there is something behind the end")
	}
	switch {
	case !datePattern.MatchString(p.Date):
		return nil, 0, fmt.Errorf(`"date" must be like 2026-10-24, not %q`, p.Date)
	case p.Source == "":
		return nil, 0, errors.New(`"source" must say where the prices are from`)
	case len(p.Models) == 0:
		return nil, 0, errors.New(`"models" is empty`)
	}
	return p, 0, cmp.Or(p.check(), unsaid(raw))
}

// unsaid says which price is missing: one that is 0 has to be said.
func unsaid(raw []byte) error {
	var file struct {
		Models map[string]map[string]json.RawMessage `json:"models"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(file.Models)) {
		said := []map[string]json.RawMessage{file.Models[name]}
		if long, ok := said[0]["long"]; ok {
			said = append(said, nil)
			if err := json.Unmarshal(long, &said[1]); err != nil {
				return err
			}
		}
		for _, rates := range said {
			for _, kind := range []string{"input", "cache_write_5m", "cache_write_1h", "cache_read", "output"} {
				if _, ok := rates[kind]; !ok {
					return fmt.Errorf("%s: %s is missing", name, kind)
				}
			}
		}
	}
	return nil
}

// errorOffset returns where in raw an error of reading JSON is.
func errorOffset(err error, dec *json.Decoder, raw []byte) int64 {
	offset := dec.InputOffset()
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		offset = int64(len(raw))
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &wrong):
		offset = wrong.Offset
	}
	return min(offset, int64(len(raw)))
}

// check says which price is none.
func (p *Prices) check() error {
	all := map[string]float64{"web_search": p.WebSearch}
	for name, price := range p.Models {
		if price.Long != nil {
			price.Long.Rates.put(all, name+": long")
			if price.Long.Over < 1 {
				return fmt.Errorf("%s: long: over must be a number of tokens, not %d", name, price.Long.Over)
			}
		}
		price.Rates.put(all, name)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if price := all[name]; price < 0 || price > maxPrice {
			return fmt.Errorf("%s must be from 0 to %d, not %v", name, maxPrice, price)
		}
	}
	for _, geo := range slices.Sorted(maps.Keys(p.Geo)) {
		if factor := p.Geo[geo]; factor < 1 || factor > 10 {
			return fmt.Errorf("inference_geo: %s must be from 1 to 10, not %v", geo, factor)
		}
	}
	return nil
}

func (r Rates) put(all map[string]float64, name string) {
	all[name+": input"], all[name+": output"], all[name+": cache_read"] = r.Input, r.Output, r.CacheRead
	all[name+": cache_write_5m"], all[name+": cache_write_1h"] = r.CacheWrite5m, r.CacheWrite1h
}

var dated = regexp.MustCompile(`-20\d{6}$`)

// Of returns what a model costs, and whether that is known.
func (p *Prices) Of(model string) (Price, bool) {
	price, ok := p.Models[model]
	if !ok {
		price, ok = p.Models[dated.ReplaceAllString(model, "")]
	}
	return price, ok
}

// cost returns what a request has cost that used so many tokens of a model, answered in a part of the world that may be empty; false: nobody
// knows. Without prices everything is free.
func (p *Prices) cost(model, geo string, t Tokens) (Money, bool) {
	if p == nil {
		return 0, true
	}
	price, ok := p.Of(model)
	if !ok {
		return 0, false
	}
	return p.sum(price.of(t.In()), p.Geo[geo], t), true
}

// worst returns the most that a request can cost that uses so many tokens; 0 if nobody knows.
func (p *Prices) worst(model string, t Tokens) Money {
	if p == nil {
		return 0
	}
	price, _ := p.Of(model)
	cost := p.sum(price.Rates.dearest(), 0, t)
	if price.Long != nil && t.In() > price.Long.Over {
		cost = max(cost, p.sum(price.Long.Rates.dearest(), 0, t))
	}
	for _, factor := range p.Geo {
		cost = max(cost, Money(math.Ceil(float64(cost)*factor)))
	}
	return cost
}

// dearest returns what tokens cost that were to be of one kind, and turn out to be of one that costs more.
func (r Rates) dearest() Rates {
	r.Input = max(r.Input, r.CacheRead)
	r.CacheWrite5m = max(r.Input, r.CacheWrite5m)
	r.CacheWrite1h = max(r.CacheWrite5m, r.CacheWrite1h)
	return r
}

// of returns the prices for a request of so many tokens.
func (p Price) of(in int64) Rates {
	if p.Long != nil && in > p.Long.Over {
		return p.Long.Rates
	}
	return p.Rates
}

// sum adds up what tokens cost; a factor of 0 is 1.
func (p *Prices) sum(r Rates, factor float64, t Tokens) Money {
	units := money(float64(t.Input), r.Input) + money(float64(t.Output), r.Output) + money(float64(t.CacheRead), r.CacheRead) +
		money(float64(t.CacheWrite5m), r.CacheWrite5m) + money(float64(t.CacheWrite1h), r.CacheWrite1h)
	if factor > 0 {
		units = math.Ceil(units * factor)
	}
	return Money(min(units+math.Round(float64(t.WebSearches)*p.WebSearch*1e12), maxCost))
}

// money returns what so many tokens cost at a price for a million of them, in the unit of [Money].
func money(tokens, price float64) float64 { return tokens * math.Round(price*1e6) }

// maxCost is the highest cost of one request that is believed: 10,000 dollars.
const maxCost = 1e16

// Money is an amount of US dollars, in units of 10⁻¹² dollars, so that every price of a token is a whole number of them.
type Money int64

// Dollars returns the amount in dollars.
func (m Money) Dollars() float64 { return float64(m) / 1e12 }

// Dollars returns an amount of money; it is at most a million dollars.
func Dollars(dollars float64) Money { return Money(math.Round(min(dollars, 1e6) * 1e12)) }

// String prints the amount with at least two decimals and at most six, such as $0.0495.
func (m Money) String() string {
	s := strconv.FormatFloat(m.Dollars(), 'f', 6, 64)
	for range 4 {
		if s[len(s)-1] == '0' {
			s = s[:len(s)-1]
		}
	}
	return "$" + s
}
