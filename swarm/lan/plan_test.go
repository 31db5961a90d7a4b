package lan

import (
	"fmt"
	"slices"
	"testing"
)

func TestPlan(t *testing.T) {
	all := []link{
		testLink(1, true, false, "127.0.0.1/8", "::1/128"),
		testLink(2, false, true, "192.0.2.5/24", "fe80::5/64"),
		testLink(3, false, true, "198.51.100.9/31"),
		testLink(4, false, false, "203.0.113.66/26"),
		testLink(5, false, true, "10.1.2.3/8"),
	}
	for _, tt := range []struct {
		name string
		own  []string
		want []string
	}{
		{"loopback alone", []string{"/ip4/127.0.0.1/tcp/1"}, []string{"1 127.255.255.255:7075"}},
		{"one interface", []string{"/ip4/192.0.2.5/tcp/1", "/ip4/192.0.2.5/udp/1/quic-v1"},
			[]string{"2 192.0.2.255:7075", "2 239.255.70.75:7075", "2 [ff12::7368:6f61:6c]:7075"}},
		{"a pair has no broadcast", []string{"/ip4/198.51.100.9/tcp/1"}, []string{"3 239.255.70.75:7075"}},
		{"no multicast", []string{"/ip4/203.0.113.66/tcp/1"}, []string{"4 203.0.113.127:7075"}},
		{"an address that is not here", []string{"/ip4/192.0.2.77/tcp/1"}, nil},
		{"none", nil, nil},
		{"two", []string{"/ip4/203.0.113.66/tcp/1", "/ip4/10.1.2.3/tcp/1"},
			[]string{"4 203.0.113.127:7075", "5 10.255.255.255:7075", "5 239.255.70.75:7075"}},
	} {
		var got []string
		for _, target := range plan(usable(all, resolve(tt.own, all)), DefaultPort) {
			got = append(got, fmt.Sprint(target.link, " ", target.to))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
