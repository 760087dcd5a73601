package gateway

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"log"
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

func TestTheAPIHasHeadersAndCertificatesOfItsOwn(t *testing.T) {
	got := make(chan http.Header, 1)
	s := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Clone() }))
	defer s.Close()
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it says that nobody trusts it
	ask := func(api *API) error {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/messages", strings.NewReader("{}"))
		r.RequestURI = ""
		r.Header.Set("X-Team", "of the agent")
		resp, err := api.RoundTrip(r)
		if err == nil {
			resp.Body.Close()
		}
		api.transport.CloseIdleConnections()
		return err
	}
	api, err := NewAPI(s.URL, key, "")
	if err != nil {
		t.Fatal(err)
	}
	api.transport.TLSHandshakeTimeout = 0 // the machine may be busy
	if err := ask(api); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an endpoint that nobody certifies: %v", err)
	}
	if err := api.Trust([]byte("no PEM")); err == nil {
		t.Error("no certificate is one")
	}
	if err := api.Trust(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})); err != nil {
		t.Fatal(err)
	}
	const secret = "sk-of-the-company"
	for name, value := range map[string]string{"x-team": "fishers", "X-Gate": secret} {
		if err := api.AddHeader(name, value, value == secret); err != nil {
			t.Fatal(err)
		}
	}
	if err := ask(api); err != nil {
		t.Fatal(err)
	}
	if h := <-got; h.Get("X-Team") != "fishers" || h.Get("X-Gate") != secret || h.Get("X-Api-Key") != key {
		t.Errorf("the endpoint gets %v", h)
	}
	normal := NewNormal(t.TempDir())
	faults, err := NewFaults(api, "429:0.1", 1)
	if err != nil {
		t.Fatal(err)
	}
	normal.AddKeys(faults)
	if printed := fmt.Sprintf("%+v %#v %s", api, api, normal.hide([]byte("fishers "+secret))); strings.Contains(printed, secret) || !strings.Contains(printed, "fishers") {
		t.Errorf("printed: %s", printed)
	}
	for _, test := range [][3]string{
		{"", "x", "no name"},
		{"a b", "x", "no name"},
		{"x:y", "x", "no name"},
		{"authorization", "x", "cannot be set"},
		{"X-API-KEY", "x", "cannot be set"},
		{"content-length", "x", "cannot be set"},
		{"X", "", "empty"},
		{"X", secret + "\n", "no header has"},
		{"X", secret + "\r\nY: z", "no header has"},
	} {
		if err := api.AddHeader(test[0], test[1], true); err == nil || !strings.Contains(err.Error(), test[2]) || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v, want %q", test[0], err, test[2])
		}
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
