package lan

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
)

func testLink(index int, loopback, multicast bool, nets ...string) link {
	l := link{index: index, name: fmt.Sprintf("eth%d", index), loopback: loopback, multicast: multicast}
	for _, n := range nets {
		l.nets = append(l.nets, netip.MustParsePrefix(n))
	}
	return l
}

func TestResolve(t *testing.T) {
	lo := testLink(1, true, false, "127.0.0.1/8", "::1/128")
	eth := testLink(2, false, true, "192.0.2.5/24", "fe80::5/64", "2001:db8::5/64", "169.254.7.7/16")
	for _, tt := range []struct {
		name   string
		links  []link
		listen []string
		want   []string
	}{
		{"a wildcard", []link{lo, eth}, []string{"/ip4/0.0.0.0/tcp/1", "/ip4/0.0.0.0/udp/1/quic-v1"}, []string{"/ip4/192.0.2.5/tcp/1", "/ip4/192.0.2.5/udp/1/quic-v1"}},
		{"of IPv6", []link{lo, eth}, []string{"/ip6/::/tcp/1"}, []string{"/ip6/2001:db8::5/tcp/1"}},
		{"with loopback alone", []link{lo}, []string{"/ip4/0.0.0.0/tcp/1"}, []string{"/ip4/127.0.0.1/tcp/1"}},
		{"one address", []link{lo, eth}, []string{"/ip4/127.0.0.1/tcp/1"}, []string{"/ip4/127.0.0.1/tcp/1"}},
		{"without links", nil, []string{"/ip4/0.0.0.0/tcp/1"}, nil},
		{"port 0, and no multiaddr", []link{eth}, []string{"/ip4/0.0.0.0/tcp/0", "x"}, nil},
	} {
		var got []string
		for _, e := range resolve(tt.listen, tt.links) {
			got = append(got, e.String())
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	many := slices.Repeat([]link{eth}, 20)
	if n := len(resolve([]string{"/ip4/0.0.0.0/tcp/1"}, many)); n != maxEndpoints {
		t.Errorf("%d addresses", n)
	}
}

func TestOnLink(t *testing.T) {
	use := []link{testLink(2, false, true, "192.0.2.5/24", "fe80::5/64"), testLink(3, false, true, "2001:db8::1/64")}
	for ip, want := range map[string]bool{
		"192.0.2.77": true, "::ffff:192.0.2.77": true, "192.0.3.1": false, "127.0.0.1": false, "8.8.8.8": false,
		"fe80::1%eth2": true, "fe80::1%eth3": false, "2001:db8::9": true, "2001:db8:1::9": false,
	} {
		if got := onLink(use, netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s: %v", ip, got)
		}
	}
}

func TestPrefixOf(t *testing.T) {
	for _, tt := range []struct {
		in   net.Addr
		want string
	}{
		{&net.IPNet{IP: net.IPv4(192, 0, 2, 1), Mask: net.CIDRMask(24, 32)}, "192.0.2.1/24"},
		{&net.IPNet{IP: net.IPv4(192, 0, 2, 1), Mask: net.CIDRMask(120, 128)}, "192.0.2.1/24"},
		{&net.IPNet{IP: net.ParseIP("2001:db8::1"), Mask: net.CIDRMask(64, 128)}, "2001:db8::1/64"},
		{&net.UnixAddr{Name: "x"}, "invalid Prefix"},
	} {
		if got, ok := prefixOf(tt.in); got.String() != tt.want || ok != got.IsValid() {
			t.Errorf("%v: %v, %v; want %s", tt.in, got, ok, tt.want)
		}
	}
}
