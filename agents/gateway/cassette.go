package gateway

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf8"
)

// A Cassette is the recorded model traffic of one agent: the file NAME.jsonl.gz in a folder, one gzip member of one line of JSON for each
// exchange, in the order in which they ended. The first line says of whom it is:
//
//	{"cassette":1,"agent":"a","run":"/home/ada/runs/fishery-1"}
//
// and each other one is an exchange,
//
//	{"path":"/v1/messages?beta=true","keep":1810,"body":{"text":"..."},"tail":702,"sha256":"...","status":200,
//	 "header":{"Content-Type":"text/event-stream"},"answer":{"text":"..."}}
//
// The request is normalised, see [Normal]. Since each one repeats the conversation before it, only its difference to the one before is
// there: it is the first "keep" bytes of that, then "body", then the last "tail" bytes of that; so the file grows with what is said and not
// with its square. Bytes are {"text"} where they are UTF-8 and {"base64"} where not. Of the header there is what an agent minds. An answer
// that was not whole says how it ended, see [Exchange].
//
// A writer that was killed leaves a torn member at the end. Readers stop before it, and the next writer cuts it off. Any other damage is an error.
type Cassette struct {
	Agent     string
	Run       string // the absolute path of the run's folder when it was recorded last
	Exchanges []Exchange
	Parts     []int // the index of the first exchange of each time that somebody recorded
}

// How an answer ended that is not whole.
const (
	endCut    = "cut"    // the upstream broke it off, or the gateway did because it stalled or took too long
	endLeft   = "left"   // the agent went away
	endFailed = "failed" // the upstream gave none
	endSilent = "silent" // the upstream gave none in time
)

// An Exchange is a request of an agent and what was answered.
type Exchange struct {
	Path   string            `json:"path,omitempty"`   // with its query
	Keep   int               `json:"keep,omitempty"`   // bytes of the request before it with which this one begins
	Body   text              `json:"body,omitzero"`    // what is in between
	Tail   int               `json:"tail,omitempty"`   // bytes of the request before it with which this one ends
	SHA256 string            `json:"sha256,omitempty"` // of the whole request, in hexadecimal
	Status int               `json:"status,omitempty"` // 0 if there was no answer
	Header map[string]string `json:"header,omitempty"` // of the answer, as far as it matters
	Answer text              `json:"answer,omitzero"`
	End    string            `json:"end,omitempty"` // "" if it is whole, "cut", "left" by the agent, or "failed" and "silent" if there was none
	// Again says that the gateway made the request once more by itself: the agent has not heard what was answered before.
	Again bool `json:"again,omitempty"`
}

// A tapeHead is the first line of a cassette, or of a part of it.
type tapeHead struct {
	Cassette int    `json:"cassette"` // version of the form
	Agent    string `json:"agent"`
	Run      string `json:"run"`
}

// text is bytes that most often are UTF-8.
type text []byte

func (b text) MarshalJSON() ([]byte, error) {
	if utf8.Valid(b) {
		return unescaped(map[string]string{"text": string(b)}), nil
	}
	return unescaped(map[string][]byte{"base64": b}), nil
}

func (b *text) UnmarshalJSON(raw []byte) error {
	var in struct {
		Text   string
		Base64 []byte
	}
	err := json.Unmarshal(raw, &in)
	*b = append([]byte(in.Text), in.Base64...)
	return err
}

// IsZero says that there is nothing to write.
func (b text) IsZero() bool { return len(b) == 0 }

// cassetteVersion is the version of the form that this program writes, and the only one that it reads.
const cassetteVersion = 1

func cassetteFile(dir, agent string) string { return filepath.Join(dir, agent+".jsonl.gz") }

// ReadCassette reads what was recorded of an agent. The error of an agent of whom there is nothing is [fs.ErrNotExist].
func ReadCassette(dir, agent string) (*Cassette, error) {
	c, _, err := readCassette(cassetteFile(dir, agent))
	if err == nil && c.Agent == "" {
		err = fmt.Errorf("cassette of %q: %w", agent, fs.ErrNotExist)
	}
	return c, err
}

