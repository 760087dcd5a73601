package confine

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// withProxy are the boundaries of this user that can have a proxy, with it.
func withProxy(t *testing.T) []uses {
	t.Helper()
	var all []uses
	for _, u := range boundaries(t) {
		if u.Spaces {
			u.Proxy = true
			all = append(all, u)
		}
	}
	if len(all) == 0 {
		t.Fatal("no namespaces here: run the tests as a user who can make them")
	}
	return all
}

func TestABoundaryWithAProxyStopsWhatItStopsWithout(t *testing.T) {
	if b, err := Find(t.Context()).WithProxy(); err != nil || !b.uses.Proxy {
		t.Errorf("%s has none: %v", b, err)
	}
	for _, u := range withProxy(t) {
		outcomes, err := Boundary{uses: u}.Canary(t.Context())
		if err != nil {
			t.Error(err)
		}
		u.Proxy = false
		without, err := Boundary{uses: u}.Canary(t.Context())
		if err != nil {
			t.Error(err)
		}
		for i, o := range outcomes {
			own := o.Attack == "listen on a TCP port" && !u.Landlock // in a network where nobody else is
			if o.Worked != without[i].Worked && !own {
				t.Errorf("%+v: %s works: %t, and without a proxy %t: %s", u, o.Attack, o.Worked, without[i].Worked, o.Why)
			}
		}
	}
}

// phone is what an agent does with sockets of TCP: it asks its proxy, a port of the machine, of itself, and of all addresses there are.
const phone = `
curl -s http://127.0.0.1:3128/page
curl -s -m 2 http://127.0.0.1:%[1]d/page && echo REACHED
curl -s -m 2 http://%[2]s:%[1]d/page && echo REACHED
curl -s -m 2 http://[::1]:%[1]d/page && echo REACHED
curl -s -m 2 http://192.0.2.1:3128/page && echo REACHED
echo done`

func TestAnAgentReachesItsOwnProxyAndNothingElse(t *testing.T) {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	page := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, text) })
	}
	go func() { _ = http.Serve(l, page("the machine's")) }() // ends with l
	outside, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf(phone, l.Addr().(*net.TCPAddr).Port, outside)
	for _, u := range withProxy(t) {
		var agents [2]Cell
		var served [2]net.Listener
		for i := range agents {
			agents[i] = cell(t)
			agents[i].Serve = func(l net.Listener) {
				served[i] = l
				go func() { _ = http.Serve(l, page(fmt.Sprint("proxy ", i))) }() // ends with l
			}
		}
		for i, c := range agents {
			cmd := exec.Command("/bin/bash", "-c", script)
			cmd.Dir, cmd.Env, cmd.Stderr = filepath.Join(c.Dir, "work"), []string{"PATH=/usr/bin:/bin"}, os.Stderr
			p, err := Boundary{uses: u}.Start(cmd, c)
			if err != nil {
				t.Fatalf("%+v: %v", u, err)
			}
			out, err := io.ReadAll(p.Stdout)
			if want := fmt.Sprintf("proxy %d\ndone\n", i); err != nil || string(out) != want {
				t.Errorf("%+v: it prints %q, %v, want %q", u, out, err, want)
			}
			if err := errors.Join(p.Stop(time.Second), served[i].Close()); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestWithoutANetworkOfItsOwnAnAgentGetsNoProxy(t *testing.T) {
	b := Boundary{Tried: []Trial{{Name: "namespaces", Err: errors.New("not here"), Raise: "run as root"}}, uses: uses{UID: true, Landlock: true, Seccomp: true}}
	if _, err := b.WithProxy(); err == nil || !strings.Contains(err.Error(), "namespaces: not here; run as root") {
		t.Errorf("the error is %v", err)
	}
	b.uses.Spaces, b.proxy = true, errors.New("not permitted")
	if _, err := b.WithProxy(); err == nil || !strings.Contains(err.Error(), "not permitted") {
		t.Errorf("the error is %v", err)
	}
	c := cell(t)
	c.Serve = func(net.Listener) { t.Error("it is served") }
	if _, err := b.Start(exec.Command("/bin/true"), c); err == nil || !strings.Contains(err.Error(), "no proxy") {
		t.Errorf("the error is %v", err)
	}
}

func TestAProxyOfAProgramThatCannotBeginIsLetGo(t *testing.T) {
	before := descriptors(t)
	c := cell(t)
	c.Serve = func(net.Listener) { t.Error("it is served") }
	for _, u := range withProxy(t) {
		cmd := exec.Command("/no/such/program")
		cmd.Dir = filepath.Join(c.Dir, "work")
		if _, err := (Boundary{uses: u}).Start(cmd, c); err == nil {
			t.Errorf("%+v: it begins", u)
		}
	}
	if after := descriptors(t); slices.ContainsFunc(after, func(what string) bool { return strings.HasPrefix(what, "socket:") && !slices.Contains(before, what) }) {
		t.Errorf("there are %q, and there were %q", after, before)
	}
}

// descriptors are those of this process.
func descriptors(t *testing.T) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, link := range links {
		if what, err := os.Readlink(link); err == nil {
			all = append(all, what)
		}
	}
	return all
}
