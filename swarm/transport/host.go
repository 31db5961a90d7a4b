package transport

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	p2pswarm "github.com/libp2p/go-libp2p/p2p/net/swarm"
	p2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/quic"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/shoal-cdn/shoal"
)

// Config describes a host.
type Config struct {
	Key    []byte // from GenerateKey
	Listen string // host:port for TCP and QUIC; an empty host listens on all addresses; port 0 picks one
	Log    *slog.Logger
}

// Host is a node's presence on the network. It is safe for concurrent use.
type Host struct {
	host host.Host
	log  *slog.Logger
}

// New starts a host. The error is of kind [shoal.ErrInvalid] where Key or
// Listen is unusable.
func New(cfg Config) (*Host, error) {
	key, err := crypto.UnmarshalPrivateKey(cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("identity key: %w: %v", shoal.ErrInvalid, err)
	}
	listen, err := listenAddrs(cfg.Listen)
	if err != nil {
		return nil, err
	}
	if err := canListen(cfg.Listen); err != nil {
		return nil, err
	}
	rm, err := resourceManager()
	if err != nil {
		return nil, err
	}
	h, err := libp2p.New(
		libp2p.Identity(key),
		libp2p.ListenAddrStrings(listen...),
		libp2p.Transport(newTCP),
		libp2p.Transport(libp2pquic.NewTransport),
		libp2p.Security(p2ptls.ID, p2ptls.New),
		libp2p.Muxer(yamux.ID, newMuxer()),
		libp2p.ResourceManager(rm),
		libp2p.SwarmOpts(p2pswarm.WithDialRanker(tcpFirst)),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.Ping(false),
		libp2p.UserAgent("shoal"),
	)
	if err != nil {
		rm.Close()
		return nil, fmt.Errorf("listen on %q: %w", cfg.Listen, err)
	}
	return &Host{host: h, log: cfg.Log}, nil
}

// listenAddrs turns host:port into the multiaddrs of both transports. They
// share a port number; for port 0 a free one is chosen here, once.
func listenAddrs(hostport string) ([]string, error) {
	name, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, fmt.Errorf("listen address %q: %w: %v", hostport, shoal.ErrInvalid, err)
	}
	if name == "" {
		name = "0.0.0.0"
	}
	ips, err := net.LookupIP(name)
	if err != nil || len(ips) == 0 {
		return nil, fmt.Errorf("listen address %q: %w: %v", hostport, shoal.ErrInvalid, err)
	}
	ip, family := ips[0], "ip6"
	if ip.To4() != nil {
		family = "ip4"
	}
	if port == "0" {
		l, err := net.Listen("tcp", net.JoinHostPort(ip.String(), "0"))
		if err != nil {
			return nil, fmt.Errorf("listen address %q: %w", hostport, err)
		}
		_, port, _ = net.SplitHostPort(l.Addr().String())
		l.Close()
	}
	return []string{
		fmt.Sprintf("/%s/%s/tcp/%s", family, ip, port),
		fmt.Sprintf("/%s/%s/udp/%s/quic-v1", family, ip, port),
	}, nil
}

// canListen finds out early, and in the kernel's own words, whether the address
// can be had.
func canListen(hostport string) error {
	l, err := net.Listen("tcp", hostport)
	if err != nil {
		return fmt.Errorf("listen for peers: %w", err)
	}
	return l.Close()
}

// quicDelay is how long dials over TCP have before QUIC is tried.
const quicDelay = 500 * time.Millisecond

// tcpFirst ranks a peer's addresses: all TCP ones at once, then QUIC.
func tcpFirst(addrs []ma.Multiaddr) []network.AddrDelay {
	out := make([]network.AddrDelay, 0, len(addrs))
	for _, a := range addrs {
		d := network.AddrDelay{Addr: a}
		if _, err := a.ValueForProtocol(ma.P_TCP); err != nil {
			d.Delay = quicDelay
		}
		out = append(out, d)
	}
	slices.SortStableFunc(out, func(a, b network.AddrDelay) int { return int(a.Delay - b.Delay) })
	return out
}

// ID is the host's node ID.
func (h *Host) ID() shoal.NodeID { return shoal.NodeID(h.host.ID().String()) }

// Addrs lists the multiaddrs the host can be dialled on, without /p2p. A
// wildcard address is resolved to those of the interfaces; loopback ones are
// left out then, unless there is no other.
func (h *Host) Addrs() []string {
	all := h.host.Addrs()
	outside := slices.DeleteFunc(slices.Clone(all), manet.IsIPLoopback)
	if len(outside) == 0 {
		outside = all
	}
	out := make([]string, len(outside))
	for i, a := range outside {
		out[i] = a.String()
	}
	return out
}

// Handle registers what is done with incoming streams of a protocol. f is
// called in a goroutine of its own and owns the stream.
func (h *Host) Handle(proto string, f func(*Stream)) {
	h.host.SetStreamHandler(protocol.ID(proto), func(s network.Stream) { f(newStream(s, false)) })
}

// Open opens a stream to a peer, dialling it if need be on any of the given
// addresses or those known from before.
func (h *Host) Open(ctx context.Context, id shoal.NodeID, addrs []string, proto string) (*Stream, error) {
	pid, err := peer.Decode(string(id))
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w: %v", id, shoal.ErrInvalid, err)
	}
	for _, a := range addrs {
		m, err := ma.NewMultiaddr(a)
		if err != nil {
			h.log.Debug("skip a peer's address", "peer", id, "addr", a, "err", err)
			continue
		}
		h.host.Peerstore().AddAddr(pid, m, peerstore.TempAddrTTL)
	}
	s, err := h.host.NewStream(ctx, pid, protocol.ID(proto))
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", id.Short(), err)
	}
	return newStream(s, true), nil
}

// PeerAddrs lists the multiaddrs, without /p2p, that a connected peer says it
// can be dialled on, and those it was dialled on.
func (h *Host) PeerAddrs(id shoal.NodeID) []string {
	pid, err := peer.Decode(string(id))
	if err != nil {
		return nil
	}
	var out []string
	for _, a := range h.host.Peerstore().Addrs(pid) {
		out = append(out, a.String())
	}
	return out
}

// Disconnect closes all connections to a peer.
func (h *Host) Disconnect(id shoal.NodeID) {
	if pid, err := peer.Decode(string(id)); err == nil {
		_ = h.host.Network().ClosePeer(pid)
	}
}

// Close ends the host and all its connections.
func (h *Host) Close() error { return h.host.Close() }
