package main

import (
	"context"
	"fmt"
)

// A checked is what "check --json" prints.
type checked struct {
	OK    bool          `json:"ok"`
	Files []checkedFile `json:"files"`
}

type checkedFile struct {
	File   string   `json:"file"`
	OK     bool     `json:"ok"`
	Errors []report `json:"errors"`
}

// check says what is wrong with scenario files.
func check(_ context.Context, a *app, files []string) (any, error) {
	doc := checked{OK: true, Files: []checkedFile{}}
	var all failures
	for _, file := range files {
		s, err := load(file, nil)
		found := checkedFile{File: file, OK: err == nil, Errors: []report{}}
		if err != nil {
			doc.OK = false
			found.Errors = reports(err)
			all = append(all, err)
		} else {
			fmt.Fprintf(a.out, "%s: ok: %s, %d agents, %s schedule, rules %s\n", file, s.Name, len(s.Agents), s.Schedule, s.Rules.Name)
		}
		doc.Files = append(doc.Files, found)
	}
	if len(all) > 0 {
		return doc, all
	}
	return doc, nil
}
