package world

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Stamp returns the events as a log holds them when they follow on s in one commit: their JSON canonical, and More, Seq and Turn
// filled in. It is an error if an event has JSON that is not valid. They share with the given ones what JSON had the form already.
func (s State) Stamp(events []Event) ([]Event, error) {
	stamped := slices.Clone(events)
	for i := range stamped {
		ev := &stamped[i]
		if err := s.stamp(ev, appendSets(nil, ev.Set), i < len(events)-1); err != nil {
			return nil, err
		}
	}
	return stamped, nil
}

// stamp makes ev, whose facts are also in sets, as a log holds it when it follows on s, and counts it in s.
func (s *State) stamp(ev *Event, sets []change, more bool) error {
	if err := ev.makeCanonical(sets); err != nil {
		return fmt.Errorf("%s event: %w", ev.Kind, err)
	}
	ev.More, ev.Seq, ev.Turn = more, s.Seq+1, s.Turn
	s.count(ev)
	return nil
}

// makeCanonical puts all JSON of ev, whose facts are also in sets, in canonical form. What had the form already it still shares with others.
func (ev *Event) makeCanonical(sets []change) error {
	if len(ev.Set) == 0 {
		ev.Set = nil
	}
	if ev.isCanonical(sets) {
		return nil
	}
	texts := append([]string{ev.Agent, ev.Kind}, ev.Del...)
	for _, c := range sets {
		texts = append(texts, c.path)
	}
	for _, text := range texts {
		if !utf8.ValidString(text) {
			return fmt.Errorf("%q is not UTF-8", text)
		}
	}
	var err error
	if len(ev.Data) > 0 {
		if ev.Data, err = canonical(ev.Data); err != nil {
			return fmt.Errorf("data is not JSON: %w", err)
		}
	}
	if len(ev.Proc) > 0 {
		if ev.Proc, err = canonical(ev.Proc); err != nil {
			return fmt.Errorf("proc is not JSON: %w", err)
		}
	}
	ev.Set = maps.Clone(ev.Set)
	for i, c := range sets {
		if sets[i].raw, err = canonical(c.raw); err != nil {
			return fmt.Errorf("fact %q is not JSON: %w", c.path, err)
		}
		ev.Set[c.path] = sets[i].raw
	}
	return nil
}

// isCanonical says whether all JSON of ev has the form already, and all text is UTF-8.
func (ev *Event) isCanonical(sets []change) bool {
	ok := utf8.ValidString(ev.Agent) && utf8.ValidString(ev.Kind) &&
		(len(ev.Data) == 0 || isCanonical(ev.Data)) && (len(ev.Proc) == 0 || isCanonical(ev.Proc))
	for _, path := range ev.Del {
		ok = ok && utf8.ValidString(path)
	}
	for _, c := range sets {
		ok = ok && utf8.ValidString(c.path) && isCanonical(c.raw)
	}
	return ok
}

// World returns the world part of a stamped event: what of it counts for the hash of a run, without process facts and time.
func (ev Event) World() json.RawMessage {
	return append(ev.appendWorld(nil, appendSets(nil, ev.Set)), '}')
}

// appendWorld appends the world part of a stamped event, whose facts are sets, without the bracket that closes it, to b.
func (ev *Event) appendWorld(b []byte, sets []change) []byte {
	begin := len(b) // of the first field, whose comma becomes a bracket; as do that behind the last element of del
	if ev.Agent != "" {
		b = AppendText(append(b, `,"agent":`...), ev.Agent)
	}
	if len(ev.Data) > 0 {
		b = append(append(b, `,"data":`...), ev.Data...)
	}
	if len(ev.Del) > 0 {
		b = append(b, `,"del":[`...)
		for _, path := range ev.Del {
			b = append(AppendText(b, path), ',')
		}
		b[len(b)-1] = ']'
	}
	b = AppendText(append(b, `,"kind":`...), ev.Kind)
	if ev.More {
		b = append(b, `,"more":true`...)
	}
	b = strconv.AppendInt(append(b, `,"seq":`...), ev.Seq, 10)
	if len(sets) > 0 {
		b = appendFacts(append(b, `,"set":`...), sets)
	}
	b = strconv.AppendInt(append(b, `,"turn":`...), int64(ev.Turn), 10)
	b[begin] = '{'
	return b
}

// appendFacts appends facts as a JSON object to b.
func appendFacts(b []byte, facts []change) []byte {
	b = append(b, '{')
	for _, f := range facts {
		b = append(AppendText(b, f.path), ':')
		b = append(append(b, f.raw...), ',')
	}
	return append(bytes.TrimSuffix(b, []byte(",")), '}')
}
