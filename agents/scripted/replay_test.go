package scripted

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/vitrine-sim/vitrine/world"
)

const good = `{"turn":0,"agent":"a","action":"fish","args":{"tons":10}}`

func TestReadRecordingReadsActionsByAgentAndTurn(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", `{}`},
		{"empty lines", "\n \t\n\r\n", `{}`},
		{"one line", good + "\n", `{"a":{"0":[{"agent":"a","name":"fish","args":{"tons":10}}]}}`},
		{"no newline at the end", good, `{"a":{"0":[{"agent":"a","name":"fish","args":{"tons":10}}]}}`},
		{"the newlines of other systems", good + "\r\n", `{"a":{"0":[{"agent":"a","name":"fish","args":{"tons":10}}]}}`},
		{"no arguments", `{"turn":3,"agent":"a","action":"pass"}`, `{"a":{"3":[{"agent":"a","name":"pass"}]}}`},
		{"any order of keys", `{"action":"fish","agent":"b","turn":1}`, `{"b":{"1":[{"agent":"b","name":"fish"}]}}`},
		{
			"several actions in one turn, turns in any order",
			`{"turn":2,"agent":"a","action":"x"}` + "\n\n" + `{"turn":1,"agent":"a","action":"y"}` + "\n" +
				`{"turn":2,"agent":"b","action":"z"}` + "\n" + `{"turn":2,"agent":"a","action":"w"}`,
			`{"a":{"1":[{"agent":"a","name":"y"}],"2":[{"agent":"a","name":"x"},{"agent":"a","name":"w"}]},"b":{"2":[{"agent":"b","name":"z"}]}}`,
		},
		{"arguments as they are", `{"turn":0,"agent":"a","action":"fish","args": [1, "\u0041", 1e999]}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			rec, err := ReadRecording("x.jsonl", strings.NewReader(test.text))
			if err != nil {
				t.Fatal(err)
			}
			if test.want == "" {
				if got := string(rec["a"][0][0].Args); got != `[1, "\u0041", 1e999]` {
					t.Errorf("the arguments are %s", got)
				}
				return
			}
			if got := encode(t, rec); got != test.want {
				t.Errorf("read %s, want %s", got, test.want)
			}
		})
	}
}

func TestReadRecordingNamesTheLineOfEachMistake(t *testing.T) {
	for _, test := range []struct{ name, line, want string }{
		{"no JSON", `fish 10`, `not an action: invalid character 'i' in literal false (expecting 'a')`},
		{"half a line", `{"turn":0,"agent":"a"`, `not an action: unexpected EOF`},
		{"an array", `[0,"a","fish"]`, `not an action: the line is of the wrong type: array`},
		{"a number", `7`, `not an action: the line is of the wrong type: number`},
		{"an unknown key", `{"turn":0,"agnet":"a","action":"fish"}`, `not an action: json: unknown field "agnet"`},
		{"two on a line", good + " " + good, `more than one action on a line`},
		{"a brace too many", good + "}", `more than one action on a line`},
		{"a bracket too many", good + "]", `more than one action on a line`},
		{"a comma at the end", good + ",", `more than one action on a line`},
		{"no turn", `{"agent":"a","action":"fish"}`, `"turn" must be a number from 0`},
		{"an empty object", `{}`, `"turn" must be a number from 0`},
		{"null", `null`, `"turn" must be a number from 0`},
		{"a turn that is null", `{"turn":null,"agent":"a","action":"fish"}`, `"turn" must be a number from 0`},
		{"a negative turn", `{"turn":-1,"agent":"a","action":"fish"}`, `"turn" must be a number from 0`},
		{"half a turn", `{"turn":0.5,"agent":"a","action":"fish"}`, `not an action: "turn" is of the wrong type: number 0.5`},
		{"a turn in quotes", `{"turn":"0","agent":"a","action":"fish"}`, `not an action: "turn" is of the wrong type: string`},
		{"an agent that is a number", `{"turn":0,"agent":1,"action":"fish"}`, `not an action: "agent" is of the wrong type: number`},
		{"no agent", `{"turn":0,"action":"fish"}`, `"agent" is missing`},
		{"an empty agent", `{"turn":0,"agent":"","action":"fish"}`, `"agent" is missing`},
		{"no action", `{"turn":0,"agent":"a"}`, `"action" is missing`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ReadRecording("x.jsonl", strings.NewReader("\n"+test.line+"\r\n"+good+"\n"))
			if want := "x.jsonl:2: " + test.want; err == nil || err.Error() != want {
				t.Errorf("the error is %v, want %s", err, want)
			}
		})
	}
}

func TestReadRecordingSaysAllMistakesAtOnce(t *testing.T) {
	text := "x\n" + good + "\n\n{}\n" + good + "\n{"
	_, err := ReadRecording("dir/x.jsonl", strings.NewReader(text))
	want := "dir/x.jsonl:1: not an action: invalid character 'x' looking for beginning of value\n" +
		"dir/x.jsonl:4: \"turn\" must be a number from 0\n" +
		"dir/x.jsonl:6: not an action: unexpected EOF"
	if err == nil || err.Error() != want {
		t.Errorf("the error is\n%v\nwant\n%s", err, want)
	}
}

func TestReadRecordingSaysThatItCouldNotRead(t *testing.T) {
	broken := errors.New("disk on fire")
	_, err := ReadRecording("x.jsonl", io.MultiReader(strings.NewReader(good+"\n"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || err.Error() != "x.jsonl: disk on fire" {
		t.Errorf("the error is %v", err)
	}
}

func TestARecordingKnowsItsAgents(t *testing.T) {
	rec, err := ReadRecording("x", strings.NewReader(strings.ReplaceAll(good, `"a"`, `"z"`)+"\n"+good+"\n"+strings.ReplaceAll(good, `"a"`, `"b"`)))
	if err != nil {
		t.Fatal(err)
	}
	if got := rec.Agents(); !slices.Equal(got, []string{"a", "b", "z"}) {
		t.Errorf("the agents are %q", got)
	}
}

// acts returns the names of what p does when it is asked once for each of the turns.
func acts(t *testing.T, p *Player, turns ...int) string {
	t.Helper()
	var names []string
	for _, turn := range turns {
		action, err := p.Act(t.Context(), world.Observation{Agent: "a", Turn: turn})
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, action.Name)
	}
	return strings.Join(names, " ")
}

func TestAPlayerRepeatsTheActionsOfEachTurnInOrderAndPassesElsewhere(t *testing.T) {
	const text = `{"turn":1,"agent":"a","action":"one"}
{"turn":1,"agent":"a","action":"two"}
{"turn":1,"agent":"b","action":"other"}
{"turn":3,"agent":"a","action":"three"}
{"turn":3,"agent":"a","action":"four"}
{"turn":5,"agent":"a","action":"five"}`
	rec, err := ReadRecording("x", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		agent string
		turns []int
		want  string
	}{
		{"one act a turn", "a", []int{0, 1, 2, 3, 4, 5, 6}, "pass one pass three pass five pass"},
		{"as many as are recorded", "a", []int{1, 1, 3, 3, 5}, "one two three four five"},
		{"more than are recorded", "a", []int{1, 1, 1, 1, 3}, "one two pass pass three"},
		{"the rest of a turn is not played in the next", "a", []int{1, 2, 3}, "one pass three"},
		{"a turn is never asked for", "a", []int{0, 5}, "pass five"},
		{"another agent", "b", []int{0, 1, 1}, "pass other pass"},
		{"an agent that is not recorded", "c", []int{0, 1}, "pass pass"},
	} {
		if got := acts(t, rec.Player(test.agent), test.turns...); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
	first, second := rec.Player("a"), rec.Player("a")
	if got := acts(t, first, 1) + " " + acts(t, second, 1, 1) + " " + acts(t, first, 1); got != "one one two two" {
		t.Errorf("two players of one recording do %s", got)
	}
}

func FuzzReadRecording(f *testing.F) {
	f.Add([]byte(good + "\n" + good))
	f.Add([]byte("\n{\n"))
	f.Add([]byte(`{"turn":1e2,"agent":"\ud800","action":"` + "\xff" + `","args":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		rec, err := ReadRecording("x", bytes.NewReader(text))
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, "x:") {
					t.Fatalf("an error without its line: %q", line)
				}
			}
			return
		}
		// What was read can be written and read again.
		again, err := ReadRecording("x", strings.NewReader(write(t, rec)))
		if err != nil || encode(t, again) != encode(t, rec) {
			t.Fatalf("read %s, then %s, %v", encode(t, rec), encode(t, again), err)
		}
		for _, name := range rec.Agents() {
			for turn := range rec[name] {
				if turn < 0 {
					t.Fatalf("turn %d", turn)
				}
			}
		}
	})
}
