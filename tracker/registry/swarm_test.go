package registry

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// at is a full announce of a node at a place and an address.
func at(name, place, addr string, role api.Role) *api.Announce {
	a := announced(name, role, c1)
	var l shoal.Locality
	fmt.Sscanf(place, "%s %s %s", &l.Carrier, &l.Region, &l.Site)
	a.Node.Locality = l
	a.Node.Addrs = []string{"/ip4/127.0.0.1/tcp/1", addr}
	return a
}

// TestHandoutOrder: M4, the nearest first by labels, then by address.
func TestHandoutOrder(t *testing.T) {
	r := newRegistry()
	for _, n := range []struct{ name, place, addr string }{
		{"other", "as2 north s1", "/ip4/10.1.1.9/tcp/1"},
		{"carrier", "as1 south s1", "/ip4/10.1.1.9/tcp/1"},
		{"region", "as1 north s2", "/ip4/10.1.1.9/tcp/1"},
		{"sitev6", "as1 north s1", "/ip6/fd00::1/tcp/1"},
		{"site8", "as1 north s1", "/ip4/10.9.1.9/tcp/1"},
		{"site16", "as1 north s1", "/ip4/10.1.9.9/tcp/1"},
		{"site24", "as1 north s1", "/ip4/10.1.1.9/tcp/1"},
		{"unknown", "", "/dns/x/tcp/1"},
	} {
		tell(t, r, t0, at(n.name, n.place, n.addr, api.Fetcher))
	}
	reply, _ := tell(t, r, t0, at("me", "as1 north s1", "/ip4/10.1.1.1/tcp/1", api.Fetcher))
	if got, want := names(reply.Peers[c1]), "site24 site16 site8 sitev6 region carrier other unknown"; got != want {
		t.Errorf("peers %s\nwant  %s", got, want)
	}
}

func TestHandoutShares(t *testing.T) {
	r := newRegistry()
	tell(t, r, t0, at("origin", "as9 far s", "/ip4/200.0.0.1/tcp/1", api.Origin))
	for i := range 20 {
		tell(t, r, t0, at(fmt.Sprint("holder", i), "as8 far s", fmt.Sprintf("/ip4/201.0.0.%d/tcp/1", i), api.Holder))
	}
	for i := range 5 {
		tell(t, r, t0, at(fmt.Sprint("remote", i), fmt.Sprintf("as%d x s", 20+i), fmt.Sprintf("/ip4/202.0.%d.1/tcp/1", i), api.Fetcher))
	}
	for i := range 500 {
		tell(t, r, t0, at(fmt.Sprint("near", i), "as1 north s1", fmt.Sprintf("/ip4/10.1.%d.%d/tcp/1", i/250, i%250), api.Fetcher))
	}
	seen := make(map[string]bool)
	for i := range 100 {
		a := at(fmt.Sprint("near", i), "as1 north s1", fmt.Sprintf("/ip4/10.1.0.%d/tcp/1", i), api.Fetcher)
		a.Full = false
		reply, _ := tell(t, r, t0, a) // cursor 0: everything anew
		peers := reply.Peers[c1]
		counts := make(map[string]int)
		unique := make(map[shoal.NodeID]bool)
		for _, p := range peers {
			counts[p.Carrier]++
			unique[p.ID] = true
			seen[p.Name] = true
			if p.Name == a.Node.Name {
				t.Fatal("a node was handed itself")
			}
		}
		remote := maxPeers - counts["as1"] - counts["as8"] - counts["as9"]
		if len(unique) != maxPeers || counts["as9"] != 1 || counts["as8"] != holderShare || remote == 0 || counts["as1"] < 50-4-12-6 {
			t.Fatalf("handout: %v, %d unique", counts, len(unique))
		}
		if peers[0].Carrier != "as1" {
			t.Fatalf("nearest is %+v", peers[0])
		}
	}
	// Neighbours within one network are drawn at random: 100 handouts of 30
	// from 250 meet every one, but for bad luck of 250·(1-30/250)^100 < 0.001.
	for i := range 250 {
		if name := fmt.Sprint("near", i); !seen[name] {
			t.Errorf("%s was never handed out", name)
		}
	}
}

