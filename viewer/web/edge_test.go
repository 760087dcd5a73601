package web

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
)

// A question has an answer, or a reason why it has none, wherever in the run it is asked and however odd its numbers are.
func TestQuestionsAtTheEdgesAreAnswered(t *testing.T) {
	unbegun, _ := newRun(t, 0)
	unbegun.Dir = t.TempDir() // where there is no log yet
	begun, _ := newRun(t, 0)
	played, _ := newRun(t, 3)
	for last, run := range []Run{unbegun, begun, played} {
		s := open(t, run)
		last, least, most := strconv.Itoa([]int{0, 0, 3}[last]), strconv.Itoa(math.MinInt64), strconv.Itoa(math.MaxInt64)
		for path, want := range map[string]int{
			"run": http.StatusOK, "turns": http.StatusOK, "events": http.StatusOK, "events?order=desc": http.StatusOK, "state": http.StatusOK, "metrics": http.StatusOK,
			"frame": http.StatusOK, "frame?seq=0": http.StatusOK, "frame?turn=" + last + "&seq=0": http.StatusOK, "frame?turn=" + last + "&overlay=visits&sees=ann": http.StatusOK,
			"frame?turn=-1": http.StatusNotFound, "frame?turn=4": http.StatusNotFound, "frame?seq=" + most: http.StatusNotFound, "frame?turn=x": http.StatusBadRequest, "frame?overlay=messages": http.StatusOK,
			"steps": http.StatusOK, "diff?turn=" + last: http.StatusOK, "agents?turn=" + last: http.StatusOK, "agent?name=ann&turn=" + last: http.StatusOK, "agent": http.StatusBadRequest,
			"events?limit=0": http.StatusNotFound, "events?limit=-1": http.StatusNotFound, "events?limit=501": http.StatusNotFound, "events?limit=1e9": http.StatusBadRequest,
			"events?order=desc&before=" + least: http.StatusOK, "events?order=desc&after=" + most: http.StatusOK, "events?after=" + most: http.StatusOK, "events?order=desc&after=" + least: http.StatusOK,
			"events?from=2&to=1": http.StatusOK, "events?from=2000000000": http.StatusOK, "events?before=0": http.StatusOK,
			"turns?from=" + last + "&to=0": http.StatusOK, "turns?from=4": http.StatusNotFound, "turns?to=2000000000": http.StatusOK,
			"state?limit=0": http.StatusOK, "state?prefix=%00&q=%ff": http.StatusOK, "transcript?name=ann&offset=2000000000&limit=500": http.StatusOK, "metrics?points=0": http.StatusNotFound,
		} {
			if answer, body := ask(t, s, "api/"+path); answer.StatusCode != want {
				t.Errorf("of %s turns, %s: %s: %.200s", last, path, answer.Status, body)
			}
		}
	}
}

func TestARunThatHasNotBegunPartsWithTheFirstEvent(t *testing.T) {
	played, _ := newRun(t, 3)
	unbegun := played
	unbegun.Dir = t.TempDir()
	s, err := Open(played, &unbegun, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if got := get[partsJSON](t, s, "api/parts"); got.Turn != 0 || got.Seq == nil || *got.Seq != 1 || got.Events[1] != nil {
		t.Errorf("they part so: %+v", got)
	}
}

// A stuck client takes nothing of what it is sent until the test ends.
type stuck struct {
	*httptest.ResponseRecorder
	began chan<- bool
	end   <-chan struct{}
}

func (c stuck) Write(b []byte) (int, error) {
	c.began <- true
	<-c.end
	return len(b), nil
}

func TestClientsThatDoNotReadLeaveTheLogToOthers(t *testing.T) {
	run, _ := newRun(t, 3)
	run.MetricsCSV = func(context.Context, []int) ([]byte, error) { return []byte("a,b\n"), nil }
	s := open(t, run)
	began := make(chan bool)
	for _, path := range []string{"frame", "frame?turn=1", "metrics.csv", "metrics.csv", "state", "events"} {
		go s.routes().ServeHTTP(stuck{httptest.NewRecorder(), began, t.Context().Done()}, httptest.NewRequest(http.MethodGet, "/api/"+path, nil))
		<-began
	}
	ask(t, s, "api/frame")
}

func TestManyLargeEventsAreToldInSeveralAnswers(t *testing.T) {
	run, store := newRun(t, 1)
	large := world.JSON(strings.Repeat("x", 1<<20))
	for range 9 {
		commit(t, store, world.Event{Kind: "large", Agent: "ann", Data: large})
	}
	s := open(t, run)
	for _, order := range []struct{ name, next string }{{"asc", "after"}, {"desc", "before"}} {
		var answers, events int
		for next := ""; ; {
			got := get[struct {
				Events []eventJSON
				Next   *int64
			}](t, s, "api/events?kind=large&limit=500&order="+order.name+next)
			answers, events = answers+1, events+len(got.Events)
			if got.Next == nil {
				break
			}
			next = fmt.Sprintf("&%s=%d", order.next, *got.Next)
		}
		if answers < 2 || events != 9 {
			t.Errorf("%s: %d events in %d answers", order.name, events, answers)
		}
	}
}
