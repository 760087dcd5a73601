// Package werewolf is a village by day and its wolves by night: the party game Mafia with no roles but wolf and villager, as pure rules.
//
// # The law
//
// Roles are drawn at the beginning. Who is a wolf knows the other wolves; a villager knows only itself. By day everybody alive may vote
// for somebody else alive, and whoever has most votes is lynched; among equals a lot is drawn. By night every wolf may name a villager
// alive, and whoever is named most often is killed, with a lot among equals. If nobody votes, or names anybody, nobody dies. The
// villagers win when no wolf is alive, the wolves when no villager is; with "parity" they win as soon as they are half of the living.
// The reward is 1 for everybody, alive or dead, whose side has won.
//
// A turn has a phase "vote" and a phase "night" ([world.PhaseFact]); in all other phases, such as one to talk in, these rules have no
// actions. In a game without phases turns with even numbers are days, the others nights. All votes of one step are counted
// together and at once, and that is the ballot of this day, so that everybody must act in the same step; the night likewise. Lots come
// from [world.State.Rand], streams "lynch" and "hunt".
//
// The roles and their powers are those of Migdal 2010, "A mathematical model of the Mafia game" (arXiv:1009.1031), without parity.
// If everybody votes and kills at random it is that paper's pure death process, day first: of 7 players with 1 wolf the wolves
// win with probability 16/35, of 10 with 2 with 63/128. Braverman, Etesami and Mossel 2008 (arXiv:math/0609534) study optimal play. That
// equal votes are decided by lot, and that nobody votes for itself, is ours; by symmetry neither changes what random play gives.
//
// # Facts
//
//	werewolf/agents  names in seat order
//	werewolf/parity  whether wolves win as soon as they are half of the living
//	werewolf/reveal  whether the role of who has died is told to all
//	werewolf/winner  "wolves" or "villagers"; "" as long as nobody has won
//	werewolf/ballot  {"turn":n,"victim":name,"votes":{voter:name}} of the last lynching; turn -1 before the first
//	werewolf/hunt    {"turn":n,"victim":name} of the last killing; turn -1 before the first
//	roles/<name>     "wolf" or "villager"
//	dead/<name>      {"by":"lynching" or "wolves","turn":n}; missing while the agent is alive
//
// # Events
//
//	cast    roles are drawn; data: {"agents":[names in seat order],"wolves":[names]}
//	ballot  a vote was counted; data: {"tied":[names among whom a lot was drawn, if so],"victim":name,"votes":{voter:name}}
//	hunt    wolves have chosen; data likewise
//	death   an agent has died; data: {"by":"lynching" or "wolves","role":its role}
//	win     a side has won; data: {"winner":"wolves" or "villagers"}
package werewolf

import (
	"encoding/json"
	"fmt"

	"github.com/vitrine-sim/vitrine/world"
)

// Kinds of events; see the package comment.
const (
	kindCast   = "cast"
	kindBallot = "ballot"
	kindHunt   = "hunt"
	kindDeath  = "death"
	kindWin    = "win"
)

// Phases in which there is something to do.
const (
	PhaseVote  = "vote"
	PhaseNight = "night"
)

// Roles, and the sides that they are on.
const (
	wolf      = "wolf"
	villager  = "villager"
	wolves    = "wolves"
	villagers = "villagers"
)

// A Config is what can be chosen about a village.
type Config struct {
	Wolves int  `toml:"wolves" min:"1" max:"999" doc:"How many of the agents are wolves."`
	Parity bool `toml:"parity" doc:"Wolves win as soon as they are half of the living, not only when nobody else is left."`
	Reveal bool `toml:"reveal" doc:"The role of who has died is told to all."`
}

// Default returns a village with one wolf, played until one side is extinct, in which the dead show what they were.
func Default() Config {
	return Config{Wolves: 1, Reveal: true}
}

// Rules are the law of one village. They implement [world.Rules].
type Rules struct {
	config Config
}

// New returns the rules of a village, or an error if the number of wolves is out of range.
func New(config Config) (*Rules, error) {
	if config.Wolves < 1 || config.Wolves > 999 {
		return nil, fmt.Errorf("wolves is %d, want 1 to 999", config.Wolves)
	}
	return &Rules{config: config}, nil
}

