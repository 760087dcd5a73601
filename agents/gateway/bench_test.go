package gateway

import (
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// benchUpstream answers every request with one stream.
func benchUpstream(b *testing.B) *API {
	rep := reply{id: "msg_1", model: "m", in: Tokens{Input: 12}, text: "I choose fish.", tool: "act", use: "toolu_1", input: []byte(`{"action":"fish"}`)}
	stream := rep.events()
	return server(b, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, event := range stream {
			_, _ = w.Write(event)
			_ = http.NewResponseController(w).Flush()
		}
	})
}

// bare opens nothing but the reverse proxy of the standard library, and returns a client that dials it.
func bare(b *testing.B, api *API) *http.Client {
	b.Helper()
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
	b.Cleanup(func() { s.Close() })
	return dialer(b, socket)
}

// benchAsk makes one request and reads its answer, and returns the time that it took.
func benchAsk(b *testing.B, client *http.Client, request string) time.Duration {
	b.Helper()
	began := time.Now()
	resp, err := ask(b.Context(), client, messagesPath, request)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		b.Fatal(resp.Status, err)
	}
	resp.Body.Close()
	return time.Since(began)
}

// BenchmarkProxy measures one streamed model request over a unix socket to an upstream on loopback: in turns directly, through nothing but the
// reverse proxy of the standard library, and through the gateway with prices and budgets. "added/bare" is what the gateway adds, as a multiple of
// what the bare proxy adds.
func BenchmarkProxy(b *testing.B) {
	for _, size := range []struct {
		name  string
		bytes int
	}{{"3kB", 3_000}, {"300kB", 300_000}} {
		b.Run(size.name, func(b *testing.B) {
			api := benchUpstream(b)
			request := conversation(true, "act", user(strings.Repeat("x", size.bytes)))
			prices := shipped(b)
			prices.Models["m"] = prices.Models["claude-sonnet-4-5"]
			_, gateway := open(b, &Gateway{Upstream: api, InFlight: 4, Prices: prices, Budget: Budget{Tokens: 1 << 40, Cost: Dollars(1e6)}}, "a")
			direct := dialer(b, "")
			direct.Transport = atBase{api}
			clients := []*http.Client{direct, bare(b, api), gateway}
			var took [3]time.Duration
			for b.Loop() {
				for i, client := range clients {
					took[i] += benchAsk(b, client, request)
				}
			}
			each := func(i int) float64 { return float64(took[i].Microseconds()) / float64(b.N) }
			b.ReportMetric(each(1)-each(0), "bare-added-us")
			b.ReportMetric(each(2)-each(0), "gateway-added-us")
			b.ReportMetric((each(2)-each(0))/(each(1)-each(0)), "added/bare")
			b.ReportMetric(each(2)/each(1), "gateway/bare")
		})
	}
}

// atBase sends requests straight to an upstream.
type atBase struct{ *API }

// BenchmarkMemory measures the memory that an agent's endpoint holds between two requests of 300 kB, beside that of a server with a bare proxy.
func BenchmarkMemory(b *testing.B) {
	const agents = 20
	api := benchUpstream(b)
	request := conversation(true, "act", user(strings.Repeat("x", 300_000)))
	held := func(client func() *http.Client) float64 {
		before := inUse()
		clients := make([]*http.Client, agents)
		for i := range clients {
			clients[i] = client()
			benchAsk(b, clients[i], request)
		}
		after := inUse()
		runtime.KeepAlive(clients)
		return float64(after-before) / agents
	}
	for b.Loop() {
		g := &Gateway{Upstream: api}
		proxy := held(func() *http.Client { return bare(b, api) })
		gateway := held(func() *http.Client {
			_, client := open(b, g, "a")
			return client
		})
		b.ReportMetric(proxy/1024, "bare-KiB/agent")
		b.ReportMetric(gateway/1024, "gateway-KiB/agent")
		b.ReportMetric(gateway/proxy, "gateway/bare")
	}
}

// inUse returns the bytes of memory that are in use.
func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
