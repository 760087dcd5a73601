package diplomacy

import "strings"

// A unit is an army or a fleet of a power.
type unit struct {
	Fleet bool   `json:"fleet"`
	Place string `json:"place"` // a province, or a coast of one
	Power string `json:"power"`
}

func (u unit) String() string {
	if u.Fleet {
		return "F " + u.Place
	}
	return "A " + u.Place
}

// Kinds of orders.
const (
	hold = iota
	move
	support // to hold, if the order's to is empty, or to move
	convoy
)

// An order is what a unit is told to do.
type order struct {
	kind int
	of   string // the province of the unit that is supported or convoyed
	to   string // where this unit moves, or the other one
}

// parse reads an order such as "A vie H", "A vie - tri", "A tyr S A ven", "A tyr S A ven - tri" or "F nth C A lon - bel", in any case.
// It returns the place of the unit that it is for, and whether it is one.
func parse(text string) (place string, o order, ok bool) {
	word := strings.Fields(strings.ToLower(text))
	if len(word) < 3 || !isUnit(word) {
		return "", order{}, false
	}
	rest := word[3:]
	switch word[2] {
	case "h":
		return word[1], order{}, len(rest) == 0
	case "-":
		if len(rest) == 1 {
			return word[1], order{kind: move, to: rest[0]}, true
		}
	case "s":
		if len(rest) == 2 && isUnit(rest) {
			return word[1], order{kind: support, of: province(rest[1])}, true
		}
		if len(rest) == 4 && isUnit(rest) && rest[2] == "-" {
			return word[1], order{kind: support, of: province(rest[1]), to: rest[3]}, true
		}
	case "c":
		if len(rest) == 4 && rest[0] == "a" && rest[2] == "-" {
			return word[1], order{kind: convoy, of: province(rest[1]), to: rest[3]}, true
		}
	}
	return "", order{}, false
}

func isUnit(word []string) bool { return word[0] == "a" || word[0] == "f" }