func TestNews(t *testing.T) {
	r := newRegistry()
	first := announced("first", api.Fetcher, c1)
	reply, _ := tell(t, r, t0, first)
	first.Full, first.Holdings = false, nil
	for i := range fewPeers {
		first.Cursor = reply.Cursor
		_, ticket := tell(t, r, t0, first)
		if due, _ := r.Due(ticket); due {
			t.Fatalf("with %d peers: due without news", i)
		}
		tell(t, r, t0, announced(fmt.Sprint("n", i), api.Fetcher, c1))
		if due, _ := r.Due(ticket); !due {
			t.Fatalf("with %d peers: a new one is no news", i)
		}
		reply, _ = r.Collect(ticket)
		if len(reply.Peers[c1]) != i+1 {
			t.Fatalf("handed %d peers, want %d", len(reply.Peers[c1]), i+1)
		}
	}
	first.Cursor = reply.Cursor
	_, ticket := tell(t, r, t0, first)
	tell(t, r, t0, announced("more", api.Fetcher, c1))
	if due, _ := r.Due(ticket); due {
		t.Errorf("a node with %d peers is told of every new one", fewPeers)
	}
	for _, name := range []string{"n0", "n1"} {
		bye := announced(name, api.Fetcher)
		bye.Leaving = true
		tell(t, r, t0, bye)
	}
	if due, _ := r.Due(ticket); !due {
		t.Error("peers left, there is another one: no news")
	}
	if reply, _ = r.Collect(ticket); len(reply.Peers[c1]) != fewPeers-1 {
		t.Errorf("handed %d of those left, want %d", len(reply.Peers[c1]), fewPeers-1)
	}
	// News is repeated until the node says that it has processed it.
	if again, _ := tell(t, r, t0, first); len(again.Peers[c1]) != fewPeers-1 {
		t.Error("news that was not confirmed is lost")
	}
	first.Cursor = reply.Cursor
	if again, _ := tell(t, r, t0, first); again.Peers != nil {
		t.Error("news that was confirmed is repeated")
	}
	done := *first
	done.Holdings = []api.Holding{holds(c1, api.Holder)}
	_, ticket = tell(t, r, t0, &done)
	tell(t, r, t0, announced("last", api.Fetcher, c1))
	if due, _ := r.Due(ticket); due {
		t.Error("a node that has all of it is told of peers")
	}
}

// TestRandomWalk drives a registry with arbitrary announces and checks that
// its indexes agree with each other at every step.
func TestRandomWalk(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	r := New(rng)
	now := t0
	roles := []api.Role{api.Origin, api.Holder, api.Fetcher, api.Fetcher, api.Fetcher}
	for step := range 1500 {
		now = now.Add(time.Duration(rng.IntN(300)) * time.Millisecond)
		i := rng.IntN(80)
		place := fmt.Sprintf("as%d r%d s%d", rng.IntN(3), rng.IntN(2), rng.IntN(2))
		a := at(fmt.Sprint("n", i), place, fmt.Sprintf("/ip4/10.%d.%d.%d/tcp/1", rng.IntN(2), rng.IntN(2), rng.IntN(9)), api.Fetcher)
		a.Node.ID = shoal.NodeID(fmt.Sprint("id", i, rng.IntN(20)/19)) // at times another node of the name
		a.Session = fmt.Sprint("s", rng.IntN(10)/9)
		a.Full, a.Leaving, a.Cursor = rng.IntN(3) > 0, rng.IntN(20) == 0, rng.Uint64N(20)
		a.Holdings = nil
		for c := range byte(3) {
			switch rng.IntN(3) {
			case 0:
				a.Holdings = append(a.Holdings, holds(shoal.ContentID{c}, roles[rng.IntN(len(roles))]))
			case 1:
				a.Gone = append(a.Gone, shoal.ContentID{c})
			}
		}
		ticket, err := r.Announce(now, a)
		if err == nil {
			r.Collect(ticket)
		}
		if step%10 == 0 {
			r.Sweep(now)
		}
		if msg := inconsistent(r); msg != "" {
			t.Fatalf("step %d: %s", step, msg)
		}
	}
}

