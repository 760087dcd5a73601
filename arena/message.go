package arena

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vitrine-sim/vitrine/world"
)

// Say is the name of the action by which an agent talks to others. Its arguments are {"text": text, "to": [names]}; without "to" everybody
// is meant, and a "to" that names nobody is refused. It is an action like any other: what it takes is the agent's act in that step.
const Say = "say"

// Talk is how much agents may say to each other. The zero Talk is silence.
type Talk struct {
	Turn   int // messages of one agent in one turn, at most; 0: agents cannot talk
	Length int // characters of one message, at most
}

// Messages wait in the state until everybody who still acts has had them in an observation to which an act came.
const (
	mailFact  = "run/mail"  // {"first": n, "next": m}: numbers of the first message that waits and of the next one that comes
	heardFact = "run/heard" // prefix: run/heard/<agent> -> number of the event up to which it has had its messages
)

// IsPost says whether the fact at path is one of messages that wait. Some of those are numbers of events, and all follow from the events.
func IsPost(path string) bool {
	return strings.HasPrefix(path, mailFact) || strings.HasPrefix(path, heardFact)
}

// A mailbox is what the fact mailFact holds.
type mailbox struct {
	First int `json:"first"`
	Next  int `json:"next"`
}

// A letter is a message that waits, the fact run/mail/<number>.
type letter struct {
	world.Message
	Turn int   `json:"turn"` // in which it was said
	At   int64 `json:"at"`   // number of the last event before it was said
}

func letterPath(number int) string { return mailFact + "/" + strconv.Itoa(number) }

func (l letter) isTo(agent string) bool {
	return l.From != agent && (len(l.To) == 0 || slices.Contains(l.To, agent))
}

func openMailbox(st world.State) mailbox {
	raw, ok := st.Fact(mailFact)
	if !ok {
		return mailbox{} // nobody has said anything yet
	}
	var box mailbox
	_ = json.Unmarshal(raw, &box) // it is what post and sweep have written
	return box
}

// letters returns the messages that wait; the first has the number that the mailbox says.
func letters(st world.State) []letter {
	var all []letter
	box := openMailbox(st)
	for n := box.First; n < box.Next; n++ {
		var l letter
		if st.Get(letterPath(n), &l) != nil {
			break // all that wait are there
		}
		all = append(all, l)
	}
	return all
}

// heard returns the number of the event up to which an agent has had its messages.
func heard(st world.State, agent string) int64 {
	var seq int64
	_ = st.Get(heardFact+"/"+agent, &seq) // it has had none
	return seq
}

// inbox returns which of the messages that wait in st an agent has not seen in an observation to which an act came.
func inbox(st world.State, waiting []letter, agent string) []world.Message {
	var messages []world.Message
	for _, l := range waiting {
		if l.isTo(agent) && l.At >= heard(st, agent) {
			messages = append(messages, l.Message)
		}
	}
	return messages
}

// hears returns the facts that say so, if an agent that acts has got some of them in the state it saw, which is that after the event saw.
func hears(st world.State, waiting []letter, agent string, saw int64) map[string]json.RawMessage {
	for _, l := range waiting {
		if l.isTo(agent) && l.At >= heard(st, agent) && l.At < saw {
			return map[string]json.RawMessage{heardFact + "/" + agent: world.JSON(saw)}
		}
	}
	return nil
}

// post returns the facts that make messages wait, which are said in st one after the other.
func (b *mailbox) post(st world.State, m world.Message) map[string]json.RawMessage {
	path := letterPath(b.Next)
	b.Next++
	return map[string]json.RawMessage{path: world.JSON(letter{Message: m, Turn: st.Turn, At: st.Seq}), mailFact: world.JSON(b)}
}

// sweep adds to the event of a turn's end that messages are gone which everybody has had who still acts.
func sweep(st world.State, live []string, ev *world.Event) {
	box := openMailbox(st)
	for i, l := range letters(st) {
		if slices.ContainsFunc(live, func(agent string) bool { return l.isTo(agent) && l.At >= heard(st, agent) }) {
			break
		}
		ev.Del = append(ev.Del, letterPath(box.First+i))
	}
	if box.First += len(ev.Del); len(ev.Del) > 0 {
		ev.Set = map[string]json.RawMessage{mailFact: world.JSON(box)}
	}
}

