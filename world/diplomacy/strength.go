package diplomacy

// judge says whether an order succeeds, by what is known or guessed of the others.
func (r *resolver) judge(i int) bool {
	switch r.orders[i].kind {
	case move:
		return r.moves(i)
	case support:
		return !r.cut(i)
	case convoy:
		return !r.beaten(i)
	}
	return true
}

// target returns the province to which a unit moves; "" if it does not.
func (r *resolver) target(i int) string {
	if r.orders[i].kind != move {
		return ""
	}
	return province(r.orders[i].to)
}

func (r *resolver) here(i int) string { return province(r.units[i].Place) }

// moves says whether a move is stronger than what is there, or comes from there against it, and than all others that go there.
func (r *resolver) moves(i int) bool {
	attack, against := r.attack(i), 0
	if other, ok := r.facing(i); ok {
		against = r.defence(other)
	} else {
		against = r.holding(r.target(i))
	}
	if attack <= against {
		return false
	}
	for j := range r.units {
		if j != i && r.target(j) == r.target(i) && attack <= r.prevention(j) {
			return false
		}
	}
	return true
}

// facing returns the unit with which another would change places, if neither goes by convoy.
func (r *resolver) facing(i int) (int, bool) {
	j, ok := r.at[r.target(i)]
	return j, ok && r.target(j) == r.here(i) && !r.byConvoy(i) && !r.byConvoy(j)
}

// path says whether a move can get there: a convoy may be broken.
func (r *resolver) path(i int) bool {
	if !r.byConvoy(i) {
		return true
	}
	return r.joined(r.here(i), r.target(i), r.fleets(func(j int) bool {
		o := r.orders[j]
		return o.kind == convoy && o.of == r.here(i) && province(o.to) == r.target(i) && r.decide(j)
	}))
}

// attack is the strength of a move against the unit that is there: none against one's own, and no power helps against its own.
func (r *resolver) attack(i int) int {
	if !r.path(i) {
		return 0
	}
	j, ok := r.at[r.target(i)]
	if _, faced := r.facing(i); !ok || !faced && r.orders[j].kind == move && r.decide(j) {
		return 1 + r.supporters(i, "")
	}
	if r.units[j].Power == r.units[i].Power {
		return 0
	}
	return 1 + r.supporters(i, r.units[j].Power)
}

// defence is the strength of a move against the one that comes against it.
func (r *resolver) defence(i int) int { return 1 + r.supporters(i, "") }

// holding is the strength with which a province is held.
func (r *resolver) holding(name string) int {
	i, ok := r.at[name]
	switch {
	case !ok:
		return 0
	case r.orders[i].kind == move && r.decide(i):
		return 0
	case r.orders[i].kind == move:
		return 1
	}
	return 1 + r.supporters(i, "")
}

// prevention is the strength with which a move keeps others from the same province.
func (r *resolver) prevention(i int) int {
	if !r.path(i) {
		return 0
	}
	if other, ok := r.facing(i); ok && r.decide(other) {
		return 0
	}
	return 1 + r.supporters(i, "")
}

// supporters counts the supports that a unit gets, for its move or else for its hold, but for those of one power.
func (r *resolver) supporters(i int, without string) int {
	n := 0
	for j, o := range r.orders {
		if o.kind != support || o.of != r.here(i) || r.units[j].Power == without {
			continue
		}
		matches := o.to == "" && r.orders[i].kind != move ||
			o.to != "" && r.orders[i].kind == move && (o.to == r.orders[i].to || o.to == r.target(i))
		if matches && r.decide(j) {
			n++
		}
	}
	return n
}

// cut says whether a support is: another power attacks the unit that gives it, from elsewhere than where the support goes, or dislodges it.
func (r *resolver) cut(i int) bool {
	goes := r.orders[i].of
	if r.orders[i].to != "" {
		goes = province(r.orders[i].to)
	}
	for j := range r.units {
		if r.target(j) != r.here(i) || r.units[j].Power == r.units[i].Power {
			continue
		}
		if r.here(j) == goes && r.decide(j) || r.here(j) != goes && r.path(j) {
			return true
		}
	}
	return false
}

// beaten says whether a unit that stays is dislodged.
func (r *resolver) beaten(i int) bool {
	for j := range r.units {
		if r.target(j) == r.here(i) && r.decide(j) {
			return true
		}
	}
	return false
}
