package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/vitrine-sim/vitrine/agents/gateway"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world"
)

// defaultModel is the model of agents whose scenario names none.
const defaultModel = "claude-sonnet-4-5"

// An access is how the command line says to reach the model endpoint.
type access struct {
	baseURL string
	keyFile string
	keyFD   int // negative: none
	ca      string
	headers []string
}

func (a *access) flags(flags *flag.FlagSet, baseURL string) {
	a.keyFD = -1
	flags.StringVar(&a.baseURL, "base-url", "", "the `URL` of the Messages API, or of anything that speaks it (default "+baseURL+")")
	flags.StringVar(&a.keyFile, "key-file", "", "the `FILE` that holds the key, instead of ANTHROPIC_API_KEY")
	flags.Func("key-fd", "the number of the file descriptor `N` from which to read the key, such as 3 with 3<FILE", func(s string) error {
		fd, err := strconv.ParseUint(s, 10, 16)
		if err != nil || fd == 1 || fd == 2 {
			return errors.New("a file descriptor is 0, or a number from 3")
		}
		a.keyFD = int(fd)
		return nil
	})
	flags.StringVar(&a.ca, "ca", "", "a `FILE` of certificates, as PEM, by which the endpoint may be certified besides those of the machine")
	flags.Func("header", "a header of each request, as `NAME: VALUE`; NAME: $VAR takes a secret from the environment; may be repeated", func(s string) error {
		a.headers = append(a.headers, s)
		return nil
	})
}

// chooseUpstream returns what answers the agents' requests to their model, with the trouble that was asked for.
func (r *runner) chooseUpstream() (http.RoundTripper, error) {
	if err := r.choosePrices(); err != nil {
		return nil, err
	}
	if err := r.affords(); err != nil {
		return nil, err
	}
	upstream, err := r.chooseModel()
	if err != nil || r.fault == "" {
		return upstream, err
	}
	faults, err := gateway.NewFaults(upstream, r.fault, r.Seed)
	if unknown := (*gateway.UnknownFaultError)(nil); errors.As(err, &unknown) {
		return nil, misuse(scenarios.Suggest(unknown.Kind, gateway.FaultKinds()), "--fault: %w", err)
	}
	if err != nil {
		return nil, misuse("write it like 429:0.1,cut@3, for a tenth of all requests and the third of each agent", "--fault: %w", err)
	}
	return faults, nil
}

// chooseModel returns the model. Nobody spends money or watches a puppet by accident:
// without a key, one has to ask for the offline model.
func (r *runner) chooseModel() (http.RoundTripper, error) {
	if r.offline {
		policies := make(map[string]world.Policy)
		for _, a := range r.Agents {
			policies[a.Name], _ = r.substrate.policy(a.Policy)
		}
		model := gateway.NewOffline(func(agent string) world.Policy { return policies[agent] }, r.Seed)
		model.Latency, model.Rate, model.Script = r.Offline.Latency, float64(r.Offline.Rate), r.script()
		return model, nil
	}
	key, token, err := r.credentials()
	if err != nil {
		return nil, err
	}
	flag, env := r.baseURL, os.Getenv("ANTHROPIC_BASE_URL")
	r.baseURL = cmp.Or(flag, r.endpoint, env, r.Upstream.BaseURL)
	foreign := r.baseURL != flag && r.baseURL != env && !isLocal(r.baseURL) // it is not named by whoever has the key
	switch {
	case key+token == "" && r.baseURL == "":
		return nil, misuse("set ANTHROPIC_API_KEY to play with a real model, or add --offline to play with a scripted one",
			"no key for the model")
	case key+token != "" && foreign && r.endpoint != "":
		return nil, misuse("add --base-url "+r.baseURL+" if it shall, or take the key out of the environment", "the key would go where only the run says")
	case key+token != "" && foreign:
		return nil, r.Error("upstream.base_url", "the key would go where only the scenario says",
			"add --base-url "+r.baseURL+" if it shall, or take the key out of the environment")
	}
	api, err := gateway.NewAPI(r.baseURL, key, token)
	if err != nil {
		return nil, misuse("--base-url or ANTHROPIC_BASE_URL name the endpoint, ANTHROPIC_API_KEY holds the key", "%w", err)
	}
	return api, r.equip(api)
}

// script returns what the scenario has the offline model say and do.
func (r *runner) script() []gateway.Line {
	var script []gateway.Line
	for _, said := range r.Offline.Script {
		line := gateway.Line{Agents: said.Agents, Turns: said.Turns, Think: said.Think, Say: said.Say}
		for _, use := range said.Tools {
			line.Tools = append(line.Tools, gateway.ToolUse{Name: use.Name, Input: input(use.Args)})
		}
		if said.Action != "" {
			line.Action = &world.Action{Name: said.Action, Args: input(said.Args)}
		}
		script = append(script, line)
	}
	return script
}

// input returns arguments as a JSON object.
func input(args map[string]any) json.RawMessage {
	if args == nil {
		return json.RawMessage("{}")
	}
	return world.JSON(args)
}

// isLocal says whether a URL is of this machine.
func isLocal(base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// credentials returns the key, or the token, from where the command line says, or from the environment. They are nowhere else.
func (a *access) credentials() (key, token string, err error) {
	var raw []byte
	switch {
	case a.keyFile != "" && a.keyFD >= 0:
		return "", "", misuse("leave one of them out", "--key-file and --key-fd: there is one key")
	case a.keyFile != "":
		raw, err = os.ReadFile(a.keyFile)
	case a.keyFD >= 0:
		raw, err = readFD(a.keyFD)
	default:
		return os.Getenv("ANTHROPIC_API_KEY"), os.Getenv("ANTHROPIC_AUTH_TOKEN"), nil
	}
	if key = strings.TrimSpace(string(raw)); err == nil && key == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return "", "", misuse("it holds the key of the model endpoint, and nothing else", "the key: %w", err)
	}
	return key, "", nil
}

// readFD reads a file descriptor to its end and closes it, so that no child has it.
func readFD(fd int) ([]byte, error) {
	syscall.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), fmt.Sprintf("file descriptor %d", fd))
	raw, err := io.ReadAll(io.LimitReader(f, 1<<16))
	return raw, errors.Join(err, f.Close())
}

// equip gives the endpoint its headers and its certificates.
func (r *runner) equip(api *gateway.API) error {
	for i, header := range r.Upstream.Headers {
		name, value, _ := strings.Cut(header, ":")
		if err := api.AddHeader(name, strings.TrimSpace(value), false); err != nil {
			return r.Error(fmt.Sprintf("upstream.headers.%d", i), err.Error(), "")
		}
	}
	for _, header := range r.headers {
		name, value, _ := strings.Cut(header, ":")
		value = strings.TrimSpace(value)
		variable, secret := strings.CutPrefix(value, "$")
		if secret {
			value = os.Getenv(variable)
		}
		if err := api.AddHeader(name, value, secret); err != nil {
			return misuse("write it like --header 'X-Team: fishers', or --header 'X-Token: $TOKEN' for one that is secret", "--header: %w", err)
		}
	}
	if r.Upstream.CA != "" {
		if err := api.Trust(r.Files[r.Upstream.CA]); err != nil {
			return &scenarios.Error{File: r.Beside(r.Upstream.CA), Msg: err.Error()}
		}
	}
	if r.ca == "" {
		return nil
	}
	raw, err := os.ReadFile(r.ca)
	if err == nil {
		err = api.Trust(raw)
	}
	if err != nil {
		return misuse("", "--ca: %w", err)
	}
	return nil
}