// offer adds to what an agent may do that it may talk.
func (g *Game) offer(sc scene, obs *world.Observation) error {
	if g.Talk.Turn == 0 {
		return nil
	}
	if slices.ContainsFunc(obs.Actions, func(spec world.ActionSpec) bool { return spec.Name == Say }) {
		return fmt.Errorf("the rules have an action %q of their own, so there can be no messages", Say)
	}
	if said(sc.state, sc.letters, obs.Agent) >= g.Talk.Turn {
		return nil
	}
	schema := map[string]any{
		"type": "object",
		"properties": map[string]any{
			"text": map[string]any{"type": "string", "minLength": 1, "maxLength": g.Talk.Length},
			"to":   map[string]any{"type": "array", "minItems": 1, "items": map[string]any{"type": "string", "enum": g.others(obs.Agent)}},
		},
		"required": []string{"text"},
	}
	obs.Actions = append(slices.Clip(obs.Actions), world.ActionSpec{
		Name: Say, Schema: world.JSON(schema),
		Description: `Say something to those named in "to", or to everybody if you leave it out. They read it when they act next.`,
	})
	return nil
}

func (g *Game) others(agent string) []string {
	return slices.DeleteFunc(slices.Clone(g.Agents), func(other string) bool { return other == agent })
}

// said returns how many messages of an agent's there are in this turn.
func said(st world.State, waiting []letter, agent string) int {
	n := 0
	for _, l := range waiting {
		if l.From == agent && l.Turn == st.Turn {
			n++
		}
	}
	return n
}

// talk puts a pass in the place of each action that says something, and returns what is said, and the refusals.
func (g *Game) talk(st world.State, actions []world.Action) (messages, refusals []world.Event) {
	box := openMailbox(st)
	for i, a := range actions {
		if g.Talk.Turn == 0 || a.Name != Say {
			continue
		}
		m, err := g.message(st, a)
		if err != nil {
			refusals = append(refusals, a.Refuse(err.Error()))
		} else {
			messages = append(messages, messageEvent(m, box.post(st, m)))
		}
		actions[i] = world.Action{Agent: a.Agent, Name: world.Pass}
	}
	return messages, refusals
}

// messageEvent is the event of a message that sets these facts.
func messageEvent(m world.Message, set map[string]json.RawMessage) world.Event {
	data := map[string]any{"text": m.Text}
	if len(m.To) > 0 {
		data["to"] = m.To
	}
	return world.Event{Kind: KindMessage, Agent: m.From, Data: world.JSON(data), Set: set}
}

// message returns what an action says, or why that cannot be said.
func (g *Game) message(st world.State, a world.Action) (world.Message, error) {
	var to []string // stays nil if it is left out
	args := struct {
		Text string    `json:"text"`
		To   *[]string `json:"to"`
	}{To: &to}
	dec := json.NewDecoder(bytes.NewReader(a.Args))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&args); err != nil {
		return world.Message{}, errors.New(`its arguments are {"text": text, "to": [names]}`)
	}
	if n := utf8.RuneCountInString(args.Text); n == 0 || n > g.Talk.Length {
		return world.Message{}, fmt.Errorf("a message has 1 to %d characters, not %d", g.Talk.Length, n)
	}
	if n := said(st, letters(st), a.Agent); n >= g.Talk.Turn {
		return world.Message{}, fmt.Errorf("you have said all that you may say in one turn, %d times", n)
	}
	if args.To == nil || to != nil && len(to) == 0 {
		return world.Message{}, errors.New(`"to" names nobody; leave it out to talk to everybody`)
	}
	m := world.Message{From: a.Agent, Text: args.Text}
	for _, other := range g.others(a.Agent) { // in seat order, each once
		if slices.Contains(to, other) {
			m.To = append(m.To, other)
		}
	}
	for _, name := range to {
		if !slices.Contains(m.To, name) {
			return world.Message{}, fmt.Errorf("%.40q is none of %s", name, strings.Join(g.others(a.Agent), ", "))
		}
	}
	return m, nil
}
