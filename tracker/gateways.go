package tracker

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/shoal-cdn/shoal/tracker/api"
)

// ownGateways divides a node's gateways, since others are sent to them: kept are
// those at an IP address that is one of the node's, by its multiaddrs or as
// the source of its announce. Names are dropped, as whoever owns one can
// point it anywhere at any time. So are addresses that mean another host to each
// who asks: of a link always, of loopback unless the announce came from there.
func ownGateways(n *api.NodeInfo, source netip.Addr) (kept, dropped []string) {
	source = source.Unmap().WithZone("")
	own := map[netip.Addr]bool{source: true}
	for _, a := range n.Addrs {
		parts := strings.SplitN(a, "/", 4) // "", "ip4", address, rest
		if len(parts) < 3 || parts[1] != "ip4" && parts[1] != "ip6" {
			continue
		}
		if ip, err := netip.ParseAddr(parts[2]); err == nil {
			own[ip.Unmap().WithZone("")] = true
		}
	}
	for _, g := range n.Gateway {
		u, err := url.Parse(g)
		if err != nil {
			dropped = append(dropped, g)
			continue
		}
		ip, err := netip.ParseAddr(u.Hostname())
		ip = ip.Unmap().WithZone("")
		unicast := ip.IsGlobalUnicast() || ip.IsLoopback() && source.IsLoopback()
		if err == nil && unicast && own[ip] {
			kept = append(kept, g)
		} else {
			dropped = append(dropped, g)
		}
	}
	return kept, dropped
}
