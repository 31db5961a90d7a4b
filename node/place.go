package node

import (
	"net/netip"

	"github.com/shoal-cdn/shoal"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// settle takes in where the tracker says that the node is; what the node was told
// of its place itself is part of that. A reply that says nothing changes nothing.
func (n *Node) settle(r tapi.Reply) {
	if r.Locality == (shoal.Locality{}) {
		return
	}
	homes := make(map[netip.Addr]shoal.Locality, len(r.Homes))
	for _, h := range r.Homes {
		homes[h.Addr] = h.Locality
	}
	n.hub.SetPlace(r.Locality, homes)
}
