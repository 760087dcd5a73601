package diplomacy

import "slices"

// A result is what came of one unit's order.
type result struct {
	unit      unit
	order     order
	void      bool // the order was impossible, so that the unit held
	succeeds  bool // of a move: it was made; of a support: it was given; of a convoy: its fleet was not dislodged; of a hold: not dislodged
	dislodged bool
	from      string // the province from which it was dislodged
}

// resolve returns what comes of orders that are all carried out at once, one for each unit in the same order. There is at most one
// unit in a province. Impossible orders are those that no orders of others could make good; their units hold.
//
// It decides as L. B. Kruijswijk's "The Math of Adjudication" does: an order succeeds or fails by the strengths of attack, defence, hold and
// prevention, which depend on whether others succeed. Where that goes in a circle it is tried both ways; if both are consistent, moves in a circle are made, and
// convoys in a paradox fail (Szykman's rule).
func (b board) resolve(units []unit, orders []order) []result {
	r := &resolver{board: b, units: units, orders: slices.Clone(orders), at: make(map[string]int), state: make([]int, len(units)), good: make([]bool, len(units))}
	for i, u := range units {
		r.at[province(u.Place)] = i
	}
	results := make([]result, len(units))
	void := make([]bool, len(units))
	for i := range units {
		void[i] = !r.possible(i)
	}
	for i := range units {
		if void[i] {
			r.orders[i] = order{}
		}
	}
	for i, u := range units {
		results[i] = result{unit: u, order: orders[i], void: void[i], succeeds: r.decide(i) && !void[i]}
	}
	for i, u := range units {
		if r.orders[i].kind == move && results[i].succeeds {
			continue
		}
		for j := range units {
			if r.orders[j].kind == move && results[j].succeeds && province(r.orders[j].to) == province(u.Place) {
				results[i].dislodged, results[i].from = true, province(units[j].Place)
			}
		}
		if r.orders[i].kind == hold {
			results[i].succeeds = !results[i].dislodged && !void[i]
		}
	}
	return results
}

// How far the decision on an order is.
const (
	unknown = iota
	guessed
	known
)

// A resolver decides on the orders of one turn.
type resolver struct {
	board
	units  []unit
	orders []order
	at     map[string]int // units by province
	state  []int          // of the decision
	good   []bool         // the decision, or the guess
	circle []int          // orders on whose guesses decisions depend
}

// possible says whether others could make the order good.
func (r *resolver) possible(i int) bool {
	u, o := r.units[i], r.orders[i]
	here := province(u.Place)
	switch o.kind {
	case move:
		return slices.Contains(r.reach(u.Fleet, u.Place), o.to) || r.byConvoy(i) && r.joined(here, o.to, r.fleets(func(int) bool { return true }))
	case support:
		j, ok := r.at[o.of]
		target := o.of
		if o.to != "" {
			target = province(o.to)
		}
		return ok && j != i && r.touches(u.Fleet, u.Place, target) // it never touches where it is
	case convoy:
		j, ok := r.at[o.of]
		return ok && u.Fleet && r.isSea(u.Place) && !r.units[j].Fleet && r.isCoastal(o.of) && r.isCoastal(o.to)
	}
	return true
}

// byConvoy says whether a move needs one: an army's from coast to coast, of provinces that are not beside each other.
func (r *resolver) byConvoy(i int) bool {
	u, o := r.units[i], r.orders[i]
	return o.kind == move && !u.Fleet && u.Place != o.to && !slices.Contains(r.army[u.Place], o.to) && r.isCoastal(u.Place) && r.isCoastal(o.to)
}

// fleets returns the seas with fleets that are wanted.
func (r *resolver) fleets(wanted func(int) bool) []string {
	var seas []string
	for i, u := range r.units {
		if u.Fleet && r.isSea(u.Place) && wanted(i) {
			seas = append(seas, u.Place)
		}
	}
	return seas
}

// decide says whether an order succeeds.
func (r *resolver) decide(i int) bool {
	switch r.state[i] {
	case known:
		return r.good[i]
	case guessed:
		if !slices.Contains(r.circle, i) {
			r.circle = append(r.circle, i)
		}
		return r.good[i]
	}
	before := len(r.circle)
	r.state[i], r.good[i] = guessed, false
	first := r.judge(i)
	if len(r.circle) == before { // it depends on no guess
		r.state[i], r.good[i] = known, first
		return first
	}
	if r.circle[before] != i { // it depends on the guess of another, who is not done
		r.circle = append(r.circle, i)
		r.good[i] = first
		return first
	}
	r.forget(before)
	r.state[i], r.good[i] = guessed, true
	second := r.judge(i)
	if first == second {
		r.forget(before)
		r.state[i], r.good[i] = known, first
		return first
	}
	r.settle(before)
	return r.decide(i)
}

// forget makes the decisions unknown that depend on guesses.
func (r *resolver) forget(before int) {
	for _, i := range r.circle[before:] {
		r.state[i] = unknown
	}
	r.circle = r.circle[:before]
}

// settle decides on orders that depend on each other in a circle: convoys among them fail, or else the moves are made.
func (r *resolver) settle(before int) {
	circle := slices.Clone(r.circle[before:])
	r.forget(before)
	paradox := slices.ContainsFunc(circle, func(i int) bool { return r.orders[i].kind == convoy })
	for _, i := range circle {
		if paradox && r.orders[i].kind == convoy || !paradox && r.orders[i].kind == move {
			r.state[i], r.good[i] = known, !paradox
		}
	}
}
