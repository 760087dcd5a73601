package world

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// notAtOnce are canonical forms that one look does not tell.
var notAtOnce = []string{`"\u2028"`, `"\u0001"`, `{"a\\b":1}`, "1e+21", "1e-7"}

func TestOneLookTellsCanonicalForm(t *testing.T) {
	for _, yes := range []string{
		"null", "true", "false", "0", "-1", "10", "12.5", "-0.001", "123456789012345678901234567890", `""`, `"é\n\"\\"`, "\"\u007f\"",
		"[]", "{}", `[1,"a",{"":[]},null]`, `{"":0,"a":1,"aa":2,"a~":3,"b":{"a":1}}`, strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1),
	} {
		if slow, err := makeCanonical([]byte(yes)); err != nil || string(slow) != yes || !isCanonical([]byte(yes)) {
			t.Errorf("%.50s is %v at once; its form is %.50s, error %v", yes, isCanonical([]byte(yes)), slow, err)
		}
	}
	for _, no := range append([]string{
		"", " 1", "1 ", "nul", "nulll", "truefalse", "01", "-0", "-", "--1", "1-1", "+1", "1.", ".5", "1.0", "1.50", "0.0", "-0.0", "0.00000012", "1.2.3",
		"1e2", "1E2", "1.5e3", "1000000000000000000000.5", "\"\xff\"", `"\/"`, `"\u00e9"`, "\"\u2028\"", "\"\n\"", `"a`, `"\`, `"a\"`,
		"[", "[1", "[1,", "[1,]", "[1}", "[ ]", "{", `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{"a":1]`, `{"a" :1}`, "{1:1}",
		`{"b":1,"a":1}`, `{"a":1,"a":1}`, `{"aa":1,"a":1}`, "{} {}", strings.Repeat("[", MaxDepth+2) + strings.Repeat("]", MaxDepth+2),
	}, notAtOnce...) {
		if isCanonical([]byte(no)) {
			t.Errorf("%.50q is canonical at once", no)
		}
	}
	for _, rare := range notAtOnce {
		if got, err := Canonical([]byte(rare)); err != nil || string(got) != rare {
			t.Errorf("%q gives %q, error %v", rare, got, err)
		}
	}
}

func FuzzOneLook(f *testing.F) {
	for _, seed := range append([]string{`{"a":[1,2.5,-3,"x\n"],"b":{}}`, `{"a!":1,"a":2}`, "0.30000000000000004", "9.5", "1.2.3"}, notAtOnce...) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		slow, err := makeCanonical(in)
		if isCanonical(in) && (err != nil || !bytes.Equal(slow, in)) {
			t.Fatalf("%q is canonical at once; its form is %q, error %v", in, slow, err)
		}
		fast, fastErr := Canonical(in)
		if (err == nil) != (fastErr == nil) || !bytes.Equal(fast, slow) {
			t.Fatalf("%q gives %q, error %v; want %q, error %v", in, fast, fastErr, slow, err)
		}
		if again := bytes.Clone(slow); err == nil && json.Valid(in) && len(again) > 0 {
			if in[0] ^= 1; !bytes.Equal(fast, again) {
				t.Fatal("the canonical form shares its bytes")
			}
		}
	})
}

func FuzzWorld(f *testing.F) {
	f.Add("a", "action", `{"name":"fish"}`, "lake/tons", "100", "gone", "", true, int64(3), 0)
	f.Add("", "<\u2028>", `"\n"`, "a\"\\", "[1.5]", "\x01", "é", false, int64(-1), -1)
	f.Fuzz(func(t *testing.T, agent, kind, data, path, value, del, del2 string, more bool, seq int64, turn int) {
		given := Event{
			Agent: agent, Kind: kind, Data: json.RawMessage(data), Set: map[string]json.RawMessage{path: json.RawMessage(value), path + "2": JSON(turn)},
			Del: []string{del, del2},
		}
		if del == "" {
			given.Set, given.Del = nil, nil
		}
		ev := given
		if ev.makeCanonical(appendSets(nil, ev.Set)) != nil {
			return
		}
		ev.More, ev.Seq, ev.Turn = more, seq, turn
		got := ev.World()
		ev.Proc, ev.Time = nil, time.Time{}
		want, err := marshal(ev) // with the fields in the order of the type
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("the world part is\n%s\nwant\n%s\nerror %v", got, want, err)
		}
	})
}
