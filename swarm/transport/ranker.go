package transport

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	// headStart is how long a dial has before the next address is tried beside it:
	// RFC 8305's connection attempt delay. One that fails is followed at once.
	headStart = 250 * time.Millisecond
	// quicDelay is how long dials over TCP have before QUIC is tried: on a full thin line, or on
	// a busy machine, it takes seconds to connect to many at a time, and QUIC, where it wins,
	// costs several times the CPU time for as long as the connection lasts. Where only QUIC gets
	// through, it must do so before node/supply takes the peers for unreachable, after 3 s, and
	// with half of the 5 s left that swarm/dht gives a dial.
	quicDelay = 2500 * time.Millisecond
	// maxSteps bounds the delays of one transport: what is left is tried together.
	maxSteps = 4
)

// ranker says which of a peer's addresses are dialled when: those in networks
// that this machine is itself in, private ones first, since such a path leaves by
// the link that is nearest and costs nothing; then the others in the order in
// which they were given; TCP before QUIC. It is safe for concurrent use.
type ranker struct {
	networks func() []netip.Prefix // of this machine's interfaces, each with the machine's own address

	mu    sync.Mutex
	given map[string]*given // by multiaddr; of the dials under way
}

// given is an address in the order that a caller gave.
type given struct {
	place int
	dials int // that gave it
}

func newRanker(networks func() []netip.Prefix) *ranker {
	return &ranker{networks: networks, given: make(map[string]*given)}
}

// prefer makes the order of addrs count until the returned function is called.
// Where two dials give the same address its better place counts.
func (r *ranker) prefer(addrs []ma.Multiaddr) (done func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, a := range addrs {
		g := r.given[string(a.Bytes())]
		if g == nil {
			g = &given{place: i}
			r.given[string(a.Bytes())] = g
		}
		g.place = min(g.place, i)
		g.dials++
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, a := range addrs {
			if g := r.given[string(a.Bytes())]; g.dials == 1 {
				delete(r.given, string(a.Bytes()))
			} else {
				g.dials--
			}
		}
	}
}

// rank implements [network.DialRanker].
func (r *ranker) rank(addrs []ma.Multiaddr) []network.AddrDelay {
	networks := r.networks()
	places := make(map[string]int, len(addrs))
	r.mu.Lock()
	for _, a := range addrs {
		places[string(a.Bytes())] = r.place(a, networks)
	}
	r.mu.Unlock()
	byPlace := func(a, b ma.Multiaddr) int {
		return cmp.Compare(places[string(a.Bytes())], places[string(b.Bytes())])
	}
	out := make([]network.AddrDelay, 0, len(addrs))
	var begin time.Duration
	for _, tcp := range []bool{true, false} {
		list := slices.DeleteFunc(slices.Clone(addrs), func(a ma.Multiaddr) bool { return isTCP(a) != tcp })
		slices.SortStableFunc(list, byPlace)
		step := 0
		for i, a := range list {
			if i > 0 && byPlace(list[i-1], a) != 0 {
				step = min(step+1, maxSteps-1)
			}
			out = append(out, network.AddrDelay{Addr: a, Delay: begin + time.Duration(step)*headStart})
		}
		if len(list) > 0 {
			begin += time.Duration(step)*headStart + quicDelay
		}
	}
	return out
}

// place is where an address comes among its peer's; mu is held.
func (r *ranker) place(a ma.Multiaddr, networks []netip.Prefix) int {
	ip := ipOf(a)
	for _, p := range networks {
		switch {
		case ip == p.Addr():
		case p.Contains(ip) && ip.IsPrivate():
			return -2
		case p.Contains(ip):
			return -1
		}
	}
	if g := r.given[string(a.Bytes())]; g != nil {
		return g.place
	}
	return math.MaxInt
}

func isTCP(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_TCP)
	return err == nil
}
