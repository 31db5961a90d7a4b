package lan

import (
	"errors"
	"maps"
	"net"
	"slices"
	"syscall"
	"testing"
)

// fakeSystem is interfaces by their index, each with the groups that are received there.
type fakeSystem map[int]map[string]bool

// fakeSocket behaves as one of Linux: it remembers memberships of interfaces that are
// gone, and refuses to join again before it has left (ip(7)).
type fakeSocket struct {
	system fakeSystem
	in     map[int]bool
	calls  int
}

func (s *fakeSocket) JoinGroup(ifi *net.Interface, group net.Addr) error {
	s.calls++
	switch there := s.system[ifi.Index]; {
	case there == nil:
		return syscall.ENODEV
	case s.in[ifi.Index]:
		return syscall.EADDRINUSE
	default:
		s.in[ifi.Index], there[group.(*net.UDPAddr).IP.String()] = true, true
	}
	return nil
}

func (s *fakeSocket) LeaveGroup(ifi *net.Interface, group net.Addr) error {
	s.calls++
	if !s.in[ifi.Index] {
		return syscall.EADDRNOTAVAIL
	}
	delete(s.in, ifi.Index)
	if there := s.system[ifi.Index]; there != nil {
		delete(there, group.(*net.UDPAddr).IP.String())
	}
	return nil
}

// plug makes an interface, of which nothing is known yet.
func (s fakeSystem) plug(index int) { s[index] = map[string]bool{"224.0.0.1": true} }

func (s fakeSystem) received(ifi *net.Interface) (out []net.Addr, err error) {
	for ip := range s[ifi.Index] {
		out = append(out, &net.IPAddr{IP: net.ParseIP(ip)})
	}
	return out, nil
}

func TestGroupsFollowInterfaces(t *testing.T) {
	eth, wlan := testLink(2, false, true, "192.0.2.5/24"), testLink(3, false, true, "198.51.100.5/24")
	both := []link{testLink(1, true, false, "127.0.0.1/8"), eth, wlan}
	for _, tt := range []struct {
		name   string
		change func(g *groups, system fakeSystem)
		then   []link
		want   []int // the interfaces on which the group is received
		quiet  bool  // nothing is asked of the system
		renew  bool
	}{
		{"nothing happens", func(*groups, fakeSystem) {}, both, []int{2, 3}, true, false},
		{"one goes", func(g *groups, s fakeSystem) { delete(s, 2) }, both[2:], []int{3}, false, false},
		{"it is taken away, and is back later", func(g *groups, s fakeSystem) {
			delete(s, 2)
			g.follow(both[2:])
			s.plug(2)
		}, both, []int{2, 3}, false, false},
		{"it was away between two looks", func(g *groups, s fakeSystem) { s.plug(2) }, both, []int{2, 3}, false, true},
		{"it cannot join for a while", func(g *groups, s fakeSystem) {
			delete(s, 2)
			g.follow(both[2:])
			g.follow(both)
			s.plug(2)
		}, both, []int{2, 3}, false, false},
		{"it has lost its addresses", func(*groups, fakeSystem) {}, both[2:], []int{3}, false, false},
		{"what is received cannot be told", func(g *groups, _ fakeSystem) {
			g.received = func(*net.Interface) ([]net.Addr, error) { return nil, errors.New("not here") }
		}, both, []int{2, 3}, true, false},
		{"another program receives it too", func(_ *groups, s fakeSystem) {
			s.plug(2)
			s[2][group4.String()] = true
		}, both, []int{2, 3}, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			system := make(fakeSystem)
			system.plug(2)
			system.plug(3)
			socket := &fakeSocket{system, make(map[int]bool), 0}
			g := &groups{seats: []seat{{socket, group4}}, joined: make(map[membership]bool), received: system.received}
			g.follow(both)
			tt.change(g, system)
			socket.calls = 0
			if renewed := g.follow(tt.then); renewed != tt.renew {
				t.Errorf("made anew: %v", renewed)
			}
			if tt.quiet != (socket.calls == 0) {
				t.Errorf("%d calls", socket.calls)
			}
			var got []int
			for index, groups := range system {
				if groups[group4.String()] {
					got = append(got, index)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, tt.want) || !maps.Equal(socket.in, map[int]bool{tt.want[0]: true, tt.want[len(tt.want)-1]: true}) {
				t.Errorf("received on %v, want %v; the socket is a member on %v", got, tt.want, socket.in)
			}
		})
	}
}
