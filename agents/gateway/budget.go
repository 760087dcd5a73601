package gateway

import (
	"context"
	"fmt"
	"sync"
)

// A Budget is what may be used at most. What is 0 has no limit.
//
// It is held like this. Before a request goes upstream, the most that it can use is set aside: what the request holds is at most what the
// answer before reported that the same model with the same tools gave, for the bytes that both requests have in common, and a token for each byte more; what is answered is at most its
// max_tokens. If so much is not left, the request waits for others to give back what they have set aside and not used; if that is not enough,
// it is refused with 403. The offline model's requests are counted beforehand as it counts them. An answer whose text grows longer than its max_tokens takes more from the budget, a token for each byte, and is cut
// when there is no more. What an answer has not used in the end is given back; what is assumed of one that was cut, see [Usage], is not.
//
// So a budget is kept by every upstream that reports no more tokens than there are bytes. By another one it is overdrawn by no more than one
// answer of each agent. Requests whose tokens nobody can tell beforehand, for the upstream itself would add to them, are refused where a
// budget limits tokens or cost.
type Budget struct {
	Requests int64
	Tokens   int64 // of all kinds, in and out
	Cost     Money
}

// amount returns what a usage takes from a budget.
func (u Usage) amount() Budget {
	return Budget{Requests: u.Requests, Tokens: u.In() + u.Output + u.Assumed.Tokens, Cost: u.Cost + u.Assumed.Cost}
}

func (b Budget) plus(c Budget, times int64) Budget {
	return Budget{b.Requests + times*c.Requests, b.Tokens + times*c.Tokens, b.Cost + Money(times)*c.Cost}
}

// most returns the greater one of each amount.
func (b Budget) most(c Budget) Budget {
	return Budget{max(b.Requests, c.Requests), max(b.Tokens, c.Tokens), max(b.Cost, c.Cost)}
}

// bounds says whether a budget limits what a request may hold.
func (b Budget) bounds() bool { return b.Tokens > 0 || b.Cost > 0 }

// An account is what has been taken from a budget.
type account struct {
	whose   string // "the run", or the agent's
	limit   Budget
	taken   Budget  // used or assumed; by charges that are open, at least what they have set aside
	assumed Assumed // of that
	open    int     // charges
}

// add takes what was used already.
func (a *account) add(used Usage) {
	a.taken, a.assumed = a.taken.plus(used.amount(), 1), a.assumed.plus(used.Assumed, 1)
}

// lacks says what is too little to take more; empty: nothing is.
func (a *account) lacks(more Budget) string {
	over := func(limit, taken, more int64) bool { return limit > 0 && more > 0 && taken > limit-more }
	switch {
	case over(a.limit.Requests, a.taken.Requests, more.Requests):
		return fmt.Sprintf("the budget of %s is spent: %d of %d requests are made", a.whose, a.taken.Requests, a.limit.Requests)
	case over(a.limit.Tokens, a.taken.Tokens, more.Tokens):
		return fmt.Sprintf("the budget of %s is spent: %d of %d tokens are used%s, and %d more may be needed", a.whose,
			a.taken.Tokens-a.assumed.Tokens, a.limit.Tokens, assuming(a.assumed.Tokens), more.Tokens)
	case over(int64(a.limit.Cost), int64(a.taken.Cost), int64(more.Cost)):
		return fmt.Sprintf("the budget of %s is spent: %s of %s are used%s, and %s more may be needed", a.whose,
			a.taken.Cost-a.assumed.Cost, a.limit.Cost, assuming(a.assumed.Cost), more.Cost)
	}
	return ""
}

// assuming says how much a budget counts that nobody knows to be used; empty: nothing.
func assuming[amount ~int64](n amount) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %v more are assumed of requests that were cut", n)
}

// books are the accounts of everybody. The zero books are those of a run that has used nothing.
type books struct {
	mu      sync.Mutex    // also of the endpoints' accounts, and of what they have used
	changed chan struct{} // closed when something has been given back; nil: nobody waits for that
	run     account       // of all agents
}

// join adds what an agent has used already to what everybody may use.
func (b *books) join(limit Budget, used Usage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.run.whose, b.run.limit = "the run", limit
	b.run.add(used)
}

// wait waits until something has been given back. The lock is held when it is called and when it returns.
func (b *books) wait(ctx context.Context) error {
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	changed := b.changed
	b.mu.Unlock()
	defer b.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wake makes those look again who wait. The lock is held.
func (b *books) wake() {
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}
