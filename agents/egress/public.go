package egress

import (
	"net"
	"net/netip"
	"slices"
)

// special returns networks that are not of the public internet, or lead into others, besides those that package netip knows.
func special() []netip.Prefix {
	var all []netip.Prefix
	for _, text := range []string{
		"0.0.0.0/8",        // this network
		"100.64.0.0/10",    // between providers and their customers
		"168.63.129.16/32", // a cloud's own, in all its machines
		"192.0.0.0/24",     // protocols
		"192.0.2.0/24",     // examples
		"192.88.99.0/24",   // to IPv6
		"198.18.0.0/15",    // measurements
		"198.51.100.0/24",  // examples
		"203.0.113.0/24",   // examples
		"240.0.0.0/4",      // reserved
		"2001::/23",        // protocols, and tunnels to IPv4
		"2001:db8::/32",    // examples
		"2002::/16",        // tunnels to IPv4
		"3fff::/20",        // examples
	} {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// isPublic says whether an address is one of the public internet.
func isPublic(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.Zone() != "" {
		return false
	}
	if a.Is6() && !netip.MustParsePrefix("2000::/3").Contains(a) {
		return false
	}
	return !slices.ContainsFunc(special(), func(p netip.Prefix) bool { return p.Contains(a) })
}

// isOurs says whether an address is one of this machine's.
func isOurs(a netip.Addr) (bool, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(all, func(own net.Addr) bool {
		network, ok := own.(*net.IPNet)
		if !ok {
			return false
		}
		address, ok := netip.AddrFromSlice(network.IP)
		return ok && address.Unmap() == a.Unmap()
	}), nil
}
