package registry

import (
	"cmp"
	"math"
	"net/netip"
	"net/url"
	"slices"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// maxAddrs bounds how many addresses of a node are compared with another's.
const maxAddrs = 16

// address is one IP address of a node, and the multiaddrs that it is in.
type address struct {
	ip   netip.Addr
	via  []string
	home shoal.Locality // where it is, if that is known
}

// addresses groups a node's multiaddrs by their IP address, in their order.
// Those without one, or beyond maxAddrs, are the rest. Places are told by homes,
// and for all others by at.
func addresses(multiaddrs []string, at shoal.Locality, homes []api.Home) (list []address, rest []string) {
	for _, m := range multiaddrs {
		ip, ok := ipOf(m)
		i := slices.IndexFunc(list, func(a address) bool { return a.ip == ip })
		switch {
		case !ok || i < 0 && len(list) == maxAddrs:
			rest = append(rest, m)
		case i < 0:
			a := address{ip: ip, via: []string{m}, home: at}
			if h := slices.IndexFunc(homes, func(h api.Home) bool { return h.Addr == ip }); h >= 0 {
				a.home = homes[h].Locality
			}
			list = append(list, a)
		default:
			list[i].via = append(list[i].via, m)
		}
	}
	return list, rest
}

// addrsFor are o's multiaddrs in the order in which n should dial them: those
// inside a LAN of both, those in a carrier of n's, others, and private ones that
// n is not likely to reach.
func (n *node) addrsFor(o *node) []string {
	if len(o.addrs) < 2 {
		return o.info.Addrs
	}
	type ranked struct {
		address
		rank int
	}
	list := make([]ranked, len(o.addrs))
	for i, a := range o.addrs {
		list[i] = ranked{a, n.rank(o, a)}
	}
	slices.SortStableFunc(list, func(a, b ranked) int { return cmp.Compare(a.rank, b.rank) })
	out := make([]string, 0, len(o.info.Addrs))
	for _, r := range list {
		out = append(out, r.via...)
	}
	return append(out, o.rest...)
}

// gatewaysFor are the base URLs of o's gateway in the order in which n should try
// them: those with TLS first, and of each kind as [node.addrsFor] has it.
func (n *node) gatewaysFor(o *node) []string {
	if len(o.info.Gateway) < 2 || len(o.addrs) < 2 {
		return o.info.Gateway
	}
	rank := func(u string) int {
		parsed, err := url.Parse(u)
		if err != nil {
			return math.MaxInt
		}
		ip, _ := netip.ParseAddr(parsed.Hostname())
		i := slices.IndexFunc(o.addrs, func(a address) bool { return a.ip == ip.Unmap().WithZone("") })
		switch {
		case i < 0:
			return math.MaxInt
		case parsed.Scheme == "https":
			return n.rank(o, o.addrs[i])
		}
		return ranks + n.rank(o, o.addrs[i])
	}
	byRank := make(map[string]int, len(o.info.Gateway))
	for _, u := range o.info.Gateway {
		byRank[u] = rank(u)
	}
	urls := slices.Clone(o.info.Gateway)
	slices.SortStableFunc(urls, func(a, b string) int { return cmp.Compare(byRank[a], byRank[b]) })
	return urls
}

// Ranks of an address for a node that dials it; those between near and unknown
// are by [shoal.Nearness].
const (
	shared  = 0                           // in a private network of both
	near    = 1                           // in a place that is near
	unknown = near + int(shoal.Elsewhere) // its carrier is
	foreign = unknown + 1
	inside  = foreign + 1 // of somebody else's private network
	ranks   = inside + 1
)

// rank is how good an address of o's is for n; the smaller, the better.
func (n *node) rank(o *node, a address) int {
	if a.ip.IsPrivate() {
		if n.sharesLAN(o, a.ip) {
			return shared
		}
		return inside
	}
	best := shoal.Elsewhere
	for _, l := range n.places {
		best = min(best, l.Nearness(a.home))
	}
	switch {
	case best < shoal.Elsewhere:
		return near + int(best)
	case a.home.Carrier == "":
		return unknown
	}
	return foreign
}

// sharesLAN reports whether n is in the network that a private address of o's is
// of: in its site, or behind a like address with nothing that speaks against it.
func (n *node) sharesLAN(o *node, ip netip.Addr) bool {
	if d, _ := n.nearest(o); d == shoal.SameSite {
		return true
	}
	return mayBeLAN(n, o) && slices.ContainsFunc(n.addrs, func(a address) bool {
		return a.ip != ip && a.ip.IsPrivate() && commonPrefix(a.ip, ip) == prefixLengths(ip)[0]
	})
}

// mayBeLAN reports whether nothing is known that speaks against two nodes being
// in one private network: other sites or carriers, or public addresses in other
// networks from which they reach the tracker.
func mayBeLAN(n, o *node) bool {
	a, b := n.info.Locality, o.info.Locality
	if a.Site != "" && b.Site != "" && a.Nearness(b) != shoal.SameSite || a.CrossCarrier(b) {
		return false
	}
	x, y := n.info.Place.Source, o.info.Place.Source
	public := func(ip netip.Addr) bool { return ip.IsGlobalUnicast() && !ip.IsPrivate() }
	return !public(x) || !public(y) || x.BitLen() != y.BitLen() || commonPrefix(x, y) == prefixLengths(x)[0]
}
