package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

type wasmJSON struct {
	Soft, Window, Why string
}

// built waits until the painters are built.
func built(t *testing.T, s *Server) wasmJSON {
	t.Helper()
	for range time.Tick(50 * time.Millisecond) {
		if got := get[wasmJSON](t, s, "api/wasm"); got.Soft != wasmBuilding && got.Window != wasmBuilding {
			return got
		}
	}
	panic("unreachable")
}

func TestPaintersAreBuiltOnceAndServed(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Fatal("there is no go command: install Go")
	}
	run, _ := newRun(t, 1)
	cache := t.TempDir()
	var first []byte
	for range 2 {
		s := open(t, run)
		s.wasm.cache = cache
		begun := time.Now()
		if got := built(t, s); got.Soft != wasmReady {
			t.Fatalf("painters: %+v", got)
		}
		t.Logf("there after %v", time.Since(begun))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"wasm/soft.wasm", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", "identity")
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		plain, err := io.ReadAll(answer.Body)
		if err != nil || answer.Header.Get("Content-Type") != "application/wasm" || !bytes.HasPrefix(plain, []byte("\x00asm")) {
			t.Fatalf("soft.wasm: %s, %v, %.10q", answer.Status, err, plain)
		}
		_, zipped := ask(t, s, "wasm/soft.wasm.gz")
		r, err := gzip.NewReader(bytes.NewReader(zipped))
		if err != nil {
			t.Fatal(err)
		}
		if unzipped, err := io.ReadAll(r); err != nil || !bytes.Equal(unzipped, plain) {
			t.Errorf("soft.wasm.gz is not soft.wasm: %v", err)
		}
		if len(zipped) > 1300<<10 {
			t.Errorf("soft.wasm.gz has %d bytes, which is more than a browser should wait for", len(zipped))
		}
		if first == nil {
			first = zipped
		} else if !bytes.Equal(first, zipped) {
			t.Error("the second server serves another painter")
		}
		if _, script := ask(t, s, "wasm/wasm_exec.js"); !strings.Contains(string(script), "class") {
			t.Errorf("wasm_exec.js: %.80q", script)
		}
		if answer, _ := ask(t, s, "wasm/..%2fweb.go"); answer.StatusCode != http.StatusNotFound {
			t.Errorf("a file beside the painters: %s", answer.Status)
		}
	}
}

func TestPaintersAreBuiltTheSameHoweverTheUserBuildsElse(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	want, err := sourceKey(t.Context(), root, packageOf(painterWindow))
	if err != nil {
		t.Fatal(err)
	}
	for _, flags := range []string{"-race", "-tags=ebiten_desktop", "-mod=mod"} {
		t.Setenv("GOFLAGS", flags)
		if got, err := sourceKey(t.Context(), root, packageOf(painterWindow)); got != want || err != nil {
			t.Errorf("with GOFLAGS=%s: %s, error %v", flags, got, err)
		}
	}
}
