package arena

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
)

const (
	manifestName = "manifest.json"
	resultName   = "result.json"
	// ActionsName is the file in a run's folder that holds the recorded actions that it was begun with.
	ActionsName = "actions.jsonl"
	// RulesLogName is the file in a run's folder that holds what rules that are a program have said on their standard error.
	RulesLogName = "rules.log"
	// HostsLogName is the file in a run's folder that holds the connections that agents asked for, see package egress.
	HostsLogName = "hosts.jsonl"
)

// A Manifest says what a run was made from. With it, and nothing from outside, the run can be verified and played again. It is
// manifest.json in the run's folder, beside
//
//	events.jsonl    the log (package world)
//	result.json     how it went; there once the run is over
//	actions.jsonl   the recorded actions that its agents play, if they do
//	cassette/       the model traffic of its agents, if it is recorded (package gateway)
//	agents/<name>/  the private folder of an agent
//	rules.log       what rules that are a program have said on their standard error
//	hosts.jsonl     the connections of agents that may reach hosts (package egress)
type Manifest struct {
	Vitrine       string          `json:"vitrine"`                  // version of this program
	Scenario      string          `json:"scenario"`                 // name
	File          string          `json:"file"`                     // name of the scenario's file, without its folder
	Source        string          `json:"source"`                   // the whole file
	SHA256        string          `json:"sha256"`                   // of the file, in hexadecimal
	Set           []string        `json:"set"`                      // what was set over it, as path=value
	Files         []FileManifest  `json:"files,omitempty"`          // that the scenario names beside it, sorted by path
	Plugin        []string        `json:"rules_plugin,omitempty"`   // command of the rules, with whole paths, where they are a program
	Programs      []Program       `json:"programs,omitempty"`       // files that the commands of rules and agents name, sorted by path
	Seed          uint64          `json:"seed"`                     //
	Model         string          `json:"model"`                    // "offline" with the offline model, empty without any
	Agents        []AgentManifest `json:"agents"`                   // in seat order
	Actions       string          `json:"actions,omitempty"`        // file of recorded actions that was played
	ActionsSHA256 string          `json:"actions_sha256,omitempty"` // of it, in hexadecimal
	Claude        string          `json:"claude_code,omitempty"`    // version of Claude Code, where it plays
	Endpoint      string          `json:"endpoint,omitempty"`       // of the model, if it is not the API's own
	Cassette      bool            `json:"cassette,omitempty"`       // its model traffic is recorded
	Repeats       string          `json:"repeats,omitempty"`        // name of the folder of the run that it plays again
	Branches      []Branch        `json:"branches,omitempty"`       // of what it is a branch, the last is its own
	Prices        *FileManifest   `json:"prices,omitempty"`         // of models; missing: they cost nothing
	Fault         string          `json:"fault,omitempty"`          // trouble with the model that was asked for, see gateway.Faults
	Transport     string          `json:"transport,omitempty"`      // how its requests and its tools travel
	Isolation     string          `json:"isolation"`                // what keeps agents apart
	Level         string          `json:"level,omitempty"`          // how well, from "A+" to "F"; empty if no agent is a process
	Supervisor    int             `json:"supervisor"`               // process id
	Start         time.Time       `json:"start"`
}

// An AgentManifest is who sat in a seat: what its scenario and the command line came to.
type AgentManifest struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Model  string `json:"model,omitempty"`  // that it asked for
	Policy string `json:"policy,omitempty"` // of a scripted agent, or of the offline model in its place

	Command []string `json:"command,omitempty"` // of a program, with whole paths
	Read    []string `json:"read,omitempty"`    // what its process may read besides its own and the system's files, with whole paths
	Hosts   []string `json:"hosts,omitempty"`   // what its process may reach of the network

	Limits *agents.Limits `json:"limits,omitempty"` // what its processes may use of the machine; missing: it has none
}

