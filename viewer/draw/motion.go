package draw

import "slices"

// A Motion is the way of the shapes of one list to where they are in the next.
type Motion struct {
	to    *List
	moves []move
	now   List // what At has returned
}

// A move is where a shape comes from, seen from where it goes.
type move struct {
	shape      int // of the list that it goes to
	x, y, w, h float32
}

// Between returns the way from one list to the next. A shape comes from where one of the same agent and form was in the list before, the first from the
// first and so on. One that was not there, or that is nobody's, so that it cannot be told from others, is at its place from the beginning.
func Between(from, to *List) *Motion {
	type kind struct {
		agent string
		form  Form
	}
	first := make(map[kind]int, len(from.Shapes)) // place of the first one in the list before, from 1
	next := make([]int, len(from.Shapes)+1)       // of each, that of the next one like it; 0: there is none
	for i := len(from.Shapes); i > 0; i-- {
		if s := &from.Shapes[i-1]; s.Agent != "" {
			k := kind{s.Agent, s.Form}
			next[i], first[k] = first[k], i
		}
	}
	m := &Motion{to: to, now: *to}
	m.now.Shapes = slices.Clone(to.Shapes)
	for i := range to.Shapes {
		s := &to.Shapes[i]
		k := kind{s.Agent, s.Form}
		at := first[k]
		if at == 0 {
			continue
		}
		first[k] = next[at]
		was := &from.Shapes[at-1]
		if by := (move{i, was.X - s.X, was.Y - s.Y, was.W - s.W, was.H - s.H}); by != (move{shape: i}) {
			m.moves = append(m.moves, by)
		}
	}
	return m
}

// At returns what there is to see when a part of the way is gone, from 0 to 1. It is valid until At is called again; for 1 it is the next list itself.
func (m *Motion) At(part float64) *List {
	if part >= 1 {
		return m.to
	}
	left := float32(1 - max(0, part))
	for _, by := range m.moves {
		s, to := &m.now.Shapes[by.shape], &m.to.Shapes[by.shape]
		s.X, s.Y, s.W, s.H = to.X+left*by.x, to.Y+left*by.y, to.W+left*by.w, to.H+left*by.h
	}
	return &m.now
}
