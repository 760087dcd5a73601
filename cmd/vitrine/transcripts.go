package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/vitrine-sim/vitrine/agents/claude"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/viewer/web"
)

// Conversations are read whole, those that were asked for last are kept, and longer ones than that are not read: an agent could write what it likes.
const (
	keptTranscripts   = 4
	longestTranscript = 64 << 20
)

// transcripts are the conversations of the agents of a run, as far as they have come.
type transcripts struct {
	dir    string
	agents map[string]bool // that have one

	mu   sync.Mutex
	kept []transcript // the one that was asked for last at the end
}

type transcript struct {
	path    string
	size    int64
	changed time.Time
	entries []web.Entry
}

func newTranscripts(dir string, m arena.Manifest) *transcripts {
	t := &transcripts{dir: dir, agents: make(map[string]bool)}
	for _, a := range m.Agents {
		t.agents[a.Name] = a.Kind == scenarios.Claude
	}
	return t
}

// of returns the conversation of an agent; nothing if it has none.
func (t *transcripts) of(agent string) ([]web.Entry, error) {
	if !t.agents[agent] {
		return nil, nil
	}
	file, err := claude.OpenTranscript(arena.AgentDir(t.dir, agent))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // it never came so far
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.Size() > longestTranscript:
		return nil, fmt.Errorf("%s has %d MB, more than is read", relative(file.Name()), info.Size()>>20)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.IndexFunc(t.kept, func(k transcript) bool { return k.path == file.Name() }); i >= 0 {
		k := t.kept[i]
		t.kept = slices.Delete(t.kept, i, i+1)
		if k.size == info.Size() && k.changed.Equal(info.ModTime()) {
			t.kept = append(t.kept, k)
			return k.entries, nil
		}
	}
	raw, err := io.ReadAll(io.LimitReader(file, longestTranscript)) // it may have grown
	if err != nil {
		return nil, err
	}
	k := transcript{path: file.Name(), size: info.Size(), changed: info.ModTime()}
	for _, p := range claude.Conversation(raw) {
		k.entries = append(k.entries, web.Entry{Turn: p.Turn, Kind: p.Kind, Name: p.Name, Text: p.Text, Time: p.Time, Error: p.Error})
	}
	t.kept = append(t.kept, k)
	if len(t.kept) > keptTranscripts {
		t.kept = slices.Delete(t.kept, 0, 1)
	}
	return k.entries, nil
}

// peaks returns what says how much memory the process of an agent of the run in dir took at most, which is known when the run is over.
func peaks(dir string) func(agent string) int64 {
	return func(agent string) int64 {
		result, err := arena.ReadResult(dir)
		if err != nil {
			return 0
		}
		for _, a := range result.Agents {
			if a.Name == agent {
				return a.PeakMemory
			}
		}
		return 0
	}
}
