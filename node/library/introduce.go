package library

import (
	"context"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
)

// introductions are peers of contents that somebody has asked about and that may be
// fetched in a moment.
type introductions struct {
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

func (i *introductions) put(id shoal.ContentID, peers []swarm.Peer, now time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for id, old := range i.of {
		if now.Sub(old.at) >= introductionTime {
			delete(i.of, id)
		}
	}
	if len(i.of) >= maxLookUps {
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
	l.introductions.put(id, peers, time.Now())
	if u := l.find(id); u != nil { // it was faster
		if late := l.introductions.take(id); late != nil {
			u.addPeers(late)
		}
	}
}
