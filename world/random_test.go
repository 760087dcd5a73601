package world

import (
	"encoding/json"
	"regexp"
	"testing"
)

func TestRandomActionDrawsEverythingThatTheSchemaAllows(t *testing.T) {
	for name, c := range map[string]struct {
		schema string
		want   string // what all arguments look like
		kinds  int    // how many there must be at least in a thousand draws
	}{
		"integer":        {`{"type":"integer","minimum":-1,"maximum":2}`, `-1|0|1|2`, 4},
		"one integer":    {`{"type":"integer","minimum":7,"maximum":7}`, `7`, 1},
		"any integer":    {`{"type":"integer"}`, `\d\d?|100`, 100},
		"great integer":  {`{"type":"integer","minimum":-1e300,"maximum":1e300}`, `-?\d{1,16}`, 1000},
		"from on":        {`{"type":"integer","minimum":1000}`, `1[01]\d\d`, 100},
		"up to":          {`{"type":"integer","maximum":-1000}`, `-1000`, 1},
		"no such number": {`{"type":"integer","minimum":3,"maximum":1}`, `3`, 1},
		"number":         {`{"type":"number","minimum":0.5,"maximum":0.6}`, `0\.5\d*|0.6`, 900},
		"boolean":        {`{"type":"boolean"}`, `true|false`, 2},
		"enum":           {`{"type":"string","enum":["a","<b>",3]}`, `"a"|"<b>"|3`, 3},
		"string":         {`{"type":"string"}`, `"[a-z]{1,8}"`, 500},
		"long string":    {`{"type":"string","minLength":20,"maxLength":500}`, `"[a-z]{20,27}"`, 900},
		"short string":   {`{"type":"string","maxLength":1}`, `"[a-z]"`, 26},
		"array":          {`{"type":"array","items":{"type":"boolean"}}`, `\[((true|false),?){0,3}\]`, 15},
		"sized array":    {`{"type":"array","minItems":2,"maxItems":2,"items":{"type":"boolean"}}`, `\[(true|false),(true|false)\]`, 4},
		"object":         {`{"type":"object","properties":{"q":{"type":"boolean"},"p":{"enum":[1]}}}`, `\{"p":1,"q":(true|false)\}`, 2},
	} {
		t.Run(name, func(t *testing.T) {
			schema := json.RawMessage(`{"type":"object","properties":{"x":` + c.schema + `}}`)
			obs := Observation{Agent: "ann", Actions: []ActionSpec{{Name: "do", Schema: schema}}}
			want := regexp.MustCompile(`^\{"x":(` + c.want + `)\}$`)
			kinds := make(map[string]bool)
			random := NewRand(1, 2, name)
			for range 1000 {
				act := RandomAction(obs, random)
				if canonical, err := Canonical(act.Args); err != nil || string(canonical) != string(act.Args) {
					t.Fatalf("%s is not canonical: %v", act.Args, err)
				}
				if !want.Match(act.Args) || act.Name != "do" || act.Agent != "ann" {
					t.Fatalf("drew %q of %q with %s", act.Name, act.Agent, act.Args)
				}
				kinds[string(act.Args)] = true
			}
			if len(kinds) < c.kinds {
				t.Errorf("drew %d kinds of arguments, want %d", len(kinds), c.kinds)
			}
		})
	}
}

func TestRandomActionChoosesAmongTheLegalOnesOrPasses(t *testing.T) {
	obs := Observation{Agent: "ann", Actions: []ActionSpec{{Name: "a"}, {Name: "b"}, {Name: "c", Schema: json.RawMessage("{")}}}
	random := NewRand(1, 0, "")
	count := make(map[string]int)
	for range 3000 {
		act := RandomAction(obs, random)
		if act.Args != nil {
			t.Fatalf("an action without arguments has %s", act.Args)
		}
		count[act.Name]++
	}
	if len(count) != 3 || min(count["a"], count["b"], count["c"]) < 900 {
		t.Errorf("drew %v", count)
	}
	if act := RandomAction(Observation{Agent: "ann"}, random); act.Name != Pass || act.Agent != "ann" {
		t.Errorf("without a legal action it is %v", act)
	}
}

func TestRandomActionIsThePolicyOfItsSeed(t *testing.T) {
	var policy Policy = RandomAction
	obs := Observation{Actions: []ActionSpec{{Name: "a", Schema: json.RawMessage(
		`{"type":"object","properties":{"c":{"type":"string"},"b":{"type":"integer"},"a":{"type":"number"}}}`)}}}
	first, second := policy(obs, NewRand(1, 0, "x")), policy(obs, NewRand(1, 0, "x"))
	if string(first.Args) != string(second.Args) || len(first.Args) == 0 {
		t.Errorf("drew %s and %s", first.Args, second.Args)
	}
}
