// Package viewer turns a state of a world into a picture: a [draw.List].
//
// What a world looks like is its [Look]: which of its facts are places, pieces, colors and bars. A scenario describes it in its file; where it
// does not, [Guess] makes one of the facts that there are. So a look is data, and whoever designs a world needs no Go for it.
//
// There are three kinds. On a board things stand in cells, which are one by one. Places are named, and agents are at them. In a ring agents
// sit around what they share, and have beside them what they hold; a great many of them sit in rows.
//
// # References
//
// A look names facts by references: a path, and if the fact is an object or a list, behind a # the way into it, with dots. In a path {agent}
// stands for each agent in turn: "agents/{agent}#at.x".
package viewer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/vitrine-sim/vitrine/viewer/draw"
	"github.com/vitrine-sim/vitrine/world"
)

// The kinds of a look.
const (
	Board  = "board"
	Places = "places"
	Ring   = "ring"
)

// A Look says how a world is drawn. What it names and a state does not have is not drawn.
type Look struct {
	Kind   string     `json:"kind"`
	Width  string     `json:"width,omitempty"`  // of a board, in cells: a number, or a reference to one; empty: as its layers need it
	Height string     `json:"height,omitempty"` // likewise
	Places []Place    `json:"places,omitempty"` // where named places are; those that are not here stand in a circle
	Links  [][]string `json:"links,omitempty"`  // pairs of places with a way between them
	Layers []Layer    `json:"layers,omitempty"` // the first ones lie under the later ones
	Bars   []Bar      `json:"bars,omitempty"`   // of each agent
	Pools  []Bar      `json:"pools,omitempty"`  // what all share, in the middle of a ring or beside a board
	Text   string     `json:"text,omitempty"`   // reference to what stands under each agent; by default what it did last
	Edge   string     `json:"edge,omitempty"`   // reference to a word of each agent, such as its role, that colors its edge
	Hidden string     `json:"hidden,omitempty"` // reference; an agent of which it is true, or something other than false, is not drawn
	Gone   string     `json:"gone,omitempty"`   // likewise, is drawn as one who is out
	Sees   string     `json:"sees,omitempty"`   // in what an agent sees, the way to the names of those whom it sees, with dots; empty: it sees all who are named there
	Window Window     `json:"window,omitzero"`  // what an agent on a board sees of it; without At it sees all
	Colors []Tint     `json:"colors,omitempty"` // of letters of rows, and of words
}

// A Place is a named place.
type Place struct {
	Name string    `json:"name"`
	At   []float64 `json:"at"`             // x, y; places are as large as there is room between most of them, and at most 3
	Kind string    `json:"kind,omitempty"` // a word that colors it
}

// A Tint is the color of a letter or a word.
type Tint struct {
	Of    string `json:"of"`
	Color string `json:"color"` // "#rrggbb"
}

// A Layer is things on a board or at places. It has one of Rows, Cells, Pieces, Things and Owners.
type Layer struct {
	Rows   string `json:"rows,omitempty"`   // reference to a list of strings, one letter for a cell
	Cells  string `json:"cells,omitempty"`  // reference to a list of cells [x, y]
	Pieces string `json:"pieces,omitempty"` // reference, with {agent}, to where that agent is: a cell [x, y], or the name of a place
	Things string `json:"things,omitempty"` // reference to a list of objects, each with a field that says where it is
	Owners string `json:"owners,omitempty"` // reference to an object: place -> who has it
	Where  string `json:"where,omitempty"`  // of things: only those of which this field is true; with ! before it, only the others
	At     string `json:"at,omitempty"`     // of things: the field that says where; by default "at"
	Owner  string `json:"owner,omitempty"`  // of things: the field that says whose it is
	Facing string `json:"facing,omitempty"` // of pieces: reference to "N", "E", "S" or "W"

	// Cells of agents may count from the corner of a tile of their own: of so many cells either way, in rows of so many tiles. Numbers, or references to them.
	Side    string `json:"side,omitempty"`
	Columns string `json:"columns,omitempty"`

	Form  string `json:"form,omitempty"`  // of cells and things: square, disc, triangle, diamond, hexagon, cross or star
	Color string `json:"color,omitempty"` // of cells and things, "#rrggbb"; by default that of the agent
	Name  string `json:"name,omitempty"`  // for the legend
}

// A Bar is a number that is shown by how long or high something is.
type Bar struct {
	Fact  string `json:"fact"`         // reference to a number
	Of    string `json:"of,omitempty"` // a number, or a reference to one, that is as much as there can be; empty: the greatest that anybody has
	Color string `json:"color,omitempty"`
	Name  string `json:"name,omitempty"`
}

