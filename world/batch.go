package world

import (
	"context"
	"fmt"
	"time"

	"github.com/gofrs/flock"
)

// A batch is commits that share one write and one sync, while the lock of the log is held for them.
type batch struct {
	lock  *flock.Flock
	state State // after its commits

	events int
	lines  []byte
	world  []byte // what they add to the hash

	done chan struct{} // closed when it is on the disk, or when err says why it is not
	err  error
}

// begin opens a batch on what all processes have committed so far. The caller holds the queue, here and below.
func (s *Store) begin(ctx context.Context) (*batch, error) {
	if s.broken != nil {
		return nil, s.broken
	}
	lock, err := lockLog(ctx, s.dir)
	if err != nil {
		return nil, fmt.Errorf("lock log: %w", err)
	}
	if err := s.catchUp(); err != nil {
		lock.Unlock()
		return nil, err
	}
	s.open = &batch{lock: lock, state: s.State(), lines: s.lines[:0], world: s.world[:0], done: make(chan struct{})}
	return s.open, nil
}

// add adds a commit, or nothing of it.
func (b *batch) add(events []Event, now time.Time) error {
	stamped, changes, err := b.state.stamp(events)
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	b.events += len(stamped)
	text := timeText(now)
	left := changes
	for i := range stamped {
		ev := &stamped[i]
		sets := left[len(ev.Del):][:len(ev.Set)]
		left = left[len(ev.Del)+len(ev.Set):]
		begin, world := len(b.lines), 0
		b.lines, world = encode(b.lines, ev, sets, text)
		b.world = append(append(b.world, b.lines[begin:world]...), "}\n"...)
	}
	b.state = b.state.after(stamped, changes)
	return nil
}

// flush writes the batch that is open, if there is one, shows it to everybody, and lets those go who wait for it. It gives the queue back:
// where a keyframe is due, when that is written, for which nobody waits but the next batch.
func (s *Store) flush() {
	b := s.open
	if b == nil {
		<-s.queue
		return
	}
	s.open, s.lines, s.world = nil, b.lines, b.world
	if b.events > 0 {
		b.err = s.show(b)
	}
	close(b.done)
	rest := func() {
		s.last = s.last.keep(s.dir, s.state, s.at)
		b.lock.Unlock()
		<-s.queue
	}
	if s.at.size < s.last.due() {
		rest()
	} else {
		go rest() // ends soon, and Close waits for it
	}
}

// show writes a batch and shows it to everybody, or neither.
func (s *Store) show(b *batch) error {
	if err := s.write(b.lines); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at.move(b.events, b.lines, b.world)
	s.state = b.state
	return nil
}
