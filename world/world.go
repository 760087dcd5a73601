// Package world is the shared world of a run: its state, the log that made it, and the lock around it.
//
// # State
//
// A [State] is facts by path ("lake/tons" -> JSON) with the number of the last event and of the turn being played. It is
// the fold of the log and of nothing else: every [Event] carries its effects (the facts it sets or deletes), so that
// replay, resume and the viewer need no rules, and an old log outlives new rules.
//
// # The law
//
// [Rules] are pure functions: from a seed and the agents to a first state, from a state to what an agent sees of it, from a
// state and the actions of one step to the events that follow. All randomness comes from [State.Rand].
//
// # The log
//
// A run's log is the file events.jsonl in the run's folder. A line is one event:
//
//	{"agent":"a","data":{"args":{"tons":10},"name":"fish"},"kind":"action","more":true,"seq":3,"turn":0,"proc":{"wall_ms":12},"time":"2026-01-02T15:04:05.000000006Z","crc":"8bedfb01"}
//
// Up to and without ,"proc" or ,"time" a line is the event in the world: canonical JSON, keys sorted. What follows depends on the
// machine and the day: proc (facts of the process: latency, pid, tokens; may be missing) and time. The crc is CRC-32C of
// all bytes of the line before ,"crc". The hash of a run is SHA-256 over the world parts of all its events, each closed with
// "}" and a newline; so it is the same on any machine, in any folder, on any day.
//
// The events of one commit are written at once and made durable before anybody hears of them; all but the last of them
// say "more", so that a reader never takes half a commit for a whole one. What a writer that was killed leaves half written at
// the end, the torn tail, is a line without its newline or lines that all say "more"; readers stop before it, the next
// writer cuts it off. Everything else that is not as written above is damage, and refused with its line.
//
// # Keyframes
//
// Now and then a writer adds a keyframe to keyframes.jsonl beside the log: the state after some commit, the size of the log up to there, and
// how far its hash has come, as one line of JSON with a crc like those of the log.
//
//	{"size":40128,"seq":131,"turn":2,"last":"8bedfb01","sum":"...","facts":{"lake/tons":100},"crc":"7a3c9d10"}
//
// [Open], [Follow] and [StateAt] begin at the nearest one, so that they take no longer in a long log than in a short one. The next
// keyframe is due when the log has grown by 64 kB and by eight times the size of the last one: so keyframes take at most an eighth of the
// log's bytes, however great the state is, and never more than that lies behind the last one. A [Turn] needs none: lines are sorted, and
// it is found by bisection.
//
// Nothing depends on keyframes. They are one file and not many, appended to under the lock of the log when its commit is durable, and never
// synced; whoever uses one proves that it is whole and that the log up to there ends with the line whose crc is "last". Whatever
// else is in the file (what a killed writer left, or a keyframe of another log) is passed over, and cut off or replaced by the next
// writer. What is deleted costs time until it is written again, which Open does for what it has to read.
//
// # Sealing
//
// [Seal] replaces the log of a run that is over, and its keyframes, by events.jsonl.zst and keyframes.jsonl.zst. These are in the seekable
// format of zstd: frames of whole lines, of at least 64 kB of the log or one keyframe each, and behind them two skippable frames, an index
// (the turns of their first lines, 32 bits each, and the CRC-32C of these) and the table of their sizes. So "zstd -d" gives the plain file again, and every function here that reads a log reads a sealed one in its place. Where
// the plain file is still there, it counts.
//
// # Facts as files
//
// [Export] keeps all facts of a run as files for people to look at and to change; [FactFiles] show some of them to an agent, to read only.
//
// # The lock
//
// Whoever writes holds an exclusive flock on events.lock from before it reads until after its sync, in [Store.Commit]; whoever reads
// holds a shared one while it takes a chunk of the log into memory. The supervisor of a run holds another, on
// supervisor.lock, for as long as it lives, a [Lease]. The files stay when the locks are gone.
package world

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Facts under RunFacts belong to the episode; rules neither set nor delete them.
const (
	RunFacts   = "run/"
	SeedFact   = "run/seed"   // the seed of the run, a number
	StatusFact = "run/status" // prefix: run/status/<agent> -> that agent's status, a string
	PhaseFact  = "run/phase"  // the name of the phase being played, a string; missing where turns have no phases
)

