package upload

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

// addrsEvery is how often a session looks whether this machine still has the addresses that
// its connections come from.
const addrsEvery = time.Second

// errMoved ends the requests of connections that can get no answer any more: TCP itself would
// find that out after many seconds.
var errMoved = errors.New("this machine has another address now")

// localAddrs are this machine's addresses; nil where they cannot be told.
func localAddrs() map[netip.Addr]bool {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	addrs := map[netip.Addr]bool{}
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			addrs[p.Addr().Unmap()] = true
		}
	}
	return addrs
}

// checkAddrs ends what is under way over connections from an address that this machine has
// no more. QUIC's move by themselves (RFC 9000 §9).
func (s *session) checkAddrs() {
	addrs := localAddrs()
	if addrs == nil {
		return
	}
	gone := func(c *client) bool {
		from := c.from.Load()
		return from != nil && !addrs[*from] && c.from.CompareAndSwap(from, nil)
	}
	if gone(s.control) {
		s.control.reset()
	}
	for _, l := range s.allLanes() {
		if gone(l.client) {
			l.abandon(errMoved)
		}
	}
}
