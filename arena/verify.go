package arena

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/world"
)

// A Verified is what Verify found out about a log that holds.
type Verified struct {
	Hash     string `json:"hash"`      // of the log
	Events   int64  `json:"events"`    // lines of the log that hold
	Turns    int    `json:"turns"`     // turns played to their end
	Over     bool   `json:"over"`      // the episode has ended; else the log is right as far as it goes
	TornLine int    `json:"torn_line"` // line at which a writer was killed in the middle of a commit; 0: none

	End   End         `json:"-"` // how the episode ended, if it is over
	State world.State `json:"-"` // of the world after the last event that holds
}

// Verify plays the game again with the acts that the log in dir recorded, and demands the same events, byte for byte, up to the last
// whole commit. What does not hold is a [*world.LogError] with the line. A torn tail holds as long as the episode is not over. In the log of
// a branch another game goes on from there, and another from the branch of that.
func Verify(dir string, game Game, branches ...Game) (Verified, error) {
	log := world.ReadLog(dir)
	next, stop := iter.Pull2(log.Events())
	defer stop()
	r := &recordedPlayers{game: &game, branches: branches, file: filepath.Join(dir, logFile), read: next}
	st, end, err := game.play(r, world.State{})
	for errors.Is(err, errBranched) {
		st, end, err = r.game.play(r, r.state)
	}
	if end.Status == Interrupted {
		err = fmt.Errorf("the rules do not answer %s: %w", end.Reason, context.Canceled)
	}
	if err != nil && !errors.Is(err, errLogEnds) {
		return Verified{}, err
	}
	if err != nil {
		if err := r.outside(); err != nil { // an operator may have been the last
			return Verified{}, err
		}
	} else if r.peek(); r.err != nil {
		return Verified{}, r.err
	}
	st = r.state
	v := Verified{Hash: log.Hash(), Events: st.Seq, Turns: st.Turn, Over: err == nil, TornLine: log.Torn(), State: st}
	if v.Over {
		v.End = end
	}
	switch {
	case len(r.unmatched) > 0:
		return v, r.mistake(r.unmatched[0].Seq, "the log goes on after the end of the episode")
	case v.Over && v.TornLine > 0:
		return v, r.mistake(int64(v.TornLine), "the log goes on after the end of the episode, with a line that is cut off")
	}
	return v, nil
}

// logFile is the name of the log in the folder of a run; see package world.
const logFile = "events.jsonl"

var errLogEnds = errors.New("the log ends here")

// recordedPlayers are a log as the place where acts come from and commits go to. They implement players.
type recordedPlayers struct {
	game      *Game
	branches  []Game // that follow it
	file      string
	read      func() (world.Event, error, bool)
	state     world.State
	unmatched []world.Event // the commit that is read and not yet matched
	err       error         // in reading

	happens func([]world.Event) error // told of each commit that was matched; nil: nobody is
}

// peek reads the next commit, if it is not read yet.
func (r *recordedPlayers) peek() {
	for r.err == nil && (len(r.unmatched) == 0 || r.unmatched[len(r.unmatched)-1].More) {
		ev, err, ok := r.read()
		if !ok {
			return
		}
		r.unmatched, r.err = append(r.unmatched, ev), err
	}
}

func (r *recordedPlayers) mistake(seq int64, format string, args ...any) error {
	return &world.LogError{File: r.file, Line: int(seq), Msg: fmt.Sprintf(format, args...)}
}

// act returns the acts that the next commit begins with.
func (r *recordedPlayers) act(_ world.State, _ *Phase, observations []world.Observation) ([]act, error) {
	if err := r.begin(); err != nil {
		return nil, err
	}
	acts := make([]act, len(observations))
	for i, obs := range observations {
		var err error
		if acts[i], err = r.actAt(i, obs.Agent); err != nil {
			return nil, err
		}
	}
	return acts, nil
}

// next returns the act that the next commit begins with, whose ever it is.
func (r *recordedPlayers) next(st world.State, _ []world.Observation) (act, error) {
	if err := r.begin(); err != nil {
		return act{}, err
	}
	agent, acts, err := r.unmatched[0].Agent, false, error(nil)
	if slices.Contains(r.game.Agents, agent) {
		_, acts, err = r.game.observe(st, agent)
	}
	if err != nil {
		return act{}, err
	}
	if !acts {
		return act{}, r.mistake(r.unmatched[0].Seq, "here should stand what one of %s did", strings.Join(r.game.Agents, ", "))
	}
	return r.actAt(0, agent)
}

