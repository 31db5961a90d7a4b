package transport

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/shoal-cdn/shoal"
)

func parse(t *testing.T, addrs ...string) []ma.Multiaddr {
	t.Helper()
	out := make([]ma.Multiaddr, len(addrs))
	for i, a := range addrs {
		if strings.HasSuffix(a, "q") {
			a = strings.TrimSuffix(a, "q") + "/udp/1/quic-v1"
		} else {
			a += "/tcp/1"
		}
		m, err := ma.NewMultiaddr("/ip4/" + a)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = m
	}
	return out
}

func text(ranked []network.AddrDelay) string {
	var out []string
	for _, r := range ranked {
		q := ""
		if !isTCP(r.Addr) {
			q = "q"
		}
		out = append(out, fmt.Sprintf("%v%s %v", ipOf(r.Addr), q, r.Delay))
	}
	return strings.Join(out, ", ")
}

// M4: internal addresses first, then the order given, TCP before QUIC.
func TestRanking(t *testing.T) {
	own := []netip.Prefix{
		netip.MustParsePrefix("198.18.5.2/24"), netip.MustParsePrefix("10.0.0.2/24"), netip.MustParsePrefix("172.17.0.1/16"),
	}
	for _, tt := range []struct{ name, addrs, given, want string }{
		{"one", "198.19.0.1q 198.19.0.1", "198.19.0.1 198.19.0.1q", "198.19.0.1 0s, 198.19.0.1q 2.5s"},
		{"order given", "198.19.0.1 198.19.0.2 198.19.0.3q 198.19.0.2q", "198.19.0.2 198.19.0.2q 198.19.0.1 198.19.0.3q",
			"198.19.0.2 0s, 198.19.0.1 250ms, 198.19.0.2q 2.75s, 198.19.0.3q 3s"},
		{"in our networks", "198.19.0.1 198.18.5.9 10.0.0.9 10.0.1.9", "198.19.0.1 198.18.5.9 10.0.1.9 10.0.0.9",
			"10.0.0.9 0s, 198.18.5.9 250ms, 198.19.0.1 500ms, 10.0.1.9 750ms"},
		{"a bridge that everybody has", "172.17.0.1 198.19.0.1", "198.19.0.1 172.17.0.1", "198.19.0.1 0s, 172.17.0.1 250ms"},
		{"not given", "198.19.0.7 198.19.0.8 198.19.0.1", "198.19.0.1", "198.19.0.1 0s, 198.19.0.7 250ms, 198.19.0.8 250ms"},
		{"many", "198.19.0.1 198.19.0.2 198.19.0.3 198.19.0.4 198.19.0.5 198.19.0.1q", "198.19.0.1 198.19.0.2 198.19.0.3 198.19.0.4 198.19.0.5",
			"198.19.0.1 0s, 198.19.0.2 250ms, 198.19.0.3 500ms, 198.19.0.4 750ms, 198.19.0.5 750ms, 198.19.0.1q 3.25s"},
		{"QUIC only", "198.19.0.1q", "198.19.0.1q", "198.19.0.1q 0s"},
	} {
		r := newRanker(func() []netip.Prefix { return own })
		done := r.prefer(parse(t, strings.Fields(tt.given)...))
		if got := text(r.rank(parse(t, strings.Fields(tt.addrs)...))); got != tt.want {
			t.Errorf("%s: %s\nwant %s", tt.name, got, tt.want)
		}
		if done(); len(r.given) != 0 {
			t.Errorf("%s: %d addresses are kept", tt.name, len(r.given))
		}
	}
	r := newRanker(func() []netip.Prefix { return nil })
	addrs := parse(t, "198.19.0.1", "198.19.0.2")
	first := r.prefer(addrs)
	second := r.prefer([]ma.Multiaddr{addrs[1], addrs[0]})
	if got := text(r.rank(addrs)); got != "198.19.0.1 0s, 198.19.0.2 0s" {
		t.Errorf("two dials that differ: %s", got)
	}
	second()
	if first(); len(r.given) != 0 || len(r.rank(nil)) != 0 {
		t.Error("addresses from nowhere")
	}
}

// What the operator announces comes behind the addresses of the interfaces, and
// peers are told of it.
func TestAnnounce(t *testing.T) {
	key, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(Config{Key: key, Listen: ":0", Announce: []string{"198.18.0.7:4000", "198.18.0.8", "[2001:db8::7]:4000"}})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	got := strings.Join(h.Addrs(), " ")
	for _, want := range []string{"/ip4/198.18.0.7/tcp/4000 /ip4/198.18.0.7/udp/4000/quic-v1 /ip4/198.18.0.8/tcp/", "/ip6/2001:db8::7/tcp/4000 "} {
		if !strings.Contains(got, want) {
			t.Errorf("addresses %s lack %s", got, want)
		}
	}
	if last := h.Addrs()[len(h.Addrs())-1]; !strings.Contains(last, "2001:db8::7") && !strings.Contains(last, "198.18.0.") {
		t.Errorf("last of %s is %s", got, last)
	}
	if strings.Contains(got, "127.0.0.1") || strings.Contains(got, "198.18.0.8/tcp/0") {
		t.Errorf("addresses %s", got)
	}
	for _, bad := range []string{"", "name:1", "198.18.0.7:0", "198.18.0.7:99999", "198.18.0.7:x", "0.0.0.0", "fe80::1%eth0", "/ip4/198.18.0.7/tcp/1"} {
		if _, err := New(Config{Key: key, Listen: "127.0.0.1:0", Announce: []string{bad}}); !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("announces %q: %v", bad, err)
		}
	}
	if _, err := announced(slices.Repeat([]string{"198.18.0.7"}, maxAnnounce+1), "1"); !errors.Is(err, shoal.ErrInvalid) {
		t.Errorf("many: %v", err)
	}
}

func TestAdvertised(t *testing.T) {
	lo, eth, nat := parse(t, "127.0.0.1"), parse(t, "198.18.0.1"), parse(t, "198.18.0.7")
	var many []ma.Multiaddr
	for i := range 40 {
		many = append(many, parse(t, fmt.Sprintf("198.18.1.%d", i))...)
	}
	for _, tt := range []struct {
		own, extra, want []ma.Multiaddr
	}{
		{lo, nil, lo},
		{slices.Concat(lo, eth), nil, eth},
		{lo, nat, nat},
		{slices.Concat(lo, eth), nat, slices.Concat(eth, nat)},
		{eth, eth, eth},
		{many, nat, slices.Concat(many[:maxAddrs-1], nat)},
	} {
		if got := advertised(tt.own, tt.extra); !slices.EqualFunc(got, tt.want, ma.Multiaddr.Equal) {
			t.Errorf("of %v and %v: %v", tt.own, tt.extra, got)
		}
	}
}
