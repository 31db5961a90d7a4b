package node

import (
	"context"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/discover"
	"github.com/shoal-cdn/shoal/node/library"
	"github.com/shoal-cdn/shoal/swarm"
	"github.com/shoal-cdn/shoal/swarm/lan"
	"github.com/shoal-cdn/shoal/swarm/manifest"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// lanAfter is how long a content lacks pieces before the LAN is asked while a tracker
// answers, which has named the peers on it by then (M5).
const lanAfter = 3 * time.Second

// openLAN takes the port for finding peers on the LAN. A node that cannot have it
// works without.
func (n *Node) openLAN(key []byte) {
	if n.cfg.LANPort == 0 {
		return
	}
	service, err := lan.New(lan.Config{
		Key: key, Listen: n.listening, Port: n.cfg.LANPort, Log: n.log,
		Holds:    func(id shoal.ContentID) (have, total int, ok bool) { return n.library.Holds(id) },
		Contents: n.hub.Contents,
	})
	if err != nil {
		n.log.Warn("no peers are looked for on the LAN", "err", err)
		return
	}
	n.lan = service
	n.release = append(n.release, service.Close)
}

// listening is where the node listens for peers. The addresses of interfaces that a
// wildcard stands for, the host has looked up up to a minute ago.
func (n *Node) listening() []string {
	var out []string
	for _, a := range n.host.Libp2p().Network().ListenAddresses() {
		out = append(out, a.String())
	}
	return out
}

// openDiscovery makes what finds peers, and manifests at peers, without a tracker.
func (n *Node) openDiscovery() {
	var sources []discover.Use
	if n.lan != nil {
		sources = append(sources, discover.Use{Source: n.lan, After: lanAfter})
	}
	sources = append(sources, n.awaySources()...)
	n.discover = discover.New(discover.Config{
		Sources: sources,
		Wanted:  func() []shoal.ContentID { return n.library.Lacking() },
		AddPeers: func(id shoal.ContentID, ps []swarm.Peer) {
			n.library.AddPeers(map[shoal.ContentID][]swarm.Peer{id: ps})
		},
		Alone: n.alone,
		Fetch: manifest.NewClient(n.host, n.log).Fetch,
		Log:   n.log,
	})
}

// trackerClient talks to the trackers, of which there may be none.
func trackerClient(urls []string) (*tapi.Client, error) {
	if len(urls) == 0 {
		return tapi.NoTracker(), nil
	}
	return tapi.NewClient(urls, nil)
}

// torrents is where manifests come from and go to; nil without a tracker.
func (n *Node) torrents() library.Torrents {
	if len(n.cfg.Trackers) == 0 {
		return nil
	}
	return n.tracker
}

// introductions asks the tracker for peers; nil without one.
func (n *Node) introductions() func(context.Context, shoal.ContentID) []swarm.Peer {
	if len(n.cfg.Trackers) == 0 {
		return nil
	}
	return func(ctx context.Context, id shoal.ContentID) []swarm.Peer {
		peers, err := n.tracker.Peers(ctx, id, n.ID())
		if err != nil {
			n.log.Debug("no peers for a content that is looked up", "content", id, "err", err)
		}
		return swarmPeers(map[shoal.ContentID][]tapi.Peer{id: peers}, n.ID())[id]
	}
}

// alone reports whether no tracker answers, or there is none.
func (n *Node) alone() bool { return len(n.cfg.Trackers) == 0 || n.trackerAway() }

// fromPeers gets manifests from peers; nil where none can be found.
func (n *Node) fromPeers() func(context.Context, shoal.ContentID) (*shoal.Manifest, error) {
	if n.lan == nil && n.dht == nil {
		return nil
	}
	return n.discover.Manifest
}

// serveManifests gives what the node knows to its peers.
func (n *Node) serveManifests() { manifest.Serve(n.host, n.library.Manifest, n.log) }

// find looks for peers, and answers others that do, until ctx ends.
func (n *Node) find(ctx context.Context) {
	var running sync.WaitGroup
	if n.lan != nil {
		running.Go(func() { n.lan.Run(ctx) })
	}
	if n.dht != nil {
		running.Go(func() { n.dht.Run(ctx) })
	}
	running.Go(func() { n.discover.Run(ctx) })
	running.Wait()
}
