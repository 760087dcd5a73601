package gateway

import (
	"strings"
	"testing"
)

// metered returns what a meter learns of a whole answer that comes in pieces of n bytes.
func metered(stream bool, text string, n int) seen {
	var last seen
	m := meter{stream: stream, learn: func(s seen) bool {
		last = s
		return true
	}}
	for len(text) > 0 {
		k := min(n, len(text))
		m.write([]byte(text[:k]))
		text = text[k:]
	}
	m.end(true)
	m.end(false)
	return last
}

func TestTheMeterCountsWhatTheUpstreamReports(t *testing.T) {
	const (
		start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":10," +
			"\"cache_creation_input_tokens\":200,\"cache_read_input_tokens\":3000,\"output_tokens\":8}}}\n\n"
		ping  = "event: ping\ndata: {\"type\": \"ping\"}\n\n"
		delta = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"output_tokens\":5}}\n\n"
		stop  = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	)
	tests := []struct {
		name    string
		stream  bool
		text    string
		in, out int64
	}{
		{"a stream", true, start + ping + delta + stop, 3210, 5},
		{"with CRLF", true, strings.ReplaceAll(start+ping+delta+stop, "\n", "\r\n"), 3210, 5},
		{"without space after the colon", true, strings.ReplaceAll(start+delta, "data: ", "data:"), 3210, 5},
		{"several deltas: the last counts", true, start + delta + strings.Replace(delta, "5", "77", 1), 3210, 77},
		{"a delta with all counts", true, start + strings.Replace(delta, `"usage":{`, `"usage":{"input_tokens":15,"cache_creation_input_tokens":200,"cache_read_input_tokens":3000,`, 1), 3215, 5},
		{"a delta with no input", true, start + strings.Replace(delta, `"usage":{`, `"usage":{"input_tokens":0,`, 1), 3210, 5},
		{"cut after the start", true, start + ping, 3210, 8},
		{"cut before the last empty line", true, start + strings.TrimSpace(delta), 3210, 5},
		{"cut in the middle of a line", true, start + delta[:len(delta)-8], 3210, 8},
		{"data in several lines", true, "data: {\"type\":\"message_delta\",\ndata: \"usage\":{\"output_tokens\":6}}\n\n", 0, 6},
		{"an error event", true, start + "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n", 3210, 8},
		{"usage in another event", true, "data: {\"type\":\"content_block_delta\",\"usage\":{\"output_tokens\":6}}\n\n", 0, 0},
		{"text that looks like usage", true, "data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"\\\"usage\\\":{\\\"output_tokens\\\":6}\"}}\n\n", 0, 0},
		{"wrong types", true, "data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":\"6\"}}\n\n" + delta, 0, 5},
		{"negative and huge numbers", true, "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":-7,\"output_tokens\":9223372036854775807}}}\n\n", 0, 0},
		{"null", true, "data: {\"type\":\"message_delta\",\"usage\":null}\n\ndata: null\n\n", 0, 0},
		{"nothing", true, "", 0, 0},
		{"no events", true, "<html>\n\n", 0, 0},
		{"too large an event, then a good one", true, "data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":9},\"x\":\"" + strings.Repeat("x", maxKept) + "\"}\nid: 1\n\n" + delta, 0, 5},
		{"a document", false, `{"type":"message","usage":{"input_tokens":1,"cache_creation_input_tokens":20,"cache_read_input_tokens":300,"output_tokens":4}}`, 321, 4},
		{"a document without cache", false, `{"usage":{"input_tokens":1,"output_tokens":4,"cache_read_input_tokens":null}}`, 1, 4},
		{"an error", false, `{"type":"error","error":{"type":"rate_limit_error","message":"no"}}`, 0, 0},
		{"half a document", false, `{"usage":{"input_tokens":1,"output`, 0, 0},
		{"an empty document", false, "", 0, 0},
		{"too large a document", false, `{"usage":{"input_tokens":1,"output_tokens":4}}` + strings.Repeat(" ", maxKept), 0, 0},
	}
	for _, test := range tests {
		sizes := []int{1, 7, 4096, 1 << 30}
		if len(test.text) > maxKept {
			sizes = sizes[2:]
		}
		for _, n := range sizes {
			if got := metered(test.stream, test.text, n).tokens; got.In() != test.in || got.Output != test.out {
				t.Errorf("%s, %d bytes at a time: %+v, want %d in and %d out", test.name, n, got, test.in, test.out)
			}
		}
	}
}

func TestTheMeterTellsTokensApart(t *testing.T) {
	const usage = `{"input_tokens":1,"cache_creation_input_tokens":50,"cache_read_input_tokens":6,"output_tokens":7,` +
		`"cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":30},"server_tool_use":{"web_search_requests":2},"inference_geo":"us"}`
	all := Tokens{Input: 1, CacheWrite5m: 20, CacheWrite1h: 30, CacheRead: 6, Output: 7, WebSearches: 2}
	unsaid := all
	unsaid.CacheWrite5m, unsaid.CacheWrite1h = 50, 0
	tests := []struct {
		name string
		text string
		want Tokens
	}{
		{"a document", `{"id":"m","usage":` + usage + `}`, all},
		{"writes of which is not said for how long", `{"id":"m","usage":` + strings.Replace(usage, "cache_creation\"", "x\"", 1) + `}`, unsaid},
		{"a stream", `data: {"type":"message_start","message":{"id":"m","usage":` + usage + "}}\n\n", all},
		{"a search that takes its time", `data: {"type":"message_start","message":{"id":"m","usage":{"input_tokens":1,"output_tokens":1}}}` +
			"\n\n" + `data: {"type":"message_delta","usage":` + usage + "}\n\n", all},
	}
	for _, test := range tests {
		got := metered(strings.HasPrefix(test.text, "data"), test.text, 10)
		if got.tokens != test.want || got.id != "m" || got.geo != "us" {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func FuzzMeter(f *testing.F) {
	f.Add(true, "event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":10,\"output_tokens\":1}}}\r\n\r\n", 3)
	f.Add(true, "data: {\"type\":\"message_delta\",\ndata:\"usage\":{\"output_tokens\":5}}\n\n\n:\n", 1)
	f.Add(false, `{"usage":{"input_tokens":1,"cache_read_input_tokens":1099511627776,"output_tokens":-4}}`, 100)
	f.Fuzz(func(t *testing.T, stream bool, text string, n int) {
		got := metered(stream, text, max(n, 1))
		if whole := metered(stream, text, len(text)+1); got != whole {
			t.Errorf("%+v in pieces, %+v as a whole", got, whole)
		}
		if got.tokens.beyond(Tokens{}) != got.tokens || got.bytes < 0 {
			t.Errorf("counted %+v", got)
		}
	})
}
