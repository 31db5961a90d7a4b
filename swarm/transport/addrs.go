package transport

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/shoal-cdn/shoal"
)

const (
	maxAnnounce = 8  // addresses that are announced beside those of the interfaces
	maxAddrs    = 32 // that Addrs lists
)

// ipOf is a multiaddr's IP address, the zero Addr where it has none.
func ipOf(a ma.Multiaddr) netip.Addr {
	ip, err := manet.ToIP(a)
	if err != nil {
		return netip.Addr{}
	}
	addr, _ := netip.AddrFromSlice(ip)
	return addr.Unmap()
}

// announced turns what the operator says into multiaddrs of both transports.
func announced(addrs []string, listenPort string) ([]ma.Multiaddr, error) {
	if len(addrs) > maxAnnounce {
		return nil, fmt.Errorf("announce %d addresses: %w: want at most %d", len(addrs), shoal.ErrInvalid, maxAnnounce)
	}
	var out []ma.Multiaddr
	for _, s := range addrs {
		host, port, err := net.SplitHostPort(s)
		if err != nil {
			host, port = s, listenPort
		}
		ip, err := netip.ParseAddr(host)
		number, portErr := strconv.ParseUint(port, 10, 16)
		if err != nil || portErr != nil || number == 0 || ip.Zone() != "" || ip.IsUnspecified() {
			return nil, fmt.Errorf("announce address %.80q: %w: want an IP address, or IP:PORT", s, shoal.ErrInvalid)
		}
		for _, m := range multiaddrs(ip.Unmap(), port) {
			a, err := ma.NewMultiaddr(m)
			if err != nil {
				return nil, fmt.Errorf("announce address %.80q: %w: %w", s, shoal.ErrInvalid, err)
			}
			out = append(out, a)
		}
	}
	return out, nil
}

// multiaddrs are those of both transports.
func multiaddrs(ip netip.Addr, port string) []string {
	family := "ip6"
	if ip.Is4() {
		family = "ip4"
	}
	return []string{
		fmt.Sprintf("/%s/%s/tcp/%s", family, ip, port),
		fmt.Sprintf("/%s/%s/udp/%s/quic-v1", family, ip, port),
	}
}

// advertised adds extra addresses to those of the interfaces; loopback ones are
// left out unless there is no other.
func advertised(interfaces, extra []ma.Multiaddr) []ma.Multiaddr {
	outside := slices.DeleteFunc(slices.Clone(interfaces), manet.IsIPLoopback)
	if len(outside) == 0 && len(extra) == 0 {
		outside = interfaces
	}
	out := slices.Clone(outside[:min(len(outside), maxAddrs-len(extra))])
	for _, a := range extra {
		if !slices.ContainsFunc(out, a.Equal) {
			out = append(out, a)
		}
	}
	return out
}

// networksEvery is how long a look at the interfaces counts: they come and go.
const networksEvery = 5 * time.Second

// networks returns a function that says which networks this machine is in, each
// with the machine's own address; loopback and link-local ones are left out.
func networks() func() []netip.Prefix {
	var (
		mu   sync.Mutex
		when time.Time
		list []netip.Prefix
	)
	return func() []netip.Prefix {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); when.IsZero() || now.Sub(when) >= networksEvery {
			when, list = now, interfaceNetworks()
		}
		return list
	}
}

func interfaceNetworks() []netip.Prefix {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil // addresses are dialled in the order given, then
	}
	var list []netip.Prefix
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		ip, _ := netip.AddrFromSlice(n.IP)
		ip = ip.Unmap()
		if bits, _ := n.Mask.Size(); ip.IsValid() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
			list = append(list, netip.PrefixFrom(ip, bits))
		}
	}
	return list
}

// LocalIP is the address of this side; the unspecified or the zero one where it
// is not known, as on QUIC.
func (s *Stream) LocalIP() netip.Addr { return ipOf(s.s.Conn().LocalMultiaddr()) }
