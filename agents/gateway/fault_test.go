package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// plain is a whole stream.
func plain() []byte { return bytes.Join(reply{id: "msg_1", model: "m", text: "a b c"}.events(), nil) }

// counting is an upstream that answers with a stream, and how often it was asked.
func counting() (http.RoundTripper, *atomic.Int64) {
	asked := new(atomic.Int64)
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		asked.Add(1)
		return respond(r, http.StatusOK, eventStream, reply{id: "msg_1", model: "m", text: "a b c"}.events()...), nil
	}), asked
}

func faulty(t testing.TB, upstream http.RoundTripper, specification string, seed uint64) *Faults {
	t.Helper()
	f, err := NewFaults(upstream, specification, seed)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestEveryFaultEndsInBoundedTime has each fault befall the first request of an agent. It ends in time with one trouble that says why, has not
// asked the upstream twice, and leaves the next request alone.
func TestEveryFaultEndsInBoundedTime(t *testing.T) {
	whole := string(plain())
	const idle, total = 2 * time.Second, 5 * time.Second
	const request = `{"model":"m","max_tokens":500,"stream":true,"messages":[]}`
	for _, test := range []struct {
		kind    string
		status  int
		body    string // that the agent gets at least, in the end
		cut     bool   // it notices that the answer is not whole
		asked   int64  // times the upstream was
		trouble string
	}{
		{kind: "401", status: 403, body: "authentication_error", trouble: "refused the key"},
		{kind: "429", status: 200, body: whole, asked: 1, trouble: "is asked too much: 429 Too Many Requests"},
		{kind: "529", status: 200, body: whole, asked: 1, trouble: "is asked too much: 529"},
		{kind: "500", status: 500, body: "api_error", trouble: "answered 500 Internal Server Error"},
		{kind: "refused", status: 502, body: "api_error", trouble: "gave no answer: dial tcp: connection refused"},
		{kind: "empty", status: 200, trouble: "is empty"},
		{kind: "chatter", status: 200, body: strings.Repeat(`"and "`, 1)},
		{kind: "endless", status: 200, body: "and ", cut: true, trouble: "took too long"},
		{kind: "cut", status: 200, body: whole[:len(whole)/2], cut: true, asked: 1, trouble: "broke off: connection reset by peer"},
		{kind: "short", status: 200, body: whole[:len(whole)/2], asked: 1, trouble: "ended early"},
		{kind: "malformed", status: 200, body: `{"type":content_block`, asked: 1, trouble: "holds what is no JSON"},
		{kind: "stall", status: 200, body: whole[:len(whole)/2], cut: true, asked: 1, trouble: "fell silent"},
		{kind: "drip", status: 200, body: whole[:20], cut: true, asked: 1, trouble: "took too long"},
	} {
		t.Run(test.kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				upstream, asked := counting()
				e, client, end := asking(t, &Gateway{Upstream: faulty(t, upstream, test.kind+"@1", 1), Idle: idle, Total: total})
				defer end()
				began := time.Now()
				resp, err := ask(t.Context(), client, messagesPath, request)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if took := time.Since(began); took > total {
					t.Errorf("it took %v", took)
				}
				if resp.StatusCode != test.status || !strings.Contains(string(body), test.body) || (err != nil) != test.cut {
					t.Errorf("status %d, %v, body %.300q", resp.StatusCode, err, body)
				}
				if n := asked.Load(); n != test.asked {
					t.Errorf("the upstream was asked %d times, want %d", n, test.asked)
				}
				troubles := e.Troubles()
				switch {
				case test.trouble == "" && len(troubles) > 0:
					t.Errorf("troubles %v", troubles)
				case test.trouble != "" && (len(troubles) != 1 || troubles[0].Times != 1 || !strings.Contains(troubles[0].What, test.trouble)):
					t.Errorf("troubles %v, want one about %q", troubles, test.trouble)
				}
				resp, err = ask(t.Context(), client, messagesPath, request)
				if got := read(t, resp, err); got != whole {
					t.Errorf("the next answer is %q", got)
				}
				if again := e.Troubles(); len(again) > 0 {
					t.Errorf("then there are troubles %v", again)
				}
				if used := e.Usage(); used.Requests != 2 {
					t.Errorf("%d requests are counted", used.Requests)
				}
			})
		})
	}
}

func TestEveryFaultIsTested(t *testing.T) {
	inPlace, spoil := answersInPlace(), spoils()
	for _, kind := range FaultKinds() {
		if inPlace[kind] == nil && spoil[kind] == nil {
			t.Errorf("%s does nothing", kind)
		}
	}
	if n := len(inPlace) + len(spoil); n != len(FaultKinds()) {
		t.Errorf("%d faults, of which %d have a name", n, len(FaultKinds()))
	}
}

