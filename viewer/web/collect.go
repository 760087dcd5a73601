package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

// A file is the answers that go into one.
type file struct {
	server   http.Handler
	agents   []Agent
	ctx      context.Context
	redact   *redaction                 // nil: nothing is left out
	overlays []string                   // that are in it
	answers  map[string]json.RawMessage // by what was asked, see [file.ask]
	frames   map[string]frameAt         // likewise
	pictures bytes.Buffer               // all frames, one behind the other
}

// A frameAt is where a frame is in the pictures.
type frameAt struct {
	At   int    `json:"at"`
	Size int    `json:"size"`
	Turn string `json:"turn"`
	Seq  string `json:"seq"`
	Hash string `json:"hash"`
}

// collect asks everything that the page could.
func (s *Server) collect(ctx context.Context, o FileOptions) (f *file, err error) {
	f = &file{
		server: s.routes(), agents: s.run.About.Agents, ctx: ctx, overlays: overlays, answers: make(map[string]json.RawMessage), frames: make(map[string]frameAt),
	}
	if (o.To-o.From+1)*len(overlays) > mostOverlays {
		f.overlays = []string{}
	}
	if o.Redact {
		if f.redact, err = newRedaction(s.run.Dir); err != nil {
			return nil, err
		}
	}
	if err := f.indexed(o); err != nil {
		return nil, err
	}
	if err := errors.Join(f.ask("run", nil), f.ask("metrics", url.Values{"points": {"500"}}), f.lists(o)); err != nil {
		return nil, err
	}
	if s.run.MetricsCSV != nil {
		table, err := f.request("metrics.csv", url.Values{"turns": {"1"}})
		if err != nil {
			return nil, err
		}
		f.answers["metrics.csv"] = world.JSON(table.body.String())
	}
	for turn := o.From; turn <= o.To; turn++ {
		if err := f.turn(turn); err != nil {
			return nil, fmt.Errorf("turn %d: %w", turn, err)
		}
	}
	return f, nil
}

// indexed waits until the server knows all turns.
func (f *file) indexed(o FileOptions) error {
	for {
		raw, err := f.get("turns", url.Values{"from": {strconv.Itoa(o.From)}, "to": {strconv.Itoa(o.To)}})
		if err != nil {
			return err
		}
		var turns struct{ Partial bool }
		if err := json.Unmarshal(raw, &turns); err != nil || !turns.Partial {
			f.answers["turns"] = raw
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-f.ctx.Done():
			return f.ctx.Err()
		}
	}
}

// lists takes in what is searched: the events, and the conversations.
func (f *file) lists(o FileOptions) error {
	events, err := f.all("events", "events", "after", url.Values{"from": {strconv.Itoa(o.From)}, "to": {strconv.Itoa(o.To)}, "limit": {strconv.Itoa(mostEvents)}})
	if err != nil {
		return err
	}
	f.answers["events"] = events
	if f.redact != nil {
		return nil
	}
	for _, a := range f.agents {
		entries, err := f.all("transcript", "entries", "offset", url.Values{"name": {a.Name}})
		if err != nil {
			return err
		}
		f.answers["transcript?name="+url.QueryEscape(a.Name)] = entries
	}
	return nil
}

// all asks until there is no more, and returns the list of everything in the answers' field.
func (f *file) all(path, field, next string, params url.Values) (json.RawMessage, error) {
	list := []json.RawMessage{}
	for {
		raw, err := f.get(path, params)
		if err != nil {
			return nil, err
		}
		var answer map[string]json.RawMessage
		var some []json.RawMessage
		if err := errors.Join(json.Unmarshal(raw, &answer), json.Unmarshal(answer[field], &some)); err != nil {
			return nil, err
		}
		list = append(list, some...)
		if len(answer["next"]) == 0 || string(answer["next"]) == "null" {
			return json.Marshal(list)
		}
		params.Set(next, string(answer["next"]))
	}
}

