package registry

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// spot describes a node as "carrier/region/site; addresses; source", each
// address followed by =carrier where it is in another one.
func spot(text string) *node {
	parts := strings.Split(text, ";")
	place := strings.Split(parts[0]+"//", "/")
	info := api.NodeInfo{Locality: shoal.Locality{Carrier: place[0], Region: place[1], Site: place[2]}}
	for _, f := range strings.Fields(parts[1]) {
		addr, carrier, elsewhere := strings.Cut(f, "=")
		family := "ip4"
		if strings.Contains(addr, ":") {
			family = "ip6"
		}
		info.Addrs = append(info.Addrs, fmt.Sprintf("/%s/%s/tcp/1", family, addr), fmt.Sprintf("/%s/%s/udp/1/quic-v1", family, addr))
		info.Gateway = append(info.Gateway, "https://"+netip.AddrPortFrom(netip.MustParseAddr(addr), 7).String())
		if elsewhere {
			info.Place.Homes = append(info.Place.Homes, api.Home{Addr: netip.MustParseAddr(addr), Locality: shoal.Locality{Carrier: carrier}})
		}
	}
	for _, f := range strings.Fields(parts[1]) {
		addr, _, _ := strings.Cut(f, "=")
		info.Gateway = append(info.Gateway, "http://"+netip.AddrPortFrom(netip.MustParseAddr(addr), 8).String())
	}
	if len(parts) > 2 {
		info.Place.Source = netip.MustParseAddr(strings.TrimSpace(parts[2]))
	}
	n := new(node)
	n.set(info)
	return n
}

