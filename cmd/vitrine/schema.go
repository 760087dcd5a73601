package main

import (
	"context"
	"encoding/json"
)

// schema prints the JSON Schema of scenario files.
func schema(_ context.Context, a *app, _ []string) (any, error) {
	text := schemaText()
	_, err := a.out.Write(text)
	return json.RawMessage(text), err
}
