package main

import (
	"strings"
	"testing"
)

func TestTheKeyGoesNowhereThatOnlyARunSays(t *testing.T) {
	t.Setenv("ANTHROPIC_API_KEY", "sk-canary")
	for _, test := range []struct{ flag, env, endpoint, refused string }{
		{"", "", "https://elsewhere.example", "where only the run says"},
		{"", "https://mine.example", "https://elsewhere.example", "where only the run says"},
		{"https://elsewhere.example", "", "https://elsewhere.example", ""},
		{"", "https://elsewhere.example", "https://elsewhere.example", ""},
		{"", "", "http://localhost:80", ""},
		{"", "", "", ""},
	} {
		t.Setenv("ANTHROPIC_BASE_URL", test.env)
		r := newRunner()
		s, err := load(t.Context(), "../../scenarios/fishery.toml", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.setup, r.endpoint, r.baseURL, r.keyFD = s, test.endpoint, test.flag, -1
		_, err = r.chooseModel()
		if (err == nil) != (test.refused == "") || err != nil && !strings.Contains(err.Error(), test.refused) {
			t.Errorf("%+v: %v", test, err)
		}
		s.close()
	}
}
