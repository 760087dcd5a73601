package gateway

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

const (
	firstPause = time.Second // when the upstream is asked too much and does not say how long to wait; it doubles each time
	mostPause  = time.Minute
)

// A share divides the upstream among the agents. It bounds how many requests are inside at once, and keeps all out for a while when the
// upstream says that it is asked too much. Then it lets in one, and one more at a time for each that is answered.
//
// The next to enter is always of the agent whose last entry is the longest ago, so that nobody gets more by asking more at once; an entry
// that the upstream turned away is none. Requests of one agent enter in the order in which they came. The zero share is empty.
type share struct {
	mu      sync.Mutex
	inside  int
	waiting []*waiter          // in the order in which they came
	entries int64              // so far; an entry is known by its number
	ofAgent map[string][]int64 // entries of each agent, rising: those that have no answer yet, and the last one that was answered

	opens  time.Time   // nobody enters before
	timer  *time.Timer // runs while somebody waits for that; else nil
	window int         // how many the upstream bears inside; 0: nothing is known
	known  int64       // newest entry when it last wanted nothing more; those up to it learn nothing new by that
	pause  time.Duration
}

// A waiter is a request that waits to enter.
type waiter struct {
	agent string
	entry int64
	turn  chan struct{} // closed when it has entered
}

// enter waits until one more request of the agent may be inside, and returns its entry. At most limit may be inside; 0: any number. It is an
// error if ctx ends first.
func (s *share) enter(ctx context.Context, agent string, limit int) (entry int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	w := &waiter{agent: agent, turn: make(chan struct{})}
	s.mu.Lock()
	s.waiting = append(s.waiting, w)
	s.admit(limit)
	s.mu.Unlock()
	select {
	case <-w.turn:
		return w.entry, nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.waiting, w); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
	} else { // its turn came at the same moment
		s.takeBack(agent, w.entry)
		s.inside--
	}
	s.admit(limit)
	return 0, ctx.Err()
}

// admit lets in as many as may be inside. The share is locked.
func (s *share) admit(limit int) {
	if s.timer != nil && len(s.waiting) == 0 {
		s.timer.Stop()
		s.timer = nil
	}
	for len(s.waiting) > 0 && (limit <= 0 || s.inside < limit) && (s.window == 0 || s.inside < s.window) {
		if wait := time.Until(s.opens); wait > 0 {
			if s.timer == nil {
				s.timer = time.AfterFunc(wait, func() {
					s.mu.Lock()
					defer s.mu.Unlock()
					s.timer = nil
					s.admit(limit)
				})
			}
			return
		}
		w := slices.MinFunc(s.waiting, func(a, b *waiter) int { return cmp.Compare(s.last(a.agent), s.last(b.agent)) })
		s.waiting = slices.DeleteFunc(s.waiting, func(other *waiter) bool { return other == w })
		s.inside++
		s.entries++
		w.entry = s.entries
		if s.ofAgent == nil {
			s.ofAgent = make(map[string][]int64)
		}
		s.ofAgent[w.agent] = append(s.ofAgent[w.agent], w.entry)
		close(w.turn)
	}
}

// last returns the last entry of an agent. The share is locked.
func (s *share) last(agent string) int64 {
	if entries := s.ofAgent[agent]; len(entries) > 0 {
		return entries[len(entries)-1]
	}
	return 0
}

// takeBack makes an entry none. The share is locked.
func (s *share) takeBack(agent string, entry int64) {
	s.ofAgent[agent] = slices.DeleteFunc(s.ofAgent[agent], func(e int64) bool { return e == entry })
}

// leave makes room for another.
func (s *share) leave(limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inside--
	s.admit(limit)
}

// answered takes note that the upstream bears what is inside: it answers this entry.
func (s *share) answered(agent string, entry int64, limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ofAgent[agent] = slices.DeleteFunc(s.ofAgent[agent], func(e int64) bool { return e < entry })
	s.pause = 0
	if s.window > 0 {
		s.window++
		s.admit(limit)
	}
}

// turnedAway takes note that the upstream is asked too much and has turned this entry away: it wants nothing more for that time, or does not
// say how long if that is less than 0. It returns how long nobody enters now.
func (s *share) turnedAway(agent string, entry int64, wait time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takeBack(agent, entry)
	s.window = 1
	if entry > s.known {
		s.known = s.entries
		s.pause = min(max(firstPause, 2*s.pause), mostPause)
	}
	if wait < 0 {
		wait = s.pause
	}
	if opens := time.Now().Add(wait); opens.After(s.opens) {
		s.opens = opens
	}
	return time.Until(s.opens)
}
