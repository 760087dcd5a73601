package web

import "sync"

// A work is what a server does beside its answers, until it ends. The zero value is ready.
type work struct {
	mu      sync.Mutex
	ended   bool
	running sync.WaitGroup
}

// Go begins to do something, and says whether: not once end was called, as for a request that was not answered in time.
func (w *work) Go(do func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.running.Go(do)
	}
	return !w.ended
}

// end waits until all is done that was begun.
func (w *work) end() {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	w.running.Wait()
}
