package registry

import (
	"cmp"
	"slices"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// Server is a node that could serve another one.
type Server struct {
	Info     api.NodeInfo
	Role     api.Role
	Distance int // the smaller, the nearer; by [shoal.Locality.Nearness], then common address prefix
}

// dial is an order to connect to a peer, and the version at which it came.
type dial struct {
	order   api.DialOrder
	version uint64
}

// Known returns a live node that has announced in the session.
func (r *Registry) Known(id shoal.NodeID, session string) (api.NodeInfo, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.nodes[id]
	if n == nil || !n.alive || n.session != session {
		return api.NodeInfo{}, false
	}
	return n.info, true
}

// Coverage returns which of so many pieces of a content the live nodes of a
// carrier, origins excepted, hold between them, and how many of those fetch it.
// The empty carrier stands for the nodes whose carrier is unknown. It costs a
// look at each fetcher's piece set. The set is the caller's.
func (r *Registry) Coverage(content shoal.ContentID, carrier string, pieces int) (held *shoal.PieceSet, fetchers int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	held = shoal.NewPieceSet(pieces)
	s := r.swarms[content]
	if s == nil {
		return held, 0
	}
	for _, role := range []api.Role{api.Holder, api.Fetcher} {
		for _, l := range s.members[role].of(carrier) {
			if role == api.Fetcher {
				fetchers += len(l.nodes)
			}
			for _, n := range l.nodes {
				h := n.holdings[content]
				switch {
				case h.total != pieces || held.Full():
				case h.count == pieces:
					held = shoal.FullPieceSet(pieces)
				case h.set != nil:
					for p := range h.set.AndNot(held) {
						held.Add(p)
					}
				}
			}
		}
	}
	return held, fetchers
}

// of returns the rosters that together are a carrier's nodes.
func (m *members) of(carrier string) []*roster {
	if carrier != "" {
		if l := m.byCarrier[carrier]; l != nil {
			return []*roster{l}
		}
		return nil
	}
	var list []*roster
	for _, g := range m.groups {
		if g.place.Carrier == "" {
			list = append(list, g)
		}
	}
	return list
}

// Servers returns up to most live nodes other than id that have some of a
// content, the nearest to id first and at random among equally near ones; with
// gateway, only those that have one. Shares of them are kept for origins, for
// holders and for nodes elsewhere. It is nil where id isn't alive.
func (r *Registry) Servers(id shoal.NodeID, content shoal.ContentID, gateway bool, most int) []Server {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, s := r.nodes[id], r.swarms[content]
	if n == nil || !n.alive || s == nil {
		return nil
	}
	c := choice{rng: r.rng, taken: map[*node]struct{}{n: {}}}
	from := s.members
	if gateway {
		from = s.gateways
	}
	origins, holders, fetchers := from[api.Origin], from[api.Holder], from[api.Fetcher]
	c.nearest(origins, n, most/4)
	c.nearest(holders, n, most/4)
	c.outside(holders, n, most/8)
	c.outside(fetchers, n, most/8)
	for _, m := range []*members{fetchers, holders, origins} {
		c.nearest(m, n, most-len(c.nodes))
	}
	list := make([]Server, 0, len(c.nodes))
	for _, p := range c.nodes {
		if h := p.holdings[content]; h.count > 0 {
			info := p.info
			info.Gateway = n.gatewaysFor(p)
			list = append(list, Server{info, h.role, distance(n, p)})
		}
	}
	slices.SortStableFunc(list, func(a, b Server) int { return cmp.Compare(a.Distance, b.Distance) })
	return list
}

// Dial has a live node told to connect to a peer, until it has processed the
// reply that says so. It reports whether it will be. Of many orders the oldest
// are dropped.
func (r *Registry) Dial(id shoal.NodeID, order api.DialOrder) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.nodes[id]
	if n == nil || !n.alive {
		return false
	}
	if o := r.nodes[order.Peer.ID]; o != nil {
		order.Peer = n.peer(o, order.Peer.Role)
	}
	n.bump()
	n.dials = slices.DeleteFunc(n.dials, func(d dial) bool {
		return d.order.Content == order.Content && d.order.Peer.ID == order.Peer.ID
	})
	if len(n.dials) == api.MaxDials {
		n.dials = slices.Delete(n.dials, 0, 1)
	}
	n.dials = append(n.dials, dial{order, n.version})
	return true
}

// processed forgets orders to dial up to a cursor.
func (n *node) processed(cursor uint64) {
	n.dials = slices.DeleteFunc(n.dials, func(d dial) bool { return d.version <= cursor })
}

// dialsSince returns the orders to dial since a cursor.
func (n *node) dialsSince(cursor uint64) (list []api.DialOrder) {
	for _, d := range n.dials {
		if d.version > cursor {
			list = append(list, d.order)
		}
	}
	return list
}
