package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

// A FileOptions says what of a run is in a file.
type FileOptions struct {
	From, To int  // turns
	Redact   bool // what is not meant for everybody is left out: conversations with models, and messages to some
}

// mostOverlays are the pictures with an overlay in one file. Where there would be more there are none.
const mostOverlays = 2000

// mostAnswers are in one file. Each agent needs one for each turn.
const mostAnswers = 200_000

// A TooLargeError says that too much would be in a file.
type TooLargeError struct{ Answers int }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("a file of %d answers is too large: there can be %d, and each agent needs one for each turn", e.Answers, mostAnswers)
}

// File writes the page as one file that needs no server: its scripts, the painter, and all that it would ask a server for, zipped. The answers are those of
// this server, and the page finds them by what it would have asked. Only searches are made by the page itself. Its error is a [*TooLargeError] if there would be too many.
func (s *Server) File(ctx context.Context, w io.Writer, o FileOptions) error {
	if n := (o.To - o.From + 1) * (len(s.run.About.Agents) + 5); n > mostAnswers {
		return &TooLargeError{n}
	}
	module, script, err := s.wasm.find(ctx, painterSoft)
	if err != nil {
		return fmt.Errorf("the painter: %w", err)
	}
	f, err := s.collect(ctx, o)
	if err != nil {
		return err
	}
	data, err := json.Marshal(map[string]any{"answers": f.answers, "frames": f.frames, "from": o.From, "to": o.To})
	if err != nil {
		return err
	}
	zipped, err := zip(data)
	if err != nil {
		return err
	}
	pictures, err := zip(f.pictures.Bytes())
	if err != nil {
		return err
	}
	return s.assemble(w, module, script, zipped, pictures)
}

// apiFile answers with the file of all turns.
func (s *Server) apiFile(w http.ResponseWriter, r *http.Request) {
	wait := http.NewResponseController(w)
	_ = errors.Join(wait.SetReadDeadline(time.Time{}), wait.SetWriteDeadline(time.Time{})) // it takes as long as it takes
	var page bytes.Buffer
	err := s.File(r.Context(), &page, FileOptions{To: s.live.moment().st.Turn, Redact: r.FormValue("redact") != ""})
	if large := (*TooLargeError)(nil); errors.As(err, &large) {
		err = &problem{http.StatusRequestEntityTooLarge, err.Error(), "vitrine export --html FILE --from TURN --to TURN takes some turns"}
	}
	if err != nil {
		failed(w, err)
		return
	}
	_ = wait.SetWriteDeadline(time.Now().Add(time.Minute))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page.Bytes()) // whoever is gone does not need it
}

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

func zip(b []byte) ([]byte, error) {
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(b)
	err = errors.Join(err, w.Close())
	return zipped.Bytes(), err
}

// filePolicy keeps the file from asking anybody for anything.
const filePolicy = "default-src 'none'; script-src 'unsafe-inline' data: 'wasm-unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:"

// assemble writes the page with all that it needs in it. Its modules are known by the name page/NAME, each as an address that holds it.
func (s *Server) assemble(w io.Writer, module, script, data, pictures []byte) error {
	index, err := embedded.ReadFile("page/index.html")
	if err != nil {
		return err
	}
	style, err := embedded.ReadFile("page/style.css")
	if err != nil {
		return err
	}
	modules := make(map[string]string)
	err = fs.WalkDir(embedded, "page", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".js") || name == "page/window.js" {
			return err
		}
		raw, err := embedded.ReadFile(name)
		for _, quote := range []string{`from "./`, `import("./`} {
			raw = bytes.ReplaceAll(raw, []byte(quote), []byte(strings.TrimSuffix(quote, "./")+"page/"))
		}
		modules[name] = dataURL("text/javascript", raw)
		return err
	})
	if err != nil {
		return err
	}
	imports, err := json.Marshal(map[string]any{"imports": modules})
	if err != nil {
		return err
	}
	var head bytes.Buffer
	fmt.Fprintf(&head, "<meta http-equiv=\"Content-Security-Policy\" content=%q>\n<style>\n%s</style>\n", filePolicy, style)
	fmt.Fprintf(&head, "<script type=\"importmap\">%s</script>\n<script src=%q></script>\n", imports, dataURL("text/javascript", script))
	for _, part := range []struct {
		id string
		b  []byte
	}{{"vitrine-painter", module}, {"vitrine-data", data}, {"vitrine-frames", pictures}} {
		fmt.Fprintf(&head, "<script type=\"application/octet-stream\" id=%q>%s</script>\n", part.id, base64.StdEncoding.EncodeToString(part.b))
	}
	head.WriteString("<script type=\"application/json\" id=\"vitrine-notes\">[]</script>\n")
	head.WriteString("<script type=\"module\">import { open } from \"page/file.js\"; await open();</script>\n")
	page := string(index)
	for _, swap := range [][2]string{
		{"<link rel=\"stylesheet\" href=\"style.css\">\n", ""},
		{"<script type=\"module\" src=\"app.js\"></script>\n", head.String()},
		{"<title>vitrine</title>", "<title>" + html.EscapeString(s.run.About.Name) + " · vitrine</title>"},
	} {
		if !strings.Contains(page, swap[0]) {
			return fmt.Errorf("internal error: the page has no %s", swap[0])
		}
		page = strings.Replace(page, swap[0], swap[1], 1)
	}
	_, err = io.WriteString(w, page)
	return err
}

// dataURL returns an address that holds what is there.
func dataURL(kind string, b []byte) string {
	return "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(b)
}
