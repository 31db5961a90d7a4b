package swarm

import (
	"slices"
	"time"
)

// Connect dials a peer at once, also from a node that has everything and
// otherwise waits for others to come: the peer cannot dial us (M8).
func (s *Swarm) Connect(p Peer) {
	p.Addrs = slices.Clone(p.Addrs)
	s.post(peerWaits{p})
}

type peerWaits struct{ peer Peer }

func (e peerWaits) handle(s *Swarm) {
	now := time.Now()
	s.roster.add(e.peer, now)
	if s.conns[e.peer.ID] == nil {
		if p, ok := s.roster.take(e.peer.ID, now); ok {
			s.open(p)
		}
	}
}
