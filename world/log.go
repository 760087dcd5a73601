package world

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"iter"
	"time"
)

const (
	logName = "events.jsonl"
	endSize = len(`,"crc":"00000000"}` + "\n")

	firstChunk = 64 << 10 // bytes of the log that are read at first; each time twice as many
	chunk      = 1 << 20  // and these at most, unless a commit is greater
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errTorn    = errors.New("the log ends within a commit")
	errShorter = errors.New("the log has lost events that were read before")
)

// A LogError says where a log is damaged and how. Damaged is what no crash of a writer can leave behind.
type LogError struct {
	File string // path of the log
	Line int    // from 1; the line of an event is its Seq
	Msg  string
}

func (e *LogError) Error() string {
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
}

// encode appends a canonical event, whose facts are sets, as a line of the log, newline included, to b. Its world part ends at world. Its time is said as text,
// which all events of a commit share.
func encode(b []byte, ev *Event, sets []change, time []byte) (line []byte, world int) {
	begin := len(b)
	b = ev.appendWorld(b, sets)
	world = len(b)
	if len(ev.Proc) > 0 {
		b = append(append(b, `,"proc":`...), ev.Proc...)
	}
	b = append(append(append(b, `,"time":"`...), time...), '"')
	return appendEnd(b, b[begin:]), world
}

// timeText returns a time as the log says it.
func timeText(t time.Time) []byte { return t.UTC().AppendFormat(nil, time.RFC3339Nano) }

// appendEnd appends the end of a line, its checksum and newline, to b.
func appendEnd(b, line []byte) []byte {
	var crc [4]byte
	binary.BigEndian.PutUint32(crc[:], crc32.Checksum(line, castagnoli))
	b = hex.AppendEncode(append(b, `,"crc":"`...), crc[:])
	return append(b, "\"}\n"...)
}

// isWhole says whether a line, newline included, has the checksum that it ought to have.
func isWhole(line []byte) bool {
	body := line[:max(0, len(line)-endSize)]
	var end [endSize]byte
	return bytes.Equal(line[len(body):], appendEnd(end[:0], body))
}

// parse returns the event of a line of the log, newline included, if the line is whole and the event is the one numbered seq.
func parse(line []byte, seq int64) (ev Event, err error) {
	if !isWhole(line) {
		return Event{}, errors.New("the line is damaged: its checksum does not match")
	}
	if !ev.scan(line) {
		ev = Event{}
		if err := json.Unmarshal(line, &ev); err != nil {
			return Event{}, fmt.Errorf("the line is not an event: %w", err)
		}
	}
	if ev.Seq != seq {
		return Event{}, fmt.Errorf("events are missing or out of order: seq is %d, not %d", ev.Seq, seq)
	}
	return ev, nil
}

// decode returns the event of a line of the log, newline included, and the size of the world part at its beginning.
// It takes no other bytes than those that encode gives for the event numbered seq.
func decode(line []byte, seq int64) (ev Event, world int, err error) {
	if ev, err = parse(line, seq); err != nil {
		return Event{}, 0, err
	}
	sets := appendSets(nil, ev.Set)
	if err = ev.makeCanonical(sets); err != nil {
		return Event{}, 0, err
	}
	again, world := encode(nil, &ev, sets, timeText(ev.Time))
	if !bytes.Equal(again, line) {
		return Event{}, 0, errors.New("the line is not in canonical form")
	}
	return ev, world, nil
}

// A cursor is a place in a log between two commits. A quick one has no sum, and takes lines by their checksums without proving that they
// are canonical.
type cursor struct {
	seq  int64     // number of the last event before it, which is also the number of lines before it
	size int64     // bytes before it
	last string    // checksum of the last line before it
	sum  hash.Hash // SHA-256 over the world parts before it; nil: the cursor is quick
	torn bool      // the log ended within the commit that begins here, when it was last read
}

func newCursor() cursor {
	return cursor{sum: sha256.New()}
}

// move puts the cursor behind a commit of so many events in these lines, and adds its world parts to the sum.
func (c *cursor) move(events int, lines, world []byte) {
	c.seq += int64(events)
	c.size += int64(len(lines))
	c.last = crcOf(lines)
	if c.sum != nil {
		c.sum.Write(world)
	}
}

// decode returns the event of a line as the cursor takes it, and the line's world part.
func (c *cursor) decode(line []byte, seq int64) (Event, []byte, error) {
	if c.sum == nil {
		ev, err := parse(line, seq)
		return ev, nil, err
	}
	ev, size, err := decode(line, seq)
	return ev, line[:size], err
}

// next returns the commit at the beginning of b, the bytes behind the cursor, and moves behind it. If there is nothing more
// the error is io.EOF, if there is only a part of a commit it is errTorn.
func (c *cursor) next(b []byte, file string) ([]Event, error) {
	var events []Event
	var world []byte
	rest := b
	for len(rest) > 0 {
		end := bytes.IndexByte(rest, '\n') + 1
		if end == 0 {
			return nil, errTorn
		}
		seq := c.seq + int64(len(events)) + 1
		ev, part, err := c.decode(rest[:end], seq)
		if err != nil {
			return nil, &LogError{file, int(seq), err.Error()}
		}
		events = append(events, ev)
		world = append(append(world, part...), "}\n"...)
		rest = rest[end:]
		if !ev.More {
			c.move(len(events), b[:len(b)-len(rest)], world)
			return events, nil
		}
	}
	if len(events) > 0 {
		return nil, errTorn
	}
	return nil, io.EOF
}

// commits yields the whole commits from the cursor to the end of the log and moves behind each before it yields it. The
// bytes come from load, which returns at most n of them from byte off on and whether the log ends with them.
func (c *cursor) commits(file string, load func(off int64, n int) (b []byte, end bool, err error)) iter.Seq2[[]Event, error] {
	return func(yield func([]Event, error) bool) {
		for n := firstChunk; ; {
			begin := c.size
			b, end, err := load(begin, n)
			if errors.Is(err, errShorter) {
				err = &LogError{file, int(c.seq), err.Error()}
			}
			var events []Event
			for err == nil {
				if events, err = c.next(b[c.size-begin:], file); err == nil && !yield(events, nil) {
					return
				}
			}
			if err != io.EOF && err != errTorn {
				yield(nil, err)
				return
			}
			if end {
				c.torn = err == errTorn
				return
			}
			if n < chunk || c.size == begin { // a commit greater than that
				n *= 2
			}
		}
	}
}

// readFrom returns at most n bytes of src from byte off on, and whether src ends with them.
func readFrom(src source, off int64, n int) (b []byte, end bool, err error) {
	size, err := src.size()
	if err != nil {
		return nil, false, err
	}
	left := size - off
	if left < 0 {
		return nil, false, errShorter
	}
	b = make([]byte, min(left, int64(n)))
	if _, err := src.ReadAt(b, off); err != nil && (err != io.EOF || len(b) > 0) {
		return nil, false, fmt.Errorf("read log: %w", err)
	}
	return b, int64(len(b)) == left, nil
}
