package web

import (
	"fmt"
	"net/http"
)

// mostEntries is how many entries of a conversation are told at once.
const mostEntries = 500

// apiTranscript tells the conversation of an agent, some entries at a time.
func (s *exhibit) apiTranscript(r *http.Request) (any, error) {
	name, err := s.known(r.FormValue("name"))
	if err != nil {
		return nil, err
	}
	offset, err := number(r, "offset", 0, 0, 1<<31-1)
	if err != nil {
		return nil, err
	}
	limit, err := number(r, "limit", 200, 1, mostEntries)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	if s.run.Transcript != nil {
		if entries, err = s.run.Transcript(name); err != nil {
			return nil, fmt.Errorf("the conversation of %s: %w", name, err)
		}
	}
	answer := struct {
		Entries []Entry `json:"entries"`
		Next    *int    `json:"next"` // offset of the first that is not here; null: these are the last
		Total   int     `json:"total"`
	}{Entries: []Entry{}, Total: len(entries)}
	end := min(len(entries), offset+limit)
	for size := 0; offset < end && size < mostBytes; offset++ {
		e := entries[offset].clean()
		size += len(e.Text)
		answer.Entries = append(answer.Entries, e)
	}
	if offset < len(entries) {
		answer.Next = &offset
	}
	return answer, nil
}
