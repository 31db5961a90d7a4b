package registry

import (
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
	"github.com/shoal-cdn/shoal/tracker/internal/bell"
)

// node is one node; the registry's mutex guards it.
type node struct {
	info     api.NodeInfo
	key      key // where its address sorts
	addrs    []address
	rest     []string         // its other multiaddrs
	places   []shoal.Locality // that it is a member of; the first is its own
	alive    bool
	seen     time.Time // when it was last known to be alive
	holdings map[shoal.ContentID]*holding
	setBytes int // that its incomplete piece sets take

	session string // "" until it has announced in full
	seq     uint64 // of the newest announce taken in
	turn    uint64 // of the newest announce
	held    int    // answers being held back

	version uint64                     // rises with every piece of news
	news    map[shoal.ContentID]uint64 // contents with new peers, and the version at which they came
	dials   []dial                     // the newest last
	bell    bell.Bell
}

// holding is one node's part of one content.
type holding struct {
	role  api.Role
	count int
	total int
	set   *shoal.PieceSet // nil while it has all or none

	// The two sides of one relation, so that a leaving peer costs as many
	// steps as it was handed out times: given are the peers its node was
	// handed while it fetches, takers the nodes that were handed its node.
	given, takers map[*node]struct{}
}

func (h *holding) pieces() *shoal.PieceSet {
	switch {
	case h.set != nil:
		return h.set.Clone()
	case h.count == h.total:
		return shoal.FullPieceSet(h.total)
	}
	return shoal.NewPieceSet(h.total)
}

func (h *holding) setBytes() int {
	if h.set == nil {
		return 0
	}
	return h.total / 8
}

// bump records that there is news and wakes the announce that waits for it.
func (n *node) bump() {
	n.version++
	n.bell.Ring()
}

func (n *node) api() api.Node {
	return api.Node{NodeInfo: n.info, Alive: n.alive, Seen: n.seen, Contents: len(n.holdings)}
}

// set takes in what a node says of itself. Its place must not change while it is
// in swarms: see Registry.move.
func (n *node) set(info api.NodeInfo) {
	n.info, n.key, n.places = info, addrKey(info.Addrs), placesOf(&info)
	n.addrs, n.rest = addresses(info.Addrs, info.Locality, info.Place.Homes)
}

// peer is o as n is told of it.
func (n *node) peer(o *node, role api.Role) api.Peer {
	_, at := n.nearest(o)
	return api.Peer{ID: o.info.ID, Name: o.info.Name, Addrs: n.addrsFor(o), Role: role, Locality: at}
}
