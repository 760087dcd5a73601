package gateway

import (
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkProxy measures one streamed model request of 3 kB over a unix socket to an upstream on loopback: through the gateway,
// and through nothing but the reverse proxy of the standard library.
func BenchmarkProxy(b *testing.B) {
	rep := reply{id: "msg_1", model: "m", in: Tokens{Input: 12}, text: "I choose fish.", tool: "act", use: "toolu_1", input: []byte(`{"action":"fish"}`)}
	stream := rep.events()
	api := server(b, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, event := range stream {
			_, _ = w.Write(event)
			_ = http.NewResponseController(w).Flush()
		}
	})
	request := conversation(true, "act", user(strings.Repeat("x", 3000)))
	run := func(b *testing.B, client *http.Client) {
		for b.Loop() {
			resp, err := ask(b.Context(), client, messagesPath, request)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
				b.Fatal(resp.Status, err)
			}
			resp.Body.Close()
		}
	}
	b.Run("gateway", func(b *testing.B) {
		_, client := open(b, &Gateway{Upstream: api, InFlight: 4}, "a")
		run(b, client)
	})
	b.Run("bare", func(b *testing.B) {
		socket := filepath.Join(b.TempDir(), "s")
		listener, err := net.Listen("unix", socket)
		if err != nil {
			b.Fatal(err)
		}
		proxy := &httputil.ReverseProxy{FlushInterval: -1, Transport: api, Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL = &url.URL{Path: p.In.URL.Path}
		}}
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// Else the first byte of the answer closes the request's body, which the proxy may still be reading.
			_ = http.NewResponseController(w).EnableFullDuplex()
			proxy.ServeHTTP(w, r)
		})}
		go func() { _ = s.Serve(listener) }() // ends when it is closed
		defer s.Close()
		run(b, dialer(b, socket))
	})
}
