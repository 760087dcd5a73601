package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// An API is an upstream over the network: the Messages API, or anything that speaks it. However it is printed, it shows no key.
type API struct {
	base      *url.URL
	header    http.Header       // added to each request
	authorize func(http.Header) // adds the credentials, which are in this closure so that no formatting verb finds them
	transport http.Transport
}

// NewAPI returns the upstream at a base URL with scheme http or https, which may have a path; "" means
// https://api.anthropic.com.
// The key goes into the header x-api-key, the token into "authorization: Bearer"; one that is empty is left out. Proxies are
// taken from the environment, as everywhere in net/http. An error never holds the key or the token.
func NewAPI(base, key, token string) (*API, error) {
	if base == "" {
		base = "https://api.anthropic.com"
	}
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return nil, errors.New("base URL of the model endpoint: not a URL")
	case u.User != nil:
		return nil, errors.New("base URL of the model endpoint: holds a user name; credentials go into the key or the token")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, errors.New("base URL of the model endpoint: does not begin with http://HOST or https://HOST") // it may hold a key
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("base URL of the model endpoint: has a query or a fragment")
	}
	if u.Path == "" {
		u.Path = "/" // without it JoinPath makes paths that begin with no slash
	}
	for _, secret := range []string{key, token} {
		if strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return nil, errors.New("key of the model endpoint: holds a space, a line break, or another character that no key has")
		}
	}
	return &API{
		base:   u,
		header: make(http.Header),
		authorize: func(h http.Header) {
			if key != "" {
				h.Set("X-Api-Key", key)
			}
			if token != "" {
				h.Set("Authorization", "Bearer "+token)
			}
		},
		transport: http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			ForceAttemptHTTP2:   true,
			DisableCompression:  true, // the meter reads what passes
			TLSHandshakeTimeout: 10 * time.Second,
			MaxIdleConnsPerHost: 64,
			IdleConnTimeout:     90 * time.Second,
		},
	}, nil
}

var (
	headerName  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
	headerValue = regexp.MustCompile(`^[\t -~]+$`)
)

// ownHeaders are those that no one else may set: the credentials, which have a way of their own, and what says how a message is sent.
var ownHeaders = []string{
	"Authorization", "X-Api-Key", "Host", "Connection", "Content-Length", "Transfer-Encoding", "Accept-Encoding", "Te", "Trailer", "Upgrade",
}

// AddHeader makes every request carry a header. One that is secret is treated like a key. An error does not hold the value.
func (a *API) AddHeader(name, value string, secret bool) error {
	name = http.CanonicalHeaderKey(name)
	switch {
	case !headerName.MatchString(name):
		return fmt.Errorf("header of the model endpoint: %q is no name of a header", name)
	case slices.Contains(ownHeaders, name):
		return fmt.Errorf("header of the model endpoint: %s cannot be set", name)
	case !headerValue.MatchString(value):
		return fmt.Errorf("header of the model endpoint: the value of %s is empty, or holds a character that no header has", name)
	case !secret:
		a.header.Set(name, value)
		return nil
	}
	authorize := a.authorize
	a.authorize = func(h http.Header) {
		authorize(h)
		h.Set(name, value)
	}
	return nil
}

// Trust makes the endpoint one that may be certified by what stands in pem, besides those that the machine trusts.
func (a *API) Trust(pem []byte) error {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // the machine trusts nobody
	}
	if !pool.AppendCertsFromPEM(pem) {
		return errors.New("certificates of the model endpoint: there is none in PEM")
	}
	a.transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	return nil
}

// RoundTrip sends the request to its path below the base URL, with the credentials. Neither the answer nor an error holds one of them, whatever
// the endpoint says: asterisks stand in its place.
func (a *API) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.URL = a.base.JoinPath(r.URL.Path)
	out.URL.RawQuery = r.URL.RawQuery
	out.Host = ""
	maps.Copy(out.Header, a.header)
	a.authorize(out.Header)
	secrets := a.hidden()
	resp, err := a.transport.RoundTrip(out)
	if err != nil {
		return nil, hideError(err, secrets)
	}
	hideAnswer(resp, secrets)
	return resp, nil
}

// String returns the base URL.
func (a *API) String() string { return a.base.String() }

// GoString returns the base URL.
func (a *API) GoString() string { return a.base.String() }
