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