// turn takes in one turn.
func (f *file) turn(turn int) error {
	at := url.Values{"turn": {strconv.Itoa(turn)}}
	err := errors.Join(f.ask("agents", at), f.ask("steps", at), f.ask("diff", at), f.ask("state", url.Values{"turn": at["turn"], "limit": {"2000"}}), f.frame(at))
	for _, a := range f.agents {
		if err != nil {
			return err
		}
		err = f.ask("agent", url.Values{"turn": at["turn"], "name": {a.Name}})
		if len(f.agents) <= 20 {
			err = errors.Join(err, f.frame(url.Values{"turn": at["turn"], "sees": {a.Name}}))
		}
	}
	for _, overlay := range f.overlays {
		if err == nil {
			err = f.frame(url.Values{"turn": at["turn"], "overlay": {overlay}})
		}
	}
	var steps []struct{ Seq int64 }
	if err == nil {
		err = json.Unmarshal(f.answers["steps?"+at.Encode()], &steps)
	}
	for _, step := range steps {
		if err == nil && len(steps) > 1 && len(steps) <= 50 {
			err = f.step(url.Values{"turn": at["turn"], "seq": {strconv.FormatInt(step.Seq, 10)}})
		}
	}
	return err
}

// step takes in a position within a turn.
func (f *file) step(at url.Values) error {
	err := f.frame(at)
	for _, a := range f.agents {
		if err == nil && len(f.agents) <= 20 {
			err = f.ask("agent", url.Values{"turn": at["turn"], "seq": at["seq"], "name": {a.Name}})
		}
	}
	return err
}

// ask takes in an answer, by the path and the parameters in the order of their names.
func (f *file) ask(path string, params url.Values) error {
	raw, err := f.get(path, params)
	if err != nil {
		return err
	}
	if f.redact != nil && path == "agent" {
		var answer map[string]json.RawMessage
		if err := json.Unmarshal(raw, &answer); err != nil {
			return err
		}
		answer["transcript"] = json.RawMessage("[]")
		if raw, err = json.Marshal(answer); err != nil {
			return err
		}
	}
	if path == "run" {
		f.answers["run"], err = f.noted(raw)
		return err
	}
	f.answers[path+"?"+params.Encode()] = raw
	return nil
}

// noted adds to what is known of a run which overlays are in the file, and what is left out, if anything is.
func (f *file) noted(run json.RawMessage) (json.RawMessage, error) {
	var answer map[string]json.RawMessage
	if err := json.Unmarshal(run, &answer); err != nil {
		return nil, err
	}
	answer["overlays"] = world.JSON(f.overlays)
	delete(answer, "path") // which is of no use elsewhere
	if f.redact == nil {
		return json.Marshal(answer)
	}
	answer["redacted"] = world.JSON(redacted)
	return json.Marshal(answer)
}

// frame takes in a picture.
func (f *file) frame(params url.Values) error {
	got, err := f.request("frame", params)
	if err != nil {
		return err
	}
	picture := got.body.Bytes()
	if f.redact != nil {
		if picture, err = f.redact.frame(picture); err != nil {
			return err
		}
	}
	f.frames["frame?"+params.Encode()] = frameAt{
		At: f.pictures.Len(), Size: len(picture), Turn: got.header.Get("X-Turn"), Seq: got.header.Get("X-Seq"), Hash: got.header.Get("X-Hash"),
	}
	f.pictures.Write(picture)
	return nil
}

func (f *file) get(path string, params url.Values) (json.RawMessage, error) {
	got, err := f.request(path, params)
	if err != nil {
		return nil, err
	}
	if f.redact != nil {
		return f.redact.json(got.body.Bytes())
	}
	return bytes.TrimSpace(got.body.Bytes()), nil
}

// request asks the server.
func (f *file) request(path string, params url.Values) (*kept, error) {
	if err := f.ctx.Err(); err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(f.ctx, http.MethodGet, "/api/"+path+"?"+params.Encode(), nil)
	if err != nil {
		return nil, err
	}
	got := &kept{header: make(http.Header), status: http.StatusOK}
	f.server.ServeHTTP(got, r)
	if got.status != http.StatusOK {
		return nil, fmt.Errorf("%s?%s: %s", path, params.Encode(), strings.TrimSpace(got.body.String()))
	}
	return got, nil
}

// A kept is an answer that goes nowhere.
type kept struct {
	header http.Header
	body   bytes.Buffer
	status int
}

// Header implements [http.ResponseWriter].
func (k *kept) Header() http.Header { return k.header }

// WriteHeader implements [http.ResponseWriter].
func (k *kept) WriteHeader(status int) { k.status = status }

// Write implements [http.ResponseWriter].
func (k *kept) Write(b []byte) (int, error) { return k.body.Write(b) }