// Reset implements [world.Rules]: everybody has a role and is alive. It is an error if the agents are so few that the wolves have won.
func (r *Rules) Reset(seed uint64, agents []string) ([]world.Event, error) {
	v := village{names: agents, wolf: make([]bool, len(agents)), dead: make([]bool, len(agents)), parity: r.config.Parity}
	for _, i := range world.NewRand(seed, 0, "roles").Perm(len(agents))[:min(r.config.Wolves, len(agents))] {
		v.wolf[i] = true
	}
	if len(agents) <= r.config.Wolves || v.winner() != "" {
		return nil, fmt.Errorf("with %d of %d agents wolves, they have won before the first day", r.config.Wolves, len(agents))
	}
	set := map[string]json.RawMessage{
		"werewolf/agents": world.JSON(agents),
		"werewolf/parity": world.JSON(r.config.Parity),
		"werewolf/reveal": world.JSON(r.config.Reveal),
		"werewolf/winner": world.JSON(""),
		"werewolf/ballot": world.JSON(ballot{Turn: -1}),
		"werewolf/hunt":   world.JSON(ballot{Turn: -1}),
	}
	for i, name := range agents {
		set["roles/"+name] = world.JSON(v.role(i))
	}
	data := world.JSON(map[string]any{"agents": agents, "wolves": v.pack(-1)})
	return []world.Event{{Kind: kindCast, Data: data, Set: set}}, nil
}

// A view is what an agent sees.
type view struct {
	Agent  string            `json:"you"`              // its name
	Role   string            `json:"role"`             // its own
	Pack   []string          `json:"pack,omitempty"`   // the other wolves, alive or dead; only wolves see them
	Alive  []string          `json:"alive"`            // in seat order
	Dead   []corpse          `json:"dead,omitempty"`   // in seat order
	Ballot *ballot           `json:"ballot,omitempty"` // the last lynching, with everybody's vote
	Hunt   *ballot           `json:"hunt,omitempty"`   // the last killing, without the wolves' votes
	Winner string            `json:"winner,omitempty"`
	Roles  map[string]string `json:"roles,omitempty"` // everybody's, when the game is over
}

// A corpse is what is seen of somebody who has died.
type corpse struct {
	Name string `json:"name"`
	Role string `json:"role,omitempty"` // if the dead show what they were
	death
}

// Observe implements [world.Rules]. An agent sees who is alive, who has died and how, the votes of the last lynching, and its own
// role. Who is a wolf sees the other wolves. Everybody's role is seen when the game is over.
func (r *Rules) Observe(st world.State, agent string) (world.Observation, error) {
	g, err := readGame(st)
	if err != nil {
		return world.Observation{}, err
	}
	me := g.seat(agent)
	if me < 0 {
		return world.Observation{}, fmt.Errorf("no agent %q in this village", agent)
	}
	obs := world.Observation{
		Agent: agent, Turn: st.Turn, View: world.JSON(g.view(me)), Terminated: g.won != "" || g.dead[me],
	}
	if g.won == wolves && g.wolf[me] || g.won == villagers && !g.wolf[me] {
		obs.Reward = 1
	}
	if name := g.due(st); !obs.Terminated && name != "" && g.may(me, name) {
		obs.Actions = []world.ActionSpec{g.spec(me, name)}
	}
	return obs, nil
}

// view returns what the agent in a seat sees.
func (g game) view(me int) view {
	v := view{Agent: g.names[me], Role: g.role(me), Alive: []string{}, Winner: g.won}
	if g.wolf[me] {
		v.Pack = g.pack(me)
	}
	for i, name := range g.names {
		if !g.dead[i] {
			v.Alive = append(v.Alive, name)
			continue
		}
		c := corpse{Name: name, death: g.deaths[i]}
		if g.reveal {
			c.Role = g.role(i)
		}
		v.Dead = append(v.Dead, c)
	}
	if g.ballot.Turn >= 0 {
		v.Ballot = &g.ballot
	}
	if g.hunt.Turn >= 0 {
		v.Hunt = &g.hunt
	}
	if g.won != "" {
		v.Roles = make(map[string]string, len(g.names))
		for i, name := range g.names {
			v.Roles[name] = g.role(i)
		}
	}
	return v
}
