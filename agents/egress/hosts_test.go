package egress

import (
	"net/netip"
	"strings"
	"testing"
)

func TestWhatAListAllows(t *testing.T) {
	hosts, err := ParseHosts([]string{"Registry.Example.org:8443", "*.example.com", "plain.net.", "10.0.0.5:5000", "[2001:DB8::1]:443", "[fd00::2]", "8.8.8.8"})
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]bool{
		"registry.example.org:8443":  true,
		"REGISTRY.example.ORG.:8443": true,
		"registry.example.org:443":   false,
		"example.com:443":            false,
		"a.example.com:443":          true,
		"a.b.example.com:80":         true,
		"a.example.com:8080":         false,
		"aexample.com:443":           false,
		"a.example.com.evil.net:443": false,
		"plain.net:80":               true,
		"x.plain.net:80":             false,
		"10.0.0.5:5000":              true,
		"[::ffff:10.0.0.5]:5000":     true,
		"10.0.0.5:80":                false,
		"[2001:db8:0::1]:443":        true,
		"[fd00::2]:80":               true,
		"[fd00::2%25eth0]:80":        false,
		"8.8.8.8:443":                true,
		"8.8.8.9:443":                false,
	} {
		got, err := parseTarget(target)
		if allows := err == nil && hosts.allow(got); allows != want {
			t.Errorf("%s: %t, want %t (%+v, %v)", target, allows, want, got, err)
		}
	}
}

func TestAListThatIsNoneIsAnError(t *testing.T) {
	for entry, want := range map[string]string{
		"":                              "neither a name nor an address",
		"*":                             "neither a name nor an address",
		"a.*.org":                       "neither a name nor an address",
		"http://a.org":                  "no port",
		"a.org:0":                       "no port",
		"a.org:65536":                   "no port",
		"a.org:":                        "no port",
		"127.1":                         "neither a name nor an address",
		"2130706433":                    "neither a name nor an address",
		"0x7f.0x1":                      "neither a name nor an address",
		"::1":                           "neither a name nor an address",
		"[::1":                          "neither a name nor an address",
		"[127.0.0.1]":                   "neither a name nor an address",
		"[fe80::1%eth0]":                "neither a name nor an address",
		"a..org":                        "neither a name nor an address",
		strings.Repeat("a", 64):         "neither a name nor an address",
		strings.Repeat("ab.", 90) + "c": "neither a name nor an address",
		"bücher.example":                "neither a name nor an address",
	} {
		if got, err := ParseHosts([]string{entry}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is %+v, %v, want %s", entry, got, err, want)
		}
	}
}

func TestWhichAddressesArePublic(t *testing.T) {
	for address, want := range map[string]bool{
		"1.1.1.1": true, "8.8.8.8": true, "172.15.0.1": true, "172.32.0.1": true, "2606:4700::1111": true, "::ffff:1.1.1.1": true,
		"127.0.0.1": false, "127.9.9.9": false, "::1": false, "0.0.0.0": false, "0.1.2.3": false, "::": false,
		"10.1.2.3": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false, "fc00::1": false, "fd00:ec2::254": false,
		"169.254.169.254": false, "169.254.170.2": false, "fe80::1": false, "fec0::1": false, "168.63.129.16": false, "100.100.100.200": false,
		"192.0.0.192": false, "224.0.0.1": false, "ff02::1": false, "255.255.255.255": false, "250.1.1.1": false, "198.18.0.1": false,
		"::ffff:127.0.0.1": false, "::ffff:169.254.169.254": false, "::127.0.0.1": false, "64:ff9b::7f00:1": false, "64:ff9b:1::1": false,
		"2002:7f00:1::": false, "2001::1": false, "2001:db8::1": false, "203.0.113.9": false, "100.64.0.1": false,
	} {
		if got := isPublic(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
}

func FuzzTarget(f *testing.F) {
	hosts, err := ParseHosts([]string{"*.example.org", "good.example:443"})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"a.example.org:443", "good.example:443", "127.0.0.1:80", "[::1]:80", "a\x00.example.org:443", ".example.org:80"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		to, err := parseTarget(text)
		if err != nil || !hosts.allow(to) {
			return
		}
		if to.address.IsValid() || !isName(to.name) || to.name != "good.example" && !strings.HasSuffix(to.name, ".example.org") {
			t.Errorf("%q is allowed as %+v", text, to)
		}
	})
}
