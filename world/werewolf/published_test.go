package werewolf

import (
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
)

// published is the probability that the wolves win in random play, day first, until one side is extinct.
var published = []struct {
	agents, wolves int
	p              *big.Rat
}{
	{7, 1, big.NewRat(16, 35)},
	{10, 2, big.NewRat(63, 128)},
}

func newVillage(agents, wolves int) village {
	v := village{names: make([]string, agents), wolf: make([]bool, agents), dead: make([]bool, agents)}
	for i := range wolves {
		v.wolf[i] = true
	}
	return v
}

// without returns the village when somebody has died.
func (v village) without(seat int) village {
	v.dead = slices.Clone(v.dead)
	v.dead[seat] = true
	return v
}

// counts returns how many wolves and how many villagers are alive.
func (v village) counts() (key [2]int) {
	for i := range v.names {
		if !v.dead[i] {
			if v.wolf[i] {
				key[0]++
			} else {
				key[1]++
			}
		}
	}
	return key
}

// wins returns the exact probability that the wolves win from a day on, where each of those who can be hit is hit with the same probability.
func wins(v village, known map[[2]int]*big.Rat) *big.Rat {
	switch v.winner() {
	case wolves:
		return big.NewRat(1, 1)
	case villagers:
		return new(big.Rat)
	}
	if p := known[v.counts()]; p != nil {
		return p
	}
	lynchable := v.targets(-1, vote)
	total := new(big.Rat)
	for _, lynched := range lynchable {
		night := v.without(lynched)
		p := fromNight(night, known)
		total.Add(total, p.Quo(p, big.NewRat(int64(len(lynchable)), 1)))
	}
	known[v.counts()] = total
	return total
}

// fromNight is wins from a night on.
func fromNight(v village, known map[[2]int]*big.Rat) *big.Rat {
	if v.winner() != "" {
		return new(big.Rat).Set(wins(v, known))
	}
	prey := v.targets(-1, kill)
	total := new(big.Rat)
	for _, killed := range prey {
		p := new(big.Rat).Set(wins(v.without(killed), known))
		total.Add(total, p.Quo(p, big.NewRat(int64(len(prey)), 1)))
	}
	return total
}

func TestWolvesWinWithThePublishedProbabilityExactly(t *testing.T) {
	for _, test := range published {
		got := wins(newVillage(test.agents, test.wolves), make(map[[2]int]*big.Rat))
		if got.Cmp(test.p) != 0 {
			t.Errorf("%d agents, %d wolves: %s, want %s", test.agents, test.wolves, got, test.p)
		}
		t.Logf("%d agents, %d wolves: exactly %s", test.agents, test.wolves, got)
	}
}

// That everybody votes at random makes everybody's death as likely is what the exact figures take for granted. Here all ballots are counted.
func TestARandomBallotHitsEverybodyWithTheSameProbability(t *testing.T) {
	for agents := 2; agents <= 6; agents++ {
		v := newVillage(agents, 1)
		hits := make([]*big.Rat, agents)
		for i := range hits {
			hits[i] = new(big.Rat)
		}
		ballots := 0
		votes := make([]int, agents)
		var cast func(voter int)
		cast = func(voter int) {
			if voter == agents {
				ballots++
				tied := most(votes)
				for _, seat := range tied {
					hits[seat].Add(hits[seat], big.NewRat(1, int64(len(tied))))
				}
				return
			}
			for _, votes[voter] = range v.targets(voter, vote) {
				cast(voter + 1)
			}
		}
		cast(0)
		for seat, n := range hits {
			if want := big.NewRat(int64(ballots), int64(agents)); n.Cmp(want) != 0 {
				t.Errorf("seat %d of %d is lynched in %s of %d ballots, want %s", seat, agents, n, ballots, want)
			}
		}
		t.Logf("%d agents: all %d ballots", agents, ballots)
	}
}

// playFast plays an episode of random players on the village alone, without facts and events, and returns who wins.
func playFast(v village, random *rand.Rand) string {
	for action := vote; ; {
		votes := slices.Repeat([]int{-1}, len(v.names))
		for seat := range v.names {
			if v.may(seat, action) {
				targets := v.targets(seat, action)
				votes[seat] = targets[random.IntN(len(targets))]
			}
		}
		v.dead[choose(most(votes), random)] = true
		if winner := v.winner(); winner != "" {
			return winner
		}
		if action == vote {
			action = kill
		} else {
			action = vote
		}
	}
}

// within fails unless the wolves have won in a share of n games that is within four standard deviations of p.
func within(t *testing.T, what string, won, n int, p float64) {
	t.Helper()
	share, bound := float64(won)/float64(n), 4*math.Sqrt(p*(1-p)/float64(n))
	t.Logf("%s: wolves win %.5f of %d games, want %.5f within %.5f", what, share, n, p, bound)
	if math.Abs(share-p) > bound {
		t.Errorf("%s: wolves win %.5f of %d games, want %.5f within %.5f", what, share, n, p, bound)
	}
}

func TestWolvesWinWithThePublishedFrequency(t *testing.T) {
	const n = 100_000
	for _, test := range published {
		won, random := 0, world.NewRand(1, 0, "games")
		for range n {
			if playFast(newVillage(test.agents, test.wolves), random) == wolves {
				won++
			}
		}
		p, _ := test.p.Float64()
		within(t, "village alone", won, n, p)
	}
}

// The same by the rules as a run plays them: roles that are drawn, two phases, observations, and the policy. With VITRINE_LONG=1 it
// plays so many that they take minutes.
func TestWolvesWinWithThePublishedFrequencyInWholeEpisodes(t *testing.T) {
	n := 100
	if os.Getenv("VITRINE_LONG") == "1" {
		n = 20_000
	}
	for _, test := range published {
		won := 0
		for i := range n {
			g := newTable(t, Config{Wolves: test.wolves}, uint64(i), test.agents)
			for g.game().won == "" {
				g.day("random")
			}
			if g.game().won == wolves {
				won++
			}
		}
		p, _ := test.p.Float64()
		within(t, "whole episodes", won, n, p)
	}
}