// A Window is the cells around an agent that it sees. What its references name behind a # counts as the agent sees it, where it does.
type Window struct {
	At     string `json:"at"`               // reference to the agent's cell
	Facing string `json:"facing,omitempty"` // reference to "N", "E", "S" or "W"; empty: it always faces N
	Ahead  int    `json:"ahead"`            // cells
	Behind int    `json:"behind"`
	Aside  int    `json:"aside"` // to either side
}

// An Agent is how one looks.
type Agent struct {
	Name     string `json:"name"`
	Color    string `json:"color"` // "#rrggbb"
	Shape    string `json:"shape"`
	Initials string `json:"initials"`
}

// A View is what is drawn besides the state.
type View struct {
	Agents []Agent       // in seat order
	Turn   []world.Event // what happened in the turn, or the part of it, that begins with the state
	Sees   string        // the agent whose view of the world is shown; empty: nobody's
	Seen   string        // what that agent sees, as JSON; empty: it is not known, and its window counts
	Heat   *Heat         // what is laid over it; nil: nothing
}

// Hash returns what a state is known by: SHA-256, in hexadecimal digits, of a line for each of its facts in the order of their paths: the path, a
// space, its value as canonical JSON.
func Hash(st world.State) string {
	h := sha256.New()
	for _, path := range st.Paths("") {
		raw, _ := st.Fact(path)
		h.Write([]byte(path + " "))
		h.Write(raw)
		h.Write([]byte("\n"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// A reader reads references in one state. Facts that it has decoded it knows.
type reader struct {
	st    world.State
	known map[string]any
}

// get returns what a reference names, for an agent; nil: it is not there.
func (r *reader) get(ref, agent string) any {
	fact, way := locate(ref, agent)
	v, ok := r.known[fact]
	if !ok {
		raw, there := r.st.Fact(fact)
		if there {
			_ = json.Unmarshal(raw, &v) // facts are JSON
		}
		r.known[fact] = v
	}
	return follow(v, way)
}

// locate returns in which fact it is that a reference names for an agent, and the way into it.
func locate(ref, agent string) (fact, way string) {
	fact, way, _ = strings.Cut(strings.ReplaceAll(ref, "{agent}", agent), "#")
	return fact, way
}

// follow returns what is at the end of a way with dots into a value; nil: there is nothing.
func follow(v any, way string) any {
	for way != "" && v != nil {
		var field string
		field, way, _ = strings.Cut(way, ".")
		v = within(v, field)
	}
	return v
}

func within(v any, field string) any {
	switch v := v.(type) {
	case map[string]any:
		return v[field]
	case []any:
		if i, err := strconv.Atoi(field); err == nil && i >= 0 && i < len(v) {
			return v[i]
		}
	}
	return nil
}

// holds says whether a reference names something other than false.
func (r *reader) holds(ref, agent string) bool {
	v := r.get(ref, agent)
	return v != nil && v != false
}

// number returns what a number, or a reference to one, is.
func (r *reader) number(ref, agent string) (float64, bool) {
	if n, err := strconv.ParseFloat(ref, 64); err == nil {
		return n, true
	}
	if ref == "" {
		return 0, false
	}
	n, ok := r.get(ref, agent).(float64)
	return n, ok
}

// cell returns a value as a cell.
func cell(v any) (x, y float64, ok bool) {
	switch v := v.(type) {
	case []any:
		if len(v) == 2 {
			x, okX := v[0].(float64)
			y, okY := v[1].(float64)
			return x, y, okX && okY
		}
	case map[string]any:
		x, okX := v["x"].(float64)
		y, okY := v["y"].(float64)
		return x, y, okX && okY
	}
	return 0, 0, false
}

// tint returns the color of a letter or a word, 0 if it has none.
func (lk *Look) tint(of string) draw.Color {
	for _, t := range lk.Colors {
		if t.Of == of {
			return color(t.Color, 0)
		}
	}
	return 0
}

// form returns that of the cells and things of a layer in a look of that kind.
func (layer Layer) form(kind string) draw.Form {
	if kind == Places {
		return form(layer.Form, draw.Disc)
	}
	return form(layer.Form, draw.Rect)
}

// form returns the form of that name, or other if there is none.
func form(name string, other draw.Form) draw.Form {
	if f, ok := map[string]draw.Form{
		"square": draw.Rect, "disc": draw.Disc, "triangle": draw.Triangle, "diamond": draw.Diamond, "hexagon": draw.Hexagon, "cross": draw.Cross, "star": draw.Star,
	}[name]; ok {
		return f
	}
	return other
}