// A Branch says how a run goes on from a turn of another one.
type Branch struct {
	Run    string          `json:"run"`    // name of the folder of the other one
	Hash   string          `json:"hash"`   // of the whole log of the other one, as it was then
	Turn   int             `json:"turn"`   // the first that is not the other one's
	Set    []string        `json:"set"`    // what was set over its scenario, as path=value
	Agents []AgentManifest `json:"agents"` // who sat in the seats until then
}

// A Program is a file outside of the run that it needs, which may be another one by now.
type Program struct {
	Path   string `json:"path"`   // absolute
	SHA256 string `json:"sha256"` // of its content as the run began, in hexadecimal
}

// A FileManifest is a file beside a scenario that the scenario names.
type FileManifest struct {
	Path   string `json:"path"`             // from the scenario's folder, with slashes
	SHA256 string `json:"sha256"`           // of its content, in hexadecimal
	Text   string `json:"text,omitempty"`   // its content, if that is UTF-8
	Base64 []byte `json:"base64,omitempty"` // its content, if it is not
}

// A Result is how a run went: result.json in the run's folder, and what "run --json" prints.
type Result struct {
	Scenario string             `json:"scenario"`
	Run      string             `json:"run"` // the run's folder
	Seed     uint64             `json:"seed"`
	Model    string             `json:"model"`  // "offline" where the offline model played, empty where none did
	Status   string             `json:"status"` // "terminated" by the rules, "truncated" by a limit, "interrupted", or "failed"
	Reason   string             `json:"reason"`
	Turns    int                `json:"turns"`  // turns played to their end
	Events   int64              `json:"events"` // lines of the log
	Hash     string             `json:"hash"`   // of the log, see package world
	Metrics  map[string]float64 `json:"metrics"`
	WallMS   int64              `json:"wall_ms"`
	Used     Metered            `json:"used"`             // of models, by all agents
	Budget   *Budget            `json:"budget,omitempty"` // of all agents together; missing: there is none
	Equal    bool               `json:"equal_terms"`      // all seats have the same clocks and the same budgets
	Agents   []AgentResult      `json:"agents"`           // in seat order
}

// A Budget is what could be used of models at most. What is missing had no limit.
type Budget struct {
	Requests int64   `json:"requests,omitempty"`
	Tokens   int64   `json:"tokens,omitempty"`
	Dollars  float64 `json:"dollars,omitempty"`
}

// An AgentResult is how a run went for one agent.
type AgentResult struct {
	Name   string  `json:"name"`
	Kind   string  `json:"kind"`
	Status Status  `json:"status"`
	Reward float64 `json:"reward"`
	Tally
	Metered
	Budget     *Budget    `json:"budget,omitempty"`  // of its model; missing: there is none
	PeakMemory int64      `json:"peak_memory_bytes"` // of its process; 0 where it has none
	Clocks     *OwnClocks `json:"clocks,omitempty"`  // missing: those of all
	Caching    *Caching   `json:"caching,omitempty"` // missing: it has made less than two requests to a model
	Hosts      *HostUse   `json:"hosts,omitempty"`   // missing: its process can reach none
}

// A HostUse is what an agent did of the network, since the run was begun or resumed last.
type HostUse struct {
	Connections int64 `json:"connections"` // that it asked for
	Refused     int64 `json:"refused"`     // of those, because of where they led
	Sent        int64 `json:"bytes_sent"`
	Received    int64 `json:"bytes_received"`
}

// A Caching is how well the requests of an agent suited the prompt cache of its model, since the run was begun or resumed last.
type Caching struct {
	Share     float64 `json:"prefix_share"`      // of the bytes of each request that repeat the one before, from 0 to 1
	Kept      float64 `json:"prefix_kept"`       // of the bytes of a request with which the next one began; 1 is what a cache wants
	Changed   string  `json:"changed,omitempty"` // what changed where that was not all: "model", "tools", "system" or "messages"
	Over5m    int64   `json:"gaps_over_5m"`      // requests that came later than 5 minutes after the one before
	Over1h    int64   `json:"gaps_over_1h"`      // and later than an hour after it
	LongestMS int64   `json:"longest_gap_ms"`    // between the beginnings of two requests
}

