package main

import (
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
