package node

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/nodecert"
	"github.com/shoal-cdn/shoal/netprobe"
	"github.com/shoal-cdn/shoal/node/gateway"
	"github.com/shoal-cdn/shoal/node/library"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// gatewayServer is a gateway together with its addresses.
type gatewayServer struct {
	*gateway.Gateway
	*gateway.Server
}

// openGateway takes the gateway's addresses.
func (n *Node) openGateway(ctx context.Context) error {
	cfg := n.cfg.Gateway
	if cfg.Plain == "" && cfg.TLS == "" {
		return nil
	}
	certs, err := n.certificates()
	if err != nil {
		return err
	}
	log := n.log.With("part", "gateway")
	g := gateway.New(gateway.Config{Library: contents{n.library}, Egress: cmp.Or(cfg.Rate, n.cfg.Up), Log: log})
	g.Mount(netprobe.Endpoint, netprobe.NewHandler(netprobe.HandlerConfig{}))
	n.mountIngest(g)
	s, err := gateway.Listen(ctx, gateway.ServerConfig{
		Handler: g, Plain: cfg.Plain, TLS: cfg.TLS, Certificates: certs,
		ConnContext: netprobe.ConnContext, QUICConnContext: netprobe.QUICConnContext, Log: log,
	})
	if err != nil {
		return err
	}
	n.gateway = &gatewayServer{g, s}
	n.release = append(n.release, s.Close)
	return nil
}

// certificates are what the gateway proves the node's ID with and, for clients
// that ask for one of its names, the operator's.
func (n *Node) certificates() ([]tls.Certificate, error) {
	cfg := n.cfg.Gateway
	if cfg.TLS == "" {
		return nil, nil
	}
	key, err := identity(n.cfg.Data)
	if err != nil {
		return nil, err
	}
	own, err := nodecert.SelfSigned(key)
	if err != nil {
		return nil, err
	}
	certs := []tls.Certificate{own}
	if cfg.Cert != "" {
		c, err := tls.LoadX509KeyPair(cfg.Cert, cfg.Key)
		if err != nil {
			return nil, fmt.Errorf("gateway certificate %s, key %s: %w: %w", cfg.Cert, cfg.Key, shoal.ErrInvalid, err)
		}
		certs = append(certs, c)
	}
	return certs, nil
}

// serveGateway serves it until ctx ends.
func (n *Node) serveGateway(ctx context.Context) error {
	if n.gateway == nil {
		return nil
	}
	return n.gateway.Serve(ctx)
}

// GatewayURLs are the base URLs at which others can reach the gateway, those with
// TLS first; none without a gateway.
func (n *Node) GatewayURLs() []string {
	if n.gateway == nil {
		return nil
	}
	return gatewayURLs(n.gateway.TLSAddr(), n.gateway.PlainAddr(), n.host.Addrs())
}

// gatewayURLs names the listeners by the IP addresses in addrs, which are those
// that peers use.
func gatewayURLs(secure, plain netip.AddrPort, addrs []string) []string {
	outside := ipsOf(addrs)
	var urls []string
	for _, l := range []struct {
		scheme string
		at     netip.AddrPort
	}{{"https", secure}, {"http", plain}} {
		for _, ip := range reachable(l.at, outside) {
			urls = append(urls, l.scheme+"://"+netip.AddrPortFrom(ip, l.at.Port()).String())
		}
	}
	return urls[:min(len(urls), tapi.MaxGateways)]
}

// reachable are the addresses of a listener that others can dial: of a wildcard
// one all of its family, of one on loopback none, unless all that there are are.
func reachable(listener netip.AddrPort, outside []netip.Addr) []netip.Addr {
	ip := listener.Addr()
	switch {
	case !listener.IsValid():
		return nil
	case ip.IsUnspecified():
		return slices.DeleteFunc(slices.Clone(outside), func(a netip.Addr) bool { return ip.Is4() && !a.Is4() })
	case ip.IsLoopback() && !slices.ContainsFunc(outside, netip.Addr.IsLoopback):
		return nil
	}
	return []netip.Addr{ip}
}

// ipsOf are the IP addresses in multiaddrs, each once, IPv4 first.
func ipsOf(multiaddrs []string) []netip.Addr {
	var ips []netip.Addr
	for _, a := range multiaddrs {
		parts := strings.SplitN(a, "/", 4) // "", "ip4", address, rest
		if len(parts) < 3 || parts[1] != "ip4" && parts[1] != "ip6" {
			continue
		}
		ip, err := netip.ParseAddr(parts[2])
		if err == nil && !ip.IsLinkLocalUnicast() && !slices.Contains(ips, ip) {
			ips = append(ips, ip)
		}
	}
	slices.SortStableFunc(ips, func(a, b netip.Addr) int { return cmp.Compare(a.BitLen(), b.BitLen()) })
	return ips
}

// contents is a library as the gateway sees it.
type contents struct{ *library.Library }

// Open implements [gateway.Library].
func (c contents) Open(ctx context.Context, id shoal.ContentID) (gateway.Content, error) {
	r, err := c.Read(ctx, id)
	if err != nil {
		return nil, err // not r: a nil *Reader is no nil Content
	}
	return r, nil
}

// pull says whether a content may be fetched for a reader (library.Config).
func (n *Node) pull(p library.Pull) error {
	most := int64(n.cfg.Gateway.Fetch)
	switch {
	case most == 0:
		return fmt.Errorf("%w: nothing is fetched for readers here", shoal.ErrUnavailable)
	case p.Size > most-p.Pulled:
		return fmt.Errorf("%w: %s for contents fetched for readers are not enough", shoal.ErrUnavailable, n.cfg.Gateway.Fetch)
	}
	free, total, known := diskSpace(n.cfg.Data)
	if known && free-p.Coming-p.Size < total/reserve {
		return fmt.Errorf("%w: less than a tenth of the disk would stay free", shoal.ErrUnavailable)
	}
	return nil
}

// reserve is which part of the disk stays free of what readers had fetched.
const reserve = 10
