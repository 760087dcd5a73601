package gateway

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTheAPIAddsTheKeyAndKeepsThePathOfItsBase(t *testing.T) {
	type seen struct{ uri, key, authorization string }
	got := make(chan seen, 1)
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got <- seen{r.RequestURI, r.Header.Get("X-Api-Key"), r.Header.Get("Authorization")}
	})
	plain, secure := httptest.NewServer(h), httptest.NewTLSServer(h)
	defer plain.Close()
	defer secure.Close()
	tests := []struct {
		base, key, token string
		want             seen
	}{
		{plain.URL, key, "", seen{"/v1/messages?beta=true", key, ""}},
		{plain.URL + "/", key, "", seen{"/v1/messages?beta=true", key, ""}},
		{plain.URL + "/a/b", "", "tok", seen{"/a/b/v1/messages?beta=true", "", "Bearer tok"}},
		{plain.URL + "/a%2Fb/", key, "tok", seen{"/a%2Fb/v1/messages?beta=true", key, "Bearer tok"}},
		{secure.URL + "/s", "", "", seen{"/s/v1/messages?beta=true", "", ""}},
	}
	for _, test := range tests {
		api, err := NewAPI(test.base, test.key, test.token)
		if err != nil {
			t.Fatal(err)
		}
		api.transport.TLSClientConfig = secure.Client().Transport.(*http.Transport).TLSClientConfig
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/messages?beta=true", strings.NewReader("{}"))
		r.RequestURI = ""
		before := fmt.Sprint(r.Header, r.URL, r.Host)
		resp, err := api.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", test.base, resp.Status)
		}
		if got := <-got; got != test.want {
			t.Errorf("%s: %+v, want %+v", test.base, got, test.want)
		}
		if after := fmt.Sprint(r.Header, r.URL, r.Host); after != before {
			t.Errorf("the request was changed from %s to %s", before, after)
		}
		api.transport.CloseIdleConnections()
	}
}

func TestTheAPINeverPrintsItsKey(t *testing.T) {
	api, err := NewAPI("", key, key)
	if err != nil {
		t.Fatal(err)
	}
	if api.String() != "https://api.anthropic.com/" {
		t.Errorf("base %s", api)
	}
	gateway := &Gateway{Upstream: api}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		fmt.Fprintf(&out, verb+" "+verb+" "+verb+"\n", api, gateway, struct{ a *API }{api})
	}
	for _, log := range []*slog.Logger{slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))} {
		log.Info("x", "api", api)
	}
	for _, secret := range []string{key, fmt.Sprintf("%x", key)} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("printed:\n%s", out.String())
		}
	}
}

func TestNewAPIRefusesWhatCannotWork(t *testing.T) {
	for _, test := range []struct{ base, key, token, want string }{
		{"localhost:8080", key, "", "does not begin with http"},
		{"ftp://x", key, "", "does not begin with http"},
		{"http://", key, "", "does not begin with http"},
		{"http://ann:" + key + "@x", "", "", "user name"},
		{"http://ann:" + key + "@x:port", "", "", "not a URL"},
		{"http://x?y=1", key, "", "query"},
		{"http://x#y", key, "", "fragment"},
		{"", key + "\n", "", "line break"},
		{"", "", key + " ", "space"},
	} {
		_, err := NewAPI(test.base, test.key, test.token)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), key) {
			t.Errorf("%q: error %v, want %q", test.base, err, test.want)
		}
	}
}
