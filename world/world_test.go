package world

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestCanonicalFormIsUnique(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{` { "b" : 1 , "a" : [ ] } `, `{"a":[],"b":1}`},
		{`{"a":1,"a":2}`, `{"a":2}`},
		{`"<&>\u003c\/\u2028é\u00e9"`, `"<&></\u2028éé"`},
		{"-0", "0"},
		{"-0.0", "0"},
		{"[0e5,-0E-3,-1e-999]", "[0,0,0]"},
		{"1.0", "1"},
		{"1e2", "100"},
		{"0.10", "0.1"},
		{"1e21", "1e+21"},
		{"123456789012345678901234567890", "123456789012345678901234567890"},
		{"9007199254740993", "9007199254740993"},
		{"null", "null"},
	} {
		if got, err := Canonical([]byte(c.in)); err != nil || string(got) != c.want {
			t.Errorf("%s gives %s, error %v; want %s", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{"", " ", "{", "}", "{}}", "[]]", "1 2", "{} {}", "[1,]", "NaN", "1e999", "01", "'a'", "{} x"} {
		if got, err := Canonical([]byte(in)); err == nil {
			t.Errorf("%q gives %s, want an error", in, got)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{`{"b":[1.50,-0.0,"\u2028<"],"a":null}`, "{}}", "1e999", "\"\xff\"", `{"\ud800":1,"\ud801":2}`, strings.Repeat("[", MaxDepth+2) + strings.Repeat("]", MaxDepth+2)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		once, err := Canonical(in)
		if err != nil {
			if json.Valid(in) && !strings.Contains(err.Error(), "value out of range") && !strings.Contains(err.Error(), "nested deeper") {
				t.Fatalf("valid JSON is refused: %v", err)
			}
			return
		}
		if !json.Valid(in) || !json.Valid(once) {
			t.Fatalf("%q gives %q", in, once)
		}
		if twice, err := Canonical(once); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%q gives first %q, then %q, error %v", in, once, twice, err)
		}
		if raw, err := json.Marshal(once); err != nil || bytes.ContainsAny(raw, "\n") {
			t.Fatalf("%q cannot be in a line: %v", once, err)
		}
	})
}

func TestStateNeverChanges(t *testing.T) {
	first := State{}.Apply(Event{Kind: "x", Seq: 1, Set: facts("a", 1, "b", 2)})
	before := string(JSON(first))
	second := first.Apply(Event{Kind: KindTurn, Seq: 2, Set: facts("a", 3, "c", 4), Del: []string{"b"}})
	third := first.Apply(Event{Kind: "y", Seq: 2, Set: facts("d", 5)})
	for _, c := range []struct{ name, got, want string }{
		{"first", string(JSON(first)), before},
		{"first", before, `{"facts":{"a":1,"b":2},"seq":1,"turn":0}`},
		{"second", string(JSON(second)), `{"facts":{"a":3,"c":4},"seq":2,"turn":1}`},
		{"third", string(JSON(third)), `{"facts":{"a":1,"b":2,"d":5},"seq":2,"turn":0}`},
		{"zero", string(JSON(State{}.Apply())), `{"facts":{},"seq":0,"turn":0}`},
	} {
		if c.got != c.want {
			t.Errorf("%s state is %s, want %s", c.name, c.got, c.want)
		}
	}
}

func TestStoreDoesNotShareBytesWithWhoGaveThem(t *testing.T) {
	s := openStore(t, t.TempDir())
	raw := json.RawMessage("[1]")
	st := commitAll(t, s, Event{Kind: "x", Set: map[string]json.RawMessage{"a": raw}})
	raw[1] = '2'
	if got, _ := st.Fact("a"); string(got) != "[1]" {
		t.Errorf("the fact became %s", got)
	}
}

func TestEventSetsAPathThatItDeletes(t *testing.T) {
	st := State{}.Apply(Event{Kind: "x", Seq: 1, Del: []string{"a"}, Set: facts("a", 1)})
	if _, ok := st.Fact("a"); !ok {
		t.Error("the fact is gone")
	}
}

func TestGetSaysWhatIsWrong(t *testing.T) {
	st := State{}.Apply(Event{Kind: "x", Seq: 1, Set: facts("a", "one")})
	var n int
	if err := st.Get("b", &n); err == nil || err.Error() != `no fact "b" in the world` {
		t.Errorf("error %v", err)
	}
	if err := st.Get("a", &n); err == nil || !strings.HasPrefix(err.Error(), `fact "a" is "one": `) {
		t.Errorf("error %v", err)
	}
}

func TestRandomnessDependsOnSeedTurnAndStreamOnly(t *testing.T) {
	draw := func(seed any, turn int, stream string) uint64 {
		st := State{Turn: turn}
		st.facts = layers{facts(SeedFact, seed, "other", turn)}
		return st.Rand(stream).Uint64()
	}
	want := draw(uint64(1<<63+1), 2, "a")
	if got := NewRand(1<<63+1, 2, "a").Uint64(); got != want || draw(uint64(1<<63+1), 2, "a") != want {
		t.Error("the same seed, turn and stream give other numbers")
	}
	for name, got := range map[string]uint64{"seed": draw(1, 2, "a"), "turn": draw(uint64(1<<63+1), 3, "a"), "stream": draw(uint64(1<<63+1), 2, "b")} {
		if got == want {
			t.Errorf("another %s gives the same numbers", name)
		}
	}
}
