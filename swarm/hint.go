package swarm

import "github.com/shoal-cdn/shoal"

// fewPeers is how many connections a swarm gets along with: those peers name
// others.
const fewPeers = 8

// Contents are those of all swarms, in no order.
func (h *Hub) Contents() []shoal.ContentID {
	h.mu.Lock()
	defer h.mu.Unlock()
	ids := make([]shoal.ContentID, 0, len(h.swarms))
	for _, s := range h.swarms {
		ids = append(ids, s.manifest.ID())
	}
	return ids
}

// Hint names a node that may be in a content's swarm, on the word of somebody who
// may be wrong (B4): unlike what AddPeers tells, it changes nothing that is known
// to be good, and a swarm that has several peers, or much else to do, takes no notice of
// it. It does not block. It is false where there is no such swarm.
func (h *Hub) Hint(id shoal.ContentID, p Peer) bool {
	s := h.find(id.Truncated())
	if s == nil {
		return false
	}
	if s.Stats().Peers < fewPeers {
		s.offer(peersNamed{peers: []Peer{p}})
	}
	return true
}

// offer hands an event to the loop unless others wait already; it is for what the
// swarm does without.
func (s *Swarm) offer(ev event) {
	select {
	case s.events <- ev:
	default:
	}
}
