package gateway

import (
	"bytes"
	"net/http"
	"path/filepath"
	"regexp"
	"sync"
)

// What stands in a normalised request in the place of what differs from one run to the next.
const (
	aRun     = "{run}"
	aDate    = "{date}"
	aUser    = "{user}"
	aSession = "{session}"
	aSecret  = "{secret}"
)

// A Normal makes of the requests of two runs the same bytes where they say the same. This is all that it takes to be the same, and nothing
// else is:
//
//	paths     in the folder of the run, under agents/, as they are and as Claude Code writes them in names of folders ("-tmp-r-agents-a")
//	dates     in Claude Code's sentence "Today's date is 2026-01-02"
//	users     metadata.user_id, in which Claude Code has the ids of the device, which it draws for each HOME, and of the session
//	sessions  that id of the session wherever else it stands, such as in the paths of long results of tools
//	versions  what Claude Code adds to its own version in the system prompt's "cc_version=2.1.197.7ef", and its "cch=0a1b2"; both are sums
//	          over the request
//	secrets   that it was told: the keys of the upstream and the tokens of the agents
//
// Besides, a [Player] gives an answer as a stream or in one piece, as it is asked for, where the other was recorded.
//
// It is safe for use by several goroutines.
type Normal struct {
	mu      sync.Mutex
	runs    [][2]string // what stands for a run's folder, and what it becomes
	secrets []string
}

// NewNormal returns what makes requests of the run in a folder, an absolute path, the same as those of any other run.
func NewNormal(run string) *Normal {
	n := new(Normal)
	n.AddRun(run)
	return n
}

var (
	noLetter   = regexp.MustCompile(`[^A-Za-z0-9]`)
	dateLine   = regexp.MustCompile(`(Today's date is )\d{4}-\d\d-\d\d`)
	userID     = regexp.MustCompile(`("metadata":\{"user_id":")((?:[^"\\]|\\.)*)"`)
	sessionID  = regexp.MustCompile(`session_id\\":\\"([0-9a-f-]{36})\\"`)
	versionSum = regexp.MustCompile(`(cc_version=\d+\.\d+\.\d+)\.[0-9a-f]+`)
	contentSum = regexp.MustCompile(`(cch=)[0-9a-f]+`)
)

const leastSecret = 8 // bytes: whatever is shorter is no secret, and stands everywhere

// AddRun makes paths in the folder of one more run the same as those of the others.
func (n *Normal) AddRun(run string) {
	forms := []string{run}
	if real, err := filepath.EvalSymlinks(run); err == nil && real != run {
		forms = append(forms, real)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, form := range forms {
		path := filepath.Join(form, "agents") + "/"
		folder := noLetter.ReplaceAllString(form+"/agents/", "-")
		n.runs = append(n.runs, [2]string{inJSON(path), aRun + "/agents/"}, [2]string{folder, aRun + "-agents-"})
	}
}

// AddSecret makes a text a secret, which no recording holds.
func (n *Normal) AddSecret(secret string) {
	if len(secret) < leastSecret {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.secrets = append(n.secrets, secret)
}

// AddKeys makes the credentials that an upstream adds to requests secrets, if it is an [API], be it behind [Faults].
func (n *Normal) AddKeys(upstream http.RoundTripper) {
	if faults, ok := upstream.(*Faults); ok {
		upstream = faults.upstream
	}
	if api, ok := upstream.(*API); ok {
		for _, secret := range api.credentials() {
			n.AddSecret(secret)
		}
	}
}

// Request returns the body of a request as it is recorded and compared.
func (n *Normal) Request(body []byte) []byte {
	if id := sessionID.FindSubmatch(body); id != nil {
		body = replaced(body, string(id[1]), aSession)
	}
	for _, sum := range []struct {
		found  *regexp.Regexp
		become string
	}{{userID, `${1}` + aUser + `"`}, {dateLine, `${1}` + aDate}, {versionSum, `${1}`}, {contentSum, `${1}` + "{sum}"}} {
		if sum.found.Match(body) {
			body = sum.found.ReplaceAll(body, []byte(sum.become))
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, run := range n.runs {
		body = replaced(body, run[0], run[1])
	}
	for _, secret := range n.secrets {
		body = replaced(body, inJSON(secret), aSecret)
	}
	return body
}

// replaced returns text with something else for each of what it was, and text itself, which may be long, if there is none.
func replaced(text []byte, was, becomes string) []byte {
	if !bytes.Contains(text, []byte(was)) {
		return text
	}
	return bytes.ReplaceAll(text, []byte(was), []byte(becomes))
}

// path returns the path of a request, with its query, without secrets.
func (n *Normal) path(req *http.Request) string { return string(n.hide([]byte(req.URL.RequestURI()))) }

// hide returns an answer without secrets.
func (n *Normal) hide(answer []byte) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, secret := range n.secrets {
		answer = replaceSaid(answer, secret, aSecret)
	}
	return answer
}

// inJSON returns a text as it stands in a JSON string.
func inJSON(s string) string {
	quoted := unescaped(s)
	return string(quoted[1 : len(quoted)-1])
}
