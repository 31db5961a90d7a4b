package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
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
	multistream "github.com/multiformats/go-multistream"

	"github.com/shoal-cdn/shoal"
)

// Config describes a host.
type Config struct {
	Key    []byte // from GenerateKey
	Listen string // host:port for TCP and QUIC; an empty host listens on all addresses; port 0 picks one
	Log    *slog.Logger

	// Announce are further addresses at which peers reach the host, IP:PORT or an
	// IP with the port of Listen: those of an address translation before it.
	Announce []string
}

// Host is a node's presence on the network. It is safe for concurrent use.
type Host struct {
	host   host.Host
	ranker *ranker
	keeper *keeper
	extra  []ma.Multiaddr // Config.Announce
	log    *slog.Logger
}

// New starts a host. The error is of kind [shoal.ErrInvalid] where Key, Listen or
// Announce is unusable, and wraps the kernel's where the address cannot be had.
func New(cfg Config) (*Host, error) {
	return untilListening(func() (*Host, error) {
		manager, err := connManager(idleConns, trimConns)
		if err != nil {
			return nil, err
		}
		h, err := open(cfg, manager)
		if err != nil {
			return nil, errors.Join(err, manager.Close())
		}
		return h, nil
	})
}

// open starts a host, which closes manager with itself.
func open(cfg Config, manager connmgr.ConnManager) (*Host, error) {
	key, err := crypto.UnmarshalPrivateKey(cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("identity key: %w: %v", shoal.ErrInvalid, err)
	}
	ip, port, err := findPort(cfg.Listen)
	if err != nil {
		return nil, err
	}
	listen := multiaddrs(ip, port)
	extra, err := announced(cfg.Announce, port)
	if err != nil {
		return nil, err
	}
	rm, err := resourceManager()
	if err != nil {
		return nil, err
	}
	ranker := newRanker(networks())
	h, err := libp2p.New(
		libp2p.Identity(key),
		libp2p.ListenAddrStrings(listen...),
		libp2p.Transport(newTCP),
		libp2p.Transport(libp2pquic.NewTransport),
		libp2p.Security(p2ptls.ID, newTLS),
		libp2p.Muxer(yamux.ID, newMuxer()),
		libp2p.ResourceManager(rm),
		libp2p.ConnectionManager(manager),
		libp2p.SwarmOpts(p2pswarm.WithDialRanker(ranker.rank)),
		libp2p.AddrsFactory(func(own []ma.Multiaddr) []ma.Multiaddr { return advertised(own, extra) }),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.Ping(false),
		libp2p.UserAgent("shoal"),
	)
	if err != nil {
		rm.Close()
		return nil, notListening(ip, port, nil, err)
	}
	if up := h.Network().ListenAddresses(); len(up) < len(listen) { // libp2p is content with one
		err := h.Close()
		return nil, notListening(ip, port, up, err)
	}
	return &Host{host: h, ranker: ranker, keeper: newKeeper(manager), extra: extra, log: cfg.Log}, nil
}

// ID is the host's node ID.
func (h *Host) ID() shoal.NodeID { return shoal.NodeID(h.host.ID().String()) }

// Addrs lists the multiaddrs the host can be dialled on, without /p2p, at most
// 32. A wildcard address is resolved to those of the interfaces; loopback ones are
// left out then, unless there is no other. Those of Config.Announce come last.
func (h *Host) Addrs() []string {
	all := h.host.Addrs() // in an order of libp2p's
	isExtra := func(a ma.Multiaddr) int {
		if slices.ContainsFunc(h.extra, a.Equal) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(all, func(a, b ma.Multiaddr) int { return isExtra(a) - isExtra(b) })
	out := make([]string, len(all))
	for i, a := range all {
		out[i] = a.String()
	}
	return out
}

// Handle registers what is done with incoming streams of a protocol. f is
// called in a goroutine of its own and owns the stream.
func (h *Host) Handle(proto string, f func(*Stream)) {
	h.host.SetStreamHandler(protocol.ID(proto), func(s network.Stream) { f(h.newStream(s, false)) })
}

// Open opens a stream to a peer, dialling it if need be on the given addresses,
// the best first, or those known from before. A peer that does not speak the protocol
// shows by an error of the first Read.
func (h *Host) Open(ctx context.Context, id shoal.NodeID, addrs []string, proto string) (*Stream, error) {
	pid, err := peer.Decode(string(id))
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w: %v", id, shoal.ErrInvalid, err)
	}
	if h.host.Network().Connectedness(pid) == network.Connected {
		addrs = nil // it has said itself where it is, and PeerAddrs is to tell just that
	}
	given := make([]ma.Multiaddr, 0, len(addrs))
	for _, a := range addrs {
		m, err := ma.NewMultiaddr(a)
		if err != nil {
			h.log.Debug("skip a peer's address", "peer", id, "addr", a, "err", err)
			continue
		}
		given = append(given, m)
	}
	h.host.Peerstore().AddAddrs(pid, given, peerstore.TempAddrTTL)
	defer h.ranker.prefer(given)()
	// Not the host's own way, which waits until the peer has told what protocols it
	// speaks: a round trip on a new connection.
	s, err := h.host.Network().NewStream(ctx, pid)
	if err == nil {
		if err = s.SetProtocol(protocol.ID(proto)); err != nil {
			_ = s.Reset()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", id.Short(), err)
	}
	return h.newStream(negotiated{s, multistream.NewMSSelect(s, protocol.ID(proto))}, true), nil
}

// negotiated is a stream that says which protocol it is for with the first bytes
// written, and learns with the first ones read whether the peer speaks that.
type negotiated struct {
	network.Stream
	lazy io.ReadWriter
}

// ErrNotSpoken is why nothing can be read from a peer that does not speak the protocol.
var ErrNotSpoken = errors.New("it does not speak the protocol")

func (s negotiated) Read(p []byte) (int, error) {
	n, err := s.lazy.Read(p)
	if err != nil {
		if _, ok := errors.AsType[multistream.ErrNotSupported[protocol.ID]](err); ok {
			err = ErrNotSpoken
		}
	}
	return n, err
}

func (s negotiated) Write(p []byte) (int, error) { return s.lazy.Write(p) }

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

// Libp2p is the host itself, for protocols of libp2p's own that share its
// connections (the DHT). It is closed with h.
func (h *Host) Libp2p() host.Host { return h.host }

// Disconnect closes all connections to a peer.
func (h *Host) Disconnect(id shoal.NodeID) {
	if pid, err := peer.Decode(string(id)); err == nil {
		_ = h.host.Network().ClosePeer(pid)
	}
}

// Close ends the host and all its connections.
func (h *Host) Close() error { return h.host.Close() }
