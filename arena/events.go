package arena

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/vitrine-sim/vitrine/world"
)

// Kinds of events that the arena writes, besides [world.KindTurn] and [world.KindRefusal].
const (
	KindStart   = "start"   // the first event; data: {"agents": [names], "seed": n}
	KindPhase   = "phase"   // a phase begins; data: {"name": its name}
	KindAction  = "action"  // an agent asked for something; data: {"name": action, "args": {...}}, and "saw" as below
	KindTimeout = "timeout" // an agent did not act in time; data: {"consequence": c}, and if c is "default" what it does, as above
	KindInvalid = "invalid" // an agent did nothing, or what it did was refused and more than a pass follows; data as above
	KindError   = "error"   // an agent could not act; data as above, and why in the process facts: {"reason", "detail"}
	KindCrash   = "crash"   // an agent's process is gone, or did not start; data as above, and in the process facts why and how, see [Crash]
	KindBackoff = "backoff" // an agent is not asked, for it is to be started again after a crash, see [Restart]; data as above
	KindBudget  = "budget"  // an agent could not act, for a budget was spent; data and process facts as those of an error
	KindMessage = "message" // an agent said something; data: {"text": text, "to": [names], or none for everybody}
	KindEnd     = "end"     // the last event; data: {"status": "terminated" or "truncated", "reason": text}
)

// Kinds of events that come between those of the game, each in a commit that begins with it. An act whose agent saw a state from before such
// an event, or before other acts of a free-running game, says so: "saw" in its data is the number of the last event that it knew of.
const (
	KindOperator = "operator" // an operator intervened; data: a [Command]
	KindHeld     = "held"     // the game stands still, for an operator wants it to
	KindResume   = "resume"   // the game goes on in this state: an operator intervened while nobody played it
	KindBranch   = "branch"   // the game goes on by other settings, see [Past]; data: {"seed": n}
	KindFenced   = "fenced"   // an agent acted when nobody had asked it, or asked its model in another's name; data: {"action": name, "reason": text, "times": n}
	// KindTamper tells what an agent was seen to try beside the game; data: {"what": kind}, a kind of package tamper, and in the
	// process facts how often and how: {"times": n, "sample": text}.
	KindTamper = "tamper"
)

// opening returns the first events of an episode.
func (g *Game) opening(st world.State) ([]world.Event, error) {
	if st.Seq != 0 {
		return nil, errors.New("the world has begun already")
	}
	set := map[string]json.RawMessage{world.SeedFact: world.JSON(g.Seed)}
	for _, agent := range g.Agents {
		set[statusPath(agent)] = world.JSON(StatusActive)
	}
	start := world.Event{Kind: KindStart, Data: world.JSON(map[string]any{"agents": g.Agents, "seed": g.Seed}), Set: set}
	events, err := g.Rules.Reset(g.Seed, slices.Clone(g.Agents))
	if err == nil {
		err = own(events)
	}
	if err != nil {
		return nil, fmt.Errorf("reset: %w", err)
	}
	return slices.Concat([]world.Event{start}, events, g.begins(0)), nil
}

// resolve returns the events of one step: what each agent did in seat order, then what follows by the rules, which consider the
// actions in an order drawn from the seed and the turn, so that neither a seat nor speed ever decides.
func (g *Game) resolve(st world.State, acts []act, s step) ([]world.Event, error) {
	events := make([]world.Event, 0, len(acts)+len(s.then)+1)
	actions := make([]world.Action, 0, len(acts))
	waiting := letters(st)
	text := make([]byte, 0, 64*len(acts)) // of what the events say, which share it
	cut := func(longer []byte) (said json.RawMessage) {
		said, text = slices.Clip(longer[len(text):]), longer
		return said
	}
	for i := range acts {
		a := &acts[i]
		ev, action := world.Event{Kind: KindAction, Agent: a.agent, Data: cut(appendAction(text, a.action))}, a.action
		if a.kind != KindAction {
			ev, action = g.instead(st, a, s.phase)
		}
		ev.Proc = cut(a.proc.appendTo(text))
		mark(&ev, st, waiting, a)
		action.Agent = a.agent
		events, actions = append(events, ev), append(actions, action)
	}
	random := st.Rand("order")
	random.Shuffle(len(actions), func(i, j int) { actions[i], actions[j] = actions[j], actions[i] })
	followed, err := g.consider(st, actions, s.phase, acts)
	if err != nil {
		return nil, fmt.Errorf("step: %w", err)
	}
	events = append(events, followed...)
	then := slices.Clone(s.then)
	if len(then) > 0 && then[0].Kind == world.KindTurn && len(waiting) > 0 {
		sweep(st.Apply(events...), g.present(s.live), &then[0])
	}
	events = append(events, then...)
	if len(events) > 0 {
		countStep(st, &events[0])
	}
	return events, nil
}

// instead is the event of an agent that did not act as it should, and what it does instead.
func (g *Game) instead(st world.State, a *act, phase *Phase) (world.Event, world.Action) {
	if a.kind == KindCrash {
		return g.crash(st, a.agent, phase)
	}
	follows := g.follows(a.kind, phase)
	if a.dead && follows != ConsequenceEnd {
		follows = ConsequenceOut
	}
	return g.consequence(a.kind, a.agent, follows)
}

