package registry

import (
	"cmp"
	"slices"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

const (
	maxPeers = 50 // handed to a node at a time
	fewPeers = 30 // with fewer, a node is told of new ones as they come

	// Shares of a handout that nearness cannot crowd out, as far as there are
	// such nodes: some that are sure to have everything, and some that keep
	// the localities connected.
	originShare = 4
	holderShare = 12
	remoteShare = 6
)

// swarm is the live nodes of one content by role.
type swarm struct {
	members  map[api.Role]*members
	gateways map[api.Role]*members // those that have a gateway
	hungry   map[*node]struct{}    // fetchers that were handed few peers
}

func newSwarm() *swarm {
	return &swarm{members: byRole(), gateways: byRole(), hungry: make(map[*node]struct{})}
}

func byRole() map[api.Role]*members {
	return map[api.Role]*members{api.Origin: newMembers(), api.Holder: newMembers(), api.Fetcher: newMembers()}
}

func (s *swarm) add(n *node, role api.Role) {
	s.members[role].add(n)
	if len(n.info.Gateway) > 0 {
		s.gateways[role].add(n)
	}
}

func (s *swarm) remove(n *node, role api.Role) {
	s.members[role].remove(n)
	if len(n.info.Gateway) > 0 {
		s.gateways[role].remove(n)
	}
}

func (s *swarm) size() int {
	return s.members[api.Origin].len() + s.members[api.Holder].len() + s.members[api.Fetcher].len()
}

// handout chooses peers for n, nearest first: the origins and holders' shares,
// some from elsewhere, and for the rest the nearest fetchers, then whoever is left.
func (s *swarm) handout(n *node, r *Registry) []*node {
	c := choice{rng: r.rng, taken: map[*node]struct{}{n: {}}}
	origins, holders, fetchers := s.members[api.Origin], s.members[api.Holder], s.members[api.Fetcher]
	c.nearest(origins, n, originShare)
	c.nearest(holders, n, holderShare)
	if c.outside(fetchers, n, remoteShare) == 0 {
		c.outside(holders, n, remoteShare)
	}
	for _, m := range []*members{fetchers, holders, origins} {
		c.nearest(m, n, maxPeers-len(c.nodes))
	}
	r.rng.Shuffle(len(c.nodes), func(i, j int) { c.nodes[i], c.nodes[j] = c.nodes[j], c.nodes[i] })
	far := make(map[*node]int, len(c.nodes))
	for _, p := range c.nodes {
		far[p] = distance(n, p)
	}
	slices.SortStableFunc(c.nodes, func(a, b *node) int { return cmp.Compare(far[a], far[b]) })
	return c.nodes
}

// join puts n into a content's swarm, or changes its role there. A new member
// is news for those that know few.
func (r *Registry) join(n *node, id shoal.ContentID, h *holding) {
	s := r.swarms[id]
	if s == nil {
		s = newSwarm()
		r.swarms[id] = s
	}
	s.add(n, h.role)
	for f := range s.hungry {
		if _, known := f.holdings[id].given[n]; !known && f != n {
			f.tell(id)
		}
	}
	if h.role == api.Fetcher {
		s.hungry[n] = struct{}{}
		n.tell(id)
	}
}

// leave takes n out of the swarm's lists, keeping what it was handed and to whom.
func (r *Registry) leave(n *node, id shoal.ContentID, h *holding) {
	s := r.swarms[id]
	s.remove(n, h.role)
	delete(s.hungry, n)
	delete(n.news, id)
	for p := range h.given {
		delete(p.holdings[id].takers, n)
	}
	h.given = nil
	if s.size() == 0 {
		delete(r.swarms, id)
	}
}

// drop forgets that n holds any of a content. Those it was handed to may now
// know few, and are told of others if there are.
func (r *Registry) drop(n *node, id shoal.ContentID) {
	h := n.holdings[id]
	if h == nil {
		return
	}
	r.leave(n, id, h)
	delete(n.holdings, id)
	n.setBytes -= h.setBytes()
	s := r.swarms[id]
	for f := range h.takers {
		given := f.holdings[id].given
		delete(given, n)
		if len(given) < fewPeers {
			s.hungry[f] = struct{}{}
			if s.size()-1 > len(given) {
				f.tell(id)
			}
		}
	}
}

// tell records that there are new peers for a content n fetches.
func (n *node) tell(id shoal.ContentID) {
	n.bump()
	n.news[id] = n.version
}

// Preview is a handout for a content that the node has not begun to fetch, so
// that an order to do so comes with its peers. It is not recorded. It is nil
// where nobody has the content, or the node is not alive.
func (r *Registry) Preview(id shoal.NodeID, content shoal.ContentID) []api.Peer {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, s := r.nodes[id], r.swarms[content]
	if n == nil || !n.alive || s == nil {
		return nil
	}
	var list []api.Peer
	for _, p := range s.handout(n, r) {
		list = append(list, n.peer(p, p.holdings[content].role))
	}
	return list
}

// peers makes n's handout for a content and records it.
func (r *Registry) peers(n *node, id shoal.ContentID) []api.Peer {
	s, h := r.swarms[id], n.holdings[id]
	chosen := s.handout(n, r)
	if h.given == nil {
		h.given = make(map[*node]struct{}, len(chosen))
	}
	list := make([]api.Peer, 0, len(chosen))
	for _, p := range chosen {
		ph := p.holdings[id]
		if ph.takers == nil {
			ph.takers = make(map[*node]struct{})
		}
		ph.takers[n], h.given[p] = struct{}{}, struct{}{}
		list = append(list, n.peer(p, ph.role))
	}
	if len(h.given) >= fewPeers {
		delete(s.hungry, n)
	}
	return list
}
