package lan

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// over is how a node is dialled.
type over byte

const (
	tcp  over = 1
	quic over = 2 // QUIC v1 on UDP
)

// endpoint is where a node can be dialled.
type endpoint struct {
	over over
	at   netip.AddrPort
}

// String is the endpoint as a multiaddr without /p2p.
func (e endpoint) String() string {
	family := "ip6"
	if e.at.Addr().Is4() {
		family = "ip4"
	}
	if e.over == quic {
		return fmt.Sprintf("/%s/%v/udp/%d/quic-v1", family, e.at.Addr(), e.at.Port())
	}
	return fmt.Sprintf("/%s/%v/tcp/%d", family, e.at.Addr(), e.at.Port())
}

// endpointOf reads a multiaddr; not ok where it is none that a message can name.
func endpointOf(multiaddr string) (e endpoint, ok bool) {
	e, ok = parseMultiaddr(multiaddr)
	return e, ok && e.check() == nil
}

// parseMultiaddr reads a multiaddr, that of a wildcard address too.
func parseMultiaddr(multiaddr string) (e endpoint, ok bool) {
	parts := strings.Split(multiaddr, "/") // "", family, IP, transport, port, …
	if len(parts) < 5 || parts[0] != "" || parts[1] != "ip4" && parts[1] != "ip6" {
		return e, false
	}
	switch strings.Join(slices.Concat(parts[3:4], parts[5:]), "/") {
	case "tcp":
		e.over = tcp
	case "udp/quic-v1":
		e.over = quic
	default:
		return e, false
	}
	ip, err := netip.ParseAddr(parts[2])
	if err != nil {
		return e, false
	}
	port, err := strconv.ParseUint(parts[4], 10, 16)
	e.at = netip.AddrPortFrom(ip.Unmap(), uint16(port))
	return e, err == nil
}

func (e endpoint) check() error {
	ip := e.at.Addr()
	switch {
	case e.over != tcp && e.over != quic:
		return fmt.Errorf("transport %d", e.over)
	case !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast() || ip.Is4In6() || ip.Zone() != "":
		return fmt.Errorf("address %v", ip)
	case e.at.Port() == 0:
		return errors.New("port 0")
	}
	return nil
}

func (e endpoint) append(b []byte) []byte {
	version := byte(6)
	if e.at.Addr().Is4() {
		version = 4
	}
	b = append(b, byte(e.over), version)
	b = append(b, e.at.Addr().AsSlice()...)
	return binary.BigEndian.AppendUint16(b, e.at.Port())
}

func parseEndpoint(b []byte) (e endpoint, rest []byte, err error) {
	cut := errors.New("an address is cut off")
	if len(b) < 2 {
		return e, nil, cut
	}
	n := 0
	switch b[1] {
	case 4:
		n = 4
	case 6:
		n = 16
	default:
		return e, nil, fmt.Errorf("address of family %d", b[1])
	}
	e.over = over(b[0])
	if b = b[2:]; len(b) < n+2 {
		return e, nil, cut
	}
	ip, _ := netip.AddrFromSlice(b[:n])
	e.at = netip.AddrPortFrom(ip, binary.BigEndian.Uint16(b[n:]))
	return e, b[n+2:], e.check()
}