// befallen returns what befalls the first requests of an agent while others ask as well.
func befallen(t *testing.T, f *Faults, agent string, n, others int) []string {
	t.Helper()
	one := func(agent, path string) string {
		r, err := http.NewRequestWithContext(context.WithValue(t.Context(), agentKey{}, agent), "POST", path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return f.befalls(r)
	}
	var kinds []string
	for range n {
		for i := range others {
			one(fmt.Sprint("other", i), messagesPath)
		}
		if kind := one(agent, countPath); kind != "" {
			t.Errorf("%s befalls a request that counts tokens", kind)
		}
		kinds = append(kinds, one(agent, messagesPath))
	}
	return kinds
}

func TestFaultsRepeatWithTheSeed(t *testing.T) {
	const spec, n = "429:0.2, stall:0.1, cut@3,500@1000", 1000
	first := befallen(t, faulty(t, nil, spec, 7), "a", n, 0)
	if again := befallen(t, faulty(t, nil, spec, 7), "a", n, 3); !slices.Equal(first, again) {
		t.Error("other faults befall an agent among others")
	}
	if slices.Equal(first, befallen(t, faulty(t, nil, spec, 8), "a", n, 0)) {
		t.Error("another seed gives the same faults")
	}
	if slices.Equal(first, befallen(t, faulty(t, nil, spec, 7), "b", n, 0)) {
		t.Error("the same befalls everybody")
	}
	count := make(map[string]int)
	for _, kind := range first {
		count[kind]++
	}
	// Bounds of the binomial distribution at four standard deviations.
	if count["429"] < 150 || count["429"] > 250 || count["stall"] < 62 || count["stall"] > 138 || count["cut"] != 1 || count["500"] != 1 {
		t.Errorf("of %d requests: %v", n, count)
	}
	if first[2] != "cut" || first[999] != "500" {
		t.Errorf("the third request has %q, the last %q", first[2], first[999])
	}
}

func TestASpecificationOfFaultsThatIsNoneIsRefused(t *testing.T) {
	for spec, why := range map[string]string{
		"":                 `"" says nothing of how often`,
		"429":              `"429" says nothing of how often`,
		"429:":             `"429:": a share is a number`,
		"429:0":            "a share is a number over 0",
		"429:1.5":          "a share is a number over 0",
		"429:NaN":          "a share is a number over 0",
		"429:0.7,500:0.4":  "which is more than 1",
		"cut@0":            "requests are counted from 1",
		"cut@x":            "requests are counted from 1",
		"404:0.1":          `there is no fault "404"`,
		"cut@3,":           `"" says nothing of how often`,
		"cut@3;stall:0.05": "requests are counted from 1",
	} {
		if _, err := NewFaults(nil, spec, 0); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %q", spec, err, why)
		}
	}
	_, err := NewFaults(nil, "cutt@1", 0)
	if unknown := (*UnknownFaultError)(nil); !errors.As(err, &unknown) || unknown.Kind != "cutt" {
		t.Errorf("error %v", err)
	}
}

func FuzzASpecificationOfFaultsIsReadOrRefused(f *testing.F) {
	f.Add("429:0.1,stall:0.05,cut@3")
	f.Add("cut@99999999999999999999")
	f.Fuzz(func(t *testing.T, spec string) {
		faults, err := NewFaults(nil, spec, 1)
		if err != nil {
			return
		}
		for _, kind := range befallen(t, faults, "a", 3, 0) {
			if kind != "" && !slices.Contains(FaultKinds(), kind) {
				t.Errorf("%q: %q befalls a request", spec, kind)
			}
		}
	})
}

// TestFaultsOfADocument has an agent that asks for no stream.
func TestFaultsOfADocument(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const request = `{"model":"m","max_tokens":50,"messages":[]}`
		document := string(reply{id: "msg_1", model: "m", text: "a b c"}.message())
		upstream := roundTrip(func(r *http.Request) (*http.Response, error) { return answer(r, document) })
		half := document[:len(document)/2]
		for _, test := range []struct {
			kind, want string
			err        error
			takes      time.Duration
		}{
			{kind: "cut", want: half, err: errBroken},
			{kind: "short", want: half},
			{kind: "stall", want: half, err: context.DeadlineExceeded, takes: time.Minute},
			{kind: "drip", want: document, takes: time.Duration(len(document)) * 10 * time.Millisecond},
			{kind: "chatter", want: strings.Repeat("and ", 100)},
			{kind: "endless", want: strings.Repeat("and ", 59_000), err: context.DeadlineExceeded, takes: time.Minute},
			{kind: "empty"},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			r, err := http.NewRequestWithContext(ctx, "POST", messagesPath, strings.NewReader(request))
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			resp, err := faulty(t, upstream, test.kind+":1", 1).RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			if !strings.Contains(string(got), test.want) || test.want == "" && len(got) > 0 || !errors.Is(err, test.err) {
				t.Errorf("%s: %.80q, %v", test.kind, got, err)
			}
			if took := time.Since(began); took != test.takes {
				t.Errorf("%s: took %v, want %v", test.kind, took, test.takes)
			}
			cancel()
		}
	})
}
