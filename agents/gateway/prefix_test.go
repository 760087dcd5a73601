package gateway

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"testing"
	"time"
)

// promptedWith returns a request with that system prompt and messages, of which the last asks for the cache.
func promptedWith(model, tool, system string, messages ...string) []byte {
	list := make([]object, len(messages))
	for i, text := range messages {
		block := object{"type": "text", "text": text}
		if i == len(messages)-1 {
			block["cache_control"] = object{"type": "ephemeral", "ttl": "1h"}
		}
		list[i] = object{"role": "user", "content": []object{block}}
	}
	return marshal(object{
		"model": model, "max_tokens": 10, "messages": list, "tools": []object{{"name": tool, "cache_control": object{"type": "ephemeral"}}},
		"system": []object{{"cache_control": object{"type": "ephemeral"}, "text": system, "type": "text"}},
	})
}

func TestARequestThatGrowsAtItsEndKeepsItsPrefix(t *testing.T) {
	var p prefix
	now := time.Now()
	var messages []string
	for turn := range 10 {
		messages = append(messages, fmt.Sprintf(`turn %d, "cache_control":{"type":"text"}, and so on`, turn))
		p.see(promptedWith("m", "act", "play", messages...), now.Add(time.Duration(turn)*time.Minute))
	}
	got := p.get()
	if got.Requests != 9 || got.Kept() != 1 || got.Changed != "" || got.Longest != time.Minute || got.Over5m != 0 {
		t.Errorf("%+v", got)
	}
	if share := got.Share(); share < 0.7 || share >= 1 {
		t.Errorf("%v of its bytes repeat the request before", share)
	}
}

func TestWhatChangesInARequestDefeatsTheCache(t *testing.T) {
	first := promptedWith("m", "act", "play", "one")
	for _, tt := range []struct {
		then    []byte
		changed string
		kept    float64 // at most
	}{
		{promptedWith("n", "act", "play", "one", "two"), "model", 0.02},
		{promptedWith("m", "art", "play", "one", "two"), "tools", 0.2},
		{promptedWith("m", "act", "at 12:01, play", "one", "two"), "system", 0.4},
		{promptedWith("m", "act", "play", "uno", "two"), "messages", 0.95},
		{promptedWith("m", "act", "play", "one"), "", 1},
	} {
		var p prefix
		p.see(first, time.Now())
		p.see([]byte("no request"), time.Now())
		p.see([]byte(`{"prompt":"none"}`), time.Now())
		p.see(tt.then, time.Now())
		if got := p.get(); got.Changed != tt.changed || got.Kept() > tt.kept || got.Requests != 1 || math.IsNaN(got.Share()) {
			t.Errorf("where %q changes, %v are kept: %+v", tt.changed, got.Kept(), got)
		}
	}
	if none := new(prefix).get(); none.Share() != 0 || none.Kept() != 0 {
		t.Errorf("without requests it is %+v", none)
	}
}

func TestTheCacheForgetsWhatComesLate(t *testing.T) {
	var p prefix
	now := time.Now()
	for _, gap := range []time.Duration{0, 5 * time.Minute, 5*time.Minute + 1, 61 * time.Minute} {
		now = now.Add(gap)
		p.see(promptedWith("m", "act", "play", "one"), now)
	}
	if got := p.get(); got.Over5m != 2 || got.Over1h != 1 || got.Longest != 61*time.Minute {
		t.Errorf("%+v", got)
	}
}

func TestAnEndpointComparesTheRequestsOfItsAgent(t *testing.T) {
	g := &Gateway{Upstream: roundTrip(func(r *http.Request) (*http.Response, error) { return answer(r, "{}") })}
	a, clientA := open(t, g, "a")
	b, clientB := open(t, g, "b")
	for i := range 3 {
		for _, path := range []string{messagesPath, countPath} {
			resp, err := ask(t.Context(), clientA, path, string(promptedWith("m", "act", "play", "one", "two")))
			read(t, resp, err)
		}
		resp, err := ask(t.Context(), clientB, messagesPath, string(promptedWith("m", "act", fmt.Sprint(i), "one")))
		read(t, resp, err)
	}
	for _, e := range []*Endpoint{a, b} { // what was answered last may still be looked at
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := a.Caching(); got.Requests != 2 || got.Kept() != 1 || got.Share() != 1 {
		t.Errorf("a: %+v", got)
	}
	if got := b.Caching(); got.Requests != 2 || got.Changed != "system" {
		t.Errorf("b: %+v", got)
	}
}

func TestAnotherModelAnswersWhatAnAgentAsks(t *testing.T) {
	g := &Gateway{Upstream: roundTrip(func(r *http.Request) (*http.Response, error) {
		raw, err := io.ReadAll(r.Body)
		if err != nil || int64(len(raw)) != r.ContentLength {
			t.Errorf("%d bytes of %d: %v", len(raw), r.ContentLength, err)
		}
		return answer(r, string(raw))
	})}
	e, client := open(t, g, "a")
	for _, tt := range []struct{ model, body, want string }{
		{"", `{"model":"sonnet"}`, `{"model":"sonnet"}`},
		{"haiku", `{"model":"sonnet","messages":[{"model":"sonnet"}]}`, `{"model":"haiku","messages":[{"model":"sonnet"}]}`},
		{"haiku", ` {"a" : {"model":1}, "model" :  "s" , "b":2 }`, ` {"a" : {"model":1}, "model" :  "haiku" , "b":2 }`},
		{"haiku", `{"a":1}`, `{"a":1}`},
		{"haiku", `["model"]`, `["model"]`},
		{"haiku", `{"model":`, `{"model":`},
	} {
		if tt.model != "" {
			e.SetModel(tt.model)
		}
		resp, err := ask(t.Context(), client, messagesPath, tt.body)
		if got := read(t, resp, err); got != tt.want {
			t.Errorf("%s becomes %s, want %s", tt.body, got, tt.want)
		}
	}
}
