//go:build linux

package lab

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"github.com/shoal-cdn/shoal"
)

// HostConfig says where a host is attached and how fast its link is.
type HostConfig struct {
	Carrier *Carrier
	Up      shoal.Rate // from the host, bytes/s on the wire; 0: no limit
	Down    shoal.Rate // to the host, likewise
}

// Host is a machine with one interface, eth0. Its methods are safe for
// concurrent use.
type Host struct {
	name    string
	ns      *namespace
	addr    netip.Addr
	carrier *Carrier
	lab     *Lab
	port    string // the bridge's end of the cable
	client  *http.Client

	mu        sync.Mutex // guards the fields below
	up, down  shoal.Rate
	uncounted Counters // what readCounters says beyond what passed
}

// AddHost makes a host. For names see [Lab.AddCarrier].
func (l *Lab) AddHost(name string, cfg HostConfig) (*Host, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := cfg.Carrier
	switch {
	case c == nil || c.lab != l:
		return nil, fmt.Errorf("add host %s: %w: no carrier of this lab", name, shoal.ErrInvalid)
	case cfg.Up < 0 || cfg.Down < 0:
		return nil, fmt.Errorf("add host %s: %w: negative rate", name, shoal.ErrInvalid)
	case c.hosts == maxHosts:
		return nil, fmt.Errorf("add host %s: %w: a carrier has at most %d", name, shoal.ErrInvalid, maxHosts)
	}
	ns, err := l.addNamespace(name)
	if err != nil {
		return nil, fmt.Errorf("add host: %w", err)
	}
	c.hosts++
	h := &Host{
		name:    name,
		ns:      ns,
		addr:    inNetwork(c.network, 1+c.hosts),
		carrier: c,
		lab:     l,
		port:    fmt.Sprintf("p%d", c.hosts),
	}
	h.client = &http.Client{Transport: &http.Transport{DialContext: h.DialContext}}
	if err := h.plugIn(cfg); err != nil {
		return nil, fmt.Errorf("add host %s: %w", name, err)
	}
	return h, nil
}

// plugIn lays the cable to the carrier's bridge.
func (h *Host) plugIn(cfg HostConfig) error {
	sw := h.carrier.ns
	if err := sw.ip(
		fmt.Sprintf("link add %s type veth peer name eth0 netns %s", h.port, h.ns.name),
		fmt.Sprintf("link set dev %s master br0 up", h.port),
	); err != nil {
		return err
	}
	if err := h.ns.ip(
		fmt.Sprintf("addr add %v/%d dev eth0", h.addr, h.carrier.network.Bits()),
		"link set dev eth0 up",
		fmt.Sprintf("route add default via %v", inNetwork(h.carrier.network, 1)),
	); err != nil {
		return err
	}
	return h.setRates(cfg.Up, cfg.Down)
}

// SetRates changes the host's link from now on; 0: no limit. What waits in its
// queues may be lost.
func (h *Host) SetRates(up, down shoal.Rate) error {
	if up < 0 || down < 0 {
		return fmt.Errorf("set rates of host %s: %w: negative rate", h.name, shoal.ErrInvalid)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.setRates(up, down); err != nil {
		return fmt.Errorf("set rates of host %s: %w", h.name, err)
	}
	return nil
}

// Name is the host's name.
func (h *Host) Name() string { return h.name }

// Namespace is the name that ip(8) knows the host's network namespace by.
func (h *Host) Namespace() string { return h.ns.name }

// Addr is the host's IPv4 address.
func (h *Host) Addr() netip.Addr { return h.addr }

// AddrPort is the host's address with a port.
func (h *Host) AddrPort(port uint16) netip.AddrPort { return netip.AddrPortFrom(h.addr, port) }

// Carrier is the carrier that the host is attached to.
func (h *Host) Carrier() *Carrier { return h.carrier }

// DialContext connects from the host, as [net.Dialer.DialContext] does. The address
// must be numeric: there is no name service in a lab.
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if _, err := netip.ParseAddrPort(address); err != nil {
		return nil, fmt.Errorf("dial from host %s: %w: %v", h.name, shoal.ErrInvalid, err)
	}
	var conn net.Conn
	err := h.ns.do(func() (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Listen listens for TCP connections on a port of the host; 0: any free one.
func (h *Host) Listen(ctx context.Context, port uint16) (net.Listener, error) {
	var ln net.Listener
	err := h.ns.do(func() (err error) {
		lc := net.ListenConfig{}
		lc.SetMultipathTCP(false) // plain TCP: what the counters and the rates are about
		ln, err = lc.Listen(ctx, "tcp4", h.AddrPort(port).String())
		return err
	})
	return ln, err
}

// HTTPClient is a client whose connections start at the host. It has no
// timeout but those of the requests' contexts.
func (h *Host) HTTPClient() *http.Client { return h.client }
