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

	events  int
	lines   []byte
	world   []byte   // what they add to the hash
	changes []change // of the last commit

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
	s.open = &batch{lock: lock, state: s.State(), lines: s.lines[:0], world: s.world[:0], changes: s.changes, done: make(chan struct{})}
	return s.open, nil
}

// add adds a commit, or nothing of it.
func (b *batch) add(events []Event, now time.Time) error {
	after, lines, world, changes := b.state, b.lines, b.world, b.changes[:0]
	text := timeText(now)
	for i, ev := range events { // which stay as they are
		changed := len(changes)
		changes = appendChanges(changes, &ev)
		sets := changes[changed+len(ev.Del):]
		if err := after.stamp(&ev, sets, i < len(events)-1); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		begin, size := len(lines), 0
		lines, size = encode(lines, &ev, sets, text)
		world = append(append(world, lines[begin:size]...), "}\n"...)
	}
	after.facts = after.facts.after(changes)
	b.events += len(events)
	b.state, b.lines, b.world, b.changes = after, lines, world, changes
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
	s.open, s.lines, s.world, s.changes = nil, b.lines, b.world, b.changes
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
