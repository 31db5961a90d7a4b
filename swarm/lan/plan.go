package lan

import (
	"net/netip"
	"slices"
)

// target is where, and how, a message to all is sent.
type target struct {
	link int            // interface index
	from netip.Addr     // IPv4: the address to send from
	to   netip.AddrPort // a broadcast address or a group
}

// The groups; see the package comment.
var (
	group4 = netip.MustParseAddr("239.255.70.75")
	group6 = netip.MustParseAddr("ff12::7368:6f61:6c")
)

// usable is the links that a node can be reached on: those that have one of its
// addresses. One that listens on loopback alone looks no further.
func usable(all []link, own []endpoint) []link {
	var out []link
	for _, l := range all {
		reachable := slices.ContainsFunc(own, func(e endpoint) bool {
			return slices.ContainsFunc(l.nets, func(p netip.Prefix) bool { return p.Addr() == e.at.Addr() })
		})
		if reachable && len(out) < maxLinks {
			out = append(out, l)
		}
	}
	return out
}

// plan lists where a message to all is sent.
func plan(use []link, port uint16) []target {
	var out []target
	for _, l := range use {
		first4 := netip.Addr{}
		has6 := false
		for _, p := range l.nets {
			if !p.Addr().Is4() {
				has6 = true
				continue
			}
			if !first4.IsValid() {
				first4 = p.Addr()
			}
			if b, ok := broadcast(p); ok {
				out = append(out, target{l.index, p.Addr(), netip.AddrPortFrom(b, port)})
			}
		}
		if l.loopback || !l.multicast {
			continue
		}
		if first4.IsValid() {
			out = append(out, target{l.index, first4, netip.AddrPortFrom(group4, port)})
		}
		if has6 {
			out = append(out, target{l.index, netip.Addr{}, netip.AddrPortFrom(group6, port)})
		}
	}
	return out
}

// broadcast is the broadcast address of an IPv4 network; networks of two
// addresses (RFC 3021) and of one have none.
func broadcast(p netip.Prefix) (netip.Addr, bool) {
	if !p.Addr().Is4() || p.Bits() > 30 {
		return netip.Addr{}, false
	}
	b := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b), true
}
