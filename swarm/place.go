package swarm

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/exchange"
)

// place is where a node is. It never changes.
type place struct {
	shoal.Locality
	homes map[netip.Addr]shoal.Locality // addresses that are elsewhere
}

// at is where the end of a connection is that has this local address.
func (p *place) at(local netip.Addr) shoal.Locality {
	if l, ok := p.homes[local]; ok {
		return l
	}
	return p.Locality
}

// SetPlace says where the node is, in place of [Config.Locality]: it may become
// known only while it runs. Homes are those of its addresses that are elsewhere,
// as a machine has that is linked to several carriers. Connections that cross
// carriers by this and did not before, or the other way round, are made anew. Of
// several calls at a time the last one counts.
func (h *Hub) SetPlace(l shoal.Locality, homes map[netip.Addr]shoal.Locality) {
	swarms, changed := h.settle(&place{l, maps.Clone(homes)})
	if !changed {
		return
	}
	h.cfg.Log.Info("this node is placed", "carrier", l.Carrier, "region", l.Region, "site", l.Site, "addresses_elsewhere", len(homes))
	for _, s := range swarms {
		s.post(placed{})
	}
}

// settle takes in a place, and returns the swarms that began before it was known; one
// that begins later finds it. It is false where nothing is new.
func (h *Hub) settle(p *place) (swarms []*Swarm, changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if old := h.place.Load(); old.Locality == p.Locality && maps.Equal(old.homes, p.homes) {
		return nil, false
	}
	h.place.Store(p)
	return slices.Collect(maps.Values(h.swarms)), true
}

// Locality is where the node is, as far as it is known by now.
func (h *Hub) Locality() shoal.Locality { return h.place.Load().Locality }

type placed struct{}

func (placed) handle(s *Swarm) {
	s.roster.place(s.hub.Locality().Carrier)
	s.apply(exchange.Placed{Carrier: s.hub.Locality().Carrier})
	for _, c := range s.conns {
		if s.misplaced(c) {
			s.disconnect(c)
		}
	}
}

// misplaced reports whether a connection crosses carriers, or doesn't, other than
// it seemed when its ends greeted each other.
func (s *Swarm) misplaced(c *conn) bool {
	theirs := s.localityOf(c)
	return s.hub.place.Load().at(c.stream.LocalIP()).CrossCarrier(theirs) != c.at.CrossCarrier(theirs)
}

// localityOf is where the other end of a connection is: by its own word, or else
// by that of who told us of it.
func (s *Swarm) localityOf(c *conn) shoal.Locality {
	if k := s.roster.known[c.peer]; k != nil && c.hello.Locality == (shoal.Locality{}) {
		return k.Locality
	}
	return c.hello.Locality
}

// across is the carrier of a connection's other end, where that is another than
// that of ours; else "".
func (s *Swarm) across(c *conn) string {
	if theirs := s.localityOf(c); c.at.CrossCarrier(theirs) {
		return theirs.Carrier
	}
	return ""
}
