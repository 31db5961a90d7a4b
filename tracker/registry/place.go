package registry

import (
	"net/netip"
	"slices"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// placesOf are the localities that a node counts as a member of: its own, and
// those of its addresses in other carriers, each carrier once.
func placesOf(info *api.NodeInfo) []shoal.Locality {
	places := []shoal.Locality{info.Locality}
	for _, h := range info.Place.Homes {
		if h.Carrier != "" && !slices.ContainsFunc(places, func(l shoal.Locality) bool { return l.Carrier == h.Carrier }) {
			places = append(places, h.Locality)
		}
	}
	return places
}

// samePlace reports whether a node is found by the same localities and addresses.
func samePlace(a, b *api.NodeInfo) bool {
	return a.Locality == b.Locality && a.Place.Source == b.Place.Source && slices.Equal(a.Place.Homes, b.Place.Homes)
}

// nearest is how near two nodes are, by whichever places of theirs are nearest,
// and that place of o's.
func (n *node) nearest(o *node) (shoal.Nearness, shoal.Locality) {
	best, at := n.info.Nearness(o.info.Locality), o.info.Locality
	if len(n.places) == 1 && len(o.places) == 1 {
		return best, at
	}
	for _, a := range n.places {
		for _, b := range o.places {
			if d := a.Nearness(b); d < best {
				best, at = d, b
			}
		}
	}
	return best, at
}

// distance orders nodes by how near they are to n: by [shoal.Locality.Nearness],
// then by the longest prefix that an address of each has in common.
func distance(n, o *node) int {
	const beyond = 129 // more than any prefix
	near, _ := n.nearest(o)
	common := commonPrefix(n.key, o.key)
	for _, a := range n.addrs {
		for _, b := range o.addrs {
			// The same address twice is that of a bridge that every machine has.
			if routed(a.ip) && a.ip != b.ip && a.ip.IsPrivate() == b.ip.IsPrivate() && (!a.ip.IsPrivate() || mayBeLAN(n, o)) {
				common = max(common, commonPrefix(a.ip, b.ip))
			}
		}
	}
	return int(near)*(beyond+1) + beyond - 1 - common
}

// IPs are the routed IP addresses in multiaddrs, each once, in their order.
func IPs(multiaddrs []string) []netip.Addr {
	var list []netip.Addr
	for _, m := range multiaddrs {
		if ip, ok := ipOf(m); ok && routed(ip) && !slices.Contains(list, ip) {
			list = append(list, ip)
		}
	}
	return list
}

// At returns a live node that has an IP address, of several the first by name.
// It costs a look at every node.
func (r *Registry) At(ip netip.Addr) (api.NodeInfo, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found *node
	for _, n := range r.nodes {
		if n.alive && routed(ip) && slices.ContainsFunc(n.addrs, func(a address) bool { return a.ip == ip }) &&
			(found == nil || n.info.Name < found.info.Name) {
			found = n
		}
	}
	if found == nil {
		return api.NodeInfo{}, false
	}
	return found.info, true
}
