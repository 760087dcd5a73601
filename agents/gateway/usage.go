package gateway

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Tokens are counts of tokens of each kind, and of web searches.
type Tokens struct {
	Input        int64 `json:"input"`          // neither written to the cache nor read from it
	CacheWrite5m int64 `json:"cache_write_5m"` // written to the cache for five minutes
	CacheWrite1h int64 `json:"cache_write_1h"` // for an hour
	CacheRead    int64 `json:"cache_read"`
	Output       int64 `json:"output"`
	WebSearches  int64 `json:"web_searches"`
}

// In returns the tokens of requests.
func (t Tokens) In() int64 { return t.Input + t.CacheWrite5m + t.CacheWrite1h + t.CacheRead }

// each returns tokens of which each count is what f makes of those of t and u.
func (t Tokens) each(u Tokens, f func(int64, int64) int64) Tokens {
	return Tokens{
		f(t.Input, u.Input), f(t.CacheWrite5m, u.CacheWrite5m), f(t.CacheWrite1h, u.CacheWrite1h), f(t.CacheRead, u.CacheRead),
		f(t.Output, u.Output), f(t.WebSearches, u.WebSearches),
	}
}

// beyond returns what of t is more than u.
func (t Tokens) beyond(u Tokens) Tokens {
	return t.each(u, func(a, b int64) int64 { return max(0, a-b) })
}

// A Usage is what was used of a model, or of several. Tokens are those that the upstream reports, and Cost is theirs.
//
// Each answer is one message of the model and counts once, however it comes: the blocks of one message that Claude Code prints as
// several lines, a stream that is followed by the same request without a stream, which is a message of its own and costs its own price, and
// an answer that an upstream gives again, with the same message id to the same request, which cost nothing the second time.
//
// Of an answer that was cut nobody knows what it has used in the end. What was not reported is assumed to be the most that it can be, which budgets
// count and nobody tells as used: of the tokens of the request as [Budget] says, of those of the answer one for each byte or, if it has thoughts in
// it, or this process was killed meanwhile, max_tokens. Of the offline model nothing is assumed: an answer of it that was cut has used what it said.
// An answer with another status than 200, and a request that never left, cost nothing.
type Usage struct {
	Requests int64 `json:"requests"` // to POST /v1/messages that were let through, whatever the answer
	Cut      int64 `json:"cut"`      // of those, how many broke off before their tokens were reported
	Unpriced int64 `json:"unpriced"` // of those, how many went to a model that has no price; no cost has them in it
	Tokens
	Cost    Money   `json:"cost"`
	Assumed Assumed `json:"assumed,omitzero"` // of those that were cut
}

// An Assumed is what requests that were cut may have used at most, besides what was reported of them.
type Assumed struct {
	Tokens int64 `json:"tokens"` // of all kinds, in and out
	Cost   Money `json:"cost"`
}

// plus returns a and, so many times, b.
func (a Assumed) plus(b Assumed, times int64) Assumed {
	return Assumed{a.Tokens + times*b.Tokens, a.Cost + Money(times)*b.Cost}
}

// plus returns u and, so many times, v.
func (u Usage) plus(v Usage, times int64) Usage {
	return Usage{
		Requests: u.Requests + times*v.Requests, Cut: u.Cut + times*v.Cut, Unpriced: u.Unpriced + times*v.Unpriced,
		Tokens: u.each(v.Tokens, func(a, b int64) int64 { return a + times*b }), Cost: u.Cost + Money(times)*v.Cost, Assumed: u.Assumed.plus(v.Assumed, times),
	}
}

// A record is a file that outlives this process, so that no request is forgotten: one JSON line as a request goes upstream, and one whenever more is
// known of what it uses, each with what is to be assumed if there is no other. Of the lines with the same number the last one counts.
type record struct {
	file *os.File
	next int64 // number of the next request
}

// A usageLine is a line of a record.
type usageLine struct {
	N     int64  `json:"n"`
	Model string `json:"model"`
	Usage
}

// openRecord opens the record at path, and returns what it says was used of each model.
func openRecord(path string) (*record, map[string]Usage, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, err
	}
	r := &record{file: file}
	models, err := r.read()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	return r, models, nil
}

// read sums up the record. A line that was cut, because its writer was killed, says nothing.
func (r *record) read() (map[string]Usage, error) {
	models, last := make(map[string]Usage), make(map[int64]usageLine)
	for lines := bufio.NewReader(r.file); ; {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			if len(line) > 0 {
				_, err = r.file.Write([]byte("\n"))
				return models, err
			}
			return models, nil
		}
		if err != nil {
			return nil, err
		}
		var now usageLine
		if json.Unmarshal(line, &now) != nil {
			continue
		}
		if was, again := last[now.N]; again {
			models[was.Model] = models[was.Model].plus(was.Usage, -1)
		}
		models[now.Model] = models[now.Model].plus(now.Usage, 1)
		last[now.N] = now
		r.next = max(r.next, now.N+1)
	}
}

func (r *record) write(line usageLine) error {
	_, err := r.file.Write(append(marshal(line), '\n'))
	return err
}
