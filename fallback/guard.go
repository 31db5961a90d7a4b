package fallback

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"syscall"

	"github.com/shoal-cdn/shoal"
)

// Guard keeps connections away from addresses that are not public, whatever
// name they were reached by: this host, its links, private and shared networks,
// and the ranges that IANA reserved (RFC 6890). It looks at the address that is
// dialled, after names were resolved, so that neither redirects nor a name
// server can lead around it. The zero value allows public unicast only.
type Guard struct {
	// Allow lists the networks that the operator permits none the less.
	Allow []netip.Prefix
	// Private allows private and shared networks and those for benchmarks, where
	// nodes may well be; this host and its links it does not.
	Private bool
}

// CheckURL says why u cannot be fetched from, whatever it leads to. The error
// is of kind [shoal.ErrInvalid] and does not repeat u.
func CheckURL(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%w: the URL is neither http:// nor https://", shoal.ErrInvalid)
	case u.User != nil:
		return fmt.Errorf("%w: the URL has a user name", shoal.ErrInvalid)
	case u.Hostname() == "":
		return fmt.Errorf("%w: the URL has no host", shoal.ErrInvalid)
	}
	return nil
}

// errRefused marks what a guard refuses.
var errRefused = errors.New("not an address to connect to, unless the operator allows it")

// Check says why addr may not be connected to; the error is of kind
// [shoal.ErrInvalid]. A nil guard allows everything.
func (g *Guard) Check(addr netip.Addr) error {
	if g == nil {
		return nil
	}
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return fmt.Errorf("%w: no address", shoal.ErrInvalid)
	}
	if within(g.Allow, addr) {
		return nil
	}
	if v4, ok := translated(addr); ok {
		return g.Check(v4)
	}
	if !public(addr) && !(g.Private && within(private, addr)) {
		return fmt.Errorf("address %s: %w: %w", addr, shoal.ErrInvalid, errRefused)
	}
	return nil
}

// control is a [net.Dialer]'s Control.
func (g *Guard) control(_, address string, _ syscall.RawConn) error {
	if g == nil {
		return nil
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %w", shoal.ErrInvalid, errRefused)
	}
	return g.Check(ap.Addr())
}

// translated is the IPv4 address that packets to an IPv6 one end up at: NAT64
// (RFC 6052, the well-known prefix) and 6to4 (RFC 3056).
func translated(a netip.Addr) (netip.Addr, bool) {
	b := a.As16()
	switch {
	case !a.Is6():
	case nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:])), true
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}

func public(a netip.Addr) bool {
	if a.Is6() && !globalUnicast6.Contains(a) {
		return false
	}
	return !within(reserved, a)
}

func within(networks []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
}

var (
	nat64          = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour      = netip.MustParsePrefix("2002::/16")
	globalUnicast6 = netip.MustParsePrefix("2000::/3")
)

// reserved are the special-purpose networks of IPv4, and those of IPv6 within
// the global unicast range.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("10.0.0.0/8"),      // private
	netip.MustParsePrefix("100.64.0.0/10"),   // shared by a carrier's customers
	netip.MustParsePrefix("127.0.0.0/8"),     // this host
	netip.MustParsePrefix("169.254.0.0/16"),  // the link; clouds answer there with secrets
	netip.MustParsePrefix("172.16.0.0/12"),   // private
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.88.99.0/24"),  // relays of 6to4
	netip.MustParsePrefix("192.168.0.0/16"),  // private
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("224.0.0.0/4"),     // multicast
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, broadcast
	netip.MustParsePrefix("2001::/23"),       // protocol assignments, Teredo
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("3fff::/20"),       // documentation
}

// private are the networks that [Guard.Private] allows.
var private = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), // RFC 1918, this and the next two
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"), // shared by a carrier's customers (RFC 6598)
	netip.MustParsePrefix("198.18.0.0/15"), // benchmarks (RFC 2544)
	netip.MustParsePrefix("fc00::/7"),      // unique local (RFC 4193)
}
