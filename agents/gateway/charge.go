package gateway

import (
	"cmp"
	"context"
	"fmt"
	"net/http/httptrace"
	"sync/atomic"
)

// A charge is what one request takes from the budget of its agent and from that of the run. It is open until it is settled.
type charge struct {
	endpoint *Endpoint
	ask      asked
	granted  Tokens // the most that the request may use
	aside    Budget // the same, as it was taken from the accounts; nothing if the answer is recorded
	booked   Usage  // what is known to be used
	again    Tokens // of what the answer reports, what was booked already when it came before
	number   int64  // in the record of the agent
	told     Usage  // there
	seen     seen
	sent     atomic.Bool // the upstream may have seen the request
	answered bool        // there is an answer
	free     bool        // it costs nothing: the upstream has refused it
}

// seen is what is known of an answer.
type seen struct {
	id       string // of the message
	geo      string // where it was answered
	tokens   Tokens // reported so far
	begun    bool   // there is a message
	final    bool   // its tokens are all reported
	nothing  bool   // there is no message, and there will be none: it costs nothing
	thinking bool   // there are thoughts in it, of which the agent may see less than there are
	bytes    int64  // of its texts
}

// A spentError says why there is not enough left for a request.
type spentError struct{ why string }

func (e *spentError) Error() string { return e.why }

// charge takes from the budgets what a request may use at most, as soon as there is so much. The error is [*spentError] if there will not be.
func (e *Endpoint) charge(ctx context.Context, a asked) (*charge, error) {
	b := &e.gateway.books
	c := &charge{endpoint: e, ask: a, granted: a.worst}
	recorded := e.gateway.Recorded != nil && e.gateway.Recorded()
	b.mu.Lock()
	defer b.mu.Unlock()
	if why := c.boundless(); why != "" && !recorded {
		return nil, &spentError{why}
	}
	for !recorded {
		lacking, open := c.take(a.worst)
		if lacking == "" {
			break
		}
		if open == 0 {
			return nil, &spentError{lacking}
		}
		if err := b.wait(ctx); err != nil {
			return nil, err
		}
	}
	for _, account := range c.accounts() {
		account.open++
	}
	c.book(c.usage(Tokens{}, Tokens{}))
	c.number = e.record.next
	e.record.next++
	return c, nil
}

func (c *charge) accounts() [2]*account {
	return [2]*account{&c.endpoint.account, &c.endpoint.gateway.books.run}
}

// boundless says why nobody can tell what a request uses at most, if a budget needs to know.
func (c *charge) boundless() string {
	for _, account := range c.accounts() {
		if account.limit.bounds() && c.ask.unbounded != "" {
			return fmt.Sprintf("%s, and %s has a budget", c.ask.unbounded, account.whose)
		}
		if _, known := c.endpoint.gateway.Prices.cost(c.ask.model, "", Tokens{}); account.limit.Cost > 0 && !known {
			return fmt.Sprintf("the model %q has no price, and %s has a budget in dollars", c.ask.model, account.whose)
		}
	}
	return ""
}

// otherModels is what those models are counted as that are too many to be told apart.
const otherModels = "others"

// model returns the model as which the request is counted. The lock is held.
func (c *charge) model() string {
	const longest, most = 200, 50
	models := c.endpoint.models
	if _, known := models[c.ask.model]; !known && (len(c.ask.model) > longest || len(models) >= most) {
		return otherModels
	}
	return c.ask.model
}

// write records what the request uses, unless that is what is recorded already.
func (c *charge) write(u Usage) {
	if u == c.told {
		return
	}
	c.told = u
	if err := c.endpoint.record.write(usageLine{c.number, c.model(), u}); err != nil {
		c.endpoint.warn("what is used cannot be recorded: " + err.Error())
	}
}

// take sets aside what a request may use at most, in the place of what was set aside for it before. If there is not enough for that, it
// says what is lacking, and how many charges are open that may give something back. The lock is held.
func (c *charge) take(most Tokens) (lacking string, open int) {
	aside := Budget{Requests: 1, Tokens: most.In() + most.Output, Cost: c.endpoint.gateway.Prices.worst(c.ask.model, most)}
	more := aside.plus(c.aside.most(c.booked.amount()), -1)
	for _, account := range c.accounts() {
		if why := account.lacks(more); why != "" {
			lacking, open = cmp.Or(lacking, why), open+account.open
		}
	}
	if lacking == "" {
		c.move(aside, c.booked)
		c.granted = most
	}
	return lacking, open
}

