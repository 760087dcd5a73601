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
	turn := s.Turn
	stamped := make([]Event, len(events))
	for i, given := range events {
		ev, err := given.canonical()
		if err != nil {
			return nil, fmt.Errorf("%s event: %w", given.Kind, err)
		}
		ev.More, ev.Seq, ev.Turn = i < len(events)-1, s.Seq+int64(i)+1, turn
		if ev.Kind == KindTurn {
			turn++
		}
		stamped[i] = ev
	}
	return stamped, nil
}

// canonical returns ev with all its JSON in canonical form. What has the form already it shares with ev.
func (ev Event) canonical() (Event, error) {
	if len(ev.Set) == 0 {
		ev.Set = nil
	}
	if ev.isCanonical() {
		return ev, nil
	}
	paths := slices.Sorted(maps.Keys(ev.Set))
	for _, texts := range [][]string{{ev.Agent, ev.Kind}, ev.Del, paths} {
		for _, text := range texts {
			if !utf8.ValidString(text) {
				return Event{}, fmt.Errorf("%q is not UTF-8", text)
			}
		}
	}
	var err error
	if len(ev.Data) > 0 {
		if ev.Data, err = canonical(ev.Data); err != nil {
			return Event{}, fmt.Errorf("data is not JSON: %w", err)
		}
	}
	if len(ev.Proc) > 0 {
		if ev.Proc, err = canonical(ev.Proc); err != nil {
			return Event{}, fmt.Errorf("proc is not JSON: %w", err)
		}
	}
	ev.Set = maps.Clone(ev.Set)
	for _, path := range paths {
		if ev.Set[path], err = canonical(ev.Set[path]); err != nil {
			return Event{}, fmt.Errorf("fact %q is not JSON: %w", path, err)
		}
	}
	return ev, nil
}

// isCanonical says whether all JSON of ev has the form already, and all text is UTF-8.
func (ev Event) isCanonical() bool {
	ok := utf8.ValidString(ev.Agent) && utf8.ValidString(ev.Kind) &&
		(len(ev.Data) == 0 || isCanonical(ev.Data)) && (len(ev.Proc) == 0 || isCanonical(ev.Proc))
	for _, path := range ev.Del {
		ok = ok && utf8.ValidString(path)
	}
	for path, raw := range ev.Set {
		ok = ok && utf8.ValidString(path) && isCanonical(raw)
	}
	return ok
}

// World returns the world part of a stamped event: what of it counts for the hash of a run, without process facts and time.
func (ev Event) World() json.RawMessage {
	return append(ev.appendWorld(nil), '}')
}

// appendWorld appends the world part of a stamped event, without the bracket that closes it, to b.
func (ev Event) appendWorld(b []byte) []byte {
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
	if len(ev.Set) > 0 {
		b = appendFacts(append(b, `,"set":`...), ev.Set)
	}
	b = strconv.AppendInt(append(b, `,"turn":`...), int64(ev.Turn), 10)
	b[begin] = '{'
	return b
}

// appendFacts appends facts as a JSON object to b.
func appendFacts(b []byte, facts map[string]json.RawMessage) []byte {
	paths := make([]string, 0, 16) // most often on the stack
	for path := range facts {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	b = append(b, '{')
	for _, path := range paths {
		b = append(AppendText(b, path), ':')
		b = append(append(b, facts[path]...), ',')
	}
	return append(bytes.TrimSuffix(b, []byte(",")), '}')
}
