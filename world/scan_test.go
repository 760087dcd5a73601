package world

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

// sameEvent demands that a line that scan takes is the event that it is as JSON, and says whether it takes it.
func sameEvent(t *testing.T, line []byte) bool {
	t.Helper()
	var got, want Event
	if !got.scan(line) {
		return false
	}
	if err := json.Unmarshal(line, &want); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%q is %+v at once, but %+v, error %v", line, got, want, err)
	}
	return true
}

func TestLinesAreReadAtOnceAsTheyAreAsJSON(t *testing.T) {
	for line := range bytes.Lines(readFile(t, tale(t), logName)) {
		if !sameEvent(t, line) {
			t.Errorf("it is not read at once: %s", line)
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, line := range []string{
		`{"agent":"a","data":{"x":[1,null]},"del":["b"],"kind":"k","more":true,"seq":3,"set":{"p":1,"q":{}},"turn":2,"proc":{"ms":0.5},"time":"2026-01-02T15:04:05.000000006Z","crc":"00000000"}`,
		`{"kind":"k","kind":"l","seq":1,"turn":0}`, `{"data":null,"del":null,"kind":"k","seq":1,"set":{},"turn":0,"time":null}`,
		`{"Kind":"k","seq":1.0,"turn":-1}`, `{"kind":null,"more":false,"seq":1,"set":null}`, `{"set":{"a":1},"set":{"b":2}}`, `{}`, `{,}`, `}`, `{"kind":"k"`, "",
	} {
		f.Add([]byte(line + "\n"))
	}
	f.Fuzz(func(t *testing.T, line []byte) { sameEvent(t, line) })
}
