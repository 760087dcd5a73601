package main

import (
	"context"
	"encoding/json"

	"github.com/vitrine-sim/vitrine/scenarios"
)

// schema prints the JSON Schema of scenario files.
func schema(_ context.Context, a *app, _ []string) (any, error) {
	text := scenarios.Schema()
	_, err := a.out.Write(text)
	return json.RawMessage(text), err
}
