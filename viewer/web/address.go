package web

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// An address is where a run was shown last. A page that was left open finds its server again when that begins anew.
type address struct {
	path  string // of the file that remembers it, the user's own; empty: there is none
	port  int    // 0: any that is free
	token string
}

// lastAddress returns where a run was shown last, or a new address.
func lastAddress(dir string) address {
	a := address{token: rand.Text()}
	cache, err := os.UserCacheDir()
	if err != nil {
		return a
	}
	manifest, _ := os.ReadFile(filepath.Join(dir, "manifest.json")) // another run in the same folder has another address, or browsers take it for the old one
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s", dir, manifest))
	a.path = filepath.Join(cache, "vitrine", "view", hex.EncodeToString(sum[:12]))
	raw, err := os.ReadFile(a.path)
	var port int
	var token string
	if n, _ := fmt.Sscanf(string(raw), "%d %26s", &port, &token); err == nil && n == 2 && len(token) == len(a.token) && port > 0 && port < 1<<16 {
		a.port, a.token = port, token
	}
	return a
}

// listen takes the port that is wanted or, if none is, the one that it was last, or any that is free. What is remembered of it is for this user alone.
func (a address) listen(wanted int) (net.Listener, error) {
	port := wanted
	if port == 0 {
		port = a.port
	}
	ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil && wanted == 0 {
		ln, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil || a.path == "" {
		return ln, err
	}
	a.remember(ln.Addr().(*net.TCPAddr).Port)
	return ln, nil
}

// mostAddresses are remembered.
const mostAddresses = 200

// remember writes an address down. If it cannot, the run has another one next time.
func (a address) remember(port int) {
	dir := filepath.Dir(a.path)
	if os.MkdirAll(dir, 0o700) != nil {
		return
	}
	_ = os.WriteFile(a.path, fmt.Appendf(nil, "%d %s\n", port, a.token), 0o600)
	entries, _ := os.ReadDir(dir) // as far as it can be read
	if len(entries) <= mostAddresses {
		return
	}
	age := func(e os.DirEntry) time.Time {
		if info, err := e.Info(); err == nil {
			return info.ModTime()
		}
		return time.Time{} // it is gone already
	}
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return age(a).Compare(age(b)) })
	for _, old := range entries[:len(entries)-mostAddresses/2] {
		_ = os.Remove(filepath.Join(dir, old.Name())) // if another process has not
	}
}
