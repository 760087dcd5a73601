// Package worldtest holds what all [world.Rules] and all stores must keep, as tests that their packages call.
//
// [TestRules] makes the checks of package conform, and one more that a test alone can make: it moves the clock. [TestStore] commits a small
// game, and looks at every state and hash on the way: they must be those of a twin in memory. An [Episode] is for the tests of single rules.
package worldtest

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/conform"
)

// TestRules fails unless the rules that newRules returns keep what [world.Rules] asks for, one subtest for each part of it.
// Every call of newRules must return a new value of the same rules. The agents are those of the episodes it plays.
func TestRules(t *testing.T, newRules func() (world.Rules, error), agents []string) {
	t.Helper()
	cfg := conform.Config{
		New: func() (conform.Subject, error) {
			rules, err := newRules()
			return conform.Subject{Rules: rules}, err
		},
		Agents: agents, Seeds: []uint64{1}, Turns: 30, Time: 10 * time.Minute,
	}
	report, err := conform.Check(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range report.Checks {
		t.Run(c.Name, func(t *testing.T) {
			if c.Finding != nil {
				t.Fatal(c.Finding)
			}
			if c.Result != conform.OK {
				t.Fatalf("%s: %s", c.Result, c.Note)
			}
			t.Log(c.Note)
		})
	}
	t.Run("rules look at no clock", func(t *testing.T) {
		if !sameInThePast(t, cfg) {
			t.Error("an episode in the year 2000 differs from one of today")
		}
	})
}

// sameInThePast plays an episode today and one in the year 2000, and says whether they are the same.
func sameInThePast(t *testing.T, cfg conform.Config) bool {
	t.Helper()
	today, err := conform.Record(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var then []byte
	synctest.Test(t, func(t *testing.T) { then, err = conform.Record(t.Context(), cfg) })
	if err != nil {
		t.Fatal("in the year 2000: ", err)
	}
	return bytes.Equal(today, then)
}
