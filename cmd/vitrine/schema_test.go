package main

import (
	"os"
	"testing"
)

func TestTheShippedSchemaIsThatOfTheTypes(t *testing.T) {
	shipped, err := os.ReadFile("../../scenarios/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if string(shipped) != string(schemaText()) {
		t.Error("schema.json is another: write it anew with go run ./cmd/vitrine schema > scenarios/schema.json")
	}
}
