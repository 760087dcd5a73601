package werewolf

import "math/rand/v2"

// A village is who is what, and who is alive. Agents are known by their seats, from 0.
type village struct {
	names  []string
	wolf   []bool
	dead   []bool
	parity bool
}

func (v village) role(seat int) string {
	if v.wolf[seat] {
		return wolf
	}
	return villager
}

// pack returns the names of all wolves but the one in a seat.
func (v village) pack(but int) []string {
	var names []string
	for i, name := range v.names {
		if v.wolf[i] && i != but {
			names = append(names, name)
		}
	}
	return names
}

// winner returns the side that has won; "" if none has.
func (v village) winner() string {
	hunters, prey := 0, 0
	for i := range v.names {
		switch {
		case v.dead[i]:
		case v.wolf[i]:
			hunters++
		default:
			prey++
		}
	}
	switch {
	case hunters == 0:
		return villagers
	case prey == 0, v.parity && hunters >= prey:
		return wolves
	}
	return ""
}

// may says whether the agent in a seat can ever vote, or kill.
func (v village) may(seat int, action string) bool {
	return !v.dead[seat] && (action == vote || action == kill && v.wolf[seat])
}

// targets returns the seats of those whom the agent in a seat may vote for, or kill.
func (v village) targets(seat int, action string) []int {
	var seats []int
	for i := range v.names {
		if i != seat && !v.dead[i] && (action == vote || !v.wolf[i]) {
			seats = append(seats, i)
		}
	}
	return seats
}

// most returns the seats that are named most often by the votes of each seat, of which -1 is none; nobody if there are only such.
func most(votes []int) []int {
	counts := make([]int, len(votes))
	for _, seat := range votes {
		if seat >= 0 {
			counts[seat]++
		}
	}
	var tied []int
	best := 1
	for seat, n := range counts {
		if n > best {
			tied, best = nil, n
		}
		if n == best {
			tied = append(tied, seat)
		}
	}
	return tied
}

// choose returns who of those that are tied it is: by lot, if they are more than one.
func choose(tied []int, random *rand.Rand) int {
	if len(tied) == 1 {
		return tied[0]
	}
	return tied[random.IntN(len(tied))]
}
