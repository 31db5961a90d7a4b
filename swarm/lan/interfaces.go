package lan

import (
	"net"
	"net/netip"
	"slices"
)

// link is one of the machine's interfaces.
type link struct {
	index     int
	name      string
	nets      []netip.Prefix // its addresses, not masked, with the length of their networks
	loopback  bool
	multicast bool
}

// maxLinks bounds the interfaces that are used.
const maxLinks = 16

// links lists the interfaces that are up.
func links() ([]link, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var out []link
	for _, ifi := range all {
		if ifi.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := ifi.Addrs()
		if err != nil {
			continue // it has just gone
		}
		l := link{
			index: ifi.Index, name: ifi.Name,
			loopback: ifi.Flags&net.FlagLoopback != 0, multicast: ifi.Flags&net.FlagMulticast != 0,
		}
		for _, a := range addrs {
			if p, ok := prefixOf(a); ok {
				l.nets = append(l.nets, p)
			}
		}
		out = append(out, l)
	}
	return out, nil
}

func prefixOf(a net.Addr) (netip.Prefix, bool) {
	n, ok := a.(*net.IPNet)
	if !ok {
		return netip.Prefix{}, false
	}
	ip, ok := netip.AddrFromSlice(n.IP)
	bits, _ := n.Mask.Size()
	if ip = ip.Unmap(); ok && ip.Is4() && len(n.Mask) == net.IPv6len {
		bits -= 96
	}
	return netip.PrefixFrom(ip, bits), ok && bits >= 0
}

// resolve is where a node that listens on these multiaddrs can be dialled, as many
// as a message can name. A wildcard address stands for those of all links, loopback
// only where there are no others.
func resolve(listen []string, all []link) []endpoint {
	var out []endpoint
	add := func(e endpoint) {
		if e.check() == nil && len(out) < maxEndpoints {
			out = append(out, e)
		}
	}
	for _, a := range listen {
		e, ok := parseMultiaddr(a)
		switch {
		case !ok:
		case e.at.Addr().IsUnspecified():
			for _, ip := range addresses(all, e.at.Addr().Is4()) {
				add(endpoint{e.over, netip.AddrPortFrom(ip, e.at.Port())})
			}
		default:
			add(e)
		}
	}
	return out
}

// addresses lists the links' addresses of a family that others can use: link-local
// ones mean nothing elsewhere.
func addresses(all []link, v4 bool) []netip.Addr {
	var outside, loopback []netip.Addr
	for _, l := range all {
		for _, p := range l.nets {
			ip := p.Addr()
			switch {
			case ip.Is4() != v4 || ip.IsLinkLocalUnicast():
			case l.loopback:
				loopback = append(loopback, ip)
			default:
				outside = append(outside, ip)
			}
		}
	}
	if len(outside) == 0 {
		return loopback
	}
	return outside
}

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

// onLink reports whether an address is on one of the links: a neighbour's, or
// one of this machine.
func onLink(use []link, ip netip.Addr) bool {
	ip = ip.Unmap()
	zone := ip.Zone()
	ip = ip.WithZone("")
	for _, l := range use {
		if zone != "" && zone != l.name {
			continue
		}
		if slices.ContainsFunc(l.nets, func(p netip.Prefix) bool { return p.Masked().Contains(ip) }) {
			return true
		}
	}
	return false
}
