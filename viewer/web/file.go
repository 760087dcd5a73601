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
	"strings"
	"time"
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
	done, err := s.filing.pass(r.Context())
	if err != nil {
		return // whoever asked is gone
	}
	defer done()
	var page bytes.Buffer
	err = s.File(r.Context(), &page, FileOptions{To: s.live.moment().st.Turn, Redact: r.FormValue("redact") != ""})
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
