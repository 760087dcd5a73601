package world

import (
	"encoding/json"
	"maps"
	"slices"
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

// with returns the facts with a layer on top of them, which becomes theirs. Each layer is at least four times as large as the one
// above it, or they are merged: so there are few, and what a commit costs depends on what it changes and hardly on how much there is.
func (l layers) with(top map[string]json.RawMessage) layers {
	if len(top) == 0 {
		return l
	}
	below := len(l)
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
