package gateway

import "sync"

// A Trouble is something that an upstream did not do as it should, and how often.
type Trouble struct {
	What  string `json:"what"`
	Times int    `json:"times"`
}

// maxTroubles is how many different troubles are kept; the log has the others.
const maxTroubles = 10

// troubles are those that nobody has asked for yet.
type troubles struct {
	mu   sync.Mutex
	list []Trouble
	last string // of those that were logged
}

// add takes note of a trouble, and says whether it is another than the last one.
func (t *troubles) add(what string) (isNew bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	isNew, t.last = t.last != what, what
	for i := range t.list {
		if t.list[i].What == what {
			t.list[i].Times++
			return isNew
		}
	}
	if len(t.list) < maxTroubles {
		t.list = append(t.list, Trouble{what, 1})
	}
	return isNew
}

// take returns the troubles and forgets them.
func (t *troubles) take() []Trouble {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := t.list
	t.list = nil
	return list
}

// Troubles returns what troubles the agent's requests had with the upstream since it was called last. A request has one at most each time that it is
// sent.
func (e *Endpoint) Troubles() []Trouble { return e.troubles.take() }

// warn takes note of a trouble with the upstream, and logs it, once as long as it stays the same.
func (e *Endpoint) warn(trouble string) {
	if e.troubles.add(trouble) {
		e.log.Warn(trouble)
	}
}
