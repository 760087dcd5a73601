package gateway

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestRequestsOfOneAgentEnterInTheOrderInWhichTheyCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 2
		var s share
		var order []int
		leave := make(chan struct{})
		for i := range 10 {
			go func() { // ends when it has left
				if _, err := s.enter(t.Context(), "a", limit); err != nil {
					t.Error(err)
					return
				}
				order = append(order, i)
				<-leave
				s.leave(limit)
			}()
			synctest.Wait()
		}
		for entered := limit; len(order) < 10; entered++ {
			if len(order) != entered {
				t.Fatalf("%d have entered, want %d", len(order), entered)
			}
			leave <- struct{}{}
			synctest.Wait()
		}
		close(leave)
		synctest.Wait()
		if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(order, want) {
			t.Errorf("order %v", order)
		}
		if s.inside != 0 || len(s.waiting) != 0 {
			t.Errorf("%d are still inside, %d wait", s.inside, len(s.waiting))
		}
	})
}

func TestAgentsEnterInTurnHoweverMuchEachOfThemAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s share
		var order []string
		if _, err := s.enter(t.Context(), "a", 1); err != nil {
			t.Fatal(err)
		}
		for agent := range strings.SplitSeq("aaabbc", "") {
			go func() { // ends when it has left
				if _, err := s.enter(t.Context(), agent, 1); err != nil {
					t.Error(err)
					return
				}
				order = append(order, agent)
				s.leave(1)
			}()
			synctest.Wait()
		}
		s.leave(1)
		synctest.Wait()
		if got := strings.Join(order, ""); got != "bcabaa" {
			t.Errorf("order %s", got)
		}
	})
}

func TestOneWhoGivesUpLeavesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s share
		enter := func(ctx context.Context) error {
			_, err := s.enter(ctx, "a", 1)
			return err
		}
		if err := enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var gaveUp error
		go func() { gaveUp = enter(ctx) }() // ends when ctx does
		synctest.Wait()
		entered := false
		go func() { // ends when the first one leaves
			entered = enter(t.Context()) == nil
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if gaveUp == nil || entered {
			t.Errorf("gave up: %v, the one behind entered: %t", gaveUp, entered)
		}
		s.leave(1)
		synctest.Wait()
		if !entered {
			t.Error("the one behind did not enter")
		}
		if err := enter(ctx); err == nil {
			t.Error("one who is gone entered")
		}
		// One whose turn comes while it gives up passes it on. Which of the two it notices first is up to the machine.
		for range 100 {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- enter(ctx) }() // ends when ctx does, or at its turn
			synctest.Wait()
			cancel()
			s.leave(1)
			if err := <-done; err != nil {
				if err := enter(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		s.leave(1)
		if s.inside != 0 || len(s.waiting) != 0 {
			t.Errorf("%d are still inside, %d wait", s.inside, len(s.waiting))
		}
		// Nobody is left who waits for the upstream to open again, so nothing waits for it.
		s.turnedAway("a", 0, time.Hour)
		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := enter(ctx); err == nil || s.timer != nil {
			t.Errorf("entered: %t, timer %v", err == nil, s.timer)
		}
	})
}

// A limited upstream is limited as the Messages API is: it answers as many requests as it has saved up, and says of those beyond when to come
// again.
type limited struct {
	every  time.Duration // one more is saved up
	most   int           // at once
	takes  time.Duration // an answer
	silent bool          // it does not say when to come again

	mu       sync.Mutex
	spent    time.Time // nothing is saved up then
	answers  int
	refusals int
}

func (l *limited) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	now := time.Now()
	if full := now.Add(-time.Duration(l.most) * l.every); l.spent.Before(full) {
		l.spent = full
	}
	if wait := l.spent.Add(l.every).Sub(now); wait > 0 {
		l.refusals++
		l.mu.Unlock()
		resp := respond(r, http.StatusTooManyRequests, "application/json", errorBody("rate_limit_error", "slow down"))
		if !l.silent {
			resp.Header.Set("Retry-After", fmt.Sprint(math.Ceil(wait.Seconds())))
		}
		return resp, nil
	}
	l.spent = l.spent.Add(l.every)
	l.answers++
	l.mu.Unlock()
	select {
	case <-time.After(l.takes):
		return answer(r, "{}")
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// visitor returns what sends a request of an agent upstream and reads the answer.
func visitor(t *testing.T, g *Gateway, agent string) func() (*http.Response, error) {
	return visitorOf(t, &Endpoint{gateway: g, name: agent, log: slog.New(slog.DiscardHandler)})
}

// visitorOf is visitor with the endpoint of the agent.
func visitorOf(t *testing.T, e *Endpoint) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		ctx, stop := context.WithCancelCause(t.Context())
		defer stop(nil)
		v := e.visit(nil, stop)
		defer v.end()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, messagesPath, strings.NewReader("{}"))
		if err != nil {
			return nil, err
		}
		resp, err := v.RoundTrip(r)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", err, context.Cause(ctx))
		}
		_, err = io.Copy(io.Discard, resp.Body)
		return resp, err
	}
}

// TestALimitedUpstreamIsSharedFairly has 16 agents who want four times what the upstream gives, for ten minutes. The last of them
// asks eight things at once. Every agent gets about as much as any other, and nobody waits much longer than others.
func TestALimitedUpstreamIsSharedFairly(t *testing.T) {
	for _, silent := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) { shareLimited(t, silent) })
	}
}