// inconsistent describes where the registry's indexes disagree, "" if nowhere.
func inconsistent(r *Registry) string {
	alive, held := 0, 0
	for id, n := range r.nodes {
		if n.alive {
			alive++
		}
		if id != n.info.ID || r.names[n.info.Name] != n {
			return fmt.Sprintf("node %s is not found by its ID and name", id)
		}
		if !n.alive && len(n.holdings)+len(n.news) > 0 {
			return fmt.Sprintf("dead node %s holds something", id)
		}
		for c := range n.news {
			if h := n.holdings[c]; h == nil || h.role != api.Fetcher {
				return fmt.Sprintf("node %s has news of what it doesn't fetch", id)
			}
		}
		for c, h := range n.holdings {
			held++
			s := r.swarms[c]
			if s == nil || !slices.Contains(s.members[h.role].everywhere.nodes, n) {
				return fmt.Sprintf("node %s is not in its swarm", id)
			}
			for ring := range s.members[h.role].rings(n.info.Locality) {
				if !slices.Contains(ring.nodes, n) || !slices.IsSortedFunc(ring.nodes, compareNodes) {
					return fmt.Sprintf("node %s is not in a roster of its locality, or out of order", id)
				}
			}
			for p := range h.given {
				if ph := p.holdings[c]; ph == nil || p == n {
					return fmt.Sprintf("node %s was handed one that is no member", id)
				} else if _, ok := ph.takers[n]; !ok {
					return fmt.Sprintf("node %s is no taker of what it was handed", id)
				}
			}
			for f := range h.takers {
				if fh := f.holdings[c]; fh == nil {
					return fmt.Sprintf("a taker of %s is no member", id)
				} else if _, ok := fh.given[n]; !ok {
					return fmt.Sprintf("a taker of %s was not handed it", id)
				}
			}
			_, hungry := s.hungry[n]
			if want := h.role == api.Fetcher && len(h.given) < fewPeers; hungry != want {
				return fmt.Sprintf("node %s: hungry is %v with %d peers as %s", id, hungry, len(h.given), h.role)
			}
		}
	}
	members := 0
	for c, s := range r.swarms {
		if s.size() == 0 {
			return fmt.Sprintf("swarm %s is empty", c.Short())
		}
		members += s.size()
		for _, m := range s.members {
			grouped := 0
			for i, g := range m.groups {
				grouped += len(g.nodes)
				if g.index != i || m.byGroup[g.place] != g || len(g.nodes) == 0 {
					return "groups are out of step"
				}
			}
			if grouped != m.len() {
				return "groups don't add up to all members"
			}
		}
	}
	if alive != r.alive || members != held || len(r.names) != len(r.nodes) {
		return fmt.Sprintf("%d alive, counted %d; %d members, %d holdings; %d names, %d nodes", r.alive, alive, members, held, len(r.names), len(r.nodes))
	}
	return ""
}

func TestAddrKey(t *testing.T) {
	for _, tt := range []struct {
		addrs []string
		want  string
	}{
		{nil, "invalid IP"},
		{[]string{"/dns/x/tcp/1", "junk", "/ip4/", "/ip4/300.1.1.1/tcp/1"}, "invalid IP"},
		{[]string{"/ip4/127.0.0.1/tcp/1", "/ip6/fe80::1/tcp/1"}, "127.0.0.1"},
		{[]string{"/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.1/udp/1/quic-v1"}, "10.0.0.1"},
		{[]string{"/ip6/::ffff:10.0.0.1/tcp/1"}, "10.0.0.1"},
		{[]string{"/ip6/2001:db8::1%eth0/tcp/1"}, "2001:db8::1"},
	} {
		if got := addrKey(tt.addrs).String(); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.addrs, got, tt.want)
		}
	}
}

// BenchmarkHandout shows that a handout costs the same whatever the swarm's size.
func BenchmarkHandout(b *testing.B) {
	for _, size := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			r := newRegistry()
			for i := range size {
				a := at(fmt.Sprint("n", i), fmt.Sprintf("as%d r%d s%d", i%5, i%7, i%11), fmt.Sprintf("/ip4/10.%d.%d.%d/tcp/1", i%3, i>>8&255, i&255), api.Fetcher)
				ticket, err := r.Announce(t0, a)
				if err != nil {
					b.Fatal(err)
				}
				r.Collect(ticket)
			}
			n := r.names["n0"]
			for b.Loop() {
				r.swarms[c1].handout(n, r)
			}
		})
	}
}
