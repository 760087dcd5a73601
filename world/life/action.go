package life

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

func (b board) setSpec() world.ActionSpec {
	return world.ActionSpec{
		Name:        set,
		Description: "Set your tile to the given live cells, each [x, y]; all other cells of it are dead.",
		Schema: fmt.Appendf(nil, `{"additionalProperties":false,"properties":{"cells":{"items":{"items":{"maximum":%d,"minimum":0,"type":"integer"},`+
			`"maxItems":2,"minItems":2,"type":"array"},"type":"array"}},"required":["cells"],"type":"object"}`, b.side-1),
	}
}

// judge returns the cells that an agent's action sets, or the reason why it is illegal.
func (b board) judge(st world.State, a world.Action) (cells []cell, reason string, err error) {
	if !slices.Contains(b.agents, a.Agent) {
		return nil, fmt.Sprintf("no agent %.40q at this board", a.Agent), nil
	}
	own, err := readTile(st, a.Agent)
	switch {
	case err != nil:
		return nil, "", err
	case a.Name != set:
		return nil, fmt.Sprintf("there is no action %.40q; the only one is %q", a.Name, set), nil
	case st.Turn >= b.turns:
		return nil, "the episode is over", nil
	case own.Turn >= st.Turn:
		return nil, "you have already set your tile in this turn", nil
	}
	cells, reason = b.readCells(a.Args)
	return cells, reason, nil
}

// readCells returns the cells in the arguments {"cells": [[x, y], ...]} in their order, each once, or what is wrong with them.
func (b board) readCells(args json.RawMessage) (cells []cell, reason string) {
	const want = `want {"cells": [[x, y], ...]} with whole numbers x and y`
	var fields map[string]json.RawMessage
	if len(args) > 0 {
		if err := json.Unmarshal(args, &fields); err != nil {
			return nil, "the arguments are no JSON object; " + want
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "cells" {
			return nil, fmt.Sprintf("unknown argument %.40q; %s", name, want)
		}
	}
	var points *[][]*int // pointers, because null is nothing
	if err := json.Unmarshal(fields["cells"], &points); err != nil || points == nil {
		return nil, fmt.Sprintf("cells is %.40q; %s", fields["cells"], want)
	}
	for _, p := range *points {
		if len(p) != 2 || p[0] == nil || p[1] == nil {
			return nil, "a cell has not two numbers; " + want
		}
		c := cell{*p[0], *p[1]}
		if !b.inside(c) {
			return nil, fmt.Sprintf("the cell [%d, %d] is outside of your tile, where x and y are from 0 to %d", c[0], c[1], b.side-1)
		}
		cells = append(cells, c)
	}
	return ordered(cells), ""
}
