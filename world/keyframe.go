package world

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
)

const (
	keyframesName = "keyframes.jsonl"
	keyframeGap   = 64 << 10 // bytes of the log between two keyframes, at least
	keyframeShare = 8        // and so many times the bytes of the first of the two

	anyTurn = math.MaxInt // is after all others
)

// A keyframe is the state after some commit, with all that it takes to go on reading the log from there. What stands before its facts is
// its head.
type keyframe struct {
	Size int64  `json:"size"` // bytes of the log up to there
	Seq  int64  `json:"seq"`
	Turn int    `json:"turn"`
	Last string `json:"last"` // checksum of the last line up to there, which says whose log this is
	Sum  []byte `json:"sum"`  // SHA-256 on its way to the hash of the run

	Facts map[string]json.RawMessage `json:"facts"`
}

// A place is one in a log where reading it can begin.
type place struct {
	state State
	at    cursor
	line  span // of its keyframe
}

// due returns the size of the log at which the next keyframe is due.
func (s place) due() int64 {
	return s.at.size + max(keyframeGap, keyframeShare*(s.line.end-s.line.begin))
}

// nearest returns the place that the last keyframe before the turn gives of those that want takes, in the log in dir, whose bytes are log.
// Want takes every keyframe before one that it takes. Keyframes that are damaged or not of this log are as good as none.
func nearest(dir string, log source, turn int, want func(keyframe) bool) place {
	keyframes, err := openSource(filepath.Join(dir, keyframesName))
	if err != nil {
		return place{at: newCursor()}
	}
	defer keyframes.Close()
	return nearestOf(keyframes, log, turn, want)
}

func nearestOf(keyframes, log source, turn int, want func(keyframe) bool) place {
	part, err := before(keyframes, turn)
	size, logErr := log.size()
	for err = errors.Join(err, logErr); err == nil; {
		var s place
		s.line, err = search(keyframes, part.begin, part.end, func(line []byte) bool {
			k, ok := head(line)
			return ok && k.Size <= size && k.Turn < turn && want(k)
		})
		if err != nil || s.line.end == s.line.begin {
			break
		}
		line := make([]byte, s.line.end-s.line.begin)
		if _, err = keyframes.ReadAt(line, s.line.begin); err == nil && s.restore(line, log) {
			return s
		}
		part = span{0, s.line.begin} // it is not of this log: perhaps the one before
	}
	return place{at: newCursor()}
}

// head returns a keyframe without its facts from its line, or false if the line holds none.
func head(line []byte) (k keyframe, ok bool) {
	raw, _, ok := bytes.Cut(line, []byte(`,"facts":`))
	err := json.Unmarshal(append(bytes.Clone(raw), '}'), &k)
	return k, ok && err == nil && k.Size > 0
}

// restore makes s the place that a whole line of the keyframes gives, if it is one in this log.
func (s *place) restore(line []byte, log source) bool {
	var k keyframe
	s.at = newCursor()
	if json.Unmarshal(line, &k) != nil || k.Facts == nil || s.at.sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(k.Sum) != nil {
		return false
	}
	last, err := lineBefore(log, k.Size)
	if err != nil {
		return false
	}
	ev, err := parse(last, k.Seq)
	if err != nil || ev.More || crcOf(last) != k.Last {
		return false
	}
	s.at.seq, s.at.size, s.at.last = k.Seq, k.Size, k.Last
	s.state = State{Seq: k.Seq, Turn: k.Turn, facts: layers{k.Facts}}
	return true
}

// keep writes a keyframe of the state at the cursor, if one is due there, and returns the place that it gives. The place s is that of
// the last keyframe of which the caller knows, who holds the lock of the log. What goes wrong is no error: nobody misses a keyframe.
func (s place) keep(dir string, st State, at cursor) place {
	if at.size < s.due() {
		return s
	}
	failed := place{at: cursor{size: at.size}} // another time
	file, err := os.OpenFile(filepath.Join(dir, keyframesName), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return failed
	}
	defer file.Close()
	if size, err := (plain{file}).size(); err != nil || size != s.line.end { // somebody else has written there
		log, err := openSource(filepath.Join(dir, logName))
		if err != nil {
			return failed
		}
		defer log.Close()
		if s = nearestOf(plain{file}, log, anyTurn, func(keyframe) bool { return true }); at.size < s.due() {
			return s
		}
		if err := file.Truncate(s.line.end); err != nil { // what is behind it is of no use
			return failed
		}
	}
	line, err := encodeKeyframe(st, at)
	if err == nil {
		_, err = file.WriteAt(line, s.line.end)
	}
	if err != nil {
		return failed
	}
	return place{at: cursor{size: at.size}, line: span{s.line.end, s.line.end + int64(len(line))}}
}

// encodeKeyframe returns the line of the keyframe of the state at the cursor.
func encodeKeyframe(st State, at cursor) ([]byte, error) {
	sum, err := at.sum.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return nil, err
	}
	line, err := marshal(keyframe{Size: at.size, Seq: st.Seq, Turn: st.Turn, Last: at.last, Sum: sum})
	if err != nil {
		return nil, err
	}
	line = appendFacts(bytes.TrimSuffix(line, []byte("null}")), appendSets(nil, st.facts.all())) // of the facts, which are the last
	return appendEnd(line, line), nil
}

// crcOf returns the checksum of the last of lines, which are whole.
func crcOf(lines []byte) string {
	end := len(lines) - len(`"}`+"\n")
	return string(lines[end-len("00000000") : end])
}
