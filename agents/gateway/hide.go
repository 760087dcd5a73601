package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
)

// credentials returns what the upstream adds to requests that nobody else may know.
func (a *API) credentials() []string {
	h := make(http.Header)
	a.authorize(h)
	var secrets []string
	for _, values := range h {
		for _, value := range values {
			secrets = append(secrets, strings.TrimPrefix(value, "Bearer "))
		}
	}
	return secrets
}

// hidden returns the credentials in each form that they can have in an answer, the longest first, since one may hold another; but none that is
// too short to be a secret.
func (a *API) hidden() [][]byte {
	var forms [][]byte
	for _, secret := range a.credentials() {
		if len(secret) < leastSecret {
			continue
		}
		forms = append(forms, []byte(secret))
		if quoted := inJSON(secret); quoted != secret {
			forms = append(forms, []byte(quoted))
		}
		escaped, _ := json.Marshal(secret) // a string always has a form in JSON; this one has \u0026 for &
		if escaped = escaped[1 : len(escaped)-1]; string(escaped) != inJSON(secret) {
			forms = append(forms, escaped)
		}
	}
	slices.SortFunc(forms, func(a, b []byte) int { return len(b) - len(a) })
	return forms
}

// hide makes a text of the endpoint one without the credentials: each is as many asterisks, so that no length changes.
func hide(text []byte, secrets [][]byte) {
	for _, secret := range secrets {
		rest := text
		for at := bytes.Index(rest, secret); at >= 0; at = bytes.Index(rest, secret) {
			copy(rest[at:], bytes.Repeat([]byte("*"), len(secret)))
			rest = rest[at+len(secret):]
		}
	}
}

// hideText returns a text without the credentials.
func hideText(text string, secrets [][]byte) string {
	clean := []byte(text)
	hide(clean, secrets)
	return string(clean)
}

// hideError returns an error that does not tell the credentials. One that never did stays as it is.
func hideError(err error, secrets [][]byte) error {
	if clean := hideText(err.Error(), secrets); clean != err.Error() {
		return errors.New(clean)
	}
	return err
}

// hideAnswer makes an answer tell no credentials, if the endpoint repeats what it was sent, as gateways of companies do that say which key
// they refuse.
func hideAnswer(resp *http.Response, secrets [][]byte) {
	resp.Status = hideText(resp.Status, secrets)
	for _, values := range resp.Header {
		for i := range values {
			values[i] = hideText(values[i], secrets)
		}
	}
	resp.Body = &hidingBody{ReadCloser: resp.Body, secrets: secrets}
}

// A hidingBody is the body of an answer without the credentials. It holds back what it has read only as long as that may be the beginning of one.
type hidingBody struct {
	io.ReadCloser
	secrets [][]byte
	held    []byte // what was read and not yet given; its first clean bytes can be
	clean   int
	err     error // why no more can be read
}

func (b *hidingBody) Read(p []byte) (int, error) {
	for b.clean == 0 && b.err == nil && len(p) > 0 {
		var n int
		n, b.err = b.ReadCloser.Read(p)
		b.held = append(b.held, p[:n]...)
		hide(b.held, b.secrets)
		b.clean = len(b.held)
		if b.err == nil {
			b.clean -= begun(b.held, b.secrets)
		}
	}
	n := copy(p, b.held[:b.clean])
	b.held, b.clean = b.held[n:], b.clean-n
	if b.clean > 0 {
		return n, nil
	}
	return n, b.err
}

// begun returns how many bytes at the end of a text may be the beginning of a secret.
func begun(text []byte, secrets [][]byte) int {
	most := 0
	for _, secret := range secrets {
		for n := min(len(text), len(secret)-1); n > most; n-- {
			if bytes.HasSuffix(text, secret[:n]) {
				most = n
			}
		}
	}
	return most
}
