package agents

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/vitrine-sim/vitrine/agents/tamper"
)

const (
	maxStderr = 1 << 20 // bytes that are kept of what processes of an agent say on their standard error, but for the end
	maxWords  = 2 << 10 // bytes of the end of what a process says that are kept in any case
)

// A Stderr is what a process says on its standard error: in memory until there is a file for it. The file is that of one process after
// another, each behind the one before. Once it holds 1 MiB, what a process says goes nowhere, but for its end; and a process that says far more
// than that is read slowly, so that it waits for itself. Any goroutine may use it. The zero value is ready.
type Stderr struct {
	Evidence *tamper.Evidence // takes note of a process that says too much; nil: nobody does

	pace tamper.Pace

	mu   sync.Mutex
	file *os.File // nil: there is none yet
	kept []byte   // as long as there is none
	size int64    // bytes of the file, or of what is kept
	said int64    // bytes that the process has said
	lost int64    // bytes of them that went nowhere
	last []byte   // the end of all of them
}

// Write implements [io.Writer]. It never fails: what there is no room for goes nowhere.
func (s *Stderr) Write(said []byte) (int, error) {
	s.pace.Hear(len(said), s.Evidence, nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said += int64(len(said))
	s.last = append(s.last, said[max(0, len(said)-maxWords):]...)
	s.last = s.last[max(0, len(s.last)-maxWords):]
	room := said[:max(0, min(int64(len(said)), maxStderr-s.size))]
	s.size += int64(len(room))
	s.lost += int64(len(said) - len(room))
	if s.file == nil {
		s.kept = append(s.kept, room...)
	} else {
		_, _ = s.file.Write(room) // a disk that is full is no mistake of the process
	}
	return len(said), nil
}

// KeepIn makes a file of what was and will be said, or lengthens one that is there already.
func (s *Stderr) KeepIn(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	room := s.kept[:max(0, min(s.size, maxStderr-size))]
	_, err = file.Write(room)
	s.lost += s.size - int64(len(room))
	s.file, s.kept, s.size = file, nil, size+int64(len(room))
	return err
}

// Heard returns how many bytes were said.
func (s *Stderr) Heard() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said
}

// LastWords returns the end of what the process has said.
func (s *Stderr) LastWords() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return lastWords(string(s.last))
}

// Close closes the file, and says in it what is missing there.
func (s *Stderr) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	var err error
	if s.lost > 0 {
		end := s.last[max(0, int64(len(s.last))-s.lost):]
		_, err = fmt.Fprintf(s.file, "\n... %d bytes are missing here ...\n%s", s.lost-int64(len(end)), end)
	}
	return errors.Join(err, s.file.Close())
}
