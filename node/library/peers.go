package library

import (
	"slices"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
)

// maxEarly bounds the peers that are kept for a content until it has a swarm.
const maxEarly = 256

// AddPeers passes on where to find contents. Peers of what is not fetched here are kept for
// a moment, since they may come with the order to fetch it, and before that is carried out.
func (l *Library) AddPeers(peers map[shoal.ContentID][]swarm.Peer) {
	for id, ps := range peers {
		l.tell(&l.ordered, id, ps)
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
	if len(ps) == 0 {
		return
	}
	u.mu.Lock()
	s := u.session
	if s == nil {
		all := append(slices.Clip(u.early), ps...)
		u.early = all[max(0, len(all)-maxEarly):] // the newest are the likeliest to be there
	}
	u.mu.Unlock()
	if s != nil {
		s.AddPeers(ps)
	}
}
