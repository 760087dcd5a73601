package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/agents/confine"
	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world"
)

// calls is what an agent does in its shell to reach a page by HTTP, the same page without the proxy, by TLS, and a host that it may not.
const calls = `exec 2>/dev/null
curl -s -m 20 http://127.0.0.1:%[1]d/
curl -s -m 2 --noproxy '*' http://127.0.0.1:%[1]d/ && echo REACHED
curl -sk -m 20 https://localhost:%[2]d/
(exec 5<>/dev/tcp/127.0.0.1/%[1]d) && echo REACHED
curl -s -m 20 -o page -w 'refused %%{http_connect}\n' https://other.example/
curl -s -m 20 http://other.example/
curl -s -m 20 http://localhost:1/ | grep -o 'network that is not public'
curl -s -m 20 http://169.254.169.254/latest/ | grep -o 'not among'
echo ${HTTPS_PROXY:-no proxy}`

// writeFisher makes the folder template in dir, with a player.sh that plays the fishery from a shell and does something first, and before each act.
func writeFisher(t *testing.T, dir, first, each string) {
	t.Helper()
	player := first + `
while read -r line; do
	` + each + `
	id=${line#*\"id\":}
	echo "{\"id\":${id%%,*},\"action\":\"fish\",\"args\":{\"tons\":1}}"
done`
	template := filepath.Join(dir, "template")
	if err := errors.Join(os.Mkdir(template, 0o755), os.WriteFile(filepath.Join(template, "player.sh"), []byte(player), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func TestAScenarioWithHostsIsRefusedWhereAgentsHaveNoNetworkOfTheirOwn(t *testing.T) {
	here := confine.Find(t.Context())
	nowhere := confine.Boundary{Tried: here.Tried}
	for i := range nowhere.Tried {
		nowhere.Tried[i].Err = errors.New("not here")
	}
	r := newRunner()
	r.setup, r.boundary = &setup{Scenario: &scenarios.Scenario{Agents: []scenarios.Agent{{Kind: scenarios.Exec}, {Kind: scenarios.Scripted, Hosts: []string{"a.org"}}}}}, nowhere
	if err := r.allowHosts(); err != nil {
		t.Errorf("without hosts: %v", err)
	}
	r.Agents[0].Hosts = []string{"a.org"}
	var refused *failure
	if err := r.allowHosts(); !errors.As(err, &refused) || refused.code != exitUsage || !strings.Contains(refused.hint, "namespaces: not here; run as root") {
		t.Errorf("the error is %+v", err)
	}
}

func TestAgentsReachTheHostsOfTheirScenarioAndNoOthers(t *testing.T) {
	p := build(t)
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "a page, TLS %t\n", r.TLS != nil) })
	plain, secure := httptest.NewServer(page), httptest.NewTLSServer(page)
	defer plain.Close()
	defer secure.Close()
	ports := [2]int{}
	for i, url := range []string{plain.URL, secure.URL} {
		if _, err := fmt.Sscanf(url[strings.LastIndex(url, ":"):], ":%d", &ports[i]); err != nil {
			t.Fatal(err)
		}
	}
	script := fmt.Sprintf(calls, ports[0], ports[1])
	dir := t.TempDir()
	script = "(" + script + ") >said"
	writeFisher(t, dir, script, "")
	scenario := filepath.Join(dir, "pond.toml")
	if err := os.WriteFile(scenario, fmt.Appendf(nil, `workdir = "template"
prompt = "Fish."
hosts = ["127.0.0.1:%[1]d", "localhost:1", "localhost:%[2]d", "127.0.0.1:%[2]d", "[::1]:%[2]d"]
rules = { name = "fishery", turns = 3 }
[[offline.script]]
turns = [0]
tools = [{ name = "Bash", args = { command = %[3]s } }]
[[agents]]
name = "coder"
tools = ["Bash"]
policy = "steady"
[[agents]]
name = "diver"
kind = "exec"
command = ["bash", "player.sh"]
[[agents]]
name = "hermit"
kind = "exec"
command = ["bash", "player.sh"]
hosts = []
`, ports[0], ports[1], world.JSON(script)), 0o644); err != nil {
		t.Fatal(err)
	}
	r := p.start(t, nil, scenario, "--offline")
	result := r.exits(t, 0)
	r.verify(t)
	for _, a := range result.Agents {
		said, err := os.ReadFile(filepath.Join(arena.AgentDir(r.dir, a.Name), "work", "said"))
		if err != nil {
			t.Fatal(err)
		}
		want := "a page, TLS false\na page, TLS true\nrefused 403\nvitrine: other.example:80: the host is not among those that the scenario allows\nnetwork that is not public\nnot among\nhttp://127.0.0.1:3128\n"
		if a.Name == "hermit" {
			want = "refused 000\nno proxy\n"
			if a.Hosts != nil || a.Tampers != 0 {
				t.Errorf("%s has used %+v of the network, %d attempts", a.Name, a.Hosts, a.Tampers)
			}
		} else if a.Hosts == nil || a.Hosts.Connections != 6 || a.Hosts.Refused != 4 || a.Hosts.Sent < 500 || a.Hosts.Received < 500 || a.Tampers != 4 {
			t.Errorf("%s has used %+v of the network, %d attempts", a.Name, a.Hosts, a.Tampers)
		}
		if string(said) != want {
			t.Errorf("%s reads %q, want %q", a.Name, said, want)
		}
		if a.Status != arena.StatusDone || a.Actions != 3 {
			t.Errorf("%s is %s after %d actions", a.Name, a.Status, a.Actions)
		}
	}
	leads := regexp.MustCompile(`^localhost:1 is (127\.0\.0\.1|::1): the scenario allows the name, but `)
	for i, ev := range r.events(t, arena.KindTamper) {
		a, err := arena.AttemptOf(ev)
		if want := []string{tamper.Host, tamper.Private}[i%2]; err != nil || a.What != want || want == tamper.Private && (a.Times != 1 || !leads.MatchString(a.Sample)) {
			t.Errorf("attempt %d of %s is %+v, %v", i, ev.Agent, a, err)
		}
	}
	raw, err := os.ReadFile(filepath.Join(r.dir, arena.HostsLogName))
	if err != nil {
		t.Fatal(err)
	}
	var log []string
	for line := range strings.Lines(string(raw)) {
		var l struct{ Agent, What, Host string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		log = append(log, l.Agent+" "+l.What+" "+l.Host)
	}
	slices.Sort(log)
	want := []string{
		"coder allowed 127.0.0.1", "coder allowed localhost", "coder ended 127.0.0.1", "coder ended localhost",
		"coder refused 169.254.169.254", "coder refused localhost", "coder refused other.example", "coder refused other.example",
	}
	for _, line := range slices.Clone(want) {
		want = append(want, strings.Replace(line, "coder", "diver", 1))
	}
	if !slices.Equal(log, want) {
		t.Errorf("the log is %q", log)
	}
	if m, err := arena.ReadManifest(r.dir); err != nil || len(m.Agents[1].Hosts) != 5 || m.Agents[2].Hosts != nil {
		t.Errorf("the manifest says %+v, %v", m.Agents, err)
	}
}
