package tamper

import (
	"cmp"
	"io"
	"sync"
	"time"
)

// A Pace bounds the work that is done for one agent: some at once, and so much in a second from then on. Work is counted in bytes, and what costs
// more than its bytes counts as more of them. Any goroutine may use it. Its fields must not change.
type Pace struct {
	Burst  int // that may be done at once; 0: what nobody says by mistake, 64 MiB
	Second int // that may be done in a second; 0: 8 MiB

	mu   sync.Mutex
	done float64   // beyond what the time has paid for
	last time.Time // when that was
}

// Take does some work, and waits as long as it is too much; it says whether it was. It waits no longer than until stop is closed.
func (p *Pace) Take(work int, stop <-chan struct{}) (waited bool) {
	wait := p.owe(work, time.Now())
	if wait <= 0 {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-stop:
	}
	return true
}

// owe adds work, and returns how long it takes until it is paid for.
func (p *Pace) owe(work int, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	burst, second := float64(cmp.Or(p.Burst, 64<<20)), float64(cmp.Or(p.Second, 8<<20))
	p.done = max(0, p.done-now.Sub(p.last).Seconds()*second) + float64(work)
	p.last = now
	return time.Duration((p.done - burst) / second * float64(time.Second))
}

// CostOfLine is the work that a line makes besides its bytes, if somebody has to be told what is wrong with it, or does something about it.
const CostOfLine = 16 << 10

// Hear does the work that something makes which an agent says, in the agent's time.
func (p *Pace) Hear(work int, evidence *Evidence, stop <-chan struct{}) {
	if p.Take(work, stop) {
		evidence.Saw(Output, "it says more than is read, and waits")
	}
}

// A Reader reads what an agent says at a pace. So an agent that says too much waits for itself and for nobody else.
type Reader struct {
	io.Reader
	Pace     *Pace
	Evidence *Evidence
	Stop     <-chan struct{} // closed when the agent is gone; nil: never
}

// Read implements [io.Reader].
func (r Reader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.Pace.Hear(n, r.Evidence, r.Stop)
	return n, err
}
