// Package life is Conway's Game of Life on a board that is cut into tiles, one for each agent, as pure rules.
//
// # The law
//
// The board is a torus of square tiles, in rows of as many columns as are configured, in seat order. In its turn each agent
// sets the cells of its own tile, once, and sees that tile with the border of one cell around it. These rules do not compute
// anything: they put in place what the agents say, that of one step all at once. An agent that passes leaves its tile as it is.
// There is nothing to be earned; all rewards are 0. The episode ends after the last turn.
//
// If all agents follow the policy "life" and act at once, the board is Conway's: a cell lives on with two or three live cells
// around it, and comes to life with three. If they act one after the other it is not, because those who come later see
// borders of the next generation. So the published figures of long-lived patterns prove that what is called parallel is
// simultaneous: the R-pentomino has 116 cells after 1103 turns, the acorn 633 after 5206, diehard is gone after 130.
//
// These figures are of an unbounded plane. A torus does as well, and so would any other edge, as long as nothing can have got
// there: what leaves these patterns is gliders, which move one cell in four turns.
//
// # Facts
//
//	life/side     cells in a side of a tile
//	life/columns  tiles in a row of the board
//	life/turns    turns in the episode
//	life/agents   names in seat order
//	tiles/<name>  {"cells":[[x,y],...],"turn":n}: the live cells of the agent's tile, x to the right and y down from 0, in rows
//	              from the top; and the turn in which it last set them, -1 before the first
//
// # Events
//
//	board  the board is laid out; data: {"columns":n,"pattern":name,"side":n,"turns":n}
//	tile   a tile is set, at first by the rules; data: {"population":live cells}
package life

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// Kinds of events; see the package comment.
const (
	kindBoard = "board"
	kindTile  = "tile"
)

// set is the name of the one action.
const set = "set"

// A Config is what can be chosen about a board.
type Config struct {
	Side    int    `toml:"side" min:"8" max:"100000" doc:"Cells in a side of a tile."`
	Columns int    `toml:"columns" min:"1" max:"1000" doc:"Tiles in a row; the agents must fill all rows."`
	Pattern string `toml:"pattern" enum:"r-pentomino,acorn,diehard,glider,random" doc:"What is alive at first, in the middle of the board; random: all over it."`
	Turns   int    `toml:"turns" min:"1" max:"1000000" doc:"Turns in an episode."`
}

// Default returns the board of an R-pentomino until it has settled, for which sixteen agents give it room.
func Default() Config {
	return Config{Side: 176, Columns: 4, Pattern: "r-pentomino", Turns: 1103}
}

// Rules are the law of one board. They implement [world.Rules].
type Rules struct {
	config Config
}

// New returns the rules of a board, or an error that names each value that is out of range.
func New(config Config) (*Rules, error) {
	var errs []error
	if config.Side < 8 || config.Side > 100_000 {
		errs = append(errs, fmt.Errorf("side is %d, want 8 to 100000", config.Side))
	}
	if config.Columns < 1 || config.Columns > 1000 {
		errs = append(errs, fmt.Errorf("columns is %d, want 1 to 1000", config.Columns))
	}
	if _, ok := patterns()[config.Pattern]; !ok {
		errs = append(errs, fmt.Errorf("there is no pattern %q", config.Pattern))
	}
	if config.Pattern == "random" && config.Side > 100 {
		errs = append(errs, fmt.Errorf("side is %d, want at most 100 for a random board, whose cells are many", config.Side))
	}
	if config.Turns < 1 || config.Turns > 1_000_000 {
		errs = append(errs, fmt.Errorf("turns is %d, want 1 to 1000000", config.Turns))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Rules{config: config}, nil
}

// Reset implements [world.Rules]: a board with the pattern on it. It is an error if the agents do not fill all rows.
func (r *Rules) Reset(seed uint64, agents []string) ([]world.Event, error) {
	c := r.config
	if len(agents) == 0 || len(agents)%c.Columns != 0 {
		return nil, fmt.Errorf("%d agents do not fill rows of %d tiles", len(agents), c.Columns)
	}
	b := board{side: c.Side, columns: c.Columns, turns: c.Turns, agents: agents}
	data := world.JSON(map[string]any{"columns": c.Columns, "pattern": c.Pattern, "side": c.Side, "turns": c.Turns})
	events := []world.Event{{Kind: kindBoard, Data: data, Set: map[string]json.RawMessage{
		"life/side":    world.JSON(c.Side),
		"life/columns": world.JSON(c.Columns),
		"life/turns":   world.JSON(c.Turns),
		"life/agents":  world.JSON(agents),
	}}}
	tiles := b.cut(patterns()[c.Pattern](b, world.NewRand(seed, 0, "pattern")))
	for i, agent := range agents {
		events = append(events, tile{Cells: tiles[i], Turn: -1}.event(agent))
	}
	return events, nil
}

// A view is what an agent sees.
type view struct {
	Cells     []cell `json:"cells"`      // live ones of its tile and of the border around it, which is at -1 and at side
	Side      int    `json:"side"`       // cells in a side of its tile
	TurnsLeft int    `json:"turns_left"` // the one being played included
}

// Observe implements [world.Rules]. An agent sees its tile with the border around it.
func (r *Rules) Observe(st world.State, agent string) (world.Observation, error) {
	b, err := readBoard(st)
	if err != nil {
		return world.Observation{}, err
	}
	seat := slices.Index(b.agents, agent)
	if seat < 0 {
		return world.Observation{}, fmt.Errorf("no agent %q at this board", agent)
	}
	own, err := readTile(st, agent)
	if err != nil {
		return world.Observation{}, err
	}
	cells, err := b.around(st, seat)
	if err != nil {
		return world.Observation{}, err
	}
	v := view{Cells: cells, Side: b.side, TurnsLeft: max(0, b.turns-st.Turn)}
	obs := world.Observation{Agent: agent, Turn: st.Turn, View: world.JSON(v), Terminated: st.Turn >= b.turns}
	if !obs.Terminated && own.Turn < st.Turn {
		obs.Actions = []world.ActionSpec{b.setSpec()}
	}
	return obs, nil
}

// Step implements [world.Rules]: the agents' tiles are set, all at once.
func (r *Rules) Step(st world.State, actions []world.Action) ([]world.Event, error) {
	b, err := readBoard(st)
	if err != nil {
		return nil, err
	}
	actions = slices.Clone(actions)
	slices.SortStableFunc(actions, func(x, y world.Action) int {
		return slices.Index(b.agents, x.Agent) - slices.Index(b.agents, y.Agent)
	})
	var events []world.Event
	for _, a := range actions {
		if a.Name == world.Pass {
			continue
		}
		cells, reason, err := b.judge(st, a)
		if err != nil {
			return nil, err
		}
		if reason != "" {
			events = append(events, a.Refuse(reason))
			continue
		}
		events = append(events, tile{Cells: cells, Turn: st.Turn}.event(a.Agent))
	}
	return events, nil
}