// Kinds of events that mean something to every world. All other kinds are the rules' own.
const (
	KindTurn     = "turn"     // a turn is over: State.Turn becomes the next one
	KindRefusal  = "refusal"  // an action was illegal and had no effect; data: {"action": name, "reason": text}
	KindConflict = "conflict" // the rules say that agents wanted the same; data: a [Conflict]
)

// Pass is the name of the action of an agent that does not act. Rules accept it from everyone at any time.
const Pass = "pass"

// Operator is the name of whoever intervenes in a run from outside. No agent has it.
const Operator = "operator"

// A State is the world after some event: facts by path, the number of that event, and the turn being played.
// It never changes; Apply makes a new one. The zero State is the world before the first event.
type State struct {
	Seq  int64 // number of the last event folded in, from 1; 0 before the first
	Turn int   // turn being played, from 0

	facts layers
}

// Fact returns the fact at path as JSON, and whether there is one. The caller must not change the bytes.
func (s State) Fact(path string) (json.RawMessage, bool) {
	return s.facts.get(path)
}

// Get decodes the fact at path into v. It is an error if there is none or if it has another type.
func (s State) Get(path string, v any) error {
	raw, ok := s.facts.get(path)
	if !ok {
		return missingError(strings.Clone(path)) // so that whoever puts a path together need not make it on the heap
	}
	if decodePlain(raw, v) {
		return nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("fact %q is %s: %w", strings.Clone(path), raw, err)
	}
	return nil
}

// A missingError is the path at which there is no fact. It becomes text only when somebody reads it: to look for what may be missing is cheap.
type missingError string

func (path missingError) Error() string { return fmt.Sprintf("no fact %q in the world", string(path)) }

// Paths returns the sorted paths of all facts that begin with prefix.
func (s State) Paths(prefix string) []string {
	var paths []string
	for _, layer := range s.facts {
		for path := range layer {
			if strings.HasPrefix(path, prefix) {
				paths = append(paths, path)
			}
		}
	}
	slices.Sort(paths)
	return slices.DeleteFunc(slices.Compact(paths), func(path string) bool {
		_, ok := s.facts.get(path)
		return !ok
	})
}

// Rand returns the source of all randomness in this state. It depends on the seed of the run, the turn and the name of the
// stream, and on nothing else, so that one draw more in one stream never shifts another.
func (s State) Rand(stream string) *rand.Rand {
	raw, _ := s.facts.get(SeedFact)
	seed, err := strconv.ParseUint(string(raw), 10, 64)
	if err != nil {
		seed = 0 // it is missing, or no number
	}
	return NewRand(seed, s.Turn, stream)
}

// NewRand returns the source of randomness for one stream of one turn of a run.
func NewRand(seed uint64, turn int, stream string) *rand.Rand {
	h := fnv.New64a()
	name := strconv.AppendInt(make([]byte, 0, len(stream)+len("1000000/")), int64(turn), 10)
	_, _ = h.Write(append(append(name, '/'), stream...)) // cannot fail
	source := new(struct {
		pcg  rand.PCG
		rand rand.Rand
	})
	source.pcg.Seed(seed, h.Sum64())
	source.rand = *rand.New(&source.pcg)
	return &source.rand
}

// Apply returns the state after the events.
func (s State) Apply(events ...Event) State {
	s.facts = s.facts.after(changesOf(events))
	for i := range events {
		s.count(&events[i])
	}
	return s
}

// count makes the numbers of s those after an event.
func (s *State) count(ev *Event) {
	s.Seq = ev.Seq
	if ev.Kind == KindTurn {
		s.Turn = ev.Turn + 1
	}
}

// fold applies one event to s.
func (s *State) fold(ev Event) { *s = s.Apply(ev) }

// MarshalJSON gives {"facts":{...},"seq":n,"turn":n}, keys sorted.
func (s State) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Facts map[string]json.RawMessage `json:"facts"`
		Seq   int64                      `json:"seq"`
		Turn  int                        `json:"turn"`
	}{s.facts.all(), s.Seq, s.Turn})
}