// begin reads the next commit that comes from the game. It is an error if that ends the episode, or if there is none, or if the episode was
// resumed before it.
func (r *recordedPlayers) begin() error {
	for r.peek(); r.err == nil && len(r.unmatched) > 0 && r.fromOutside(); r.peek() {
		resumed := r.unmatched[0].Kind == KindResume
		if err := r.matchOutside(); err != nil {
			return err
		}
		if resumed {
			return &movedError{r.state}
		}
	}
	switch {
	case r.err != nil:
		return r.err
	case len(r.unmatched) == 0:
		return errLogEnds
	case r.unmatched[0].Kind == KindEnd:
		return errOver
	}
	return nil
}

// later returns the state after the next commit, which must come from outside the game.
func (r *recordedPlayers) later(world.State) (world.State, error) {
	r.peek()
	switch {
	case r.err != nil:
		return r.state, r.err
	case len(r.unmatched) == 0:
		return r.state, errLogEnds
	case r.unmatched[0].Kind == KindEnd:
		return r.state, errOver // its time was up just then
	case !r.fromOutside():
		return r.state, r.mistake(r.unmatched[0].Seq, "an operator holds the game here, and it goes on")
	}
	err := r.matchOutside()
	return r.state, err
}

// mended returns the state after the next commit, which must come from outside the game: the rules had failed before it.
func (r *recordedPlayers) mended(st world.State, why error) (world.State, error) {
	r.peek()
	switch {
	case r.err != nil:
		return st, r.err
	case errors.Is(why, context.Canceled): // nobody waits for the rules any more
		return st, why
	case len(r.unmatched) == 0:
		return st, errLogEnds
	case !r.fromOutside():
		return st, why
	}
	err := r.matchOutside()
	return r.state, err
}

// aside says whether events of that kind are of agents that did something besides acting. They come together.
func aside(kind string) bool { return kind == KindFenced || kind == KindTamper }

func (r *recordedPlayers) fromOutside() bool {
	kind := r.unmatched[0].Kind
	return kind == KindOperator || kind == KindHeld || kind == KindResume || kind == KindBranch || aside(kind)
}

// outside goes on to the next commit that comes from the game.
func (r *recordedPlayers) outside() error {
	for {
		r.peek()
		if r.err != nil || len(r.unmatched) == 0 || !r.fromOutside() {
			return r.err
		}
		if err := r.matchOutside(); err != nil {
			return err
		}
	}
}

// matchOutside demands that the next commit is what the game makes of what came from outside. It is an error where a branch begins, which
// another game goes on from.
func (r *recordedPlayers) matchOutside() error {
	if r.unmatched[0].Kind == KindBranch && len(r.branches) > 0 {
		r.game, r.branches = &r.branches[0], r.branches[1:]
		if err := r.match([]world.Event{r.game.branching()}); err != nil {
			return err
		}
		return errBranched
	}
	var events []world.Event
	for _, found := range r.unmatched {
		ev, err := r.game.outsider(r.state, found)
		if err != nil {
			return r.mistake(found.Seq, "%v", err)
		}
		events = append(events, ev)
		if !aside(found.Kind) {
			break // it comes alone
		}
	}
	return r.match(events)
}

// outsider returns the event that comes from what another one says of an operator or of an agent that nobody had asked.
func (g *Game) outsider(st world.State, found world.Event) (world.Event, error) {
	switch found.Kind {
	case KindOperator:
		c, err := CommandOf(found)
		if err != nil {
			return world.Event{}, err
		}
		return g.operate(st, c)
	case KindHeld:
		if !Held(st) {
			return world.Event{}, errors.New("nobody holds the game here")
		}
		return world.Event{Kind: KindHeld}, nil
	case KindResume:
		return world.Event{Kind: KindResume}, nil
	case KindBranch:
		return world.Event{}, errors.New("a branch begins here that the run does not have")
	case KindTamper:
		return g.tampered(found)
	}
	r, err := fencedOf(found)
	if err == nil && r.Times < 1 {
		err = fmt.Errorf("it was refused %d times", r.Times)
	}
	if err == nil && !slices.Contains(g.Agents, r.agent) {
		err = fmt.Errorf("there is no agent %q", r.agent)
	}
	return r.event(), err
}

