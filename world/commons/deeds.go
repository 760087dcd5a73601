package commons

import (
	"fmt"
	"maps"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

type moveData struct {
	At      cell   `json:"at"`
	Ate     bool   `json:"ate,omitempty"`
	Blocked string `json:"blocked,omitempty"`
	Facing  string `json:"facing"`
}

type awayData struct {
	By    []string `json:"by"`
	Turns int      `json:"turns"`
}

// do returns the events of the deeds of one step: moves and turns in their order, then all zaps at once, then all cleaning.
func (c *commons) do(now int, deeds []deed) []world.Event {
	var events []world.Event
	hits := make(map[int][]string) // who was hit, by whom
	moves, conflicts := c.moves(deeds)
	events = append(append(events, moves...), conflicts...)
	for _, d := range deeds {
		if d.name == zap {
			events = append(events, c.zap(now, d.seat, hits))
		}
	}
	for _, d := range deeds {
		if d.name == clean {
			events = append(events, c.clean(now, d.seat))
		}
	}
	for _, seat := range slices.Sorted(maps.Keys(hits)) {
		c.agents[seat].Away, c.agents[seat].Back = true, now+1+c.away
		events = append(events, c.event(seat, kindAway, awayData{By: hits[seat], Turns: c.away}, c.names[seat]))
	}
	return events
}

// moves returns the events of all moves and turns, and those of the conflicts in them: several agents wanted to enter one cell.
func (c *commons) moves(deeds []deed) (moves, conflicts []world.Event) {
	wanted := make(map[cell]*world.Conflict) // the cells that somebody has entered
	var cells []cell
	for _, d := range deeds {
		if d.name != move && d.name != turn {
			continue
		}
		ev, to, blocked := c.move(d)
		moves = append(moves, ev)
		if d.name == turn {
			continue
		}
		name := c.names[d.seat]
		if blocked == "" {
			wanted[to] = &world.Conflict{What: fmt.Sprintf("the cell %d,%d", to[0], to[1]), Winners: []string{name}, Reason: name + " came first in the order of the step"}
			cells = append(cells, to)
		}
		if in := wanted[to]; in != nil {
			in.Claims = append(in.Claims, world.Claim{Agent: name, Action: move, Args: world.JSON(map[string]string{"direction": ways(move)[d.right]})})
			if blocked != "" {
				in.Losers = append(in.Losers, name)
			}
		}
	}
	for _, at := range cells {
		if in := wanted[at]; len(in.Losers) > 0 {
			conflicts = append(conflicts, world.Event{Kind: world.KindConflict, Data: world.JSON(in)})
		}
	}
	return moves, conflicts
}

// move moves or turns an agent, and returns which cell it wanted to enter and what has kept it from that. It stays where it is if the cell is a wall
// or somebody's.
func (c *commons) move(d deed) (ev world.Event, to cell, blocked string) {
	me := &c.agents[d.seat]
	ate := false
	if to = me.At.plus(ahead(me.Facing, d.right), 1); d.name == turn {
		me.Facing = compass[(max(0, slices.Index(compass[:], me.Facing))+d.right)%4]
	} else if who := c.whoIs(to); who >= 0 {
		blocked = c.names[who] + " is there"
	} else if c.field.at(to) == '#' {
		blocked = "a wall"
	} else {
		me.At = to
		if ate = c.apples[to]; ate {
			delete(c.apples, to)
			me.Eaten++
		}
	}
	ev = c.event(d.seat, kindMove, moveData{At: me.At, Ate: ate, Blocked: blocked, Facing: me.Facing}, c.names[d.seat])
	if ate {
		ev.Set["commons/apples"] = world.JSON(inRows(c.apples))
	}
	return ev, to, blocked
}

// zap fires a beam, and adds whom it hits.
func (c *commons) zap(now, seat int, hits map[int][]string) world.Event {
	me := &c.agents[seat]
	me.Zap = now + 1 + c.cooldown
	hit := []string{}
	for _, line := range c.field.lines(me.At, me.Facing) {
		for _, at := range line {
			if who := c.whoIs(at); who >= 0 {
				hit = append(hit, c.names[who])
				hits[who] = append(hits[who], c.names[seat])
				break
			}
		}
	}
	return c.event(seat, kindZap, map[string]any{"hit": hit}, c.names[seat])
}

type cleanData struct {
	Cells []cell `json:"cells"`
}

// clean fires a beam that cleans the first dirty cell of each of its lines.
func (c *commons) clean(now, seat int) world.Event {
	me := &c.agents[seat]
	me.Clean = now + 1 + cleanCooldown
	cells := []cell{}
	for _, line := range c.field.lines(me.At, me.Facing) {
		for _, at := range line {
			if c.dirt[at] {
				delete(c.dirt, at)
				cells = append(cells, at)
				break
			}
		}
	}
	ev := c.event(seat, kindClean, cleanData{Cells: cells}, c.names[seat])
	ev.Set["commons/dirt"] = world.JSON(inRows(c.dirt))
	return ev
}
