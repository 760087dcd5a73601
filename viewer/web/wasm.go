package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
)

//go:embed all:dist
var dist embed.FS

// Painters are the programs that paint in the browser, WebAssembly, by their packages. They are compiled into a release; else they are built from the source
// when a page asks for them, and kept in the user's cache.
const (
	painterSoft   = "soft"
	painterWindow = "window"
	execFile      = "wasm_exec.js" // Go's own script that runs them
)

// packageOf returns the package of a painter.
func packageOf(painter string) string {
	if painter == painterSoft {
		return "./viewer/soft/page"
	}
	return "./viewer/window"
}

// How a painter is.
const (
	wasmReady    = "ready"
	wasmBuilding = "building"
	wasmNone     = "none"
)

// A wasm is the painters, and how far they are.
type wasm struct {
	cache string // folder that they are kept in; empty: that of the user

	once  sync.Once
	mu    sync.Mutex
	state map[string]string
	why   map[string]string // why a painter is not there
	files map[string][]byte // NAME.wasm.gz and execFile
}

// start makes the painters, if nobody has yet: the smaller one first.
func (x *wasm) start(ctx context.Context, work *work) {
	x.once.Do(func() {
		x.state = map[string]string{painterSoft: wasmBuilding, painterWindow: wasmBuilding}
		x.why, x.files = make(map[string]string), make(map[string][]byte)
		work.Go(func() {
			for _, painter := range []string{painterSoft, painterWindow} {
				module, exec, err := x.find(ctx, painter)
				x.mu.Lock()
				if x.state[painter] = wasmReady; err != nil {
					x.state[painter], x.why[painter] = wasmNone, err.Error()
				} else {
					x.files[painter+".wasm.gz"], x.files[execFile] = module, exec
				}
				x.mu.Unlock()
			}
		})
	})
}

// find returns a painter, zipped, and the script that runs it: those of the release, or newly built ones.
func (x *wasm) find(ctx context.Context, painter string) (module, script []byte, err error) {
	module, err = dist.ReadFile("dist/" + painter + ".wasm.gz")
	if err == nil {
		script, err = dist.ReadFile("dist/" + execFile)
		return module, script, err
	}
	root, err := moduleRoot()
	if err != nil {
		return nil, nil, err
	}
	goroot, err := goTool(ctx, root, "env", "GOROOT")
	if err != nil {
		return nil, nil, err
	}
	if script, err = os.ReadFile(filepath.Join(strings.TrimSpace(string(goroot)), "lib", "wasm", execFile)); err != nil {
		return nil, nil, fmt.Errorf("this Go has no script for WebAssembly: %w", err)
	}
	key, err := sourceKey(ctx, root, packageOf(painter))
	if err != nil {
		return nil, nil, err
	}
	cache := x.cache
	if cache == "" {
		if cache, err = os.UserCacheDir(); err != nil {
			return nil, nil, err
		}
	}
	path := filepath.Join(cache, "vitrine", "wasm", painter+"-"+key+".wasm.gz")
	if module, err = os.ReadFile(path); err != nil {
		module, err = build(ctx, root, packageOf(painter), path)
	}
	return module, script, err
}

// moduleRoot returns the folder of the source that this program was compiled from.
func moduleRoot() (string, error) {
	_, file, _, _ := runtime.Caller(0) // without a folder where the program was built with -trimpath
	root := filepath.Join(filepath.Dir(file), "..", "..")
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil || !filepath.IsAbs(file) {
		return "", errors.New("it is not in this program, and the source that this was built from is not there to build it: make release builds a program with it")
	}
	if _, err := exec.LookPath("go"); err != nil {
		return "", errors.New("it is not in this program, and there is no go command to build it: make release builds a program with it")
	}
	return root, nil
}

// goTool runs the go command in a folder.
func goTool(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	if nice, err := exec.LookPath("nice"); err == nil { // agents come first
		cmd = exec.CommandContext(ctx, nice, append([]string{"-n", "15", "go"}, args...)...)
	}
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly") // whatever else the user builds, and how
	if slices.Contains([]string{"build", "list"}, args[0]) {
		cmd.Env = append(cmd.Env, "GOOS=js", "GOARCH=wasm")
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w: %s", args[0], err, firstLines(said.String()))
	}
	return out, nil
}

