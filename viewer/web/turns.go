package web

import (
	"net/http"

	"github.com/vitrine-sim/vitrine/viewer"
)

// mostTurns is how many turns are told one by one.
const mostTurns = 2000

// How long a turn is shown, in milliseconds: as it was, without what a wait is longer than longestWait; or as long as reading takes.
const (
	longestWait    = 5000
	readTurn       = 800
	readMessage    = 2500
	readMark       = 800
	longestReading = 15000
)

// A turnJSON is what the timeline needs to know of a turn, or of several.
type turnJSON struct {
	T      int            `json:"t"`
	Events int64          `json:"events"`
	Seq    [2]int64       `json:"seq"`
	MS     int64          `json:"ms"`   // between the end of the turn before and its own
	Cut    int64          `json:"cut"`  // milliseconds of it that are not shown, because waits are so long
	Read   int64          `json:"read"` // milliseconds that reading it takes
	Marks  map[string]int `json:"marks"`
	Agents map[string]int `json:"agents"` // with marks
}

// apiTurns tells what happened in turns. Where they are many, each entry stands for as many turns as bucket says.
func (s *exhibit) apiTurns(r *http.Request) (any, error) {
	last := s.live.moment().st.Turn
	from, err := number(r, "from", 0, 0, last)
	if err != nil {
		return nil, err
	}
	to, err := number(r, "to", last, 0, 1<<31-1)
	if err != nil {
		return nil, err
	}
	to = min(to, last)
	bucket := (max(0, to-from) + mostTurns) / mostTurns
	turns, partial := s.index.tell(from, to, bucket, s.run.About.Agents)
	return map[string]any{"from": from, "to": to, "bucket": bucket, "turns": turns, "partial": partial}, nil
}

// tell tells what the index holds of turns, so many in one, and whether it does not hold them all yet.
func (x *index) tell(from, to, bucket int, agents []Agent) (turns []turnJSON, partial bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	turns = []turnJSON{}
	for t := from; t <= to && t < len(x.turns); t++ {
		in := &x.turns[t]
		if in.first == 0 {
			continue // it has not begun
		}
		if (t-from)%bucket == 0 || len(turns) == 0 {
			turns = append(turns, turnJSON{T: t, Seq: [2]int64{in.first, in.last}, Marks: map[string]int{}, Agents: map[string]int{}})
		}
		turns[len(turns)-1].add(in, x.before(t), agents)
	}
	return turns, x.err == nil && len(x.turns)-1 < to
}

// before returns when the turn before one ended.
func (x *index) before(turn int) int64 {
	if turn == 0 {
		return x.begun
	}
	return x.turns[turn-1].time
}

// add adds what happened in a turn.
func (j *turnJSON) add(t *indexed, before int64, agents []Agent) {
	j.Events += t.last - t.first + 1
	j.Seq[1] = t.last
	j.MS += t.time - before
	j.Cut += max(0, t.time-before-longestWait)
	read := int64(readTurn)
	for i, kind := range marks {
		n := t.marks[i]
		if n > 0 {
			j.Marks[kind] += int(n)
		}
		if kind == viewer.KindMessage {
			read += readMessage * int64(n)
		} else {
			read += readMark * int64(n)
		}
	}
	j.Read += min(read, longestReading)
	for _, m := range t.who {
		j.Agents[agents[m.seat()].Name] += m.times()
	}
}
