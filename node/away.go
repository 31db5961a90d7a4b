package node

import (
	"context"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/announce"
	"github.com/shoal-cdn/shoal/node/discover"
	"github.com/shoal-cdn/shoal/swarm"
	"github.com/shoal-cdn/shoal/swarm/dht"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// What a node does while no tracker answers (B4): its swarms try the peers that it
// knew last, and the DHT is asked for more.
const (
	firstReply = 2 * time.Second  // that a tracker has after the start before it counts as away
	awayCheck  = 2 * time.Second  // how soon a search that began before notices it
	hintEvery  = 30 * time.Second // between two rounds of hints
	maxHinted  = 48               // last-known peers that a swarm tries
	maxKnown   = 64               // last-known peers to join the DHT through
)

// unanswered reports whether no tracker answers.
func unanswered(s announce.Status, started, now time.Time) bool {
	return s.Err != nil || s.Answered.IsZero() && now.Sub(started) >= firstReply
}

// trackerAway reports whether no tracker answers the node.
func (n *Node) trackerAway() bool { return unanswered(n.announcer.Status(), n.started, time.Now()) }

// remember takes in nodes that the tracker names for while it is away: one that has never
// shared a content knows nobody else.
func (n *Node) remember(known []tapi.Peer) {
	peers := make([]swarm.Peer, 0, len(known))
	for _, p := range known {
		if p.ID != n.ID() {
			peers = append(peers, swarmPeer(p))
		}
	}
	n.peers.Told(peers)
}

// openDHT makes the node's part in the DHT, which is off as long as a tracker answers.
func (n *Node) openDHT() {
	if !n.cfg.DHT {
		return
	}
	n.dht = dht.New(dht.Config{
		Host:   n.host.Libp2p(),
		Needed: n.trackerAway,
		Known:  func() []swarm.Peer { return n.peers.Peers(n.hub.Locality(), maxKnown) },
		Held:   n.hub.Contents,
		Client: n.cfg.Guest,
		Log:    n.log,
	})
}

// awaySources are the sources of peers for when no tracker answers.
func (n *Node) awaySources() []discover.Use {
	uses := []discover.Use{{Source: hinting{lastKnown{n}, n.hub}, After: -1}}
	if n.dht != nil {
		uses = append(uses, discover.Use{Source: hinting{n.dht, n.hub}, After: -1})
	}
	return uses
}

// lastKnown is the node's book of peers as a source: any of them may have a part in
// any content.
type lastKnown struct{ n *Node }

func (lastKnown) Name() string { return "last-known peers" }

// Find implements [discover.Source]. It finds nobody while a tracker answers.
func (k lastKnown) Find(ctx context.Context, _ shoal.ContentID, found func(swarm.Peer)) error {
	for {
		pause := awayCheck
		if k.n.trackerAway() {
			pause = hintEvery
			for _, p := range k.n.peers.Peers(k.n.hub.Locality(), maxHinted) {
				found(p)
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// hinting is a source that may be wrong: where the content's swarm has begun, what it
// finds changes nothing that is known there.
type hinting struct {
	discover.Source
	hub *swarm.Hub
}

// Find implements [discover.Source].
func (h hinting) Find(ctx context.Context, id shoal.ContentID, found func(swarm.Peer)) error {
	return h.Source.Find(ctx, id, func(p swarm.Peer) {
		if !h.hub.Hint(id, p) {
			found(p)
		}
	})
}
