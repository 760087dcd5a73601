package world

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"
)

// An Outline is what an event is about, read off its line without decoding what else is in there.
type Outline struct {
	Seq   int64
	Turn  int
	Kind  string
	Agent string
	More  bool // the next event belongs to the same commit

	line  []byte
	data  []byte
	bare  bool // it neither sets nor deletes a fact
	world int  // bytes of the line in its world part, without the bracket that closes it; 0: that has to be looked for
}

// Line returns the event's line of the log, newline included, to look for text in. Like all of an outline it is valid until the next commit comes.
func (o Outline) Line() []byte { return o.line }

// Data returns the event's data, as JSON.
func (o Outline) Data() []byte { return o.data }

// Clone returns an outline that stays valid.
func (o Outline) Clone() Outline {
	o.line, o.data = bytes.Clone(o.line), bytes.Clone(o.data)
	return o
}

// Event decodes the event.
func (o Outline) Event() (Event, error) { return parse(o.line, o.Seq) }

// Equal says whether two events are the same in the world, with their numbers.
func (o Outline) Equal(p Outline) bool {
	if o.world > 0 && p.world > 0 {
		return bytes.Equal(o.line[:o.world], p.line[:p.world])
	}
	a, errA := o.Event()
	b, errB := p.Event()
	return errA == nil && errB == nil && bytes.Equal(a.World(), b.World())
}

// Time returns when the event was committed; the zero time if the line does not say so.
func (o Outline) Time() time.Time {
	tail := o.line[max(0, len(o.line)-endSize-len(`,"time":"2006-01-02T15:04:05.999999999Z"`)):]
	_, text, _ := bytes.Cut(tail, []byte(`,"time":"`))
	text, _, _ = bytes.Cut(text, []byte(`"`))
	at, _ := time.Parse(time.RFC3339Nano, string(text)) // else it is zero
	return at
}

// Skim returns the outlines of the events of the log in dir with a Seq greater than after, commit by commit, up to the last whole one. It finds the
// first of them by bisection, and decodes none. Of what it reads only the checksums and the order are proved.
// An error is the last thing that comes.
func Skim(dir string, after int64) iter.Seq2[[]Outline, error] {
	return func(yield func([]Outline, error) bool) {
		log := ReadLog(dir)
		defer log.close()
		err := log.seekSeq(after)
		if err == nil {
			err = log.skim(after, yield)
		}
		if err != nil {
			yield(nil, fmt.Errorf("skim the log: %w", err))
		}
	}
}

// seekSeq makes the place of the log the one before the commit that holds the event after the one numbered after.
func (l *Log) seekSeq(after int64) error {
	l.at = cursor{}
	if after <= 0 {
		return nil
	}
	all := func(src source) (span, error) {
		size, err := src.size()
		return span{0, size}, err
	}
	return l.seekEnd(all, func(line []byte) bool {
		o, err := outline(line)
		return err == nil && o.Seq <= after
	})
}

// skim yields commits from the place of the log on.
func (l *Log) skim(after int64, yield func([]Outline, error) bool) error {
	var commit []Outline
	for n := firstChunk; ; {
		b, end, err := l.load(context.Background(), l.at.size, n)
		if err != nil {
			return err
		}
		whole := 0 // bytes of b in whole commits
		commit = commit[:0]
		for rest := b; ; {
			size := bytes.IndexByte(rest, '\n') + 1
			if size == 0 {
				break
			}
			o, err := l.outline(rest[:size], l.at.seq+1+int64(len(commit)))
			if err != nil {
				return err
			}
			rest = rest[size:]
			if commit = append(commit, o); o.More {
				continue
			}
			l.at.seq, whole = o.Seq, len(b)-len(rest)
			for len(commit) > 0 && commit[0].Seq <= after {
				commit = commit[1:]
			}
			if len(commit) > 0 && !yield(commit, nil) {
				return nil
			}
			commit = commit[:0]
		}
		l.at.size += int64(whole)
		if end {
			return nil
		}
		if n < chunk || whole == 0 { // a commit greater than that
			n *= 2
		}
	}
}

// foldTo folds the events from the place of the log on into st, as long as the turn that is being played comes before that one.
func (l *Log) foldTo(st *State, turn int) (err error) {
	skimErr := l.skim(l.at.seq, func(commit []Outline, _ error) bool {
		events := make([]Event, 0, len(commit))
		for _, o := range commit {
			ev := Event{Kind: o.Kind, Seq: o.Seq, Turn: o.Turn} // all of it that matters, if it is bare
			if !o.bare {
				if ev, err = o.Event(); err != nil {
					return false
				}
			}
			if events = append(events, ev); o.Kind == KindTurn && o.Turn+1 >= turn {
				break
			}
		}
		*st = st.Apply(events...)
		return st.Turn < turn
	})
	return errors.Join(err, skimErr)
}

// outline returns the outline of a line, if that is whole and the event is the one numbered seq.
func (l *Log) outline(line []byte, seq int64) (Outline, error) {
	if !isWhole(line) {
		return Outline{}, &LogError{l.path, int(seq), "the line is damaged: its checksum does not match"}
	}
	o, err := outline(line)
	if err == nil && o.Seq != seq {
		err = fmt.Errorf("events are missing or out of order: seq is %d, not %d", o.Seq, seq)
	}
	if err != nil {
		return Outline{}, &LogError{l.path, int(seq), err.Error()}
	}
	return o, nil
}

// outline reads the outline off a line, whose keys are sorted.
func outline(line []byte) (Outline, error) {
	o := Outline{line: line}
	if o.scan(line) {
		return o, nil
	}
	var ev struct { // what is rare in the log scan does not know
		Agent, Kind string
		Data        json.RawMessage
		More        bool
		Seq         int64
		Turn        int
	}
	if err := json.Unmarshal(line, &ev); err != nil {
		return Outline{}, fmt.Errorf("the line is not an event: %w", err)
	}
	return Outline{Seq: ev.Seq, Turn: ev.Turn, Kind: ev.Kind, Agent: ev.Agent, More: ev.More, line: line, data: ev.Data}, nil
}

// scan fills in the outline from a line, and says whether that is of the form that almost all have. It reads no further than the turn.
func (o *Outline) scan(line []byte) (ok bool) {
	o.bare = true
	_, _ = eachField(line, func(key []byte, begin, end int) bool {
		value := line[begin:end]
		switch string(key) {
		case "agent":
			return decodePlain(value, &o.Agent)
		case "data":
			o.data = value
		case "del", "set":
			o.bare = false
		case "kind":
			return decodePlain(value, &o.Kind)
		case "more":
			o.More = string(value) == "true"
		case "seq":
			var err error
			o.Seq, err = strconv.ParseInt(string(value), 10, 64)
			return err == nil
		case "turn":
			ok, o.world = decodePlain(value, &o.Turn), end
			return false
		}
		return true
	})
	return ok
}
