package arena

import (
	"encoding/json"
	"testing"
)

func TestDifferencesNameThePath(t *testing.T) {
	for _, test := range []struct{ found, want, says string }{
		{`{"a":1}`, `{"a":1}`, ""},
		{`{"a":1,"b":{"c":[1,2]}}`, `{"a":1,"b":{"c":[1,3]}}`, "b.c.1 is 2, should be 3"},
		{`{"a":1}`, `{"b":{}}`, `a is 1, should be missing; b is missing, should be {}`},
		{`[1,2,3,4,5,6,7]`, `[0,0,0,0,0,0,0]`, "0 is 1, should be 0; 1 is 2, should be 0; 2 is 3, should be 0; 3 is 4, should be 0; 4 is 5, should be 0; and 2 more"},
		{`"x"`, `7`, ` is "x", should be 7`},
	} {
		if got := Differences(json.RawMessage(test.found), json.RawMessage(test.want)); got != test.says {
			t.Errorf("%s and %s: %q, want %q", test.found, test.want, got, test.says)
		}
	}
}
