package life

import (
	"encoding/json"
	"math/rand/v2"

	"github.com/vitrine-sim/vitrine/world"
)

// Policies returns the players that know this world, by name: there is "life", which sets its tile to the next generation of
// what it sees.
func Policies() map[string]world.Policy {
	return map[string]world.Policy{"life": play}
}

func play(obs world.Observation, _ *rand.Rand) world.Action {
	var v view
	if err := json.Unmarshal(obs.View, &v); err != nil || len(obs.Actions) == 0 {
		return world.Action{Agent: obs.Agent, Name: world.Pass}
	}
	return world.Action{Agent: obs.Agent, Name: set, Args: world.JSON(map[string]any{"cells": v.next()})}
}

// next returns the next generation of the tile.
func (v view) next() []cell {
	lives, beside := make(map[cell]bool, len(v.Cells)), make(map[cell]int)
	for _, c := range v.Cells {
		lives[c] = true
		for dy := -1; dy <= 1; dy++ {
			for dx := -1; dx <= 1; dx++ {
				if dx != 0 || dy != 0 {
					beside[cell{c[0] + dx, c[1] + dy}]++
				}
			}
		}
	}
	tile := board{side: v.Side}
	var next []cell
	for c, n := range beside { // in any order: it is put in order below
		if tile.inside(c) && (n == 3 || n == 2 && lives[c]) {
			next = append(next, c)
		}
	}
	return ordered(next)
}
