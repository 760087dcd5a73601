package agents

import (
	"errors"
	"io"
	"os"
	"strings"
	"unicode"
)

// maxWords is how many bytes of what a process said last are kept.
const maxWords = 2 << 10

// LastWords returns the end of what a process has said, without what is no text and what a terminal would obey.
func LastWords(said string) string {
	said = strings.ToValidUTF8(said[max(0, len(said)-maxWords):], "")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return -1
	}, said))
}

// A Stderr is a file that the standard error of one process after another goes to, each behind the one before.
type Stderr struct {
	*os.File
	began int64 // bytes of it that are of the processes before
}

// OpenStderr opens the file for another process; it is made if it is not there.
func OpenStderr(path string) (*Stderr, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Stderr{f, info.Size()}, nil
}

// LastWords returns the end of what the process has said; empty if it cannot be read.
func (s *Stderr) LastWords() string {
	info, err := s.Stat()
	if err != nil {
		return ""
	}
	from := max(s.began, info.Size()-maxWords)
	raw, _ := io.ReadAll(io.NewSectionReader(s, from, maxWords))
	return LastWords(string(raw))
}
