package lan

import (
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
)

const (
	// cacheTime is how long it counts that a peer was heard.
	cacheTime        = 2 * time.Minute
	maxContents      = 256 // of which peers are remembered
	maxContentPeers  = 256 // remembered of one content
	hintedAtMost     = 64  // of one content, told to a new search
	sweepPeersPeriod = 10 * time.Second
)

// heard is a peer of a content, as of its last message.
type heard struct {
	swarm.Peer
	holds bool
	until time.Time
}

// peers remembers for a while who was heard, so that who looks for the same
// again need not ask. It is not safe for concurrent use.
type peers map[shoal.ContentID]map[shoal.NodeID]heard

// note remembers a peer of a content, if there is room.
func (ps peers) note(id shoal.ContentID, p swarm.Peer, holds bool, now time.Time) {
	of := ps[id]
	if of == nil {
		if len(ps) >= maxContents {
			return
		}
		of = make(map[shoal.NodeID]heard)
		ps[id] = of
	}
	if _, known := of[p.ID]; known || len(of) < maxContentPeers {
		of[p.ID] = heard{p, holds, now.Add(cacheTime)}
	}
}

// of lists the peers of a content, not all where there are very many.
func (ps peers) of(id shoal.ContentID, now time.Time) []swarm.Peer {
	var out []swarm.Peer
	for _, h := range ps[id] {
		if now.Before(h.until) && len(out) < hintedAtMost {
			out = append(out, h.Peer)
		}
	}
	return out
}

// holder reports whether anybody is known to hold pieces of a content.
func (ps peers) holder(id shoal.ContentID, now time.Time) bool {
	for _, h := range ps[id] {
		if h.holds && now.Before(h.until) {
			return true
		}
	}
	return false
}

func (ps peers) sweep(now time.Time) {
	for id, of := range ps {
		for node, h := range of {
			if !now.Before(h.until) {
				delete(of, node)
			}
		}
		if len(of) == 0 {
			delete(ps, id)
		}
	}
}
