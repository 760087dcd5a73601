package main

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world"
)

// A closing seat has said all that it has to say, and closes when it is answered.
type closing struct {
	io.Reader
	answered string
}

func (c *closing) Write(p []byte) (int, error) {
	c.answered += string(p)
	return 0, io.ErrClosedPipe
}

func TestWhoWasTooLateAnswersWhatIsOnTheScreen(t *testing.T) {
	seat := &closing{Reader: strings.NewReader(`{"id":1,"observation":{"turn":0,"actions":[]}}
{"id":2,"observation":{"turn":1,"actions":[]}}
{"id":1,"refused":"too late: the newest observation is 2"}
`)}
	at := &terminal{app: &app{out: io.Discard, err: os.Stderr}, conn: seat, asked: make(chan asked, 1)}
	if err := at.listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	at.answer(strings.NewReader("pass\n"))
	if want := `{"action":"pass","id":2}` + "\n"; seat.answered != want {
		t.Errorf("it answers %s, want %s", seat.answered, want)
	}
}

func TestWhoFindsASeatClosedIsToldWhoPlaysTheRun(t *testing.T) {
	dir := t.TempDir()
	if err := arena.WriteManifest(dir, arena.Manifest{Agents: []arena.AgentManifest{{Name: "a", Kind: scenarios.Human}}}); err != nil {
		t.Fatal(err)
	}
	lease, err := world.Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lease.Release()
	if err := play(t.Context(), new(app), dir, "a", strings.NewReader("")); err == nil || !strings.Contains(err.Error(), "run is held by process") {
		t.Errorf("error %v", err)
	}
}

// The run may end after it was seen that nobody plays it.
func TestWhoFindsASeatClosedOfARunThatHasJustEndedIsToldSo(t *testing.T) {
	dir := played(t, fisheryFile())
	if err := new(app).notTaken(t.Context(), dir, "a", nil, errors.New("nobody listens")); !strings.Contains(err.Error(), "is over: terminated: by the rules; a is done") {
		t.Errorf("error %v", err)
	}
}

func TestASeatIsSaidToBePlayedByHandWhenItCanBeTaken(t *testing.T) {
	said, err := os.CreateTemp(t.TempDir(), "stderr")
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	r := newRunner()
	r.app, r.dir = &app{err: said}, said.Name() // where there can be no folder of an agent
	if _, err := r.human(scenarios.Agent{Name: "a"})(t.Context(), nil); err == nil {
		t.Error("the seat is open")
	}
	if raw, err := os.ReadFile(said.Name()); err != nil || len(raw) > 0 {
		t.Errorf("of a seat that cannot be taken it says %q: %v", raw, err)
	}
}
