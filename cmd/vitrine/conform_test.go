package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/world/conform"
)

// Short episodes of each, because they are many; vitrine check --rules plays longer ones.
func TestTheRulesOfAllShippedScenariosKeepWhatRulesMust(t *testing.T) {
	files, err := filepath.Glob("../../scenarios/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			look := trial{seeds: 2, turns: 4, time: time.Minute}
			if filepath.Base(file) == "segregation.toml" { // 51 by 51 places take half a minute
				look.set = []string{"rules.side=11"}
			}
			s, err := load(t.Context(), file, look.set)
			if err != nil {
				t.Fatal(err)
			}
			report, err := conform.Check(t.Context(), look.config(t.Context(), s))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range report.Checks {
				if c.Result != conform.OK {
					t.Errorf("%s: %s: %v", c.Result, c.Name, c.Finding)
				}
			}
			t.Logf("%d episodes, %d turns, %d actions", report.Episodes, report.Turns, report.Actions)
		})
	}
}
