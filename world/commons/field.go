package commons

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A cell is x to the right and y down from 0.
type cell [2]int

func (c cell) plus(d cell, n int) cell { return cell{c[0] + n*d[0], c[1] + n*d[1]} }

// The ways that one can face, clockwise.
const (
	north = "N"
	east  = "E"
	south = "S"
	west  = "W"
)

var compass = [4]string{north, east, south, west}

// ahead returns the step in the direction that is so many right angles to the right of a facing.
func ahead(facing string, right int) cell {
	return [4]cell{{0, -1}, {1, 0}, {0, 1}, {-1, 0}}[(max(0, slices.Index(compass[:], facing))+right)%4]
}

// A field is the rows of a map; see [Config].
type field []string

// at returns what is in a cell; outside of the map there is wall.
func (f field) at(c cell) byte {
	if c[1] < 0 || c[1] >= len(f) || c[0] < 0 || c[0] >= len(f[c[1]]) {
		return '#'
	}
	return f[c[1]][c[0]]
}

// cells returns the cells of some kinds, in rows from the top.
func (f field) cells(kinds string) []cell {
	var all []cell
	for y, row := range f {
		for x := range len(row) {
			if strings.IndexByte(kinds, row[x]) >= 0 {
				all = append(all, cell{x, y})
			}
		}
	}
	return all
}

// river says whether there is one.
func (f field) river() bool {
	return slices.ContainsFunc(f, func(row string) bool { return strings.ContainsAny(row, "~%") })
}

// maxSide is the longest side of a map.
const maxSide = 200

// check says what is wrong with a map.
func (f field) check() error {
	if len(f) > maxSide || len(f[0]) > maxSide {
		return fmt.Errorf("the map is larger than %d by %d cells", maxSide, maxSide)
	}
	for y, row := range f {
		if len(row) != len(f[0]) {
			return fmt.Errorf("row %d of the map has %d cells, the first one %d", y+1, len(row), len(f[0]))
		}
		if at := strings.IndexFunc(row, func(c rune) bool { return !strings.ContainsRune("#.AaP~%", c) }); at >= 0 {
			return fmt.Errorf("row %d of the map has %.4q, want one of # . A a P ~ %%", y+1, row[at:])
		}
	}
	if len(f.cells("Aa")) == 0 || len(f.cells("P")) == 0 {
		return errors.New("the map needs an orchard and a spawn point")
	}
	if !f.river() && len(f.cells("A")) == 0 {
		return errors.New("the map needs an apple or a river, else nothing ever grows")
	}
	return nil
}

func setOf(cells []cell) map[cell]bool {
	set := make(map[cell]bool, len(cells))
	for _, c := range cells {
		set[c] = true
	}
	return set
}

// inRows returns the cells of a set, in rows from the top.
func inRows(set map[cell]bool) []cell {
	cells := make([]cell, 0, len(set))
	return append(cells, slices.SortedFunc(maps.Keys(set), func(a, b cell) int { return cmp.Or(a[1]-b[1], a[0]-b[0]) })...)
}

// lines returns the lines of the beam of somebody who stands at a cell: each goes on until something stops it.
func (f field) lines(at cell, facing string) [][]cell {
	const length = 3
	forward := ahead(facing, 0)
	var all [][]cell
	add := func(from cell, n int) {
		var line []cell
		for i := 1; i <= n && f.at(from.plus(forward, i)) != '#'; i++ {
			line = append(line, from.plus(forward, i))
		}
		all = append(all, line)
	}
	add(at, length)
	for _, right := range []int{1, 3} {
		beside := at.plus(ahead(facing, right), 1)
		if f.at(beside) != '#' {
			all = append(all, []cell{beside})
			add(beside, length-1)
		}
	}
	return all
}