func shareLimited(t *testing.T, silent bool) {
	const agents, greed = 16, 8
	upstream := &limited{every: 250 * time.Millisecond, most: 20, takes: time.Second, silent: silent}
	g := &Gateway{Upstream: upstream, Patience: time.Hour}
	end := time.Now().Add(10 * time.Minute)
	var mu sync.Mutex
	var waits, greedy []time.Duration
	count := make([]int, agents)
	var playing sync.WaitGroup
	for i := range agents + greed - 1 {
		agent := min(i, agents-1)
		ask := visitor(t, g, fmt.Sprint(agent))
		playing.Go(func() {
			for time.Now().Before(end) {
				began := time.Now()
				resp, err := ask()
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Errorf("%v, %v", resp, err)
					return
				}
				mu.Lock()
				count[agent]++
				if agent < agents-1 {
					waits = append(waits, time.Since(began)-upstream.takes)
				} else {
					greedy = append(greedy, time.Since(began)-upstream.takes)
				}
				mu.Unlock()
			}
		})
	}
	playing.Wait()
	var sum time.Duration
	for _, wait := range waits {
		sum += wait
	}
	mean, worst := sum/time.Duration(len(waits)), slices.Max(waits)
	t.Logf("says when: %t; %d answers, %d turned away; of an agent %d to %d; it waits %v on average, %v at worst, the greedy one %v",
		!silent, upstream.answers, upstream.refusals, slices.Min(count), slices.Max(count), mean.Round(time.Millisecond), worst,
		slices.Max(greedy))
	if least, most := slices.Min(count), slices.Max(count); 100*(most-least) > 20*least {
		t.Errorf("one agent has %d answers, another %d", most, least)
	}
	if worst > 3*mean {
		t.Errorf("the longest wait is %v, the mean %v", worst, mean)
	}
	if could := int(10 * time.Minute / upstream.every); upstream.answers < could/2 {
		t.Errorf("%d answers of %d that the upstream would have given", upstream.answers, could)
	}
	if upstream.refusals > upstream.answers {
		t.Errorf("%d requests were turned away for %d that were answered", upstream.refusals, upstream.answers)
	}
}

func TestWhoIsToWaitTooLongHearsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		upstream := &limited{every: time.Hour, most: 1}
		g := &Gateway{Upstream: upstream, Total: time.Minute}
		ask := visitor(t, g, "a")
		if resp, err := ask(); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", resp, err)
		}
		began := time.Now()
		e := &Endpoint{gateway: g, name: "a", log: slog.New(slog.DiscardHandler)}
		resp, err := visitorOf(t, e)()
		if err != nil || resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "120" {
			t.Errorf("%v, %v; want what the upstream says, and no longer than patience", resp, err)
		}
		if time.Since(began) > 0 {
			t.Errorf("it hears it after %v", time.Since(began))
		}
		const what = "the model endpoint is asked too much: 429 Too Many Requests; it wants to be left alone for 1h0m0s, and is for 2m0s, the longest that an act may take"
		if told := e.Troubles(); !slices.Equal(told, []Trouble{{what, 1}}) {
			t.Errorf("the troubles are %+v", told)
		}
		// Another one is not let in before that is over, and told so in time.
		if _, err := visitor(t, g, "b")(); err == nil || time.Since(began) != time.Minute {
			t.Errorf("%v after %v, want an error after a minute", err, time.Since(began))
		}
		if upstream.refusals != 1 {
			t.Errorf("the upstream was asked %d times while it wanted nothing", upstream.refusals)
		}
		// Who comes when it is over is let in, although the upstream would have had all wait for an hour.
		time.Sleep(2*time.Minute - time.Since(began))
		if _, err := visitor(t, g, "c")(); err != nil || upstream.refusals != 2 {
			t.Errorf("%v, asked %d times", err, upstream.refusals)
		}
	})
}

func TestHowLongAnUpstreamWantsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			status       int
			after, retry string
			wait         time.Duration
			busy         bool
		}{
			{status: 200},
			{status: 500, after: "3"},
			{status: 503},
			{status: 429, wait: -1, busy: true},
			{status: 529, wait: -1, busy: true},
			{status: 429, after: "3", wait: 3 * time.Second, busy: true},
			{status: 529, after: "0", busy: true},
			{status: 429, after: "0.25", wait: 250 * time.Millisecond, busy: true},
			{status: 429, after: time.Now().Add(time.Minute).UTC().Format(http.TimeFormat), wait: time.Minute, busy: true},
			{status: 429, after: time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat), busy: true},
			{status: 429, after: "-1", wait: -1, busy: true},
			{status: 429, after: "NaN", wait: -1, busy: true},
			{status: 429, after: "1e300", wait: -1, busy: true},
			{status: 429, after: "soon", wait: -1, busy: true},
			{status: 429, after: "3", retry: "true", wait: 3 * time.Second, busy: true},
			{status: 429, after: "3", retry: "false"},
		} {
			resp := &http.Response{StatusCode: test.status, Header: http.Header{}}
			for name, value := range map[string]string{"Retry-After": test.after, "X-Should-Retry": test.retry} {
				if value != "" {
					resp.Header.Set(name, value)
				}
			}
			if wait, busy := asksTooMuch(resp); wait != test.wait || busy != test.busy {
				t.Errorf("%+v: %v, %t", test, wait, busy)
			}
		}
	})
}
