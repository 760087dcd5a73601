package plugin

import (
	"bytes"
	"os"
	"sync"

	"github.com/vitrine-sim/vitrine/agents"
)

const (
	maxOutput = 1 << 20 // bytes that are kept of what a plugin says on its standard error
	maxWords  = 2 << 10 // bytes of the last of them, from which those that are no text are left out
)

// An output is what a plugin says on its standard error: in memory until there is a file for it, and no more than maxOutput of it. Several may
// write to it.
type output struct {
	mu    sync.Mutex
	kept  bytes.Buffer // as long as there is no file
	file  *os.File
	size  int
	last  []byte // the end of all that was said
	heard int64  // bytes of it
}

// Write implements [io.Writer]. It never fails: what there is no room for goes nowhere.
func (o *output) Write(said []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = append(o.last, said[max(0, len(said)-maxWords):]...)
	o.last = o.last[max(0, len(o.last)-maxWords):]
	room := said[:min(len(said), maxOutput-o.size)]
	o.size += len(room)
	o.heard += int64(len(said))
	if o.file == nil {
		o.kept.Write(room)
	} else {
		_, _ = o.file.Write(room) // a disk that is full is no mistake of the plugin
	}
	return len(said), nil
}

// keepIn makes a file of what was and will be said.
func (o *output) keepIn(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	_, err = file.Write(o.kept.Bytes())
	o.kept = bytes.Buffer{}
	o.file = file
	return err
}

// bytes returns how many bytes were said.
func (o *output) bytes() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.heard
}

// lastWords returns the end of what was said.
func (o *output) lastWords() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return agents.LastWords(string(o.last))
}

func (o *output) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file == nil {
		return nil
	}
	return o.file.Close()
}