// readCassette reads a file, and returns how many bytes of it are whole.
func readCassette(path string) (c *Cassette, whole int64, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, err
	}
	c = new(Cassette)
	in := bytes.NewReader(raw)
	for n := 1; ; n++ {
		line, err := member(in)
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			return c, whole, nil // nothing, or what a killed writer left
		}
		if err != nil {
			return c, whole, fmt.Errorf("%s: line %d: damaged: %w", path, n, err)
		}
		if err := c.add(line); err != nil {
			return c, whole, fmt.Errorf("%s: line %d: %w", path, n, err)
		}
		whole = int64(len(raw) - in.Len())
	}
}

// member reads a whole gzip member. in is not read beyond it.
func member(in *bytes.Reader) ([]byte, error) {
	unzip, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	unzip.Multistream(false)
	return io.ReadAll(unzip)
}

// add takes the next line of a file.
func (c *Cassette) add(line []byte) error {
	var head tapeHead
	if err := json.Unmarshal(line, &head); err != nil {
		return err
	}
	if c.Agent == "" || head.Cassette != 0 {
		if head.Cassette != cassetteVersion || head.Agent == "" {
			return fmt.Errorf("a cassette of version %d, want %d", head.Cassette, cassetteVersion)
		}
		c.Agent, c.Run, c.Parts = head.Agent, head.Run, append(c.Parts, len(c.Exchanges))
		return nil
	}
	var x Exchange
	if err := json.Unmarshal(line, &x); err != nil {
		return err
	}
	before := 0
	if n := len(c.Exchanges); n > 0 {
		before = c.Exchanges[n-1].length()
	}
	if x.Keep < 0 || x.Tail < 0 || x.Keep+x.Tail > before {
		return errors.New("repeats more of the request before it than there is")
	}
	c.Exchanges = append(c.Exchanges, x)
	return nil
}

// length returns the bytes of the request.
func (x *Exchange) length() int { return x.Keep + len(x.Body) + x.Tail }

// Request returns the normalised body of the request with that index.
func (c *Cassette) Request(i int) []byte {
	var body []byte
	for _, x := range c.Exchanges[:i+1] {
		body = bytes.Join([][]byte{body[:x.Keep], x.Body, body[len(body)-x.Tail:]}, nil)
	}
	return body
}

func hash(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// A tape writes a cassette. It is not safe for use by several goroutines.
type tape struct {
	file   *os.File
	before []byte // request of the last exchange
	size   int64  // bytes of the file
}

// openTape opens the cassette of an agent to add to it.
func openTape(dir, agent, run string) (*tape, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	path := cassetteFile(dir, agent)
	c, whole, err := readCassette(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	t := &tape{file: file, size: whole}
	if err = file.Truncate(whole); err == nil {
		err = t.write(tapeHead{Cassette: cassetteVersion, Agent: agent, Run: run})
	}
	if c != nil && len(c.Exchanges) > 0 {
		t.before = c.Request(len(c.Exchanges) - 1)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return t, nil
}

// add writes an exchange with a request.
func (t *tape) add(request []byte, x Exchange) error {
	x.Keep, x.Tail = repeated(t.before, request)
	x.Body, x.SHA256 = request[x.Keep:len(request)-x.Tail], hash(request)
	t.before = request
	return t.write(x)
}

// write writes a line as a gzip member, at once.
func (t *tape) write(line any) error {
	var raw bytes.Buffer
	zip := gzip.NewWriter(&raw)
	_, err := zip.Write(append(unescaped(line), '\n'))
	if err = errors.Join(err, zip.Close()); err != nil {
		return err
	}
	if t.size += int64(raw.Len()); t.size > maxTape {
		return fmt.Errorf("a recording of more than %d MiB", maxTape>>20)
	}
	_, err = t.file.Write(raw.Bytes())
	return err
}

// repeated returns how many bytes two texts have in common at the beginning, and how many more at the end. Neither divides a character.
func repeated(a, b []byte) (head, tail int) {
	head = commonPrefix(a, b)
	for head > 0 && head < len(b) && !utf8.RuneStart(b[head]) {
		head--
	}
	most := min(len(a), len(b)) - head
	for tail < most && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	for tail > 0 && !utf8.RuneStart(b[len(b)-tail]) {
		tail--
	}
	return head, tail
}

// unescaped returns v, which always can be JSON, as JSON in which <, > and & stand for themselves.
func unescaped(v any) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("internal error: " + err.Error())
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// commonPrefix returns how many bytes two texts have in common at the beginning.
func commonPrefix(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
