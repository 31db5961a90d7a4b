package library

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
)

// introductions are peers of contents that may be fetched in a moment.
type introductions struct {
	most int // contents

	mu sync.Mutex
	of map[shoal.ContentID]introduction
}

type introduction struct {
	peers []swarm.Peer
	at    time.Time
}

// introductionTime is how long peers are kept for a fetch that has not begun: what
// comes between is the look-up of a manifest.
const introductionTime = 10 * time.Second

// maxOrdered is for how many contents that are ordered together peers are kept; those of
// the others come with the answer to an announce.
const maxOrdered = 64

func (i *introductions) put(id shoal.ContentID, peers []swarm.Peer, now time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for id, old := range i.of {
		if now.Sub(old.at) >= introductionTime {
			delete(i.of, id)
		}
	}
	if len(i.of) >= i.most {
		return
	}
	if i.of == nil {
		i.of = make(map[shoal.ContentID]introduction)
	}
	i.of[id] = introduction{peers, now}
}

func (i *introductions) take(id shoal.ContentID) []swarm.Peer {
	i.mu.Lock()
	defer i.mu.Unlock()
	in := i.of[id]
	delete(i.of, id)
	return in.peers
}

// introduce asks who has a content that is being looked up, so that its fetch
// begins with peers instead of with an announce.
func (l *Library) introduce(id shoal.ContentID) {
	if l.cfg.Peers == nil {
		return
	}
	ctx, cancel := context.WithTimeout(l.ctx, lookUpTime)
	defer cancel()
	peers := l.cfg.Peers(ctx, id)
	if len(peers) == 0 {
		return
	}
	l.tell(&l.lookedUp, id, peers)
}

// tell passes peers on to a content's unit, or keeps them in i for one that begins soon.
func (l *Library) tell(i *introductions, id shoal.ContentID, peers []swarm.Peer) {
	u := l.find(id)
	if u == nil {
		i.put(id, peers, time.Now())
		if u = l.find(id); u == nil {
			return
		}
		peers = i.take(id) // it was faster, and may have taken them
	}
	u.addPeers(peers)
}

// met is who is known to have the content of a unit that begins. It is called once the
// unit can be found, so that none get lost.
func (l *Library) met(id shoal.ContentID) []swarm.Peer {
	return slices.Concat(l.lookedUp.take(id), l.ordered.take(id))
}
