package main

import (
	"fmt"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

// howEnded says how the episode in dir has ended; empty: it has not.
func howEnded(dir string) string {
	st, err := world.Now(dir)
	if err != nil {
		return ""
	}
	for ev, err := range world.Turn(dir, st.Turn) {
		if err == nil && ev.Kind == arena.KindEnd {
			return ended(ev)
		}
	}
	return ""
}

// isOver says whether the episode in dir has ended. Of a run that nobody plays any more it is asked after that is known, for it may end at any moment.
func isOver(dir string) bool { return howEnded(dir) != "" }

// idle says that nobody plays a run, and what to do about it; empty: somebody plays it, or it is over.
func idle(dir string) string {
	if world.Holder(dir) != nil || isOver(dir) {
		return ""
	}
	return "nobody plays this run now; " + onward(dir)
}

// tellIdle says it if nobody plays a run.
func (a *app) tellIdle(dir string) {
	if idle := idle(dir); idle != "" {
		a.tell("%s", idle)
	}
}

// notOver says how a run stands that has not ended.
func notOver(dir string) string {
	paused := ""
	if st, err := world.Now(dir); err == nil && arena.Held(st) {
		paused = "paused by the operator; "
	}
	return "not over: " + paused + whoPlays(dir)
}

// whoPlays says who supervises the run in dir.
func whoPlays(dir string) string {
	if held := world.Holder(dir); held != nil {
		return held.Error()
	}
	if isOver(dir) {
		return "it is over now"
	}
	return "nobody plays it any more; " + onward(dir)
}

// onward says how the run in dir goes on that nobody plays, or ends.
func onward(dir string) string {
	m, err := arena.ReadManifest(dir)
	if err == nil && repeats(dir, m) != "" {
		return "it goes on nowhere; " + anew(m)
	}
	does := "goes on"
	if st, err := world.Now(dir); err == nil && arena.Stopped(st) {
		does = "ends it"
	}
	return fmt.Sprintf("%s resume %s %s", self(), relative(dir), does)
}

// unscored says how the run in dir, whose episode is over, gets a result that it has not.
func unscored(dir string) string {
	if m, err := arena.ReadManifest(dir); err == nil && m.Repeats != "" {
		return anew(m)
	}
	return fmt.Sprintf("%s resume %s writes it, and plays nothing", self(), relative(dir))
}

// repeats says what a run repeats, of which nothing is its own or nothing as yet, so that it takes no commands and cannot be resumed; empty: something is.
// Once that is so it stays so, whoever has looked before.
func repeats(dir string, m arena.Manifest) string {
	n := len(m.Branches)
	switch {
	case m.Repeats != "":
		return fmt.Sprintf("%s repeats %s", relative(dir), m.Repeats)
	case n > 0 && !branched(dir, m.Branches[n-1].Turn):
		return fmt.Sprintf("%s still repeats %s, up to turn %d", relative(dir), m.Branches[n-1].Run, m.Branches[n-1].Turn)
	}
	return ""
}

// branched says whether a branch from a turn on has begun in the log in dir.
func branched(dir string, turn int) bool {
	for ev, err := range world.Turn(dir, turn) {
		if err == nil && ev.Kind == arena.KindBranch {
			return true
		}
	}
	return false
}

// anew says what to do about a run that has only repeated another one.
func anew(m arena.Manifest) string {
	if m.Repeats != "" {
		return "vitrine replay begins anew"
	}
	return "vitrine branch begins anew"
}
