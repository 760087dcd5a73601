package arena

import (
	"encoding/json"
	"slices"

	"github.com/vitrine-sim/vitrine/world"
)

// A Restart says whether an agent whose process has crashed is started again, and when. All is counted in turns, so that it is the same
// however long anything takes. The zero Restart is never: whoever has crashed is out.
//
// Until it is started again the agent is not asked: what follows an error follows. In a free-running game nobody waits for it, and nothing
// is said of it. A crash more than there may be in a window puts it in quarantine: it never acts again.
type Restart struct {
	Max        int // restarts within any Window
	Window     int // turns
	Backoff    int // turns from a crash to the restart, twice as many for each other crash in the window; 0: it is asked again in the same turn
	MaxBackoff int // turns that this is at most
}

const crashFact = "run/crash" // prefix: run/crash/<agent> -> how it stands after its crashes, see crashes

// A crashes is what a state says of the crashes of an agent.
type crashes struct {
	Turns []int `json:"turns"` // of those in the window that ends with the last one
	Again int   `json:"again"` // turn from which it is asked again
}

func crashesOf(st world.State, agent string) (c crashes) {
	_ = st.Get(crashFact+"/"+agent, &c) // there was none
	return c
}

// sitsOut says whether an agent is not asked in a state, because it is to be started again later.
func (g *Game) sitsOut(st world.State, agent string) bool {
	return g.Restart.Max > 0 && st.Turn < crashesOf(st, agent).Again
}

// crash is the event of an agent whose process has crashed, and what it does instead.
func (g *Game) crash(st world.State, agent string, phase *Phase) (world.Event, world.Action) {
	was := crashesOf(st, agent)
	now := crashes{Turns: append(slices.DeleteFunc(was.Turns, func(turn int) bool { return turn <= st.Turn-g.Restart.Window }), st.Turn)}
	follows := g.follows(KindCrash, phase)
	quarantined := len(now.Turns) > g.Restart.Max
	if quarantined {
		follows = ConsequenceOut
	}
	ev, action := g.consequence(KindCrash, agent, follows)
	switch {
	case quarantined && g.Restart.Max > 0:
		ev.Set[statusPath(agent)] = world.JSON(StatusQuarantined)
	case follows != ConsequenceOut:
		now.Again = st.Turn + g.Restart.wait(len(now.Turns))
		ev.Set = map[string]json.RawMessage{crashFact + "/" + agent: world.JSON(now)}
	}
	return ev, action
}

// wait returns how many turns there are from a crash to the restart, which is the nth in its window.
func (r Restart) wait(n int) int {
	wait := r.Backoff
	for range n - 1 {
		wait = min(2*wait, r.MaxBackoff)
	}
	return wait
}

// AgainAfter returns the turn in which an agent is started again after the event of its crash, if it is.
func AgainAfter(ev world.Event) (turn int, ok bool) {
	raw, ok := ev.Set[crashFact+"/"+ev.Agent]
	if !ok {
		return 0, false
	}
	var now crashes
	err := json.Unmarshal(raw, &now)
	return now.Again, err == nil
}

// IsQuarantine says whether an event of a crash puts its agent in quarantine.
func IsQuarantine(ev world.Event) bool {
	return string(ev.Set[statusPath(ev.Agent)]) == string(world.JSON(StatusQuarantined))
}
