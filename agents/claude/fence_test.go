package claude

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

// A fence collects what was refused.
type fence chan string

func newFence() fence { return make(fence, 100) }

func (f fence) report(action world.Action, reason string, _ bool) {
	f <- fmt.Sprintf("%s%s %s: %s", action.Agent, action.Name, action.Args, reason)
}

// want fails unless exactly these were refused, after waiting for as many.
func (f fence) want(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-f:
			if got != w {
				t.Errorf("refused %q, want %q", got, w)
			}
		case <-time.After(time.Minute):
			t.Fatalf("nothing was refused, want %q", w)
		}
	}
	if len(f) != 0 {
		t.Errorf("refused %q besides", <-f)
	}
}

func fished(tons int, why error) string { return fmt.Sprintf(`fish {"tons":%d}: %v`, tons, why) }

func wantAct(t *testing.T, a *Agent, turn int, want string) {
	t.Helper()
	action, err := a.Act(t.Context(), world.Observation{Turn: turn})
	if err != nil || action.Agent != "" || action.Name != "fish" || string(action.Args) != want {
		t.Fatalf("turn %d: act: %+v, %v; want fish %s", turn, action, err, want)
	}
}

func TestActionThatComesWithTheDeadlineIsRefusedAndTheNextOneTaken(t *testing.T) {
	refused := newFence()
	a := startFakeIn(t, t.TempDir(), "late", refused.report)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := a.Act(ctx, world.Observation{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("act: %v, want a deadline", err)
	}
	wantAct(t, a, 1, `{"tons":2}`)
	refused.want(t, fished(1, errLate))
}

func TestSecondActionOfAReplyIsReportedOnce(t *testing.T) {
	refused := newFence()
	a := startFakeIn(t, t.TempDir(), "twice", refused.report)
	wantAct(t, a, 0, `{"tons":1}`)
	wantAct(t, a, 1, `{"tons":3}`)
	refused.want(t, fished(2, errTwice))
}

func TestOfTwoActionsAtOnceOneCounts(t *testing.T) {
	refused := newFence()
	a := startFakeIn(t, t.TempDir(), "hasty", refused.report)
	action, err := a.Act(t.Context(), world.Observation{})
	if err != nil {
		t.Fatal(err)
	}
	other := map[string]int{`{"tons":1}`: 2, `{"tons":2}`: 1}[string(action.Args)]
	wantAct(t, a, 1, `{"tons":3}`)
	// Which comes first is open, and so is whether the other one comes before the next observation or waits for it.
	if len(refused) != 1 {
		t.Fatalf("%d actions were refused, want one", len(refused))
	}
	if got := <-refused; got != fished(other, errTwice) && got != fished(other, errLate) {
		t.Errorf("acted %s, refused %q", action.Args, got)
	}
}

func TestActionOfAReplacedProcessHasNoEffect(t *testing.T) {
	old, young := newFence(), newFence()
	dir := t.TempDir()
	replaced := startFakeIn(t, dir, "unbidden", old.report)
	wantAct(t, replaced, 0, `{"tons":1}`)
	a := startFakeIn(t, dir, "late", young.report)
	if err := replaced.stream.request(map[string]any{"subtype": "act unbidden"}); err != nil {
		t.Fatal(err)
	}
	old.want(t, fished(2, errLate))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if action, err := a.Act(ctx, world.Observation{Turn: 1}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("act: %+v, %v; want a deadline", action, err)
	}
	wantAct(t, a, 2, `{"tons":2}`)
	old.want(t)
	young.want(t, fished(1, errLate))
}

func TestActionOfAProcessThatIsBeingClosedIsReported(t *testing.T) {
	refused := newFence()
	t.Run("close", func(t *testing.T) {
		var a *Agent
		a = startFakeIn(t, t.TempDir(), "clinging", func(action world.Action, reason string, newest bool) {
			refused.report(action, reason, newest)
			a.process.Kill()
		})
		wantAct(t, a, 0, `{"tons":1}`)
	})
	refused.want(t, fished(9, errClosed))
}

func TestActionIsThatOfThePipeItCameThrough(t *testing.T) {
	refused := newFence()
	a := startFakeIn(t, t.TempDir(), "forger", refused.report)
	wantAct(t, a, 0, `{"agent":"b","tons":1}`)
	refused.want(t)
}
