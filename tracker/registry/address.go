package registry

import (
	"cmp"
	"net/netip"
	"strings"
)

// key is the address by which a node is near to others: its first one that
// isn't a loopback or link-local one, else its first, else the zero Addr.
type key = netip.Addr

// prefixes4 and prefixes6 are the common prefixes that tell near from far
// where labels don't, the longest first. Between them addresses count as
// equally far: neighbours in one network should be drawn at random, or each
// node would know just the ones numbered next to it.
var (
	prefixes4 = []int{24, 16, 8, 0}
	prefixes6 = []int{64, 48, 32, 0}
)

func addrKey(multiaddrs []string) key {
	var first key
	for _, m := range multiaddrs {
		a, ok := ipOf(m)
		if !ok {
			continue
		}
		if routed(a) {
			return a
		}
		if !first.IsValid() {
			first = a
		}
	}
	return first
}

// ipOf is the IP address that a multiaddr begins with.
func ipOf(multiaddr string) (ip netip.Addr, ok bool) {
	parts := strings.SplitN(multiaddr, "/", 4) // "", "ip4", address, rest
	if len(parts) < 3 || parts[1] != "ip4" && parts[1] != "ip6" {
		return ip, false
	}
	ip, err := netip.ParseAddr(parts[2])
	return ip.Unmap().WithZone(""), err == nil
}

// routed reports whether an address means the same host to others.
func routed(ip netip.Addr) bool {
	return !ip.IsLoopback() && !ip.IsLinkLocalUnicast() && !ip.IsUnspecified()
}

// prefixLengths returns the common prefixes by which others are near to k.
func prefixLengths(k key) []int {
	switch {
	case k.Is4():
		return prefixes4
	case k.Is6():
		return prefixes6
	}
	return nil
}

// commonPrefix is the longest of prefixLengths that a and b share, -1 if they
// share none, since they are of different families.
func commonPrefix(a, b key) int {
	if a.BitLen() != b.BitLen() {
		return -1
	}
	for _, bits := range prefixLengths(a) {
		if p, err := a.Prefix(bits); err == nil && p.Contains(b) {
			return bits
		}
	}
	return -1
}

func compareNodes(a, b *node) int {
	return cmp.Or(a.key.Compare(b.key), cmp.Compare(a.info.ID, b.info.ID))
}
