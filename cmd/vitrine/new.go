package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vitrine-sim/vitrine/scenarios"
)

// newScenario writes a scenario to begin with, and the schema that it names, and overwrites nothing.
func newScenario(_ context.Context, a *app, args []string) (any, error) {
	text, err := scenarios.Template(filepath.Base(args[0]))
	if err != nil {
		return nil, misuse("small letters, digits and -, and no ending; a folder may stand before it", "%w", err)
	}
	file := args[0] + ".toml"
	if err := create(file, text); err != nil {
		hint := "choose another name"
		if errors.Is(err, fs.ErrNotExist) {
			hint = "make the folder first: mkdir -p " + relative(filepath.Dir(file))
		}
		return nil, misuse(hint, "%w", err)
	}
	schema := filepath.Join(filepath.Dir(file), "schema.json")
	if err := create(schema, schemaText()); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	fmt.Fprintf(a.out, "%s is there. Next:\n  %s explain %s\n  %s run %s --agents scripted\n", file, self(), relative(file), self(), relative(file))
	return map[string]string{"file": file, "schema": schema}, nil
}

// create writes a file that is not there yet.
func create(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
