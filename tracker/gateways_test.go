package tracker

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/shoal-cdn/shoal/tracker/api"
)

func TestOwnGateways(t *testing.T) {
	for name, tt := range map[string]struct {
		addrs  []string
		source string // "": not known
		url    string
		keep   bool
	}{
		"of its multiaddrs":             {[]string{"/ip4/10.0.0.1/tcp/1"}, "", "http://10.0.0.1:81", true},
		"of its multiaddrs, QUIC":       {[]string{"/ip4/10.0.0.1/tcp/1", "/ip6/fd00::1/udp/1/quic-v1"}, "10.0.0.9", "https://[fd00::1]:82", true},
		"where the announce comes from": {[]string{"/ip4/10.0.0.1/tcp/1"}, "198.18.0.7", "http://198.18.0.7:81", true},
		"the same, mapped":              {nil, "::ffff:198.18.0.7", "http://198.18.0.7:81", true},
		"mapped in the URL":             {nil, "198.18.0.7", "http://[::ffff:198.18.0.7]:81", true},
		"another's":                     {[]string{"/ip4/10.0.0.1/tcp/1"}, "198.18.0.7", "http://10.0.0.2:81", false},
		"no port":                       {nil, "198.18.0.7", "http://198.18.0.7", true},
		"a name":                        {[]string{"/dns4/gw.example/tcp/1"}, "198.18.0.7", "http://gw.example", false},
		"an address in disguise":        {[]string{"/ip4/127.0.0.1/tcp/1"}, "127.0.0.1", "http://2130706433:80", false},
		"a cloud's metadata":            {[]string{"/ip4/10.0.0.1/tcp/1"}, "198.18.0.7", "http://169.254.169.254", false},
		"the same, announced":           {[]string{"/ip4/169.254.169.254/tcp/80"}, "198.18.0.7", "http://169.254.169.254", false},
		"a link":                        {[]string{"/ip6/fe80::1/tcp/80"}, "198.18.0.7", "http://[fe80::1]:80", false},
		"a link, with a zone":           {[]string{"/ip6/fe80::1/tcp/80"}, "fe80::1%eth0", "http://[fe80::1%25eth0]:80", false},
		"loopback":                      {[]string{"/ip4/10.0.0.1/tcp/1"}, "198.18.0.7", "http://127.0.0.1:9000", false},
		"loopback, announced":           {[]string{"/ip4/127.0.0.1/tcp/1"}, "198.18.0.7", "http://127.0.0.1:9000", false},
		"loopback, from there":          {[]string{"/ip4/127.0.0.1/tcp/1"}, "127.0.0.1", "http://127.0.0.1:9000", true},
		"loopback of IPv6, from there":  {[]string{"/ip6/::1/tcp/1"}, "::1", "http://[::1]:9000", true},
		"loopback beside it":            {[]string{"/ip4/127.0.0.1/tcp/1"}, "127.0.0.1", "http://127.0.0.2:9000", false},
		"unspecified":                   {[]string{"/ip4/0.0.0.0/tcp/1"}, "127.0.0.1", "http://0.0.0.0:80", false},
		"multicast":                     {[]string{"/ip4/224.0.0.1/tcp/1"}, "127.0.0.1", "http://224.0.0.1:80", false},
		"garbled multiaddrs":            {[]string{"/", "/ip4", "/ip4/x", "/ip4/10.0.0.300/tcp/1"}, "", "http://10.0.0.300", false},
	} {
		var source netip.Addr
		if tt.source != "" {
			source = netip.MustParseAddr(tt.source)
		}
		kept, dropped := ownGateways(&api.NodeInfo{Addrs: tt.addrs, Gateway: []string{tt.url}}, source)
		if slices.Contains(kept, tt.url) != tt.keep || len(kept)+len(dropped) != 1 {
			t.Errorf("%s: kept %v, dropped %v", name, kept, dropped)
		}
	}
}

// A node with gateways that aren't its own is taken in without them.
func TestForeignGatewaysAreDropped(t *testing.T) {
	_, c := onLoopback(t, newTracker(t))
	own := "http://127.0.0.1:81"
	must(c.Announce(t.Context(), api.Announce{Session: "s", Full: true, Node: api.NodeInfo{
		ID: "id1", Name: "n", Addrs: []string{"/ip4/127.0.0.1/tcp/1"},
		Gateway: []string{"http://169.254.169.254", own, "https://gw.example"},
	}}))
	nodes := must(c.Nodes(t.Context()))
	if len(nodes) != 1 || !slices.Equal(nodes[0].Gateway, []string{own}) {
		t.Errorf("%+v", nodes)
	}
}
