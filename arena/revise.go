package arena

import (
	"bytes"
	"encoding/json"
	"errors"
	"sync"
	"unicode/utf8"

	"github.com/vitrine-sim/vitrine/world"
)

// rulesFact holds the source of the rules that an operator has put in the place of those with which the episode began; missing: nobody has.
const rulesFact = "run/rules"

// Revisions compile rules that take the place of others while a game is played. They keep the newest, so that a revision costs its
// compilation once. Any goroutine may use them.
type Revisions struct {
	compile func(source string) (world.Rules, error)

	mu    sync.Mutex
	fact  json.RawMessage // what rulesFact was when rules were made from it
	rules world.Rules
}

// NewRevisions returns Revisions of rules that are compiled by that function. The same source must always give the same rules.
func NewRevisions(compile func(source string) (world.Rules, error)) *Revisions {
	return &Revisions{compile: compile}
}

// of returns the rules whose source a fact holds.
func (r *Revisions) of(fact json.RawMessage) (world.Rules, error) {
	if r == nil {
		return nil, errors.New("the rules of this episode cannot be changed: they are not in a file")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rules != nil && bytes.Equal(fact, r.fact) {
		return r.rules, nil
	}
	var source string
	if err := json.Unmarshal(fact, &source); err != nil {
		return nil, err
	}
	rules, err := r.compile(source)
	if err != nil {
		return nil, err
	}
	r.fact, r.rules = fact, rules
	return rules, nil
}

// Revised returns the source of the rules that hold in a state of an episode that began with those of the given source.
func Revised(st world.State, source string) string {
	_ = st.Get(rulesFact, &source) // else nobody has revised them
	return source
}

// law returns the rules that hold in a state.
func (g *Game) law(st world.State) (world.Rules, error) {
	if fact, revised := st.Fact(rulesFact); revised {
		return g.Revisions.of(fact)
	}
	return g.Rules, nil
}

// revise makes ev put other rules in the place of those that hold, unless they could not go on from here.
func (g *Game) revise(st world.State, c Command, ev *world.Event) error {
	if g.Revisions == nil {
		return refuse("the rules of this episode cannot be changed: they are not in a file")
	}
	if !utf8.ValidString(c.Source) {
		return refuse("the rules are not UTF-8")
	}
	fact := world.JSON(c.Source)
	if _, err := g.Revisions.of(fact); err != nil {
		return err
	}
	ev.Set = map[string]json.RawMessage{rulesFact: fact}
	return g.allow(st, *ev)
}
