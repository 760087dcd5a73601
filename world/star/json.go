package star

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"go.starlark.net/starlark"

	"github.com/vitrine-sim/vitrine/world"
)

const (
	maxInt  = 1 << 53 // beyond it a float64 skips whole numbers
	maxJSON = 1 << 20 // bytes of one value, about
)

// toJSON returns a value of the file as canonical JSON.
func toJSON(thread *starlark.Thread, v starlark.Value) (json.RawMessage, error) {
	size := 0
	plain, err := toPlain(thread, v, 0, &size)
	if err != nil {
		return nil, err
	}
	return world.JSON(plain), nil
}

// toPlain returns a value of the file as what encoding/json makes of JSON; size is about how many bytes came before it.
func toPlain(thread *starlark.Thread, v starlark.Value, depth int, size *int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it is nested deeper than %d, or in itself", maxDepth)
	}
	text, _ := starlark.AsString(v)
	if *size += 2 + len(text); *size > maxJSON {
		return nil, fmt.Errorf("it is larger than %d bytes", maxJSON)
	}
	if err := spend(thread, 1+len(text)/8); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case starlark.NoneType:
		return nil, nil
	case starlark.Bool:
		return bool(v), nil
	case starlark.Int:
		n, ok := v.Int64()
		if !ok || n > maxInt || n < -maxInt {
			return nil, errors.New("a whole number in it is beyond 2^53, where JSON is not exact; make it a text or a float")
		}
		return n, nil
	case starlark.Float:
		if f := float64(v); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f, nil
		}
		return nil, fmt.Errorf("%v is no number in JSON", v)
	case starlark.String:
		if !utf8.ValidString(text) {
			return nil, fmt.Errorf("the text %.40q is not UTF-8", text)
		}
		return text, nil
	case *starlark.Dict:
		return toObject(thread, v, depth, size)
	case *starlark.List, starlark.Tuple:
		list := []any{}
		iter := starlark.Iterate(v)
		defer iter.Done()
		for entry := starlark.Value(nil); iter.Next(&entry); {
			plain, err := toPlain(thread, entry, depth+1, size)
			if err != nil {
				return nil, err
			}
			list = append(list, plain)
		}
		return list, nil
	}
	return nil, fmt.Errorf("%s is no value in JSON", article(v))
}

func toObject(thread *starlark.Thread, d *starlark.Dict, depth int, size *int) (any, error) {
	object := make(map[string]any, d.Len())
	for _, item := range d.Items() {
		key, ok := starlark.AsString(item[0])
		if !ok || !utf8.ValidString(key) {
			return nil, fmt.Errorf("the key %.40s is no text in UTF-8", item[0].String())
		}
		*size += len(key)
		var err error
		if object[key], err = toPlain(thread, item[1], depth+1, size); err != nil {
			return nil, err
		}
	}
	return object, nil
}

// fromJSON returns canonical JSON as a value for the file, which cannot change it.
func fromJSON(raw json.RawMessage) (starlark.Value, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var plain any
	if err := dec.Decode(&plain); err != nil {
		return nil, err
	}
	v, err := fromPlain(plain)
	if err != nil {
		return nil, err
	}
	v.Freeze()
	return v, nil
}

// fromPlain returns what encoding/json makes of JSON as a value for the file. The keys of dicts are sorted.
func fromPlain(plain any) (starlark.Value, error) {
	switch plain := plain.(type) {
	case nil:
		return starlark.None, nil
	case bool:
		return starlark.Bool(plain), nil
	case string:
		return starlark.String(plain), nil
	case json.Number:
		if !strings.ContainsAny(string(plain), ".eE") {
			if n, err := plain.Int64(); err == nil {
				return starlark.MakeInt64(n), nil
			}
			n, _ := new(big.Int).SetString(string(plain), 10)
			return starlark.MakeBigInt(n), nil
		}
		f, err := plain.Float64()
		return starlark.Float(f), err
	case []any:
		list := make([]starlark.Value, len(plain))
		for i := range plain {
			var err error
			if list[i], err = fromPlain(plain[i]); err != nil {
				return nil, err
			}
		}
		return starlark.NewList(list), nil
	case map[string]any:
		dict := starlark.NewDict(len(plain))
		for _, key := range slices.Sorted(maps.Keys(plain)) {
			v, err := fromPlain(plain[key])
			if err == nil {
				err = dict.SetKey(starlark.String(key), v)
			}
			if err != nil {
				return nil, err
			}
		}
		return dict, nil
	}
	panic(fmt.Sprintf("internal error: %T is no JSON", plain))
}
