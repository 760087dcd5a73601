package life

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/world"
)

// A cell is x to the right and y down.
type cell [2]int

// ordered returns cells in rows from the top, each once. It is never nil.
func ordered(cells []cell) []cell {
	slices.SortFunc(cells, func(a, b cell) int { return cmp.Or(a[1]-b[1], a[0]-b[0]) })
	return append([]cell{}, slices.Compact(cells)...)
}

// A tile is one agent's part of the board.
type tile struct {
	Cells []cell `json:"cells"` // live ones, ordered
	Turn  int    `json:"turn"`  // in which the agent last set them
}

func readTile(st world.State, agent string) (t tile, err error) {
	return t, st.Get("tiles/"+agent, &t)
}

// Check implements [world.Checker]: the live cells of a tile lie on it, each once and in their order.
func (r *Rules) Check(st world.State) error {
	b, err := readBoard(st)
	if err != nil {
		return err
	}
	if b.side < 1 || b.columns < 1 || len(b.agents)%b.columns != 0 {
		return fmt.Errorf("%d agents do not fill rows of %d tiles", len(b.agents), b.columns)
	}
	for _, agent := range b.agents {
		t, err := readTile(st, agent)
		if err != nil {
			return err
		}
		if !slices.Equal(t.Cells, ordered(slices.Clone(t.Cells))) || slices.ContainsFunc(t.Cells, func(c cell) bool { return !b.inside(c) }) {
			return fmt.Errorf("the cells of %s must be ordered, each once, and from [0,0] to [%d,%d]", agent, b.side-1, b.side-1)
		}
	}
	return nil
}

// event is the event in which the tile becomes an agent's.
func (t tile) event(agent string) world.Event {
	return world.Event{
		Agent: agent, Kind: kindTile, Data: world.JSON(tileData{Population: len(t.Cells)}),
		Set: map[string]json.RawMessage{"tiles/" + agent: world.JSON(t)},
	}
}

type tileData struct {
	Population int `json:"population"`
}

// A board is how the tiles lie.
type board struct {
	side, columns, turns int
	agents               []string
}

func readBoard(st world.State) (b board, err error) {
	for _, fact := range []struct {
		path string
		to   any
	}{{"life/side", &b.side}, {"life/columns", &b.columns}, {"life/turns", &b.turns}, {"life/agents", &b.agents}} {
		if err := st.Get(fact.path, fact.to); err != nil {
			return b, err
		}
	}
	return b, nil
}

func (b board) rows() int { return len(b.agents) / b.columns }

// inside says whether a cell is one of a tile's own.
func (b board) inside(c cell) bool {
	return min(c[0], c[1]) >= 0 && max(c[0], c[1]) < b.side
}

// around returns the live cells of a tile and of the border of one cell around it.
func (b board) around(st world.State, seat int) ([]cell, error) {
	var cells []cell
	for dy := -1; dy <= 1; dy++ {
		for dx := -1; dx <= 1; dx++ {
			column, row := wrap(seat%b.columns+dx, b.columns), wrap(seat/b.columns+dy, b.rows())
			near, err := readTile(st, b.agents[row*b.columns+column])
			if err != nil {
				return nil, err
			}
			for _, c := range near.Cells {
				c = cell{c[0] + dx*b.side, c[1] + dy*b.side}
				if min(c[0], c[1]) >= -1 && max(c[0], c[1]) <= b.side {
					cells = append(cells, c)
				}
			}
		}
	}
	return ordered(cells), nil
}

// cut returns the cells of each tile, in seat order, of cells anywhere on the board.
func (b board) cut(cells []cell) [][]cell {
	tiles := make([][]cell, len(b.agents))
	for _, c := range cells {
		x, y := wrap(c[0], b.columns*b.side), wrap(c[1], b.rows()*b.side)
		seat := y/b.side*b.columns + x/b.side
		tiles[seat] = append(tiles[seat], cell{x % b.side, y % b.side})
	}
	for i := range tiles {
		tiles[i] = ordered(tiles[i])
	}
	return tiles
}

// wrap returns n in a ring of the given size.
func wrap(n, size int) int { return (n%size + size) % size }

// patterns returns what a board can begin with, by name, each as its live cells.
func patterns() map[string]func(board, *rand.Rand) []cell {
	return map[string]func(board, *rand.Rand) []cell{
		"r-pentomino": drawn(".OO", "OO.", ".O."),
		"acorn":       drawn(".O.....", "...O...", "OO..OOO"),
		"diehard":     drawn("......O.", "OO......", ".O...OOO"),
		"glider":      drawn(".O.", "..O", "OOO"),
		"random":      soup,
	}
}

// drawn returns the pattern with live cells at each O of its rows, in the middle of the board.
func drawn(rows ...string) func(board, *rand.Rand) []cell {
	return func(b board, _ *rand.Rand) (cells []cell) {
		left, top := b.columns*b.side/2-len(rows[0])/2, b.rows()*b.side/2-len(rows)/2
		for y, row := range rows {
			for x := range len(row) {
				if strings.HasPrefix(row[x:], "O") {
					cells = append(cells, cell{left + x, top + y})
				}
			}
		}
		return cells
	}
}

// soup has a live cell in each third place, by chance.
func soup(b board, random *rand.Rand) (cells []cell) {
	for y := range b.rows() * b.side {
		for x := range b.columns * b.side {
			if random.IntN(3) == 0 {
				cells = append(cells, cell{x, y})
			}
		}
	}
	return cells
}
