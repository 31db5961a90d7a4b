package dht

import (
	"context"
	"sync"
	"time"

	p2pnet "github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/shoal-cdn/shoal/swarm"
)

const (
	enoughPeers   = 8 // in the routing table, which then finds more by itself
	maxBootstrap  = 16
	maxDials      = 8 // at a time
	dialTime      = 5 * time.Second
	bootstrapFast = 5 * time.Second // between rounds, while nobody has been found
	bootstrapSlow = 30 * time.Second
)

// bootstrap connects to last-known peers as long as few are in the table, until
// ctx ends. kad-dht looks at whoever is connected.
func (n *network) bootstrap(ctx context.Context, known func() []swarm.Peer) {
	for {
		if n.size() < enoughPeers {
			n.connect(ctx, known())
		}
		pause := bootstrapSlow
		if n.size() == 0 {
			pause = bootstrapFast
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// connect dials the first of the peers that are not connected.
func (n *network) connect(ctx context.Context, peers []swarm.Peer) {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, maxDials)
	tried := 0
	for _, p := range peers {
		info, ok := infoOf(p)
		if !ok || info.ID == n.host.ID() || n.host.Network().Connectedness(info.ID) == p2pnet.Connected {
			continue
		}
		if tried++; tried > maxBootstrap {
			return
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		wg.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, dialTime)
			defer cancel()
			if err := n.host.Connect(ctx, info); err != nil {
				n.log.Debug("last-known peer is not there", "peer", p.ID, "name", p.Name, "err", err)
			}
		})
	}
}

// infoOf leaves out addresses that cannot be read.
func infoOf(p swarm.Peer) (info peer.AddrInfo, ok bool) {
	id, err := peer.Decode(string(p.ID))
	if err != nil {
		return info, false
	}
	info.ID = id
	for _, text := range p.Addrs[:min(len(p.Addrs), maxAddrs)] {
		if a, err := ma.NewMultiaddr(text); err == nil {
			info.Addrs = append(info.Addrs, a)
		}
	}
	return info, len(info.Addrs) > 0
}
