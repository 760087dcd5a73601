package claude

import (
	"context"
	"fmt"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/world"
)

const (
	maxCalls  = 16   // calls of act between two observations that may be a mistake
	maxBlocks = 1000 // of a reply that are remembered
)

// Act implements [agents.Agent].
func (a *Agent) Act(ctx context.Context, obs world.Observation) (world.Action, error) {
	if err := a.settle(ctx); err != nil {
		return world.Action{}, err
	}
	text := observationText(obs)
	if len(text) > maxObservation {
		return world.Action{}, fmt.Errorf("the observation has %d bytes, and Claude Code shows %d", len(text), maxObservation)
	}
	if a.told != "" { // nothing is held yet, so that this is a message, which may be longer
		text = a.told + "\n\n" + text
	}
	a.mu.Lock()
	a.name, a.called = obs.Agent, 0
	a.mu.Unlock()
	a.generation.Add(1)
	defer a.generation.Add(1)
	if err := a.show(text); err != nil {
		return world.Action{}, a.broken(err)
	}
	a.told = ""
	for reminded := false; ; {
		select {
		case c := <-a.calls:
			if err := a.judge(c); err != nil {
				c.result <- callResult{err: a.fence(c, err, false)}
				continue
			}
			a.held, a.answered = c, c.reply
			return c.action, nil
		case end := <-a.results:
			a.running = false
			reminder := reminderText
			err := end.failure()
			switch {
			case err != nil && (reminded || !end.brokeOff()):
				return world.Action{}, err
			case err != nil:
				reminder = brokenText
			case reminded:
				return world.Action{}, agents.ErrNoAction
			}
			reminded = true
			if err := a.show(reminder); err != nil {
				return world.Action{}, a.broken(err)
			}
		case <-a.process.Done():
			return world.Action{}, a.dead()
		case <-ctx.Done():
			_ = a.stream.request(map[string]any{"subtype": "interrupt"}) // one that cannot hear it shows at the next Act
			return world.Action{}, ctx.Err()
		}
	}
}

// settle waits for the end of a turn that was interrupted, so that nothing of it is taken for an answer to what comes now.
func (a *Agent) settle(ctx context.Context) error {
	for a.running && a.held == nil {
		select {
		case <-a.results:
			a.running = false
		case c := <-a.calls:
			c.result <- callResult{err: a.fence(c, errLate, false)}
		case <-a.process.Done():
			return a.dead()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// show gives the model something to read: as the result of the act that is held open, else as a message.
func (a *Agent) show(text string) error {
	held := a.held
	a.held = nil
	if held != nil && held.ctx.Err() == nil {
		held.result <- callResult{text: text}
		return nil
	}
	a.running = true
	a.awaited.Store(1)
	return a.stream.user(text)
}

// suspect takes note of an act in the name of somebody else, and of more acts than anybody means. It returns the action without a name.
func (a *Agent) suspect(action world.Action) world.Action {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.called++; a.called > maxCalls {
		a.cfg.Evidence.Sawf(tamper.Acts, "more than %d between two observations", maxCalls)
	}
	if action.Agent != "" && action.Agent != a.name {
		a.cfg.Evidence.Sawf(tamper.Author, "%s as %q", action.Name, action.Agent)
	}
	action.Agent = ""
	return action
}

// take is the act tool. It offers the action to the Act that waits, then waits for what the agent shall see next.
func (a *Agent) take(ctx context.Context, toolUse string, action world.Action) (string, error) {
	action = a.suspect(action)
	c := &call{
		ctx: ctx, action: action, generation: a.generation.Load(), reply: a.replyOf(toolUse),
		result: make(chan callResult, 1),
	}
	switch {
	case c.generation == closed:
		return "", a.fence(c, errClosed, true)
	case c.generation%2 == 0:
		return "", a.fence(c, errLate, true)
	}
	select {
	case a.calls <- c: // Act or settle says what becomes of it
	case <-ctx.Done():
		return "", a.fence(c, errLate, true)
	case <-a.closing:
		return "", a.fence(c, errLate, true)
	}
	select {
	case r := <-c.result:
		return r.text, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	case <-a.closing:
		return "", errClosed
	}
}

// fence reports a call that is refused because nobody waits for it, and returns why.
func (a *Agent) fence(c *call, why error, newest bool) error {
	if a.cfg.Fenced != nil {
		a.cfg.Fenced(c.action, why.Error(), newest)
	}
	return why
}

// judge says why a call is no answer to the newest observation, if it is none.
func (a *Agent) judge(c *call) error {
	switch {
	case c.reply != "" && c.reply == a.answered:
		return errTwice
	case c.generation != a.generation.Load():
		return errLate
	}
	return nil
}

// replyOf returns the id of the model's reply that holds a tool use; empty if that is not known.
func (a *Agent) replyOf(toolUse string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, block := range a.last.Content {
		if block.ID == toolUse {
			return a.last.ID
		}
	}
	return ""
}

// note remembers which tool uses the newest reply holds. A reply comes as one line for each of its blocks.
func (a *Agent) note(m message) {
	for i := range m.Content {
		m.Content[i].Input, m.Content[i].Content = nil, nil // which may be long
	}
	m.Content = m.Content[:min(len(m.Content), maxBlocks)]
	a.mu.Lock()
	defer a.mu.Unlock()
	if m.ID == a.last.ID && len(a.last.Content)+len(m.Content) <= maxBlocks {
		a.last.Content = append(a.last.Content, m.Content...)
	} else {
		a.last = m
	}
}
