package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed page
var embedded embed.FS

// page serves the page and what belongs to it. A browser asks each time whether it is still the same: with another vitrine it may not be.
func page() http.Handler {
	files := make(map[string][]byte)
	tags := make(map[string]string)
	err := fs.WalkDir(embedded, "page", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := embedded.ReadFile(name)
		sum := sha256.Sum256(raw)
		at := strings.TrimPrefix(name, "page")
		files[at], tags[at] = raw, `"`+hex.EncodeToString(sum[:8])+`"`
		return err
	})
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