// M4: internal addresses first, then those in a carrier of the dialler's.
func TestAddressOrder(t *testing.T) {
	for _, tt := range []struct{ name, me, peer, want string }{
		{"one address", ";10.0.0.1", ";10.0.0.2", "10.0.0.2"},
		{"one LAN", ";192.168.1.2", ";198.51.100.9 192.168.1.3", "192.168.1.3 198.51.100.9"},
		{"one LAN, behind one address", ";192.168.1.2; 203.0.113.7", ";198.51.100.9 192.168.1.3; 203.0.113.7", "192.168.1.3 198.51.100.9"},
		{"one LAN, a proxy before the tracker", ";192.168.1.2; 10.9.9.9", ";198.51.100.9 192.168.1.3; 203.0.113.7", "192.168.1.3 198.51.100.9"},
		{"LANs numbered alike, behind two addresses", ";192.168.1.2; 203.0.113.7", ";192.168.1.3 198.51.100.9; 198.51.100.9", "198.51.100.9 192.168.1.3"},
		{"LANs numbered alike, in two sites", "c/r/a;192.168.1.2", "c/r/b;192.168.1.3 198.51.100.9", "198.51.100.9 192.168.1.3"},
		{"LANs numbered alike, in two carriers", "c;192.168.1.2", "d;192.168.1.3 198.51.100.9", "198.51.100.9 192.168.1.3"},
		{"one site, other networks", "c/r/a;10.1.0.2", "c/r/a;198.51.100.9 10.2.0.3", "10.2.0.3 198.51.100.9"},
		{"another private network", ";192.168.1.2", ";192.168.2.3 198.51.100.9", "198.51.100.9 192.168.2.3"},
		{"IPv6 of one LAN", ";fd00:1::2", ";2001:db8::9 fd00:1::3", "fd00:1::3 2001:db8::9"},
		{"a bridge that every machine has", ";172.17.0.1 198.51.100.8", ";172.17.0.1 198.51.100.9", "198.51.100.9 172.17.0.1"},
		{"several carriers, in the second", "b;203.0.113.1", "a;198.51.100.1 198.51.101.1=b 198.51.102.1=c", "198.51.101.1 198.51.100.1 198.51.102.1"},
		{"several carriers, in none of them", "d;203.0.113.1", "a;198.51.100.1 198.51.101.1=b", "198.51.100.1 198.51.101.1"},
		{"several carriers on both sides", "d;203.0.113.1 203.0.114.1=c", "a;198.51.100.1 198.51.101.1=b 198.51.102.1=c", "198.51.102.1 198.51.100.1 198.51.101.1"},
		{"an address of unknown carrier", "b;203.0.113.1", ";198.51.100.1=c 198.51.101.1 198.51.102.1=b", "198.51.102.1 198.51.101.1 198.51.100.1"},
	} {
		me, peer := spot(tt.me), spot(tt.peer)
		var got []string
		for _, m := range me.addrsFor(peer) {
			ip, _ := ipOf(m)
			if strings.Contains(m, "/tcp/") {
				got = append(got, ip.String())
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if all := me.addrsFor(peer); len(all) != len(peer.info.Addrs) || len(slices.Compact(slices.Sorted(slices.Values(all)))) != len(all) {
			t.Errorf("%s: %s of %s", tt.name, all, peer.info.Addrs)
		}
		var urls []string
		for _, ip := range strings.Fields(tt.want) {
			urls = append(urls, "https://"+netip.AddrPortFrom(netip.MustParseAddr(ip), 7).String())
		}
		for _, ip := range strings.Fields(tt.want) {
			urls = append(urls, "http://"+netip.AddrPortFrom(netip.MustParseAddr(ip), 8).String())
		}
		if got := me.gatewaysFor(peer); !slices.Equal(got, urls) {
			t.Errorf("%s: gateways %s, want %s", tt.name, got, urls)
		}
	}
}

// What is no IP address, and more than is compared, comes last and is not lost.
func TestManyAddresses(t *testing.T) {
	n := new(node)
	info := api.NodeInfo{Addrs: []string{"/dns/x/tcp/1", "junk"}}
	for i := range maxAddrs + 3 {
		info.Addrs = append(info.Addrs, fmt.Sprintf("/ip4/198.51.100.%d/tcp/1", i))
	}
	n.set(info)
	if got := spot(";203.0.113.1").addrsFor(n); len(got) != len(info.Addrs) || got[0] != "/ip4/198.51.100.0/tcp/1" || got[maxAddrs] != "/dns/x/tcp/1" {
		t.Error(got)
	}
}

// A node that is linked to several carriers is near to the nodes of each, and is
// shown to each where it is nearest.
func TestSeveralCarriers(t *testing.T) {
	r := newRegistry()
	multi := at("multi", "a - -", "/ip4/198.51.100.1/tcp/1", api.Holder)
	multi.Node.Addrs = append(multi.Node.Addrs, "/ip4/198.51.101.1/tcp/1")
	multi.Node.Place.Homes = []api.Home{{Addr: netip.MustParseAddr("198.51.101.1"), Locality: shoal.Locality{Carrier: "b"}}}
	tell(t, r, t0, multi)
	tell(t, r, t0, at("single", "a - -", "/ip4/198.51.102.1/tcp/1", api.Holder))
	me := at("me", "b - -", "/ip4/198.51.103.1/tcp/1", api.Fetcher)
	reply, _ := tell(t, r, t0, me)
	peers := reply.Peers[c1]
	if names(peers) != "multi single" || peers[0].Carrier != "b" || ipText(peers[0].Addrs[0]) != "198.51.101.1" {
		t.Errorf("peers %+v", peers)
	}
	if reply.Locality.Carrier != "b" || reply.Homes != nil {
		t.Errorf("placed at %+v, %+v", reply.Locality, reply.Homes)
	}
	for carrier, want := range map[string]int{"a": 2, "b": 1, "c": 0} {
		if m := r.swarms[c1].members[api.Holder].of(carrier); len(m) == 0 && want > 0 || len(m) > 0 && len(m[0].nodes) != want {
			t.Errorf("carrier %s has %d rosters, want %d holders", carrier, len(m), want)
		}
	}
	// It loses its second line: it is no member there any more, and learns of it.
	tell(t, r, t0, me)
	multi.Node.Place.Homes, multi.Cursor = nil, 0
	reply, _ = tell(t, r, t0, multi)
	multi.Cursor = reply.Cursor
	if m := r.swarms[c1].members[api.Holder].of("b"); len(m) > 0 && len(m[0].nodes) > 0 {
		t.Errorf("carrier b still has %d holders", len(m[0].nodes))
	}
	_, ticket := tell(t, r, t0, multi)
	if due, _ := r.Due(ticket); due {
		t.Error("no news is told as news")
	}
	multi.Node.Carrier = "c"
	if reply, _ = tell(t, r, t0, multi); reply.Cursor == multi.Cursor || reply.Locality.Carrier != "c" {
		t.Errorf("another place is no news: %+v", reply)
	}
	if n, ok := r.At(netip.MustParseAddr("198.51.101.1")); !ok || n.Name != "multi" {
		t.Errorf("the node at its address: %v %+v", ok, n)
	}
	if _, ok := r.At(netip.MustParseAddr("127.0.0.1")); ok {
		t.Error("loopback is somebody's address")
	}
}

func ipText(multiaddr string) string {
	ip, _ := ipOf(multiaddr)
	return ip.String()
}

// The near group must not starve the far one: whatever the sizes of the
// localities, a handout has the origins and somebody of each other locality, so
// that every group can reach the origin and the groups hang together.
func TestFarGroups(t *testing.T) {
	for _, tt := range []struct {
		name    string
		origins int
		groups  []int // fetchers by carrier; the origins are in the first
	}{
		{"one far node", 1, []int{400, 1}},
		{"a far group as large", 1, []int{200, 200}},
		{"a few far nodes, several origins", 6, []int{300, 5}},
		{"near group is empty", 1, []int{0, 40, 40}},
		{"six carriers", 2, []int{100, 100, 100, 100, 20, 3}},
	} {
		r := newRegistry()
		for i := range tt.origins {
			tell(t, r, t0, at(fmt.Sprint("origin", i), "as0 r s", fmt.Sprintf("/ip4/200.0.0.%d/tcp/1", i+1), api.Origin))
		}
		group := func(i, j int) *api.Announce {
			return at(fmt.Sprintf("g%dn%d", i, j), fmt.Sprintf("as%d r s", i), fmt.Sprintf("/ip4/10.%d.%d.%d/tcp/1", i, j/250, j%250+1), api.Fetcher)
		}
		for i, size := range tt.groups {
			for j := range size {
				tell(t, r, t0, group(i, j))
			}
		}
		for i, size := range tt.groups {
			// The union over a group is what the group can reach at all.
			others := make(map[string]bool)
			for j := range min(size, 40) {
				a := group(i, j)
				a.Full = false
				reply, _ := tell(t, r, t0, a)
				origins, far := 0, 0
				for _, p := range reply.Peers[c1] {
					if p.Role == api.Origin {
						origins++
					}
					if p.Carrier != a.Node.Carrier {
						far++
						others[p.Carrier] = true
					}
				}
				if origins < min(tt.origins, originShare) {
					t.Fatalf("%s: %s is handed %d of %d origins", tt.name, a.Node.Name, origins, tt.origins)
				}
				if far == 0 && len(tt.groups) > 1 {
					t.Fatalf("%s: %s is handed nobody elsewhere", tt.name, a.Node.Name)
				}
			}
			if size >= 40 && len(others) < min(len(tt.groups)-1, remoteShare) {
				t.Errorf("%s: 40 nodes of carrier %d know %d other carriers", tt.name, i, len(others))
			}
		}
	}
}
