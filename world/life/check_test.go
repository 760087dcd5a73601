package life

import (
	"encoding/json"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
)

func TestCheckKnowsWhatCannotBeABoard(t *testing.T) {
	rules, err := New(Config{Side: 8, Columns: 2, Pattern: "glider", Turns: 10})
	if err != nil {
		t.Fatal(err)
	}
	events, err := rules.Reset(1, []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	board := world.State{}.Apply(events...)
	if err := rules.Check(board); err != nil {
		t.Errorf("a glider: %v", err)
	}
	for _, test := range []struct{ path, value string }{
		{"life/side", "0"},
		{"life/columns", "0"},
		{"life/columns", "3"},
		{"tiles/a", `{"cells":[[8,0]],"turn":0}`},
		{"tiles/a", `{"cells":[[0,-1]],"turn":0}`},
		{"tiles/b", `{"cells":[[1,0],[0,0]],"turn":0}`},
		{"tiles/b", `{"cells":[[1,0],[1,0]],"turn":0}`},
		{"tiles/b", `[]`},
	} {
		set := world.Event{Set: map[string]json.RawMessage{test.path: json.RawMessage(test.value)}}
		if err := rules.Check(board.Apply(set)); err == nil {
			t.Errorf("no error with %s = %s", test.path, test.value)
		}
	}
}
