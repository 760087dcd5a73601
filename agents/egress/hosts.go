package egress

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Hosts are those that an agent may reach.
type Hosts []host

// A host is one that may be reached, or all below a name.
type host struct {
	name    string // in lower case, without a dot at its end; empty: an address
	below   bool   // it is all names that end with a dot and the name, and not that itself
	address netip.Addr
	port    uint16 // 0: those of the web
}

// ParseHosts reads a list whose entries are a name, an IPv4 address, an IPv6 address in brackets, or "*." and a name for all names below it,
// and, behind a colon, a port; without one they mean the ports 80 and 443.
func ParseHosts(list []string) (Hosts, error) {
	var all Hosts
	for _, entry := range list {
		h, err := parseHost(entry)
		if err != nil {
			return nil, fmt.Errorf("%q %w", entry, err)
		}
		all = append(all, h)
	}
	return all, nil
}

func parseHost(entry string) (host, error) {
	var h host
	name := entry
	if at := strings.LastIndexByte(entry, ':'); at >= 0 && !strings.HasSuffix(entry, "]") {
		port, err := strconv.ParseUint(entry[at+1:], 10, 16)
		if err != nil || port == 0 {
			return h, errors.New("has no port from 1 to 65535 behind its colon")
		}
		name, h.port = entry[:at], uint16(port)
	}
	bare, isV6 := strings.CutPrefix(name, "[")
	if isV6 {
		bare = strings.TrimSuffix(bare, "]")
	}
	if address, err := netip.ParseAddr(bare); err == nil && isV6 == address.Is6() && address.Zone() == "" {
		h.address = address.Unmap()
		return h, nil
	}
	h.name, h.below = strings.CutPrefix(tidy(name), "*.")
	if !isName(h.name) {
		return h, errors.New("is neither a name nor an address")
	}
	return h, nil
}

// tidy returns the one way to write a name.
func tidy(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

// isName says whether a text is a name, and none that somebody takes for an address, such as 127.1 or 0x7f000001.
func isName(name string) bool {
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	last := labels[len(labels)-1]
	return len(name) <= 253 && strings.IndexByte("0123456789", last[0]) < 0
}

// A target is where a client wants to go.
type target struct {
	name    string // as in a host; empty: an address
	address netip.Addr
	port    uint16
}

// parseTarget reads what a client says.
func parseTarget(text string) (target, error) {
	name, service, err := net.SplitHostPort(text)
	if err != nil {
		return target{}, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil || port == 0 {
		return target{}, fmt.Errorf("%q is no port", service)
	}
	if address, err := netip.ParseAddr(name); err == nil {
		return target{address: address.Unmap(), port: uint16(port)}, nil
	}
	if name = tidy(name); !isName(name) {
		return target{}, fmt.Errorf("%q is neither a name nor an address", name)
	}
	return target{name: name, port: uint16(port)}, nil
}

// allow says whether a target is on the list.
func (h Hosts) allow(t target) bool {
	return slices.ContainsFunc(h, func(h host) bool {
		switch {
		case h.port != t.port && (h.port != 0 || t.port != 80 && t.port != 443):
			return false
		case t.name == "" || h.name == "":
			return t.name == h.name && t.address == h.address
		case h.below:
			return strings.HasSuffix(t.name, "."+h.name)
		}
		return t.name == h.name
	})
}
