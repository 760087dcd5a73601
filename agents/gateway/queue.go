package gateway

import (
	"context"
	"slices"
	"sync"
)

// A queue bounds how many are inside at once. Those who wait enter in the order in which they came. The zero queue is empty.
type queue struct {
	mu      sync.Mutex
	inside  int
	waiting []chan struct{} // one for each who waits; closed when it may enter
}

// enter waits until fewer than limit are inside; a limit of 0 is none. It is an error if ctx ends first.
func (q *queue) enter(ctx context.Context, limit int) error {
	if err := ctx.Err(); err != nil || limit <= 0 {
		return err
	}
	q.mu.Lock()
	if q.inside < limit {
		q.inside++
		q.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	q.waiting = append(q.waiting, turn)
	q.mu.Unlock()

	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	i := slices.Index(q.waiting, turn)
	if i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
	q.mu.Unlock()
	if i < 0 { // its turn came at the same moment
		q.leave(limit)
	}
	return ctx.Err()
}

// leave gives the place of one who entered with the same limit to the first who waits.
func (q *queue) leave(limit int) {
	if limit <= 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.inside--
		return
	}
	close(q.waiting[0])
	q.waiting = slices.Delete(q.waiting, 0, 1)
}