// OwnClocks are the clocks of an agent that has others than the rest.
type OwnClocks struct {
	ActMS      int64 `json:"act_ms,omitempty"` // of each act; missing: that of all
	OvertimeMS int64 `json:"overtime_ms"`      // its bank, for the whole episode
}

// ErrExists says that a folder holds a run already, or something else.
var ErrExists = errors.New("there is something already")

// CreateRun makes the folder of a new run, and those above it. An empty folder that is there already will do, also with the locks of a run in it; anything else is
// [ErrExists]. After an error nothing is left that was not there before.
func CreateRun(dir string) error {
	var missing []string // folders above it, the deepest first
	for above := filepath.Dir(dir); ; above = filepath.Dir(above) {
		if _, err := os.Lstat(above); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		missing = append(missing, above)
	}
	err := os.MkdirAll(filepath.Dir(dir), 0o755)
	if err == nil {
		err = os.Mkdir(dir, 0o755)
	}
	if errors.Is(err, fs.ErrExist) {
		found, readErr := os.ReadDir(dir)
		holds := func(e fs.DirEntry) bool { return e.Name() != "supervisor.lock" && e.Name() != "events.lock" } // left by a run that found no room to begin
		if readErr == nil && !slices.ContainsFunc(found, holds) {
			return nil
		}
		return fmt.Errorf("%s: %w", dir, ErrExists)
	}
	if err != nil {
		for _, above := range missing {
			_ = os.Remove(above) // one that somebody else uses by now stays
		}
	}
	return err
}

// CassetteDir returns the folder of the recorded model traffic in the folder of a run.
func CassetteDir(dir string) string { return filepath.Join(dir, "cassette") }

// AgentDir returns the private folder of an agent in the folder of a run.
func AgentDir(dir, agent string) string { return filepath.Join(dir, "agents", agent) }

// WriteManifest writes a run's manifest.
func WriteManifest(dir string, m Manifest) error { return writeJSON(dir, manifestName, m) }

// ReadManifest reads a run's manifest. The error of a folder that is no run's is [fs.ErrNotExist].
func ReadManifest(dir string) (Manifest, error) {
	var m Manifest
	return m, readJSON(dir, manifestName, &m)
}

// WriteActions writes the recorded actions that a run is begun with.
func WriteActions(dir string, raw []byte) error { return writeFile(dir, ActionsName, raw) }

// WriteResult writes a run's result.
func WriteResult(dir string, r Result) error { return writeJSON(dir, resultName, r) }

// RemoveResult removes a run's result, which is none any more when the run goes on.
func RemoveResult(dir string) error {
	err := os.Remove(ResultFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// ResultFile returns the path of the result of the run in dir.
func ResultFile(dir string) string { return filepath.Join(dir, resultName) }

// ReadResult reads a run's result. The error of a run that is not over is [fs.ErrNotExist].
func ReadResult(dir string) (Result, error) {
	var r Result
	return r, readJSON(dir, resultName, &r)
}

func writeJSON(dir, name string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(dir, name, append(raw, '\n'))
}

func writeFile(dir, name string, raw []byte) error {
	return WriteWhole(filepath.Join(dir, name), func(f *os.File) error {
		_, err := f.Write(raw)
		return err
	})
}

// WriteWhole has a file written beside its place and then, when it is durable, moves it there, so that it is there whole or not at all.
func WriteWhole(path string, write func(*os.File) error) error {
	name := filepath.Base(path)
	f, err := os.CreateTemp(filepath.Dir(path), name+".*")
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", name, err), os.Remove(f.Name()))
	}
	return nil
}

func readJSON(dir, name string, v any) error {
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
	}
	return nil
}
