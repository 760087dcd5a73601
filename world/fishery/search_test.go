package fishery

import (
	"cmp"
	"slices"
)

// A trail is the search for one way in which a published run may have gone: catches, turn by turn, that add up to its
// gains, last as many turns as it did, and are over the sustainable share as often as it was.
type trail struct {
	collapse bool // whether the last turn must leave fewer than 5 tons
	lean     bool // whether those who take too much shall take as little too much as can be
	budget   int  // nodes that may still be looked at
	turns    [][]int
}

// findTrail returns the catches of each turn, of 5 agents in a lake of 100, or nil if the search finds none.
func findTrail(gains []int, turns, overs int) [][]int {
	for _, collapse := range []bool{true, false} { // a run of all 12 turns need not end in one, nor one that was broken off
		if collapse && turns == 12 {
			continue
		}
		for _, lean := range []bool{false, true} {
			tr := trail{collapse: collapse, lean: lean, budget: 3000}
			if tr.search(100, slices.Clone(gains), turns, overs) {
				return tr.turns
			}
		}
	}
	return nil
}

// search plays the turns that are left: rest is what each agent has still to catch in them.
func (tr *trail) search(pool int, rest []int, turns, overs int) bool {
	if tr.budget--; tr.budget < 0 {
		return false
	}
	if turns == 1 {
		after := pool - sum(rest)
		if after < 0 || tr.collapse && after >= 5 || countOver(rest, pool/2/5) != overs {
			return false
		}
		tr.turns = append(tr.turns, rest)
		return true
	}
	for _, c := range tr.candidates(pool, sum(rest), turns, overs) {
		catch := tr.split(c, pool/2/5, rest)
		if catch == nil {
			continue
		}
		left := slices.Clone(rest)
		for i := range left {
			left[i] -= catch[i]
		}
		tr.turns = append(tr.turns, catch)
		if tr.search(min(100, 2*(pool-c.caught)), left, turns-1, overs-c.overs) {
			return true
		}
		tr.turns = tr.turns[:len(tr.turns)-1]
	}
	return false
}

// A candidate is how much all catch in one turn, and how many of them catch more than the sustainable share.
type candidate struct {
	caught, overs int
	cost          int // how far it is from spreading evenly what is left
}

// candidates returns those that leave the lake alive and the rest within reach, the most even ones first.
func (tr *trail) candidates(pool, rest, turns, overs int) []candidate {
	var all []candidate
	for caught := range min(pool-5, rest) + 1 {
		next, later := min(100, 2*(pool-caught)), rest-caught
		if later > next+50*(turns-2) || tr.collapse && later < next-4 {
			continue
		}
		for k := range min(5, overs) + 1 {
			if overs-k > 5*(turns-1) || k*(pool/2/5+1) > caught {
				continue
			}
			cost := max(caught*turns-rest, rest-caught*turns) + 5*max(k*turns-overs, overs-k*turns)
			all = append(all, candidate{caught, k, cost})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(a.cost, b.cost) })
	return all
}

// split shares what is caught among the agents so that as many of them as the candidate says, those with most to catch, get
// more than limit. It returns nil if that cannot be.
func (tr *trail) split(c candidate, limit int, rest []int) []int {
	caught, overs := c.caught, c.overs
	order := []int{0, 1, 2, 3, 4}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rest[b], rest[a]) })
	got := make([]int, len(rest))
	for _, i := range order[:overs] {
		if rest[i] <= limit {
			return nil
		}
		got[i] = limit + 1
		caught -= limit + 1
	}
	if caught < 0 {
		return nil
	}
	for ; caught > 0; caught-- {
		best, most := -1, 0
		for rank, i := range order {
			if rank >= overs && got[i] >= limit {
				continue
			}
			need := rest[i] - got[i]
			if tr.lean && rank >= overs && need > 0 {
				need += 1000 // before all those that are over
			}
			if need > most {
				best, most = i, need
			}
		}
		if best < 0 {
			return nil
		}
		got[best]++
	}
	return got
}

func countOver(catch []int, limit int) int {
	n := 0
	for _, tons := range catch {
		if tons > limit {
			n++
		}
	}
	return n
}
