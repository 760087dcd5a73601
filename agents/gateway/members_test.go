package gateway

import (
	"bytes"
	"encoding/json"
	"testing"
)

func FuzzMembers(f *testing.F) {
	for _, doc := range []string{
		`{}`, ` { } `, `{"a":1}`, `{"a":1,"b":[{"c":"}"}],"d":"\"\\","e":{"f":null}} `, "{\n\t\"a\" : -1.5e3 , \"a\":true\r\n}", `{"\u0061":"\\\""}`,
		`[]`, `{`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1}{}`, `{"a":"`, `"a"`, ``, `{"a":{]}`,
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		got, ok := members(doc)
		var want map[string]json.RawMessage
		if json.Unmarshal(doc, &want) != nil || want == nil {
			return // anything goes
		}
		if !ok || len(got) != len(want) {
			t.Fatalf("of %s it finds %s, %t", doc, got, ok)
		}
		for key, value := range want {
			if !bytes.Equal(got[key], value) {
				t.Errorf("of %s the member %q is %s, not %s", doc, key, got[key], value)
			}
		}
	})
}