// mark makes an act's event say that the agent has had its messages, if it has answered, and which state it saw, if that is not the one of its
// step.
func mark(ev *world.Event, st world.State, waiting []letter, a *act) {
	answered := a.kind == KindAction || a.kind == KindInvalid
	if had := hears(st, waiting, a.agent, a.saw); answered && had != nil {
		if ev.Set == nil {
			ev.Set = make(map[string]json.RawMessage)
		}
		maps.Copy(ev.Set, had)
	}
	if a.saw != st.Seq {
		ev.Data = fmt.Appendf(nil, `%s,"saw":%d}`, bytes.TrimSuffix(ev.Data, []byte("}")), a.saw)
	}
}

// consider returns what follows from the actions of a step by its phase and by the rules, and then for each agent that asked for
// something illegal. Where the default action takes the place of what is illegal, the rules consider the step anew, so that
// all of it still happens at once.
func (g *Game) consider(st world.State, actions []world.Action, phase *Phase, acts []act) ([]world.Event, error) {
	illegal := phase.forbid(actions)
	messages, unsaid := g.talk(st, actions)
	rules, err := g.law(st)
	if err != nil {
		return nil, err
	}
	events, err := follow(rules, st, actions)
	if err != nil {
		return nil, err
	}
	events = slices.Concat(illegal, unsaid, messages, events)
	follows := g.follows(KindInvalid, phase)
	if follows == ConsequencePass {
		return events, nil
	}
	asked := make(map[string]bool, len(acts)) // who acts by itself
	for _, a := range acts {
		asked[a.agent] = a.kind == KindAction
	}
	var refusals, consequences []world.Event
	for _, ev := range events {
		if ev.Kind != world.KindRefusal || !asked[ev.Agent] {
			continue
		}
		consequence, action := g.consequence(KindInvalid, ev.Agent, follows)
		refusals, consequences = append(refusals, ev), append(consequences, consequence)
		i := slices.IndexFunc(actions, func(a world.Action) bool { return a.Agent == ev.Agent })
		action.Agent = ev.Agent
		actions[i] = action
	}
	if follows == ConsequenceOut || len(refusals) == 0 {
		return append(events, consequences...), nil
	}
	events, err = follow(rules, st, actions)
	return slices.Concat(refusals, messages, consequences, events), err
}

// follow returns what follows from actions by the rules.
func follow(rules world.Rules, st world.State, actions []world.Action) ([]world.Event, error) {
	events, err := rules.Step(st, actions)
	if err == nil {
		err = own(events)
	}
	return events, err
}

// own returns an error if rules have made an event that only the arena makes, so that no log counts what nobody did.
func own(events []world.Event) error {
	for _, ev := range events {
		switch ev.Kind {
		case world.KindTurn, KindStart, KindPhase, KindAction, KindTimeout, KindInvalid, KindError, KindCrash, KindBackoff, KindBudget,
			KindMessage, KindEnd, KindOperator, KindHeld, KindResume, KindBranch, KindFenced, KindTamper:
			return fmt.Errorf("the rules made an event %q, which is not theirs to make: give it another kind", ev.Kind)
		}
	}
	return nil
}

// follows returns what follows for an agent from an event of that kind in a phase.
func (g *Game) follows(kind string, phase *Phase) Consequence {
	c := cmp.Or(g.Consequences.of(kind), ConsequencePass)
	if c == ConsequenceDefault && !phase.allows(g.Default.Name) {
		return ConsequencePass
	}
	return c
}

// consequence is the event of an agent that did not act as it should, and what it does instead.
func (g *Game) consequence(kind, agent string, follows Consequence) (world.Event, world.Action) {
	ev := world.Event{Kind: kind, Agent: agent}
	ev.Data = world.JSON(map[string]any{"consequence": follows})
	action := world.Action{Name: world.Pass}
	switch follows {
	case ConsequenceDefault:
		action = g.Default
		ev.Data = fmt.Appendf(nil, `{"consequence":%q,%s`, follows, appendAction(nil, action)[len("{"):])
	case ConsequenceOut, ConsequenceEnd:
		ev.Set = map[string]json.RawMessage{statusPath(agent): world.JSON(statusOfKind(kind))}
		if follows == ConsequenceEnd {
			ev.Set[stopFact] = world.JSON(StatusBudget)
		}
	}
	return ev, action
}

// appendTo appends what an event says of the process to b; most often that is nothing but times.
func (p proc) appendTo(b []byte) []byte {
	if p.Reason != "" || p.Detail != "" || p.Troubles != nil || p.Crash != nil || p.Started != nil {
		return append(b, world.JSON(p)...)
	}
	b = append(b, '{')
	if p.ElapsedMS != 0 {
		b = append(strconv.AppendInt(append(b, `"elapsed_ms":`...), p.ElapsedMS, 10), ',')
	}
	return append(strconv.AppendFloat(append(b, `"wall_ms":`...), p.WallMS, 'f', -1, 64), '}')
}

// ending returns the last event, in which everybody who is still active is done.
func (g *Game) ending(st world.State, end End) ([]world.Event, error) {
	ev := world.Event{Kind: KindEnd, Data: world.JSON(end), Set: make(map[string]json.RawMessage)}
	for _, agent := range g.Agents {
		was, err := statusOf(st, agent)
		if err != nil {
			return nil, err
		}
		if was == StatusActive {
			ev.Set[statusPath(agent)] = world.JSON(StatusDone)
		}
	}
	return []world.Event{ev}, nil
}

// appendAction appends what an event says of an action to b.
func appendAction(b []byte, a world.Action) []byte {
	b = append(b, '{')
	if len(a.Args) > 0 {
		b = append(append(append(b, `"args":`...), a.Args...), ',')
	}
	return append(world.AppendText(append(b, `"name":`...), a.Name), '}')
}
