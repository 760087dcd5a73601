package fishery

import (
	"encoding/json"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
)

func TestCheckKnowsWhatCannotBeALake(t *testing.T) {
	rules, err := New(Default())
	if err != nil {
		t.Fatal(err)
	}
	events, err := rules.Reset(1, []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	lake := world.State{}.Apply(events...)
	if err := rules.Check(lake); err != nil {
		t.Errorf("a full lake: %v", err)
	}
	for path, values := range map[string][]string{
		"lake/tons":     {"-1", "101", `"10"`, "1.5"},
		"lake/next":     {"-1", "101"},
		"lake/capacity": {"0", "99", "1000001"},
		"lake/collapse": {"-1", "101"},
		"lake/turns":    {"0", "100001"},
		"lake/turn":     {"-1", "1"},
	} {
		for _, value := range values {
			set := world.Event{Set: map[string]json.RawMessage{path: json.RawMessage(value)}}
			if err := rules.Check(lake.Apply(set)); err == nil {
				t.Errorf("no error with %s = %s", path, value)
			}
		}
		if err := rules.Check(lake.Apply(world.Event{Del: []string{path}})); err == nil {
			t.Errorf("no error without %s", path)
		}
	}
}
