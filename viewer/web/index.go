package web

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync"

	"github.com/vitrine-sim/vitrine/viewer"
	"github.com/vitrine-sim/vitrine/world"
)

// marks are what turns are marked with: conflicts, which are no kind of event, and kinds of events. The place of each is its number in an index.
var marks = slices.Concat([]string{world.KindConflict, world.KindRefusal, viewer.KindMessage, "fenced", "tamper", world.Operator}, viewer.Failures())

const (
	mostMarks    = 16 // there can be
	markConflict = 0
)

// markOf returns the number of the mark of a kind of events; -1: it has none.
func markOf(kind string) int { return slices.Index(marks, kind) }

// An index says of each turn what happened there, so that a timeline can be drawn without the log. It takes about 120 bytes for a turn, and four for
// each agent and mark in it.
type index struct {
	seats map[string]int // of agents, by name

	mu    sync.RWMutex
	turns []indexed // the last one has not ended
	seq   int64     // the last event that is in it
	begun int64     // when the first one was, in milliseconds since 1970
	err   error     // why it goes no further
}

// An indexed turn is what there is about one.
type indexed struct {
	first, last int64 // numbers of its events
	time        int64 // of the last one, in milliseconds since 1970
	marks       [mostMarks]uint32
	who         []mark // once the turn has ended in order, and no agent twice with the same
}

// A mark is what an agent did how often: from the lowest bits on 8 for the count, which ends at 255, 4 for the number of the mark, and the agent's seat.
type mark uint32

func newMark(seat, kind int) mark { return mark(seat<<12 | kind<<8 | 1) }
func (m mark) seat() int          { return int(m >> 12) }
func (m mark) kind() int          { return int(m >> 8 & 15) }
func (m mark) times() int         { return int(m & 255) }

// joined returns marks in order, with those of the same agent and kind as one.
func joined(who []mark) []mark {
	slices.Sort(who)
	kept := who[:0]
	for _, m := range who {
		if n := len(kept); n > 0 && kept[n-1]>>8 == m>>8 {
			kept[n-1] = m&^255 | mark(min(255, kept[n-1].times()+m.times()))
		} else {
			kept = append(kept, m)
		}
	}
	return slices.Clip(slices.Clone(kept))
}

func newIndex(agents []Agent) *index {
	x := &index{seats: make(map[string]int), turns: []indexed{{}}}
	for i, a := range agents {
		x.seats[a.Name] = i
	}
	return x
}

// build reads the log, and what comes to it, until ctx ends.
func (x *index) build(ctx context.Context, dir string, l *live) {
	for ctx.Err() == nil {
		now := l.moment()
		for commit, err := range world.Skim(dir, x.seq) {
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				x.mu.Lock()
				x.err = err
				x.mu.Unlock()
				return
			}
			if err != nil || ctx.Err() != nil {
				break
			}
			x.add(commit)
		}
		select {
		case <-ctx.Done():
		case <-now.moved:
		}
	}
}

// add adds a commit.
func (x *index) add(commit []world.Outline) {
	at := commit[len(commit)-1].Time().UnixMilli()
	found := conflictsIn(commit)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.seq == 0 {
		x.begun = at
	}
	x.seq = commit[len(commit)-1].Seq
	first := &x.turns[len(x.turns)-1]
	for _, c := range found {
		first.marks[markConflict]++
		for _, claim := range c.Claims {
			x.note(first, claim.Agent, markConflict)
		}
	}
	for _, o := range commit {
		t := &x.turns[len(x.turns)-1]
		if t.first == 0 {
			t.first = o.Seq
		}
		t.last, t.time = o.Seq, at
		if kind := markOf(o.Kind); kind > markConflict {
			t.marks[kind]++
			x.note(t, o.Agent, kind)
		}
		if o.Kind == world.KindTurn {
			t.who = joined(t.who)
			x.turns = append(x.turns, indexed{})
		}
	}
}

// note marks a turn for an agent; whoever is none is passed over.
func (x *index) note(t *indexed, agent string, kind int) {
	if seat, ok := x.seats[agent]; ok {
		t.who = append(t.who, newMark(seat, kind))
	}
}

// sums returns how often an agent has a mark in the turns up to one, and the last of these turns, at most so many, the latest first.
func (x *index) sums(agent string, kind, upTo, most int) (times int, turns []int) {
	seat, ok := x.seats[agent]
	if !ok {
		return 0, nil
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	for t := min(upTo, len(x.turns)-1); t >= 0; t-- {
		if x.turns[t].marks[kind] == 0 {
			continue
		}
		before := times
		for _, m := range x.turns[t].who {
			if m.seat() == seat && m.kind() == kind {
				times += m.times()
			}
		}
		if times > before && len(turns) < most {
			turns = append(turns, t)
		}
	}
	return times, turns
}

// at returns the numbers of the first and the last event of a turn, and whether the index holds all of the turn.
func (x *index) at(turn int) (first, last int64, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if turn < 0 || turn >= len(x.turns) {
		return 0, 0, false
	}
	t := x.turns[turn]
	return t.first, t.last, turn < len(x.turns)-1
}

// failed says why the index goes no further; nil: it does.
func (x *index) failed() error {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.err
}
