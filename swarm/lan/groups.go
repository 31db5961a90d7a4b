package lan

import (
	"net"
	"net/netip"
	"slices"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// groupConn is a socket that can be in multicast groups: an [ipv4.PacketConn] or an
// [ipv6.PacketConn].
type groupConn interface {
	JoinGroup(ifi *net.Interface, group net.Addr) error
	LeaveGroup(ifi *net.Interface, group net.Addr) error
}

// seat is a socket, and the group that it is to be in on every link.
type seat struct {
	conn  groupConn
	group netip.Addr
}

// membership is that of a seat, by its number, on the interface of an index.
type membership struct{ seat, index int }

// groups keeps sockets in their groups while interfaces come and go. It is not safe for
// concurrent use.
type groups struct {
	seats  []seat
	joined map[membership]bool
	// received lists the groups that the system receives on an interface, for whichever
	// program; none where that cannot be told.
	received func(*net.Interface) ([]net.Addr, error)
}

// newGroups seats the sockets that hear, of which some may be nil.
func newGroups(s *sockets) *groups {
	g := &groups{joined: make(map[membership]bool), received: (*net.Interface).MulticastAddrs}
	for _, in := range []struct {
		conn  *net.UDPConn
		group netip.Addr
	}{{s.hear4, group4}, {s.lsd4, lsdGroup4}, {s.hear6, group6}, {s.lsd6, lsdGroup6}} {
		switch {
		case in.conn == nil:
		case in.group.Is4():
			g.seats = append(g.seats, seat{ipv4.NewPacketConn(in.conn), in.group})
		default:
			g.seats = append(g.seats, seat{ipv6.NewPacketConn(in.conn), in.group})
		}
	}
	return g
}

// follow makes the sockets members on these links, and on no others. What a link cannot
// do is tried again the next time. renewed says that an interface was made anew since.
func (g *groups) follow(use []link) (renewed bool) {
	there := make(map[int]bool)
	for _, l := range use {
		if l.loopback || !l.multicast {
			continue
		}
		there[l.index] = true
		ifi := &net.Interface{Index: l.index, Name: l.name}
		lost := g.lost(ifi)
		for i := range g.seats {
			if lost(g.seats[i].group) && g.joined[membership{i, l.index}] {
				g.leave(i, ifi)
				renewed = true
			}
			g.join(i, ifi)
		}
	}
	for m := range g.joined {
		if !there[m.index] {
			g.leave(m.seat, &net.Interface{Index: m.index})
		}
	}
	return renewed
}

func (g *groups) join(i int, ifi *net.Interface) {
	m := membership{i, ifi.Index}
	if !g.joined[m] && g.seats[i].conn.JoinGroup(ifi, udp(g.seats[i].group)) == nil {
		g.joined[m] = true
	}
}

// leave comes before another join, which the system refuses to sockets that were members
// of an interface of the same index, though it is gone. Where leaving fails for that
// reason, they were none.
func (g *groups) leave(i int, ifi *net.Interface) {
	_ = g.seats[i].conn.LeaveGroup(ifi, udp(g.seats[i].group))
	delete(g.joined, membership{i, ifi.Index})
}

// lost tells which groups are surely not received on an interface: not by those who joined
// when another interface had its index.
func (g *groups) lost(ifi *net.Interface) func(netip.Addr) bool {
	addrs, err := g.received(ifi)
	if err != nil || len(addrs) == 0 { // one that is up receives the group of all hosts, at least
		return func(netip.Addr) bool { return false }
	}
	return func(group netip.Addr) bool {
		return !slices.ContainsFunc(addrs, func(a net.Addr) bool {
			ip, ok := a.(*net.IPAddr)
			if !ok {
				return false
			}
			addr, _ := netip.AddrFromSlice(ip.IP)
			return addr.Unmap() == group
		})
	}
}

func udp(ip netip.Addr) *net.UDPAddr { return &net.UDPAddr{IP: ip.AsSlice()} }