// An Event is something that happened, with its effects. The fields above Proc are the event in the world; they are in
// the order of their keys. [Store.Commit] fills in More, Seq, Turn and Time.
type Event struct {
	Agent string                     `json:"agent,omitempty"` // whom it is about; empty: everyone
	Data  json.RawMessage            `json:"data,omitempty"`  // what happened, by kind
	Del   []string                   `json:"del,omitempty"`   // paths of the facts it deletes, before it sets any
	Kind  string                     `json:"kind"`
	More  bool                       `json:"more,omitempty"` // the next event belongs to the same commit
	Seq   int64                      `json:"seq"`            // from 1, without gaps
	Set   map[string]json.RawMessage `json:"set,omitempty"`  // the facts it sets
	Turn  int                        `json:"turn"`           // the turn in which it happened, from 0

	Proc json.RawMessage `json:"proc,omitempty"` // facts of processes, not of the world
	Time time.Time       `json:"time,omitzero"`  // when it was committed
}

// An Action is what an agent asks for.
type Action struct {
	Agent string          `json:"agent"`
	Name  string          `json:"name"` // one of the legal actions, or Pass
	Args  json.RawMessage `json:"args,omitempty"`
}

// Refuse returns the [KindRefusal] event of an action that is illegal, and why it is.
func (a Action) Refuse(reason string) Event {
	return Event{Agent: a.Agent, Kind: KindRefusal, Data: JSON(map[string]string{"action": a.Name, "reason": reason})}
}

// An ActionSpec is an action that is legal now.
type ActionSpec struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Schema      json.RawMessage `json:"schema,omitempty"` // JSON Schema of the arguments, an object
}

// An Observation is all that one agent gets to know of a state.
type Observation struct {
	Agent      string          `json:"agent"`
	Turn       int             `json:"turn"`
	View       json.RawMessage `json:"view"`               // what it sees
	Messages   []Message       `json:"messages,omitempty"` // what it was told since it last acted; rules leave this to the arena
	Refused    string          `json:"refused,omitempty"`  // why its last action had no effect
	Actions    []ActionSpec    `json:"actions,omitempty"`  // what it may do now, besides nothing
	Reward     float64         `json:"reward"`             // what it has earned so far
	Terminated bool            `json:"terminated"`         // the rules have ended its part in the episode
}

// A Message is what one agent, or the operator of a run, says to agents.
type Message struct {
	From string   `json:"from"`         // an agent, or [Operator]
	To   []string `json:"to,omitempty"` // agents; empty: everybody
	Text string   `json:"text"`
}

// Rules are the law of a world. They are pure: the same arguments give the same bytes, they change nothing that they are
// given, and they never look at a clock. What an agent does wrong is an event with its reason; an error means that
// the state is not one of these rules' (a fact is missing, or of another type), and ends the run.
type Rules interface {
	// Reset returns the events that make the world of a new episode. The agents are in seat order, their names unique.
	Reset(seed uint64, agents []string) ([]Event, error)
	// Observe returns what the agent sees in st and may do there.
	Observe(st State, agent string) (Observation, error)
	// Step returns the events that follow when some agents act at once in st. Their actions are in the order in which the rules
	// shall consider them; each agent has at most one. An action that is illegal gives a [KindRefusal] event and does nothing.
	Step(st State, actions []Action) ([]Event, error)
}

// A Checker is rules that know more of a state than whether its facts are there and of the right type.
type Checker interface {
	// Check says why a state cannot be one of these rules', such as a fact that is out of bounds. It is asked when an operator wants to
	// change a fact.
	Check(st State) error
}

// A Metric is a figure that says how an episode went. It is computed from the log of the episode alone.
type Metric struct {
	Name    string `json:"name"`    // by which results call it
	Unit    string `json:"unit"`    // such as "turns", "percent", "tons"
	Formula string `json:"formula"` // in words
	Source  string `json:"source"`  // paper or repository that has it so; empty: nobody but us
}

// A Policy is a player as a pure function of what it sees and of random, its own source of chance.
type Policy func(obs Observation, random *rand.Rand) Action

// Decide returns what the policy does in a run with that seed. Whoever plays a policy asks it here, so that it does the same
// in a scripted agent and behind an agent's process.
func (p Policy) Decide(seed uint64, obs Observation) Action {
	return p(obs, NewRand(seed, obs.Turn, "policy/"+obs.Agent))
}
