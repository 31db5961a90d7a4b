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

func (n *node) peer(role api.Role) api.Peer {
	return api.Peer{ID: n.info.ID, Name: n.info.Name, Addrs: n.info.Addrs, Role: role, Locality: n.info.Locality}
}
