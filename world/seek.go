package world

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
)

// StateAt returns the state as a turn of the run in dir begins: before its first event. It is an error if the turn has not begun.
//
// The time depends on the size of the state and not on that of the log, as long as there are keyframes. Of what it reads
// only the checksums and the order are proved; [Log.Events] proves all.
func StateAt(dir string, turn int) (State, error) {
	log := ReadLog(dir)
	defer log.close()
	st, err := log.before(turn)
	if err != nil {
		return State{}, fmt.Errorf("seek turn %d: %w", turn, err)
	}
	if st.Turn < turn {
		if err := log.foldTo(&st, turn); err != nil {
			return State{}, fmt.Errorf("seek turn %d: %w", turn, err)
		}
	}
	if st.Turn != turn {
		return State{}, fmt.Errorf("seek turn %d: no such turn in %s", turn, log.path)
	}
	return st, nil
}

// Now returns the state after the last whole commit of the log in dir. The time it takes, and what it proves, is that of [StateAt].
func Now(dir string) (State, error) {
	log := ReadLog(dir)
	defer log.close()
	st, err := log.before(anyTurn)
	if err != nil {
		return State{}, fmt.Errorf("read state: %w", err)
	}
	if err := log.foldTo(&st, anyTurn); err != nil {
		return State{}, fmt.Errorf("read state: %w", err)
	}
	return st, nil
}

// before makes the place of the log that of a keyframe before the turn, and returns its state.
func (l *Log) before(turn int) (State, error) {
	src, err := l.open()
	if err != nil {
		return State{}, fmt.Errorf("read log: %w", err)
	}
	defer src.Close()
	from := nearest(l.dir, src, turn, func(keyframe) bool { return true })
	l.at = from.at
	l.at.sum = nil // quick
	return from.state, nil
}

// Turn returns the events of one turn of the run in dir: none if there is no such turn. The time depends on their number and the
// logarithm of the size of the log. It proves what [StateAt] proves. An error is the last thing that comes.
func Turn(dir string, turn int) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		log := ReadLog(dir)
		defer log.close()
		if err := log.seek(turn); err != nil {
			yield(Event{}, fmt.Errorf("seek turn %d: %w", turn, err))
			return
		}
		err := log.skim(log.at.seq, func(commit []Outline, _ error) bool {
			for _, o := range commit {
				if o.Turn < turn {
					continue
				}
				if o.Turn > turn {
					return false
				}
				ev, err := o.Event()
				if err != nil {
					err = fmt.Errorf("seek turn %d: %w", turn, err)
				}
				if !yield(ev, err) || err != nil || ev.Kind == KindTurn {
					return false
				}
			}
			return true
		})
		if err != nil {
			yield(Event{}, fmt.Errorf("seek turn %d: %w", turn, err))
		}
	}
}

// seek makes the place of the log one between two commits, with no event of the turn before it and as few others as can be behind it.
func (l *Log) seek(turn int) error {
	part := func(src source) (span, error) { return before(src, turn) }
	return l.seekEnd(part, func(line []byte) bool {
		var ev struct{ Turn int }
		return json.Unmarshal(line, &ev) == nil && ev.Turn < turn
	})
}

// seekEnd makes the place of the log the end of the last commit whose lines all come before what is looked for. The last of them is in a part of it.
func (l *Log) seekEnd(part func(source) (span, error), before func(line []byte) bool) error {
	lock, err := lockLogShared(context.Background(), l.dir)
	if err != nil {
		return fmt.Errorf("lock log: %w", err)
	}
	defer lock.Unlock()
	src, err := l.open()
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	defer src.Close()
	in, err := part(src)
	if err != nil {
		return err
	}
	last, err := search(src, in.begin, in.end, before)
	if err != nil {
		return err
	}
	l.at = cursor{size: last.end}
	for l.at.size > 0 { // back to the end of a commit
		line, err := lineBefore(src, l.at.size)
		if err != nil {
			return err
		}
		var ev Event
		if !isWhole(line) || json.Unmarshal(line, &ev) != nil {
			l.at = newCursor() // let the reading from the beginning say where the damage is
			return nil
		}
		if !ev.More {
			l.at.seq = ev.Seq
			return nil
		}
		l.at.size -= int64(len(line))
	}
	return nil
}
