package web

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/viewer"
	"github.com/vitrine-sim/vitrine/world"
)

func TestAFileWithoutWhatIsNotForAllHasNoneOfItsTexts(t *testing.T) {
	run, store := newRun(t, 1)
	private := []string{"meet me at \"the <old> mill\"\nat noon", "no", "the operator whispers to ann", "a refused secret for bob", "cat ../bob/diary", "panic: my own words"}
	whisper := func(agent, to, text string) world.Event {
		data := world.JSON(map[string]any{"to": []string{to}, "text": text})
		return world.Event{Kind: viewer.KindMessage, Agent: agent, Data: data, Set: map[string]json.RawMessage{"run/mail/" + to: data}}
	}
	said := func(text string) world.Event {
		return world.Event{Kind: viewer.KindAction, Agent: "ann", Data: world.JSON(map[string]any{"name": "say", "args": map[string]any{"to": []string{"bob"}, "text": text}})}
	}
	commit(t, store, said(private[0]), whisper("ann", "bob", private[0]), whisper("bob", "cat", private[1]),
		world.Event{Kind: viewer.KindMessage, Agent: "cat", Data: world.JSON(map[string]string{"text": "good day to all, no harm is meant"})})
	commit(t, store, said(private[3]), world.Event{Kind: "operator", Agent: world.Operator, Data: world.JSON(map[string]string{"do": "tell", "to": "ann", "text": private[2]})},
		world.Event{Kind: "tamper", Agent: "bob", Data: world.JSON(map[string]string{"what": "files", "sample": private[4]})},
		world.Event{Kind: viewer.KindCrash, Agent: "cat", Proc: world.JSON(map[string]string{"reason": "it died", "detail": private[5]})})
	commit(t, store, world.Event{Kind: world.KindTurn})
	run.Transcript = func(string) ([]Entry, error) { return []Entry{{Turn: 1, Kind: "thinking", Text: "I think so"}}, nil }
	run.Observe = func(st world.State, agent string) (world.Observation, error) {
		o := world.Observation{Agent: agent, View: world.JSON("the mill is old")}
		var m world.Message
		if st.Get("run/mail/"+agent, &m) == nil {
			o.Messages = append(o.Messages, m)
		}
		return o, nil
	}
	run.Say = func(ev world.Event) string { return "tells bob: " + string(ev.Data) }
	s, err := New(run, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for _, redact := range []bool{false, true} {
		f, err := s.collect(t.Context(), FileOptions{To: 2, Redact: redact})
		if err != nil {
			t.Fatal(err)
		}
		texts := []string{f.pictures.String()}
		for _, raw := range f.answers {
			texts = append(texts, string(raw))
		}
		all := strings.Join(texts, "\n")
		for _, secret := range append(private, "I think so") {
			quoted := string(world.JSON(secret))
			escaped, _ := json.Marshal(secret)
			if secret != "no" {
				quoted = strings.Trim(quoted, `"`)
				escaped = []byte(strings.Trim(string(escaped), `"`))
			}
			if has := strings.Contains(all, quoted) || strings.Contains(all, string(escaped)) || strings.Contains(all, secret) && secret != "no"; has == redact {
				t.Errorf("redacted %v: %q is in it: %v", redact, secret, has)
			}
		}
		for _, open := range []string{"good day to all, no harm is meant", "the mill is old", `"kind":"message"`, `"to":["bob"]`} {
			if !strings.Contains(all, open) {
				t.Errorf("redacted %v: %q is not in it", redact, open)
			}
		}
	}
}