// firstLines returns the beginning of what a command said.
func firstLines(text string) string {
	lines := strings.SplitN(strings.TrimSpace(text), "\n", 4)
	return strings.Join(lines[:min(3, len(lines))], "; ")
}

// sourceKey returns what a painter is known by: the hash of the files of this module that it is built from, of those that name the modules of others, and of
// the version of Go.
func sourceKey(ctx context.Context, root, pkg string) (string, error) {
	h := sha256.New()
	version, err := goTool(ctx, root, "env", "GOVERSION")
	if err != nil {
		return "", err
	}
	h.Write(version)
	const files = `{{if .Module}}{{if .Module.Main}}{{$dir := .Dir}}{{range .GoFiles}}{{$dir}}/{{.}}
{{end}}{{range .EmbedFiles}}{{$dir}}/{{.}}
{{end}}{{end}}{{end}}`
	listed, err := goTool(ctx, root, "list", "-deps", "-f", files, pkg)
	if err != nil {
		return "", err
	}
	names := []string{filepath.Join(root, "go.mod"), filepath.Join(root, "go.sum")}
	for name := range strings.FieldsFuncSeq(string(listed), func(r rune) bool { return r == '\n' }) {
		names = append(names, name)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		name, _ = filepath.Rel(root, name) // it is below it
		fmt.Fprintf(h, "%s %d\n%s", name, len(text), text)
	}
	return hex.EncodeToString(h.Sum(nil)[:12]), nil
}

// build builds a painter and writes it to path, zipped.
func build(ctx context.Context, root, pkg, path string) ([]byte, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(filepath.Dir(path), "build-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	program := filepath.Join(temp, "painter.wasm")
	if _, err := goTool(ctx, root, "build", "-trimpath", "-ldflags=-s -w", "-buildvcs=false", "-o", program, pkg); err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	zipped, err := zip(raw)
	if err != nil {
		return nil, err
	}
	return zipped, errors.Join(os.WriteFile(program+".gz", zipped, 0o644), os.Rename(program+".gz", path))
}

// apiWasm tells which painters are there.
func (s *Server) apiWasm(*http.Request) (any, error) {
	s.wasm.start(s.ctx, s.work)
	s.wasm.mu.Lock()
	defer s.wasm.mu.Unlock()
	var why []string
	for _, painter := range []string{painterSoft, painterWindow} {
		if text := s.wasm.why[painter]; text != "" {
			why = append(why, clean(text))
		}
	}
	return map[string]any{
		painterSoft: s.wasm.state[painterSoft], painterWindow: s.wasm.state[painterWindow], "why": strings.Join(slices.Compact(why), "\n"),
		"bytes": map[string]int{painterSoft: len(s.wasm.files["soft.wasm.gz"]), painterWindow: len(s.wasm.files["window.wasm.gz"])},
	}, nil
}

// wasmFile serves a painter, or the script that runs it.
func (s *Server) wasmFile(w http.ResponseWriter, r *http.Request) {
	s.wasm.start(s.ctx, s.work)
	name := r.PathValue("name")
	s.wasm.mu.Lock()
	raw, ok := s.wasm.files[name]
	zipped, isWasm := s.wasm.files[name+".gz"]
	s.wasm.mu.Unlock()
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	switch {
	case isWasm:
		h.Set("Content-Type", "application/wasm")
		h.Set("Vary", "Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			h.Set("Content-Encoding", "gzip")
			s.serve(w, r, zipped)
			return
		}
		unzip, err := gzip.NewReader(bytes.NewReader(zipped))
		if err == nil {
			_, err = io.Copy(w, unzip)
		}
		if err != nil {
			failed(w, err)
		}
	case ok && name == execFile:
		h.Set("Content-Type", "text/javascript; charset=utf-8")
		s.serve(w, r, raw)
	case ok:
		h.Set("Content-Type", "application/gzip")
		s.serve(w, r, raw)
	default:
		fail(w, http.StatusNotFound, "it is not there, or not yet", "api/wasm says how far it is")
	}
}

// serve answers with bytes, unless the browser has them.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, raw []byte) {
	sum := sha256.Sum256(raw)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(raw) // whoever is gone does not need it
}
