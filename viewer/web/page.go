package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed page
var embedded embed.FS

// page serves the page and what belongs to it. A browser asks each time whether it is still the same: with another vitrine it may not be. The document says
// which scripts there are, so that a browser asks for all at once and not for each when it has read another that names it.
func page() http.Handler {
	files := make(map[string][]byte)
	tags := make(map[string]string)
	var scripts strings.Builder
	err := fs.WalkDir(embedded, "page", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := embedded.ReadFile(name)
		if bytes.Contains(raw, []byte("\nexport ")) {
			fmt.Fprintf(&scripts, "<link rel=\"modulepreload\" href=%q>\n", path.Base(name))
		}
		files[strings.TrimPrefix(name, "page")] = raw
		return err
	})
	files["/index.html"] = bytes.Replace(files["/index.html"], []byte("</head>"), []byte(scripts.String()+"</head>"), 1)
	for name, raw := range files {
		sum := sha256.Sum256(raw)
		tags[name] = `"` + hex.EncodeToString(sum[:8]) + `"`
	}
	if err != nil {
		panic("internal error: the page in the program: " + err.Error())
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Path
		if name == "/" {
			name = "/index.html"
		}
		raw, ok := files[name]
		if !ok {
			fail(w, http.StatusNotFound, "there is nothing here", "")
			return
		}
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("ETag", tags[name])
		w.Header().Set("Content-Type", typeOf(name))
		if r.Header.Get("If-None-Match") == tags[name] {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(raw) // whoever is gone does not need it
	})
}

// typeOf returns the type of a file of the page, whatever this machine says of its suffix.
func typeOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	if kind := mime.TypeByExtension(path.Ext(name)); kind != "" {
		return kind
	}
	return "application/octet-stream"
}
