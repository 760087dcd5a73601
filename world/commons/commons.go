// Package commons is an orchard on a grid that everybody eats from: commons harvest and clean-up of Melting Pot, as pure rules.
//
// # The law
//
// A turn is a step of Melting Pot. Each agent stands in a cell and faces north, east, south or west. Once a turn it moves to one of the four
// cells beside it, or turns by a right angle, or fires a beam. To enter the cell of an apple is to eat it, for a reward of 1. A wall and
// an agent cannot be entered. Of one step first all moves are made, in the order of the actions, then all zaps, then all cleaning.
// Beams reach three cells ahead, and on either side of that the cell beside the agent and two ahead of it. A zap takes away the first agent in each
// of these lines for some turns, at no cost; it comes back at a spawn point. Walls stop beams.
//
// At the beginning of each turn but the first, empty orchard cells can bear an apple, all by the state before, stream "growth" of [world.State.Rand]:
//
//   - On a map without a river (harvest) a cell bears with probability 0, 0.0025, 0.005 or 0.025 where 0, 1, 2, or 3 or more apples are
//     within a distance of 2 (L2). So an empty patch never regrows; when no apple is left the episode is over.
//   - On a map with a river (clean-up) it bears with probability 0.05 * min(1, (0.4 - f) / 0.4), f being the dirty share of the
//     river, and 0 if that is negative. After 50 turns, in each turn with probability 0.5, one clean cell of the river becomes dirty.
//     Agents clean by a beam, which cleans the first dirty cell in each of its lines.
//
// The episode is over after the last turn. The reward of an agent is the apples that it has eaten.
//
// # What is Melting Pot's and what is not
//
// From github.com/google-deepmind/meltingpot at 81ee2e7 (configs/substrates/commons_harvest__open.py and clean_up.py, lua/levels of both, and
// lua/modules/avatar_library.lua) are the growth of apples and dirt and all its numbers above; the reward; the length and the lines of
// a beam (getWhoZappable); who fires waits 2 turns until the next beam, for a zap in clean-up 10; absence of 4 turns (50 in
// clean-up); moves before beams before growth; what an agent sees, 9 cells ahead, 1 behind and 5 to each side.
//
// Ours are the maps (smaller); that beams of one step are fired at once, so that two can zap each other; that waiting for the next beam goes
// on while one is away; orientation at spawn points, by lot; that an apple that grows under an agent stays until somebody enters its
// cell; that every cell of a river can be dirty, and can be walked on; an end after a fixed number of turns (theirs is drawn), or when
// nothing can grow; and that an agent is told its cell. The engine below these files, dmlab2d, was not looked at: no trajectory of theirs was compared.
//
// # Facts
//
//	commons/agents    names in seat order
//	commons/map       rows of the map from the top; see [Config]
//	commons/turns     turns in the episode
//	commons/cooldown  turns to wait after a zap
//	commons/away      turns that who is zapped is away
//	commons/turn      the turn whose growth is done
//	commons/apples    [[x,y],...], x to the right and y down from 0, in rows from the top
//	commons/dirt      dirty cells of the river, likewise
//	agents/<name>     {"at":[x,y],"away":bool,"back":turn,"clean":turn,"eaten":apples,"facing":"N","turn":n,"zap":turn}: back is the turn at
//	                  whose beginning it comes back if away, clean and zap from when it may fire, turn when it last acted, -1 before the first
//
// # Events
//
//	plant    the world is laid out; data: {"agents":[names in seat order],"orchard":cells,"river":cells,"turns":n}
//	grow     a turn begins; data: {"apples":[cells that bear],"dirt":[cells that become dirty]}
//	spawn    an agent comes back; data: {"at":cell}
//	move     an agent has moved or turned; data: {"at":cell,"facing":"N"}, and "ate":true, or "blocked":"a wall" or "b is there", so that it has not moved
//	conflict several agents wanted to enter one cell in one step; data: {"what":"the cell 3,1","claims":[{"agent":name,"action":"move","args":{...}}],
//	         "winners":[name],"losers":[names],"reason":text}
//	zap      data: {"hit":[names]}
//	clean    data: {"cells":[cells that were dirty]}
//	away     an agent was hit; data: {"by":[names],"turns":n}
package commons

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/vitrine-sim/vitrine/world"
)

// Kinds of events; see the package comment.
const (
	kindPlant = "plant"
	kindGrow  = "grow"
	kindSpawn = "spawn"
	kindMove  = "move"
	kindZap   = "zap"
	kindClean = "clean"
	kindAway  = "away"
)