// actAt returns the act of an agent at an index of the next commit.
func (r *recordedPlayers) actAt(i int, agent string) (act, error) {
	last := len(r.unmatched) - 1
	if i > last || r.unmatched[i].Agent != agent {
		return act{}, r.mistake(r.unmatched[min(i, last)].Seq, "here should stand what %s did", agent)
	}
	a, err := actOf(r.unmatched[i], r.state.Seq)
	if err == nil && (a.saw < 0 || a.saw > r.state.Seq) {
		err = fmt.Errorf("it saw event %d", a.saw)
	}
	if sits := r.game.sitsOut(r.state, agent); err == nil && sits != (a.kind == KindBackoff) {
		err = fmt.Errorf("it is a %s event, and after its crashes the agent is asked from turn %d on", a.kind, crashesOf(r.state, agent).Again)
	}
	if err != nil {
		return a, r.mistake(r.unmatched[i].Seq, "what %s did: %v", agent, err)
	}
	return a, nil
}

// IsAct says whether an event tells what an agent did when it was its turn, be it nothing.
func IsAct(ev world.Event) bool {
	return slices.Contains([]string{KindAction, KindTimeout, KindInvalid, KindError, KindCrash, KindBackoff, KindBudget}, ev.Kind) && len(ev.Proc) > 0
}

// actOf reads an act from its event, whose agent saw the state after the event seq if it does not say otherwise.
func actOf(ev world.Event, seq int64) (act, error) {
	a := act{agent: ev.Agent, kind: ev.Kind, saw: seq}
	var data struct {
		Saw         *int64          `json:"saw"`
		Name        string          `json:"name"`
		Args        json.RawMessage `json:"args"`
		Consequence Consequence     `json:"consequence"`
	}
	if err := json.Unmarshal(ev.Data, &data); err != nil {
		return a, err
	}
	if data.Saw != nil {
		a.saw = *data.Saw
	}
	switch ev.Kind {
	case KindAction:
		a.action = world.Action{Agent: ev.Agent, Name: data.Name, Args: data.Args}
	case KindTimeout, KindInvalid, KindError, KindCrash, KindBackoff, KindBudget:
		a.dead = (ev.Kind == KindError || ev.Kind == KindBudget) && data.Consequence == ConsequenceOut // all else is for the game to say
	default:
		return a, fmt.Errorf("a %s event is no act", ev.Kind)
	}
	_ = json.Unmarshal(ev.Proc, &a.proc) // what is not of the world proves nothing
	return a, nil
}

// commit demands that the log goes on with what decide returns.
func (r *recordedPlayers) commit(decide func(world.State) ([]world.Event, error)) (world.State, error) {
	if err := r.outside(); err != nil {
		return r.state, err
	}
	if len(r.unmatched) == 0 {
		return r.state, errLogEnds
	}
	events, err := decide(r.state)
	if err != nil {
		return r.state, err
	}
	err = r.match(events)
	return r.state, err
}

// match demands that these events are the next commit, and goes on behind it.
func (r *recordedPlayers) match(events []world.Event) error {
	events, err := r.state.Stamp(events)
	if err != nil {
		return err
	}
	for i, found := range r.unmatched { // an event that is missing shows at the one before it, which does not say "more"
		if i >= len(events) {
			return r.mistake(found.Seq, "a %s event that does not follow from the actions", found.Kind)
		}
		want, got := events[i].World(), found.World()
		if !bytes.Equal(got, want) {
			return r.mistake(found.Seq, "this does not follow from the actions: %s", Differences(got, want))
		}
	}
	r.state = r.state.Apply(events...)
	r.unmatched = nil
	if r.happens != nil {
		return r.happens(events)
	}
	return nil
}

// Matches says where a result speaks of another log than the verified one.
func (v Verified) Matches(r Result, dir string) error {
	file := filepath.Join(dir, logFile)
	switch {
	case r.Events > v.Events:
		return &world.LogError{File: file, Line: int(v.Events) + 1, Msg: fmt.Sprintf("the log ends before this line, and the result speaks of %d", r.Events)}
	case r.Events < v.Events:
		return &world.LogError{File: file, Line: int(r.Events) + 1, Msg: "the result does not know this line"}
	case r.Hash != v.Hash:
		return fmt.Errorf("%s: the hash is %s, the result says %s", file, v.Hash, r.Hash)
	}
	return nil
}
