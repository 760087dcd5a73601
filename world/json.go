package world

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Canonical returns JSON in the one form that the log holds: keys sorted, no white space, no HTML escapes, integers as
// they are and all other numbers in the shortest form of their float64. Of equal keys in an object the last one counts. In a
// text U+FFFD stands for what is not UTF-8, and for half a pair of surrogates. It is an error if arrays and objects are nested deeper than
// [MaxDepth].
func Canonical(raw []byte) (json.RawMessage, error) {
	if isCanonical(raw) {
		return bytes.Clone(raw), nil
	}
	return makeCanonical(raw)
}

// canonical is Canonical that returns raw itself if it has the form already.
func canonical(raw json.RawMessage) (json.RawMessage, error) {
	if isCanonical(raw) {
		return raw, nil
	}
	return makeCanonical(raw)
}

func makeCanonical(raw []byte) (json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the JSON value at byte %d", dec.InputOffset())
	}
	v, err := canonicalNumbers(v, 0)
	if err != nil {
		return nil, err
	}
	return marshal(v)
}

// JSON returns v in canonical form. It panics if v cannot be JSON, which is a mistake in the program.
func JSON(v any) json.RawMessage {
	raw, err := marshal(v)
	if err == nil {
		raw, err = canonical(raw)
	}
	if err != nil {
		panic(fmt.Sprintf("internal error: %T as JSON: %v", v, err))
	}
	return raw
}

// MaxDepth is how deep arrays and objects may be nested in what the log holds. Its readers can go ten times as deep.
const MaxDepth = 1000

func marshal(v any) (json.RawMessage, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

func canonicalNumbers(v any, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("nested deeper than %d", MaxDepth)
	}
	switch v := v.(type) {
	case json.Number:
		if !strings.ContainsAny(string(v), ".eE") {
			if v == "-0" {
				return json.Number("0"), nil
			}
			return v, nil
		}
		f, err := v.Float64()
		if f == 0 {
			f = 0 // -0.0 is 0
		}
		return f, err
	case []any:
		for i := range v {
			var err error
			if v[i], err = canonicalNumbers(v[i], depth+1); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v { // order does not matter: each value is replaced in place
			var err error
			if v[k], err = canonicalNumbers(v[k], depth+1); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}
