package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/vitrine-sim/vitrine/agents/confine"
	"github.com/vitrine-sim/vitrine/agents/egress"
	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
)

// hosts is how the agents of a run reach the hosts that their scenario names.
type hosts struct {
	log   *os.File // nil: nobody can reach any
	proxy *egress.Proxy
	doors map[string]*egress.Door // by the name of the agent
}

// wrongHosts returns a mistake for each host of a scenario that is none.
func wrongHosts(s *scenarios.Scenario) error {
	err := wrongList(s, "hosts", s.Hosts)
	for i, a := range s.Agents {
		if !slices.Equal(a.Hosts, s.Hosts) {
			err = scenarios.Join(err, wrongList(s, fmt.Sprintf("agents.%d.hosts", i), a.Hosts))
		}
	}
	return err
}

func wrongList(s *scenarios.Scenario, at string, list []string) (err error) {
	for i, entry := range list {
		if _, wrong := egress.ParseHosts([]string{entry}); wrong != nil {
			err = scenarios.Join(err, s.Error(fmt.Sprintf("%s.%d", at, i), at+": "+wrong.Error(), "such as \"registry.example.org\", \"*.example.org:8443\", \"10.0.0.5:80\" or \"[2001:db8::1]:443\""))
		}
	}
	return err
}

// allowHosts makes the boundary one with a proxy, if an agent can reach hosts.
func (r *runner) allowHosts() error {
	if !slices.ContainsFunc(r.Agents, canReach) {
		return nil
	}
	boundary, err := r.boundary.WithProxy()
	if err != nil {
		return misuse("leave hosts out, or: "+err.Error(), "agents cannot reach hosts on this machine, and the scenario names some")
	}
	r.boundary = boundary
	return nil
}

// canReach says whether an agent is a process that may reach hosts.
func canReach(a scenarios.Agent) bool { return a.IsProcess() && len(a.Hosts) > 0 }

// openDoor returns what serves the proxy of an agent, and the variables by which the agent's programs find it. Of one that can reach no hosts
// they are nil.
func (r *runner) openDoor(a scenarios.Agent) (serve func(net.Listener), env []string, err error) {
	if !canReach(a) {
		return nil, nil, nil
	}
	may, err := egress.ParseHosts(a.Hosts)
	if err != nil {
		return nil, nil, err
	}
	if r.hosts.log == nil {
		path := filepath.Join(r.dir, arena.HostsLogName)
		if r.hosts.log, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
			return nil, nil, err
		}
		r.hosts.doors = make(map[string]*egress.Door)
		r.hosts.proxy = &egress.Proxy{Log: r.hosts.log, Refused: func(agent, host, address, reason string) {
			if address != "" {
				r.evidence[agent].Sawf(tamper.Private, "%s is %s: %s", host, address, reason)
				return
			}
			r.evidence[agent].Sawf(tamper.Host, "%s: %s", host, reason)
		}}
	}
	door := r.hosts.proxy.Open(a.Name, may)
	r.hosts.doors[a.Name] = door
	return door.Serve, egress.Env(confine.ProxyAddress), nil
}

// used returns what an agent did of the network; nil if it can reach no hosts.
func (h *hosts) used(agent string) *arena.HostUse {
	door := h.doors[agent]
	if door == nil {
		return nil
	}
	use := arena.HostUse(door.Usage())
	return &use
}

func (h *hosts) close() error {
	if h.log == nil {
		return nil
	}
	var errs []error
	for _, door := range h.doors { // in any order
		errs = append(errs, door.Close())
	}
	return errors.Join(append(errs, h.log.Close())...)
}
