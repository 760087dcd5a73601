package gateway

import (
	"errors"
	"strings"
	"testing"
)

func shipped(t testing.TB) *Prices {
	t.Helper()
	p, err := ParsePrices(ShippedPrices())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhatTokensCostByTheShippedPrices(t *testing.T) {
	p := shipped(t)
	all := Tokens{Input: 1000, CacheWrite5m: 1000, CacheWrite1h: 1000, CacheRead: 1000, Output: 1000, WebSearches: 3}
	tests := []struct {
		model, geo string
		tokens     Tokens
		want       string
		known      bool
	}{
		{"claude-sonnet-4-5", "", Tokens{Input: 1e6}, "$3.00", true},
		{"claude-sonnet-4-5-20250929", "", Tokens{Output: 1e6}, "$15.00", true},
		{"claude-sonnet-4-5", "", all, "$0.05805", true}, // 3 + 3.75 + 6 + 0.30 + 15 thousandths, and three searches
		{"claude-sonnet-4-5", "global", all, "$0.05805", true},
		{"claude-opus-5-5", "us", Tokens{Input: 1e6, Output: 1e6}, "$26.40", true},
		{"claude-haiku-5-5", "", Tokens{Input: 60_000, CacheRead: 40_000, Output: 1000}, "$0.0069", true},
		{"claude-haiku-5-5", "", Tokens{Input: 60_000, CacheRead: 40_001, Output: 1000}, "$0.0345", true}, // all of it costs more
		{"claude-haiku-5-5", "", Tokens{CacheRead: 1}, "$0.00", true},
		{"claude-sonnet-4-5", "", Tokens{}, "$0.00", true},
		{"claude-sonnet-4-5", "", Tokens{Input: maxCount, CacheWrite5m: maxCount, CacheWrite1h: maxCount, Output: maxCount}, "$10000.00", true},
		{"claude-sonnet-9", "", all, "$0.00", false},
		{"", "", all, "$0.00", false},
	}
	for _, test := range tests {
		if got, known := p.cost(test.model, test.geo, test.tokens); got.String() != test.want || known != test.known {
			t.Errorf("%s in %q, %+v: %s, %t; want %s, %t", test.model, test.geo, test.tokens, got, known, test.want, test.known)
		}
	}
	if got, known := (*Prices)(nil).cost("anything", "us", all); got != 0 || !known {
		t.Errorf("without prices it costs %s, %t", got, known)
	}
	if got := p.worst("claude-opus-5-5", Tokens{Input: 1e6, Output: 1e6}); got.String() != "$26.40" {
		t.Errorf("at worst it costs %s", got)
	}
}

func TestAFileOfPricesIsReadStrictly(t *testing.T) {
	const good = `{"date": "2026-01-02", "source": "a page", "web_search": 0.01,
"models": {"m": {"input": 1, "cache_write_5m": 1.25, "cache_write_1h": 2, "cache_read": 0.1, "output": 5}}}`
	if p, err := ParsePrices([]byte(good)); err != nil || p.Models["m"].CacheRead != 0.1 {
		t.Fatalf("%+v: %v", p, err)
	}
	for _, test := range []struct {
		old, new string
		line     int
		want     string
	}{
		{good, "", 1, "EOF"},
		{"5}", "5", 2, "unexpected EOF"},
		{`"output"`, `"out"`, 2, `unknown field "out"`},
		{`"output": 5`, `"output": "5"`, 2, "string"},
		{`, "output": 5`, ``, 0, "m: output is missing"},
		{`"output": 5`, `"output": 5, "long": {"over": 10, "input": 1}`, 0, "m: cache_write_5m is missing"},
		{`"output": 5`, `"output": 5, "long": {"over": 0}`, 0, "over must be a number of tokens, not 0"},
		{`"output": 5`, `"output": -5`, 0, "m: output must be from 0 to 10000, not -5"},
		{`"web_search": 0.01`, `"web_search": 1e9`, 0, "web_search must be"},
		{`"web_search": 0.01`, `"inference_geo": {"us": 0.5}`, 0, "us must be from 1 to 10, not 0.5"},
		{"2026-01-02", "yesterday", 0, `"date" must be like 2026-10-24, not "yesterday"`},
		{"a page", "", 0, `"source"`},
		{good, good + "{}", 0, "behind the end"},
		{good, `{"date": "2026-01-02", "source": "a", "models": {}}`, 0, "empty"},
	} {
		_, err := ParsePrices([]byte(strings.Replace(good, test.old, test.new, 1)))
		mistake := (*PricesError)(nil)
		if !errors.As(err, &mistake) || !strings.Contains(err.Error(), test.want) || mistake.Line != test.line {
			t.Errorf("%q: %+v, want %q in line %d", test.new, err, test.want, test.line)
		}
	}
}
