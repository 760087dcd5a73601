package arena

import (
	"fmt"

	"github.com/vitrine-sim/vitrine/world"
)

// A concealer is rules that say which facts an agent must not learn anything of.
type concealer interface {
	Hidden(st world.State, agent string) ([]string, error)
}

// reveal shows a state to an agent, if it can look at the world, without what the rules hide from it.
func (p *livePlayers) reveal(st world.State, to *player) {
	if to.seat.Facts == nil {
		return
	}
	rules, err := p.law(st)
	var hidden []string
	if keeps, ok := rules.(concealer); ok && err == nil {
		hidden, err = keeps.Hidden(st, to.seat.Name)
	}
	if err == nil {
		err = to.seat.Facts(st, hidden)
	}
	if to.unseen = err; err != nil {
		to.unseen = fmt.Errorf("the world cannot be shown: %w", err)
	}
}
