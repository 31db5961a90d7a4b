package dht

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	kad "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
)

const (
	prefix = "/shoal"
	// kadProtocol is what kad-dht makes of the prefix.
	kadProtocol = protocol.ID(prefix + "/kad/1.0.0")

	lookupTime     = 20 * time.Second // for one lookup
	provideTime    = 15 * time.Second // for one content to be offered
	maxFound       = 50               // nodes from one lookup, as many as a tracker hands out
	refreshEvery   = 5 * time.Minute  // of the routing table
	maxProbes      = 32               // new nodes that are tried out at a time
	requestTimeout = 10 * time.Second // of the routing table's own queries
)

// network is a node's part in the DHT, from join to close. It is safe for
// concurrent use.
type network struct {
	host    host.Host
	kad     *kad.IpfsDHT
	records *records
	log     *slog.Logger
	deaf    func() // stops looking out for connections
}

// join takes part through the peers that are connected; a client asks and never
// answers.
func join(h host.Host, client bool, log *slog.Logger) (*network, error) {
	n := &network{host: h, log: log}
	n.records = newRecords(func() peer.AddrInfo { return peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()} })
	mode := kad.ModeAuto // a client until announceReached says otherwise
	if client {
		mode = kad.ModeClient
	}
	var err error
	n.kad, err = kad.New(context.Background(), h, // close ends it
		kad.ProtocolPrefix(prefix),
		kad.Mode(mode),
		kad.ProviderStore(n.records),
		kad.DisableValues(),
		kad.RoutingTableRefreshPeriod(refreshEvery),
		kad.RoutingTableRefreshQueryTimeout(requestTimeout),
		kad.LookupCheckConcurrency(maxProbes),
	)
	if err != nil {
		return nil, fmt.Errorf("join the DHT: %w", err)
	}
	if n.deaf, err = announceReached(h); err != nil {
		return nil, errors.Join(fmt.Errorf("join the DHT: %w", err), n.leave())
	}
	return n, nil
}

// close leaves. Nothing of it runs when it returns.
func (n *network) close() error {
	n.deaf()
	return n.leave()
}

// leave also ends what kad-dht leaves in place: its handler and its streams.
func (n *network) leave() error {
	n.host.RemoveStreamHandler(kadProtocol)
	err := n.kad.Close()
	for _, c := range n.host.Network().Conns() {
		for _, s := range c.GetStreams() {
			if s.Protocol() == kadProtocol {
				_ = s.Reset()
			}
		}
	}
	if err != nil {
		return fmt.Errorf("leave the DHT: %w", err)
	}
	return nil
}

// size is the number of nodes in the routing table.
func (n *network) size() int { return n.kad.RoutingTable().Size() }

// provide says that this node has a part in a content.
func (n *network) provide(ctx context.Context, id shoal.ContentID) error {
	key, err := keyOf(id)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, provideTime)
	defer cancel()
	if err := n.kad.Provide(ctx, key, true); err != nil {
		return fmt.Errorf("offer content %s: %w: %w", id.Short(), shoal.ErrUnavailable, err)
	}
	return nil
}

// find calls found, one call at a time, for each node that has a part in a
// content, until the lookup is complete, its time is up or ctx ends. It is no
// error to find none.
func (n *network) find(ctx context.Context, id shoal.ContentID, found func(swarm.Peer)) error {
	key, err := keyOf(id)
	if err != nil {
		return err
	}
	if n.size() == 0 && n.records.len() == 0 {
		return fmt.Errorf("look up content %s: %w: no other node is in the DHT", id.Short(), shoal.ErrUnavailable)
	}
	bounded, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	for p := range n.kad.FindProvidersAsync(bounded, key, maxFound) {
		if len(p.Addrs) == 0 {
			p.Addrs = n.host.Peerstore().Addrs(p.ID)
		}
		if p.ID == n.host.ID() || len(p.Addrs) == 0 {
			continue
		}
		found(peerOf(p))
	}
	return context.Cause(ctx)
}

func peerOf(p peer.AddrInfo) swarm.Peer {
	out := swarm.Peer{ID: shoal.NodeID(p.ID.String())}
	for _, a := range p.Addrs[:min(len(p.Addrs), maxAddrs)] {
		out.Addrs = append(out.Addrs, a.String())
	}
	return out
}
