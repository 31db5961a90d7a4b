//go:build linux

package lab

import (
	"fmt"
	"net/netip"

	"github.com/shoal-cdn/shoal"
)

// Carrier is a bridge with a router.
type Carrier struct {
	name    string
	lab     *Lab
	ns      *namespace
	network netip.Prefix
	hosts   int // guarded by lab.mu, as is lines
	lines   int
}

// AddCarrier makes a carrier. Names are unique among carriers and hosts:
// lower-case letters, digits and dashes.
func (l *Lab) AddCarrier(name string) (*Carrier, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.carriers == maxCarriers {
		return nil, fmt.Errorf("add carrier %s: %w: a lab has at most %d", name, shoal.ErrInvalid, maxCarriers)
	}
	ns, err := l.addNamespace(name)
	if err != nil {
		return nil, fmt.Errorf("add carrier: %w", err)
	}
	l.carriers++
	c := &Carrier{name: name, lab: l, ns: ns, network: network(l.carriers)}
	err = ns.ip(
		"link add br0 type bridge mcast_snooping 0",
		fmt.Sprintf("addr add %v/%d dev br0", inNetwork(c.network, 1), c.network.Bits()),
		"link set br0 up",
	)
	if err == nil {
		err = ns.do(func() error { return sysctl("ipv4/ip_forward", "1") })
	}
	if err != nil {
		return nil, fmt.Errorf("add carrier %s: %w", name, err)
	}
	return c, nil
}

// Name is the carrier's name.
func (c *Carrier) Name() string { return c.name }

// Network is the carrier's address range.
func (c *Carrier) Network() netip.Prefix { return c.network }