// move changes what is set aside and what is booked. The lock is held.
func (c *charge) move(aside Budget, booked Usage) {
	was, is := c.aside.most(c.booked.amount()), aside.most(booked.amount())
	for _, account := range c.accounts() {
		account.taken = account.taken.plus(was, -1).plus(is, 1)
		account.assumed = account.assumed.plus(c.booked.Assumed, -1).plus(booked.Assumed, 1)
	}
	c.aside, c.booked = aside, booked
}

// usage returns a usage of one request with the tokens that are reported and the most that it can have used.
func (c *charge) usage(reported, most Tokens) Usage {
	prices := c.endpoint.gateway.Prices
	reported, most = reported.beyond(c.again), most.beyond(c.again)
	u := Usage{Requests: 1, Tokens: reported}
	var known bool
	if u.Cost, known = prices.cost(c.ask.model, c.seen.geo, reported); !known {
		u.Unpriced = 1
	}
	if most != reported {
		cost := prices.worst(c.ask.model, most)
		if c.seen.begun {
			cost, _ = prices.cost(c.ask.model, c.seen.geo, most)
		}
		u.Assumed = Assumed{most.In() + most.Output - reported.In() - reported.Output, cost - u.Cost}
	}
	return u
}

// book books what is known to be used. The lock is held.
func (c *charge) book(used Usage) {
	models, model := c.endpoint.models, c.model()
	models[model] = models[model].plus(c.booked, -1).plus(used, 1)
	c.move(c.aside, used)
}

// learn takes what is known of the answer now, and says whether there is enough left for it to go on.
func (c *charge) learn(s seen) bool {
	b := &c.endpoint.gateway.books
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.bytes > c.granted.Output && c.aside != (Budget{}) {
		most := c.granted
		most.Output = s.bytes
		if lacking, _ := c.take(most); lacking != "" {
			c.endpoint.spent.Store(&lacking)
			return false
		}
	}
	if s.begun && !c.seen.begun {
		c.again = c.endpoint.answers[given{s.id, c.ask.hash}]
	}
	booked := s.tokens != c.seen.tokens || s.begun != c.seen.begun
	if c.seen = s; booked {
		c.book(c.usage(s.tokens, s.tokens))
		c.write(c.used(false))
	}
	return true
}

// leave says that the request goes upstream now. Of the offline model nothing is unknown by that.
func (c *charge) leave() {
	if c == nil || c.endpoint.gateway.Offline {
		return
	}
	b := &c.endpoint.gateway.books
	b.mu.Lock()
	defer b.mu.Unlock()
	c.write(c.used(false))
}

// trace makes a request with the context tell the charge when it is on its way. Upstreams in this process do not say so,
// and cost nothing when they fail.
func (c *charge) trace(ctx context.Context) context.Context {
	if c == nil {
		return ctx
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { c.sent.Store(true) }})
}

// unsent says that the upstream has turned the request away, which cost nothing.
func (c *charge) unsent() {
	if c == nil {
		return
	}
	c.sent.Store(false)
	b := &c.endpoint.gateway.books
	b.mu.Lock()
	defer b.mu.Unlock()
	c.write(c.used(true))
}

// settle closes the charge: what was used is booked, and the rest given back.
func (c *charge) settle() {
	if c == nil {
		return
	}
	b := &c.endpoint.gateway.books
	b.mu.Lock()
	defer b.mu.Unlock()
	used := c.used(true)
	c.endpoint.remember(c.ask, c.seen.id, used.Tokens)
	c.book(used)
	c.move(Budget{}, c.booked)
	c.write(c.booked)
	for _, account := range c.accounts() {
		account.open--
	}
	b.wake()
}

// used returns what the request has used if it has ended, or else if this process is killed now: then nobody knows what more was answered. The lock
// is held.
func (c *charge) used(ended bool) Usage {
	s := c.seen
	switch {
	case s.final:
		return c.usage(s.tokens, s.tokens)
	case s.nothing, c.free, ended && !c.answered && !c.sent.Load():
		return c.usage(Tokens{}, Tokens{})
	}
	reported, most := s.tokens, s.tokens
	if !s.begun {
		most = c.ask.worst
	}
	switch came := min(s.bytes, c.granted.Output); {
	case c.endpoint.gateway.Offline:
		reported.Output = max(reported.Output, came/bytesPerToken)
		most = reported
	case ended && !s.thinking && (s.begun || c.ask.stream):
		most.Output = max(reported.Output, came)
	default:
		most.Output = max(reported.Output, c.granted.Output)
	}
	u := c.usage(reported, most)
	u.Cut = 1
	return u
}
