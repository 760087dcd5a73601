package claude

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
)

func TestReadSkipsWhatIsNoLineOfTheProtocol(t *testing.T) {
	long := strings.Repeat("x", 300_000)
	in := "a note of some build\n\n[1]\n{\"type\":\n" +
		`{"type":"later","new":{"field":[1]}}` + "\n" +
		`{"type":"user","message":{"role":"user","content":"text"}}` + "\n" +
		`{"type":"assistant","message":{"id":"m1","content":[{"type":"text","text":"` + long + `"},{"type":"tool_use","id":"t1"}]}}` + "\n" +
		`{"type":"result","subtype":"success","is_error":true,"result":"API Error: 500","errors":["one"]}`
	var got []inbound
	if err := newStream(nil, strings.NewReader(in)).read(func(in inbound) { got = append(got, in) }); err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, in := range got {
		types = append(types, in.Type)
	}
	if want := "later user assistant result"; strings.Join(types, " ") != want {
		t.Fatalf("read %v, want %s", types, want)
	}
	if m := got[2].Message; m.ID != "m1" || len(m.Content) != 2 || m.Content[1].ID != "t1" {
		t.Errorf("message is %+v", m)
	}
	if err := got[3].failure(); err == nil || err.Error() != "one API Error: 500" {
		t.Errorf("failure is %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"type":"control_response","response":{"request_id":"x","subtype":"success"}}` + "\n"))
	f.Add([]byte(`{"type":"assistant","message":{"id":1,"content":[{}]}}` + "\n{}\n[]"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		lines := 0
		if err := newStream(nil, bytes.NewReader(raw)).read(func(inbound) { lines++ }); err != nil {
			t.Error(err)
		}
		if most := bytes.Count(raw, []byte("\n")) + 1; lines > most {
			t.Errorf("%d lines of at most %d", lines, most)
		}
	})
}

func FuzzDecodeAction(f *testing.F) {
	f.Add([]byte(`{"action":"fish","args":{"tons":10}}`))
	f.Add([]byte(`{"action":"fish","args":null}`))
	f.Add([]byte(`{"ACTION":"x"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		action, err := decodeAction(raw)
		if err != nil {
			return
		}
		if action.Name == "" || len(raw) > maxAction {
			t.Errorf("%q is the action %+v", raw, action)
		}
		if len(action.Args) > 0 && !json.Valid(action.Args) {
			t.Errorf("%q gives arguments that are not JSON: %q", raw, action.Args)
		}
		if _, err := world.Canonical(world.JSON(map[string]string{"name": action.Name})); err != nil {
			t.Errorf("the name %q cannot be logged: %v", action.Name, err)
		}
	})
}
