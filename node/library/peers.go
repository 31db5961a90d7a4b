package library

import (
	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
)

// AddPeers passes on where to find contents; what is not fetched here is ignored.
func (l *Library) AddPeers(peers map[shoal.ContentID][]swarm.Peer) {
	for id, ps := range peers {
		if u := l.find(id); u != nil {
			u.addPeers(ps)
		}
	}
}

// Connect has a content's swarm dial a peer that cannot dial this node (M8).
func (l *Library) Connect(id shoal.ContentID, p swarm.Peer) {
	u := l.find(id)
	if u == nil {
		return
	}
	u.mu.Lock()
	s := u.session
	u.mu.Unlock()
	if s != nil {
		s.Connect(p)
	}
}

func (u *unit) addPeers(ps []swarm.Peer) {
	u.mu.Lock()
	s := u.session
	if s == nil {
		u.early = ps // they may come with the order to fetch, before there is a swarm
	}
	u.mu.Unlock()
	if s != nil {
		s.AddPeers(ps)
	}
}
