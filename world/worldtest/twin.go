package worldtest

import (
	"crypto/sha256"
	"fmt"
	"hash"

	"github.com/vitrine-sim/vitrine/world"
)

// A twin is the log that a store must have, as its state and the sum that its hash is made of.
type twin struct {
	st  world.State
	sum hash.Hash
}

func newTwin() *twin { return &twin{sum: sha256.New()} }

// add adds the events of one commit.
func (w *twin) add(events []world.Event) error {
	stamped, err := w.st.Stamp(events)
	if err != nil {
		return fmt.Errorf("stamp: %w", err)
	}
	for _, ev := range stamped {
		w.sum.Write(append(ev.World(), '\n'))
	}
	w.st = w.st.Apply(stamped...)
	return nil
}
