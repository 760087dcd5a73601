package world

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// layers are the facts of a state by path, in layers that never change, so that states share them. What an upper layer says of a path
// counts; there nil says that the fact is gone.
type layers []map[string]json.RawMessage

// get returns the fact at path, and whether there is one.
func (l layers) get(path string) (json.RawMessage, bool) {
	for _, layer := range slices.Backward(l) {
		if raw, ok := layer[path]; ok {
			return raw, raw != nil
		}
	}
	return nil, false
}

// A change sets the fact at a path, or deletes it if there are no bytes.
type change struct {
	path string
	raw  json.RawMessage
}

// appendSets appends changes that set facts, sorted by path, to b.
func appendSets(b []change, facts map[string]json.RawMessage) []change {
	begin := len(b)
	for path, raw := range facts {
		b = append(b, change{path, raw})
	}
	slices.SortFunc(b[begin:], func(x, y change) int { return strings.Compare(x.path, y.path) })
	return b
}

// appendChanges appends what an event changes to b: what it deletes, and then what it sets, sorted by path.
func appendChanges(b []change, ev *Event) []change {
	for _, path := range ev.Del {
		b = append(b, change{path, nil})
	}
	return appendSets(b, ev.Set)
}

// changesOf returns what the events change, in their order.
func changesOf(events []Event) []change {
	n := 0
	for i := range events {
		n += len(events[i].Del) + len(events[i].Set)
	}
	changes := make([]change, 0, n)
	for i := range events {
		changes = appendChanges(changes, &events[i])
	}
	return changes
}

// after returns the facts after the changes, which are in a layer on top. Each layer is at least four times as large as the one above it, or
// they are merged: so there are few, and what a commit costs depends on what it changes and hardly on how much there is.
func (l layers) after(changes []change) layers {
	if len(changes) == 0 {
		return l
	}
	var top map[string]json.RawMessage
	below := len(l)
	if below > 0 && len(l[below-1]) < 4*len(changes) {
		below--
		top = maps.Clone(l[below])
	} else {
		top = make(map[string]json.RawMessage, len(changes))
	}
	for _, c := range changes {
		top[c.path] = bytes.Clone(c.raw) // whoever made the event may change its bytes
	}
	for ; below > 0 && len(l[below-1]) < 4*len(top); below-- {
		merged := maps.Clone(l[below-1])
		maps.Copy(merged, top)
		top = merged
	}
	if below == 0 {
		maps.DeleteFunc(top, isDeleted)
	}
	return append(slices.Clip(l[:below]), top)
}

// all returns the facts in one map. The caller must not change it.
func (l layers) all() map[string]json.RawMessage {
	if len(l) == 1 {
		return l[0]
	}
	all := make(map[string]json.RawMessage)
	for _, layer := range l {
		maps.Copy(all, layer)
	}
	maps.DeleteFunc(all, isDeleted)
	return all
}

func isDeleted(_ string, raw json.RawMessage) bool { return raw == nil }
