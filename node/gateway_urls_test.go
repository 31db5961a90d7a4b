package node

import (
	"net/netip"
	"slices"
	"testing"
)

func TestGatewayURLs(t *testing.T) {
	public := []string{
		"/ip6/2001:db8::1/tcp/7071", "/ip4/198.18.0.1/tcp/7071", "/ip4/198.18.0.1/udp/7071/quic-v1",
		"/ip4/198.18.9.1/tcp/7071", "/ip6/fe80::1/tcp/7071", "/dns/x.example/tcp/1", "?",
	}
	local := []string{"/ip4/127.0.0.1/tcp/7071"}
	for name, c := range map[string]struct {
		secure, plain string
		addrs         []string
		want          []string
	}{
		"all of IPv4": {"0.0.0.0:2", "0.0.0.0:1", public, []string{
			"https://198.18.0.1:2", "https://198.18.9.1:2", "http://198.18.0.1:1", "http://198.18.9.1:1"}},
		"all":             {"[::]:2", "", public, []string{"https://198.18.0.1:2", "https://198.18.9.1:2", "https://[2001:db8::1]:2"}},
		"one":             {"198.18.3.1:2", "", public, []string{"https://198.18.3.1:2"}},
		"for a proxy":     {"0.0.0.0:2", "127.0.0.1:1", public[1:2], []string{"https://198.18.0.1:2"}},
		"all on loopback": {"127.0.0.1:2", "0.0.0.0:1", local, []string{"https://127.0.0.1:2", "http://127.0.0.1:1"}},
		"no gateway":      {"", "", public, nil},
	} {
		t.Run(name, func(t *testing.T) {
			at := func(s string) (ap netip.AddrPort) {
				if s != "" {
					ap = netip.MustParseAddrPort(s)
				}
				return ap
			}
			if got := gatewayURLs(at(c.secure), at(c.plain), c.addrs); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
