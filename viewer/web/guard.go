package web

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"path"
	"strings"
)

// policy lets the page run its own scripts and WebAssembly, and nothing else.
const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; " +
	"img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors "

// framedPath is that of the document with the painter in it that has a canvas of its own. Only the page may frame it.
const framedPath = "window.html"

// guarded lets those requests through to next that come from this machine's browser and know the token, without it in their path.
func (s *Server) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy+"'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer") // the token is in the address
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		h.Set("Connection", "close") // of strangers
		if !isLoopback(r.Host) {
			fail(w, http.StatusForbidden, "this server answers to the loopback interface only", "open the address that vitrine printed")
			return
		}
		token, name, below := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		isPlain := r.URL.Path == "/"+token || path.Clean("/"+name) == "/"+name // without . and .. and empty parts
		if subtle.ConstantTimeCompare([]byte(token), []byte(s.token)) != 1 || !isPlain {
			fail(w, http.StatusNotFound, "there is nothing here", "open the whole address that vitrine printed")
			return
		}
		if isForeign, ok := r.Context().Value(foreignKey{}).(func() bool); ok && isForeign() {
			fail(w, http.StatusForbidden, "this server answers to the user who started it", "")
			return
		}
		h.Del("Connection")
		if !below {
			http.Redirect(w, r, "/"+s.token+"/", http.StatusMovedPermanently)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead && !(r.Method == http.MethodPost && name == "api/control") {
			fail(w, http.StatusMethodNotAllowed, "only api/control can be posted to", "")
			return
		}
		if isSame := r.Header.Get("Origin") == "http://"+r.Host; !isSame && (r.Method == http.MethodPost || name == "ws" || r.Header.Get("Origin") != "") {
			fail(w, http.StatusForbidden, "another page may not ask this", "")
			return
		}
		if name == framedPath {
			h.Set("Content-Security-Policy", policy+"'self'")
		}
		r.URL.Path, r.URL.RawPath = "/"+name, ""
		next.ServeHTTP(w, r)
	})
}

// isLoopback says whether the Host of a request names this machine's loopback interface, with any port: somebody may forward one.
func isLoopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	return name == "127.0.0.1" || name == "localhost" || name == "::1"
}

// A problem is an error with its status, and what to do about it.
type problem struct {
	status int
	text   string
	hint   string
}

func (p *problem) Error() string { return p.text }

func missing(text, hint string) error { return &problem{http.StatusNotFound, text, hint} }
func invalid(text, hint string) error { return &problem{http.StatusBadRequest, text, hint} }

// fail answers with an error.
func fail(w http.ResponseWriter, status int, text, hint string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": clean(text), "hint": clean(hint)}) // whoever is gone hears nothing
}

// failed answers with what went wrong.
func failed(w http.ResponseWriter, err error) {
	var p *problem
	if errors.As(err, &p) {
		fail(w, p.status, p.text, p.hint)
		return
	}
	fail(w, http.StatusInternalServerError, err.Error(), "")
}
