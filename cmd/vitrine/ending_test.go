package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents/gateway"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/viewer/web"
	"github.com/vitrine-sim/vitrine/world"
)

// An ending is a context that has ended for whoever asks it as soon as it is so, and a moment later for those who wait.
type ending struct {
	context.Context
	end func()
	so  func() bool
}

func endingWhen(t *testing.T, so func() bool) context.Context {
	t.Helper()
	ctx, end := context.WithTimeout(t.Context(), time.Minute)
	e := ending{ctx, end, so}
	var looking sync.WaitGroup
	looking.Go(func() {
		for tick := time.NewTicker(time.Millisecond); e.Err() == nil; {
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	t.Cleanup(func() {
		end()
		looking.Wait()
	})
	return e
}

// Err implements [context.Context].
func (e ending) Err() error {
	if e.so() {
		e.end()
	}
	return e.Context.Err()
}

// unfinished plays the fishery one after the other by recorded actions, and cuts the log behind the first act of its second turn.
func unfinished(t *testing.T) (dir string) {
	t.Helper()
	work := t.TempDir()
	dir = filepath.Join(work, "run")
	var actions strings.Builder
	for turn := range 4 {
		for _, agent := range []string{"a", "b", "c", "d", "e"} {
			fmt.Fprintf(&actions, "{\"turn\":%d,\"agent\":%q,\"action\":\"fish\",\"args\":{\"tons\":5}}\n", turn, agent)
		}
	}
	file := filepath.Join(work, "actions.jsonl")
	if err := os.WriteFile(file, []byte(actions.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"run", fisheryFile(), "--agents", "scripted", "--policy", "replay", "--actions", file, "--set", "schedule=sequential", "--out", dir}
	if code := vitrine(t.Context(), args, io.Discard, os.Stderr); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	log := filepath.Join(dir, "events.jsonl")
	raw, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	size, acts := 0, 0
	for line := range bytes.Lines(raw) {
		size += len(line)
		if bytes.Contains(line, []byte(`"kind":"action"`)) {
			acts++
		}
		if acts == 6 && !bytes.Contains(line, []byte(`"more":true`)) {
			break
		}
	}
	if err := errors.Join(os.Truncate(log, int64(size)), arena.RemoveResult(dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func operators(t *testing.T, dir string) (all []arena.Command) {
	t.Helper()
	for ev, err := range world.Events(dir) {
		if err != nil {
			t.Fatal(err)
		}
		if c, err := arena.CommandOf(ev); err == nil && ev.Kind == arena.KindOperator {
			all = append(all, c)
		}
	}
	return all
}

func TestARunThatIsInterruptedAsItGoesOnIsInterrupted(t *testing.T) {
	dir := unfinished(t)
	operate := func(do string) {
		t.Helper()
		if _, err := new(app).intervene(t.Context(), dir, arena.Command{Do: do}); err != nil {
			t.Fatal(err)
		}
	}
	operate(arena.DoPause)
	ctx := endingWhen(t, func() bool { return world.Holder(dir) != nil })
	code := vitrine(ctx, []string{"resume", dir}, io.Discard, os.Stderr)
	result, err := arena.ReadResult(dir)
	if code != exitInterrupted || err != nil || result.Status != arena.Interrupted {
		t.Errorf("exit code %d, and the result is %+v: %v", code, result, err)
	}
	operate(arena.DoContinue)
	if code := vitrine(t.Context(), []string{"resume", dir}, io.Discard, os.Stderr); code != 0 {
		t.Errorf("then it goes on to exit code %d", code)
	}
}

func TestAnInterruptionWhileTheBoundaryIsLookedForIsNoLackOfOne(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := newRunner()
	r.app, r.setup = &app{err: os.Stderr}, &setup{Scenario: &scenarios.Scenario{Agents: []scenarios.Agent{{Name: "a", Kind: scenarios.Exec}, {Name: "b", Kind: scenarios.Exec}}}}
	if err := r.enclose(ctx); exitCode(err) != exitInterrupted {
		t.Errorf("exit code %d: %v", exitCode(err), err)
	}
}

func TestADoctorThatIsInterruptedSaysNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code := vitrine(ctx, []string{"doctor"}, io.Discard, os.Stderr); code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
}

// heldByUs returns an unfinished run that seems to be played, and a context that ends when an operator has done something in it.
func heldByUs(t *testing.T) (dir string, ctx context.Context) {
	t.Helper()
	dir = unfinished(t)
	lease, err := world.Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lease.Release() })
	return dir, endingWhen(t, func() bool { return len(operators(t, dir)) > 0 })
}

func TestWhoWaitsForAPauseAndIsInterruptedIsToldThatItIsAskedFor(t *testing.T) {
	dir, ctx := heldByUs(t)
	var stdout bytes.Buffer
	code := vitrine(ctx, []string{"pause", dir, "--json"}, &stdout, os.Stderr)
	var h halt
	if err := json.Unmarshal(stdout.Bytes(), &h); code != exitInterrupted || err != nil || h.State != "asked" || len(operators(t, dir)) != 1 {
		t.Errorf("exit code %d, and it prints %s: %v", code, &stdout, err)
	}
}

func TestWhoIsInterruptedAsItIsSoHasWaited(t *testing.T) {
	dir := unfinished(t)
	stop, err := new(app).intervene(t.Context(), dir, arena.Command{Do: arena.DoStop})
	if err == nil && vitrine(t.Context(), []string{"resume", dir}, io.Discard, os.Stderr) != 0 {
		err = errors.New("it does not go on")
	}
	if err != nil {
		t.Fatal(err)
	}
	h := &halt{*stop, haltAsked}
	ctx, cancel := context.WithCancel(t.Context())
	if err := h.wait(ending{ctx, cancel, func() bool { return h.State != haltAsked }}, dir, arena.DoStop); err != nil || h.State != "over" {
		t.Errorf("it is %s: %v", h.State, err)
	}
}

func TestWhatAPageAsksForIsDoneWholeThoughThePageIsGone(t *testing.T) {
	dir, ctx := heldByUs(t)
	c := &controls{app: new(app), dir: dir}
	if _, err := c.do(ctx, web.Command{Do: web.DoTell, Text: "hello"}); err != nil || len(operators(t, dir)) != 5 {
		t.Errorf("it has told %v: %v", operators(t, dir), err)
	}
}

func TestAResultCountsWhatIsCountedAsTheGatewaysAreClosed(t *testing.T) {
	r := newRunner()
	s, err := load(t.Context(), fisheryFile(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	socket := filepath.Join(t.TempDir(), "api.sock")
	gw := &gateway.Gateway{Upstream: refusing{}}
	endpoint, err := gw.Open("a", socket, "token")
	if err != nil {
		t.Fatal(err)
	}
	r.setup, r.endpoints["a"] = s, endpoint
	outcome := arena.Outcome{Seats: make([]arena.SeatOutcome, len(s.Agents))} // as it was a moment before
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://a/v1/messages", strings.NewReader(`{"model":"m","max_tokens":9}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", "token")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	client.CloseIdleConnections()
	if err := errors.Join(resp.Body.Close(), endpoint.Close()); err != nil {
		t.Fatal(err)
	}
	result, err := r.result(outcome, "")
	if err != nil || result.Agents[0].ModelRequests != 1 || result.Used.ModelRequests != 1 {
		t.Errorf("it counts %+v, %+v: %v", result.Agents[0].Metered, result.Used, err)
	}
}

// A refusing upstream answers nothing.
type refusing struct{}

// RoundTrip implements [http.RoundTripper].
func (refusing) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("no") }

func TestMetricsThatAreInterruptedLeaveTheirFileAsItWas(t *testing.T) {
	dir, file := unfinished(t), filepath.Join(t.TempDir(), "metrics.csv")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, s, err := new(app).openSetup(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = s.write(ctx, arena.Manifest{}, dir, &measurement{Turns: 1}, file, true)
	if raw, readErr := os.ReadFile(file); !errors.Is(err, context.Canceled) || string(raw) != "old" {
		t.Errorf("it holds %q, %v: %v", raw, readErr, err)
	}
}

func TestMetricsThatAreFollowedAreWrittenWhenThatIsInterrupted(t *testing.T) {
	dir, file := unfinished(t), filepath.Join(t.TempDir(), "metrics.csv")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	code := vitrine(ctx, []string{"metrics", dir, "--follow", "--csv", file, "--turns", "--json"}, heard(cancel), os.Stderr)
	if raw, err := os.ReadFile(file); code != exitInterrupted || !strings.Contains(string(raw), "fishery,") {
		t.Errorf("exit code %d, and it holds %q: %v", code, raw, err)
	}
}

// A heard writer is called at each write.
type heard func()

// Write implements [io.Writer].
func (h heard) Write(p []byte) (int, error) {
	h()
	return len(p), nil
}
