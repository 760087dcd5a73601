package werewolf

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// A ballot is the facts of the last lynching, or killing.
type ballot struct {
	Turn   int               `json:"turn"` // -1 before the first
	Victim string            `json:"victim,omitempty"`
	Votes  map[string]string `json:"votes,omitempty"` // by voter; none of a killing
}

// A death is the facts of somebody's death.
type death struct {
	By   string `json:"by"` // byLynching or byWolves
	Turn int    `json:"turn"`
}

// How one dies.
const (
	byLynching = "lynching"
	byWolves   = "wolves"
)

// A game is all the facts.
type game struct {
	village
	reveal       bool
	won          string // the side that has won, or ""
	deaths       []death
	ballot, hunt ballot
}

// readGame reads the facts of st. It is an error if one is missing, or cannot be.
func readGame(st world.State) (game, error) {
	var g game
	for path, to := range map[string]any{ // in any order: one mistake is as good as another
		"werewolf/agents": &g.names, "werewolf/parity": &g.parity, "werewolf/reveal": &g.reveal, "werewolf/winner": &g.won,
		"werewolf/ballot": &g.ballot, "werewolf/hunt": &g.hunt,
	} {
		if err := st.Get(path, to); err != nil {
			return game{}, err
		}
	}
	if g.won != "" && g.won != wolves && g.won != villagers {
		return game{}, fmt.Errorf("the winner %q is no side", g.won)
	}
	g.wolf, g.dead, g.deaths = make([]bool, len(g.names)), make([]bool, len(g.names)), make([]death, len(g.names))
	for i, name := range g.names {
		var role string
		if err := st.Get("roles/"+name, &role); err != nil {
			return game{}, err
		}
		if role != wolf && role != villager {
			return game{}, fmt.Errorf("the role %q of %q is none", role, name)
		}
		g.wolf[i] = role == wolf
		if _, g.dead[i] = st.Fact("dead/" + name); g.dead[i] {
			if err := st.Get("dead/"+name, &g.deaths[i]); err != nil {
				return game{}, err
			}
		}
	}
	return g, nil
}

func (g game) seat(agent string) int { return slices.Index(g.names, agent) }

// Hidden returns the facts of which an agent must not learn anything: to who is no wolf, the roles of all others that it was not shown.
func (r *Rules) Hidden(st world.State, agent string) ([]string, error) {
	g, err := readGame(st)
	if err != nil {
		return nil, err
	}
	var paths []string
	for i, name := range g.names {
		shown := g.won != "" || g.dead[i] && g.reveal
		if me := g.seat(agent); me >= 0 && !g.wolf[me] && i != me && !shown {
			paths = append(paths, "roles/"+name)
		}
	}
	return paths, nil
}

// Check implements [world.Checker]: whoever has died was somebody, and a side has won if and only if the other is beaten.
func (r *Rules) Check(st world.State) error {
	g, err := readGame(st)
	if err != nil {
		return err
	}
	if sorted := slices.Sorted(slices.Values(g.names)); len(g.names) == 0 || len(slices.Compact(sorted)) != len(g.names) {
		return errors.New("the agents must be at least one, and each once")
	}
	if winner := g.winner(); winner != g.won {
		return fmt.Errorf("the winner must be %q, by who is alive", winner)
	}
	for _, b := range []ballot{g.ballot, g.hunt} {
		if b.Turn < -1 || b.Turn > st.Turn {
			return fmt.Errorf("the last ballot must have been in a turn from -1 to %d", st.Turn)
		}
		if b.Turn >= 0 && g.seat(b.Victim) < 0 {
			return fmt.Errorf("the victim %q is no agent", b.Victim)
		}
	}
	for i, d := range g.deaths {
		if g.dead[i] && (d.By != byLynching && d.By != byWolves || d.Turn < 0 || d.Turn > st.Turn) {
			return fmt.Errorf("the death of %q must be by %q or %q in a turn from 0 to %d", g.names[i], byLynching, byWolves, st.Turn)
		}
	}
	for _, path := range slices.Concat(st.Paths("dead/"), st.Paths("roles/")) {
		if name := path[len("dead/"):]; g.seat(name) < 0 && g.seat(path[len("roles/"):]) < 0 {
			return fmt.Errorf("%s is of no agent", path)
		}
	}
	return nil
}
