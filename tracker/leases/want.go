package leases

import (
	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// want takes in which pieces somebody waits for. Of runs that overlap, it looks at no more
// pieces than the content has.
func (a *ask) want() {
	n := a.book.content.pieces
	left := n
	for _, r := range a.r.Want {
		if r.First >= n {
			continue
		}
		if a.wanted == nil {
			a.wanted, a.first = shoal.NewPieceSet(n), r.First
		}
		for piece := r.First; piece < min(r.First+r.Count, n) && left > 0; piece++ {
			a.wanted.Add(piece)
			left--
		}
	}
}

// within is the wish for those of its pieces that are in set, from first on. The
// search for others goes on where it was.
func (w wish) within(set *shoal.PieceSet, first int) wish {
	ok := w.ok
	w.from, w.ok = &first, func(piece int) bool { return set.Has(piece) && ok(piece) }
	return w
}

// unhelped reports whether the node's peers are no help with what its carrier
// has. Those whose uplinks would serve it through their gateways are in the swarm,
// where they send what the fewest have: it is theirs to spread, for a while at
// least, unless somebody waits for just that.
func (a *ask) unhelped() bool {
	switch a.r.Reason {
	case api.CrossCarrier:
		return false
	case api.Lacking:
		return a.wanted != nil
	case api.NoPeers:
		return a.wanted != nil || a.ledger.fetchers <= 1 || a.asker.refusedFor(a.now, gathering)
	}
	return true
}
