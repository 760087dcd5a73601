package viewer

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/world"
)

const agentMark = "{agent}"

func perAgent(ref string) bool { return strings.Contains(ref, agentMark) }

// So many bars and pools a guessed look has at most.
const (
	guessBars  = 3
	guessPools = 2
)

// Guess returns a look for a world of which nobody has said what it looks like, from a state of it and its agents: what is a
// cell for an agent, or a list of cells, makes it a board; what is a word for each agent, and the same one for some, or called a place,
// places; else it is a ring. Numbers of agents are bars, and numbers of nobody pools.
func Guess(st world.State, agents []Agent) Look {
	g := guesser{agents: make(map[string]bool)}
	for _, a := range agents {
		g.agents[a.Name] = true
	}
	for _, path := range st.Paths("") {
		if strings.HasPrefix(path, world.RunFacts) {
			continue
		}
		raw, _ := st.Fact(path)
		var v any
		if json.Unmarshal(raw, &v) == nil {
			g.see(g.pattern(path), v, false)
		}
	}
	return g.look()
}

type guesser struct {
	agents map[string]bool
	refs   []string // in the order in which they were seen
	values map[string][]any
}

// pattern returns the reference that a path is one of.
func (g *guesser) pattern(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if g.agents[part] {
			parts[i] = agentMark
			break
		}
	}
	return strings.Join(parts, "/")
}

// see takes down a value and, if it is an object, what is in it.
func (g *guesser) see(ref string, v any, inner bool) {
	if g.values == nil {
		g.values = make(map[string][]any)
	}
	if fields, ok := v.(map[string]any); ok && !inner {
		keys := make([]string, 0, len(fields))
		for key := range fields {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			if !g.agents[key] {
				g.see(ref+"#"+key, fields[key], true)
			}
		}
		return
	}
	if _, ok := g.values[ref]; !ok {
		g.refs = append(g.refs, ref)
	}
	g.values[ref] = append(g.values[ref], v)
}

func (g *guesser) look() Look {
	look := Look{Kind: Ring}
	for _, ref := range g.refs {
		switch kind := g.kind(ref); kind {
		case "cell":
			if perAgent(ref) {
				look.Kind = Board
				look.Layers = append(look.Layers, Layer{Pieces: ref})
			}
		case "cells":
			look.Kind = Board
			look.Layers = append([]Layer{{Cells: ref}}, look.Layers...)
		case "rows":
			look.Kind = Board
			look.Layers = append([]Layer{{Rows: ref}}, look.Layers...)
			look.Colors = []Tint{{"#", "#5c6975"}}
		case "place":
			if look.Kind == Ring {
				look.Kind = Places
				look.Layers = append(look.Layers, Layer{Pieces: ref})
			}
		case "number":
			g.count(&look, ref)
		}
	}
	slices.SortStableFunc(look.Bars, func(a, b Bar) int { return cmp.Compare(rank(a.Fact), rank(b.Fact)) })
	look.Bars = look.Bars[:min(guessBars, len(look.Bars))]
	look.Pools = look.Pools[:min(guessPools, len(look.Pools))]
	return look
}

// count makes a bar or a pool of a number, unless it is a number of the clock.
func (g *guesser) count(look *Look, ref string) {
	last := ref[strings.LastIndexAny(ref, "/#")+1:]
	if slices.Contains([]string{"turn", "turns", "agents", "seed", "period", "periods", "columns", "side", "width", "height"}, last) {
		return
	}
	if perAgent(ref) {
		look.Bars = append(look.Bars, Bar{Fact: ref, Name: last})
		return
	}
	of := ""
	for _, word := range []string{"capacity", "max", "size"} {
		if full := strings.TrimSuffix(ref, last) + word; full != ref && len(g.values[full]) > 0 {
			of = full
		}
	}
	if of == "" && len(look.Pools) > 0 || slices.Contains([]string{"capacity", "max", "collapse"}, last) {
		return // a number without a bound says little, and two of them nothing
	}
	look.Pools = append(look.Pools, Bar{Fact: ref, Of: of, Name: last})
}

// rank says how much a bar tells: what an agent has won, before what it did.
func rank(ref string) int {
	for i, word := range []string{"total", "score", "profit", "money", "purse", "wealth"} {
		if strings.Contains(ref, word) {
			return i - 10
		}
	}
	return 0
}

// kind says what the values of a reference are.
func (g *guesser) kind(ref string) string {
	kind := ""
	for _, v := range g.values[ref] {
		k := kindOf(v, ref)
		if k == "" || kind != "" && k != kind && k != "empty" && kind != "empty" {
			return ""
		}
		if kind == "" || kind == "empty" {
			kind = k
		}
	}
	return kind
}

func kindOf(v any, ref string) string {
	if _, _, ok := cell(v); ok {
		return "cell"
	}
	switch v := v.(type) {
	case float64:
		return "number"
	case string:
		last := ref[strings.LastIndexAny(ref, "/#")+1:]
		if perAgent(ref) && (slices.Contains([]string{"at", "place", "room", "location", "where"}, last) || strings.HasPrefix(ref, "at/")) {
			return "place"
		}
	case []any:
		if len(v) == 0 {
			return "empty"
		}
		if _, _, ok := cell(v[0]); ok && len(v) > 0 {
			return "cells"
		}
		if s, ok := v[0].(string); ok && len(v) > 2 && len(s) > 2 && sameLength(v) {
			return "rows"
		}
	}
	return ""
}

func sameLength(rows []any) bool {
	first, _ := rows[0].(string)
	for _, row := range rows {
		if s, ok := row.(string); !ok || len(s) != len(first) {
			return false
		}
	}
	return true
}
