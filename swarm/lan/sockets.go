package lan

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// sockets are what a service sends and hears with. Those that hear are shared with
// other processes of the machine, and get what is sent to all; those that talk are
// its own, and so get what is sent to it. IPv6 ones are nil where there is no IPv6,
// and those of BEP 14 where another program has the port for itself.
type sockets struct {
	talk4, hear4, lsd4 *net.UDPConn
	talk6, hear6, lsd6 *net.UDPConn
	groups             *groups
}

func openSockets(port uint16) (s *sockets, err error) {
	s = new(sockets)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.hear4, err = listen("udp4", port, true); err != nil {
		return s, err
	}
	if s.talk4, err = listen("udp4", 0, false); err != nil {
		return s, err
	}
	p := ipv4.NewPacketConn(s.talk4)
	if err := errors.Join(p.SetTTL(1), p.SetMulticastTTL(1), p.SetMulticastLoopback(true)); err != nil {
		return s, fmt.Errorf("keep packets on the link: %w", err)
	}
	s.lsd4, _ = listen("udp4", lsdPort, true)
	s.open6(port)
	s.groups = newGroups(s)
	return s, nil
}

// open6 does without IPv6 where any of it fails.
func (s *sockets) open6(port uint16) {
	talk, err := listen("udp6", 0, false)
	if err != nil {
		return
	}
	p := ipv6.NewPacketConn(talk)
	if errors.Join(p.SetHopLimit(1), p.SetMulticastHopLimit(1), p.SetMulticastLoopback(true)) != nil {
		talk.Close()
		return
	}
	s.talk6 = talk
	s.hear6, _ = listen("udp6", port, true)
	s.lsd6, _ = listen("udp6", lsdPort, true)
}

func listen(network string, port uint16, shared bool) (*net.UDPConn, error) {
	var lc net.ListenConfig
	if shared {
		lc.Control = reuse
	}
	c, err := lc.ListenPacket(never, network, ":"+strconv.Itoa(int(port)))
	if err != nil {
		return nil, err
	}
	return c.(*net.UDPConn), nil
}

func (s *sockets) all() []*net.UDPConn {
	var out []*net.UDPConn
	for _, c := range []*net.UDPConn{s.talk4, s.hear4, s.lsd4, s.talk6, s.hear6, s.lsd6} {
		if c != nil {
			out = append(out, c)
		}
	}
	return out
}

func (s *sockets) close() error {
	var errs []error
	for _, c := range s.all() {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// sendAll sends out of one interface.
func (s *sockets) sendAll(b []byte, t target) error {
	dst := net.UDPAddrFromAddrPort(t.to)
	if t.to.Addr().Is4() {
		_, err := ipv4.NewPacketConn(s.talk4).WriteTo(b, &ipv4.ControlMessage{Src: t.from.AsSlice(), IfIndex: t.link}, dst)
		return err
	}
	if s.talk6 == nil {
		return nil
	}
	_, err := ipv6.NewPacketConn(s.talk6).WriteTo(b, &ipv6.ControlMessage{IfIndex: t.link}, dst)
	return err
}

// send sends to one node.
func (s *sockets) send(b []byte, to netip.AddrPort) error {
	conn := s.talk6
	if to.Addr().Is4() {
		conn = s.talk4
	}
	if conn == nil {
		return nil
	}
	_, err := conn.WriteToUDPAddrPort(b, to)
	return err
}
