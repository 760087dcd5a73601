package worldtest

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/vitrine-sim/vitrine/world/conform"
)

// encode returns v as JSON as it is, without putting it in canonical form.
func encode(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		return []byte(err.Error()) // JSON that a store got wrong: it differs from what it should be
	}
	return raw
}

// sameBytes says where two texts begin to differ.
func sameBytes(want, got []byte) error {
	if bytes.Equal(want, got) {
		return nil
	}
	should, is := conform.Around(want, got)
	return fmt.Errorf("there is %s instead of %s", is, should)
}