// A Config is what can be chosen about a commons. The map is rows of equal length: # is a wall, A an orchard cell with an apple at
// first, a one without, ~ a clean cell of a river, % a dirty one, P a spawn point, and a point is mere ground.
type Config struct {
	Turns    int    `toml:"turns" min:"1" max:"100000" doc:"Turns in an episode."`
	Cooldown int    `toml:"cooldown" min:"0" max:"1000" doc:"Turns to wait after a zap."`
	Away     int    `toml:"away" min:"0" max:"1000" doc:"Turns that who is zapped is away."`
	Map      string `toml:"map" doc:"Rows of equal length: # is a wall, A an orchard cell with an apple at first, a one without, ~ a clean and % a dirty cell of a river, P a spawn point, and a point is ground."`
}

// Harvest returns a commons without a river: 65 apples in five patches, which die if they are eaten up.
func Harvest() Config {
	return Config{Turns: 1000, Cooldown: 2, Away: 4, Map: harvestMap}
}

// Cleanup returns a commons with an orchard that bears nothing unless somebody cleans the river.
func Cleanup() Config {
	return Config{Turns: 1000, Cooldown: 10, Away: 50, Map: cleanupMap}
}

const harvestMap = `
########################
#...A.......A.......A..#
#..AAA.....AAA.....AAA.#
#.AAAAA...AAAAA...AAAAA#
#..AAA.....AAA.....AAA.#
#...A.......A.......A..#
#..........PP..........#
#.......A.......A......#
#......AAA.....AAA.....#
#.....AAAAA...AAAAA....#
#......AAA.....AAA.....#
#.......A.......A......#
#..PPPPPPPPPPPPPPPPPP..#
########################`

const cleanupMap = `
####################
#%%~%~%%~~%%~%~%%~%#
#~%%~%~%%~~%%~%~%%~#
#%~%%~%~%%~~%%~%~%%#
#..................#
#..P....P....P..P..#
#....P....P....P...#
#..................#
#aaaaaaaaaaaaaaaaaa#
#aaaaaaaaaaaaaaaaaa#
####################`

// Rules are the law of one commons. They implement [world.Rules].
type Rules struct {
	config Config
	field  field
}

// New returns the rules of a commons, or an error that names each value that is out of range.
func New(config Config) (*Rules, error) {
	r := &Rules{config: config, field: strings.Split(strings.TrimSpace(config.Map), "\n")}
	var errs []error
	if config.Turns < 1 || config.Turns > 100_000 {
		errs = append(errs, fmt.Errorf("turns is %d, want 1 to 100000", config.Turns))
	}
	if config.Cooldown < 0 || config.Cooldown > 1000 {
		errs = append(errs, fmt.Errorf("cooldown is %d, want 0 to 1000", config.Cooldown))
	}
	if config.Away < 0 || config.Away > 1000 {
		errs = append(errs, fmt.Errorf("away is %d, want 0 to 1000", config.Away))
	}
	if err := errors.Join(append(errs, r.field.check())...); err != nil {
		return nil, err
	}
	return r, nil
}

// Reset implements [world.Rules]: the map as it is written, and the agents at spawn points by lot. It is an error if these are too few.
func (r *Rules) Reset(seed uint64, agents []string) ([]world.Event, error) {
	spawns := r.field.cells("P")
	if len(agents) == 0 || len(agents) > len(spawns) {
		return nil, fmt.Errorf("%d agents and %d spawn points: want at least one agent, and a spawn point for each", len(agents), len(spawns))
	}
	c := commons{
		field: r.field, names: agents, agents: make([]avatar, len(agents)), apples: setOf(r.field.cells("A")), dirt: setOf(r.field.cells("%")),
	}
	set := map[string]json.RawMessage{
		"commons/agents":   world.JSON(agents),
		"commons/map":      world.JSON(r.field),
		"commons/turns":    world.JSON(r.config.Turns),
		"commons/cooldown": world.JSON(r.config.Cooldown),
		"commons/away":     world.JSON(r.config.Away),
	}
	random := world.NewRand(seed, 0, "spawn")
	at := random.Perm(len(spawns))
	for i, name := range agents {
		c.agents[i] = avatar{At: spawns[at[i]], Facing: compass[random.IntN(4)], Turn: -1}
		set["agents/"+name] = world.JSON(c.agents[i])
	}
	c.put(set)
	data := plantData{Agents: agents, Orchard: len(r.field.cells("Aa")), River: len(r.field.cells("~%")), Turns: r.config.Turns}
	return []world.Event{{Kind: kindPlant, Data: world.JSON(data), Set: set}}, nil
}

type plantData struct {
	Agents  []string `json:"agents"`
	Orchard int      `json:"orchard"`
	River   int      `json:"river"`
	Turns   int      `json:"turns"`
}
