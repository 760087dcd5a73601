package world

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestStatesAreWhatAPlainMapWouldBe(t *testing.T) {
	for seed := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, 0))
		type version struct {
			st   State
			want map[string]json.RawMessage
		}
		versions := []version{{want: map[string]json.RawMessage{}}}
		for range 150 {
			v := versions[max(0, len(versions)-1-random.IntN(3))] // now and then go on from an older one
			want := maps.Clone(v.want)
			var events []Event
			for range random.IntN(3) {
				ev := Event{Kind: "x", Set: make(map[string]json.RawMessage)}
				for range random.IntN(12) {
					ev.Set[fmt.Sprintf("%c/%d", 'a'+rune(random.IntN(3)), random.IntN(60))] = JSON(random.IntN(1000))
				}
				for range random.IntN(6) {
					ev.Del = append(ev.Del, fmt.Sprintf("%c/%d", 'a'+rune(random.IntN(3)), random.IntN(60)))
				}
				for _, path := range ev.Del {
					delete(want, path)
				}
				maps.Copy(want, ev.Set)
				events = append(events, ev)
			}
			versions = append(versions, version{v.st.Apply(events...), want})
		}
		for i, v := range versions { // also the old ones, which others were made from
			if got := string(JSON(v.st)); got != string(JSON(map[string]any{"facts": v.want, "seq": 0, "turn": 0})) {
				t.Fatalf("seed %d: state %d is %s, want %s", seed, i, got, JSON(v.want))
			}
			paths := slices.DeleteFunc(slices.Sorted(maps.Keys(v.want)), func(path string) bool { return !strings.HasPrefix(path, "b/") })
			if got := v.st.Paths("b/"); !slices.Equal(got, paths) {
				t.Fatalf("seed %d: state %d has the paths %q, want %q", seed, i, got, paths)
			}
			for path := range 60 {
				path := fmt.Sprintf("a/%d", path)
				got, ok := v.st.Fact(path)
				if want, is := v.want[path]; string(got) != string(want) || ok != is {
					t.Fatalf("seed %d: state %d has %s at %s (%v), want %s (%v)", seed, i, got, path, ok, want, is)
				}
			}
		}
	}
}

func TestASmallChangeOfManyFactsTouchesFew(t *testing.T) {
	st := State{}
	for i := range 4000 {
		st = st.Apply(Event{Kind: "x", Set: facts(fmt.Sprint(i), i)})
	}
	begun, copied := st, 0
	for i := range 4000 {
		before := st.facts
		st = st.Apply(Event{Kind: "x", Set: facts(fmt.Sprint(i), -i)})
		if n := len(st.facts); n > len(before) {
			copied++
		} else {
			copied += len(st.facts[n-1])
		}
		if most := 8; len(st.facts) > most {
			t.Fatalf("there are %d layers, more than %d", len(st.facts), most)
		}
	}
	if perChange := copied / 4000; perChange > 40 {
		t.Errorf("a change of one fact of 4,000 copies %d", perChange)
	}
	if raw, _ := begun.Fact("7"); string(raw) != "7" {
		t.Errorf("the state before became one with %s", raw)
	}
}

func TestGetDecodesWhatIsPlainAsJSONDoes(t *testing.T) {
	for _, raw := range []string{
		`""`, `"a"`, `"a b"`, `"\u0041"`, `"\n"`, `"é"`, `"a`, `a"`, `"`, `"a"b"`, ` "a"`, `"a" `, "\"\n\"", "\"\x7f\"", "\"\xff\"", `null`, `{}`, `[1]`,
		`0`, `1`, `-1`, `-0`, `+1`, `01`, `1.0`, `1e2`, `1_0`, `--1`, `-`, ` 1`, `9223372036854775807`, `9223372036854775808`, `-9223372036854775808`, `0x1`, ``,
	} {
		st := State{facts: layers{{"a": json.RawMessage(raw)}}}
		gotText, wantText := "before", "before"
		err, want := st.Get("a", &gotText), json.Unmarshal([]byte(raw), &wantText)
		if gotText != wantText || (err == nil) != (want == nil) {
			t.Errorf("%q is the text %q (%v), want %q (%v)", raw, gotText, err, wantText, want)
		}
		gotInt, wantInt := 7, 7
		err, want = st.Get("a", &gotInt), json.Unmarshal([]byte(raw), &wantInt)
		if gotInt != wantInt || (err == nil) != (want == nil) {
			t.Errorf("%q is the integer %d (%v), want %d (%v)", raw, gotInt, err, wantInt, want)
		}
	}
}
