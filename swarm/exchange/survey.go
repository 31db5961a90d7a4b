package exchange

import "github.com/shoal-cdn/shoal"

// Survey is what can still be had from the connected peers.
type Survey struct {
	Useful  int // peers that can give a missing piece, and answer
	Near    int // of those, the ones in our carrier
	Lacking int // missing pieces that no connected peer can give
}

// Survey takes stock. It looks at every peer's pieces: O(peers × pieces / 64).
func (s *State) Survey() (v Survey) {
	held := s.Held()
	if held.Full() {
		return Survey{}
	}
	all := false // somebody can give whatever is missing
	for _, p := range s.peers {
		if p.presumed {
			continue
		}
		all = all || p.class.origin || p.has.Full()
		if p.source.silent > 0 || !p.class.origin && !anyNot(p.has, held) {
			continue
		}
		v.Useful++
		if !p.class.cross {
			v.Near++
		}
	}
	if all {
		return v
	}
	for piece := range held.Missing() {
		if s.pick.Holders(piece) == 0 {
			v.Lacking++
		}
	}
	return v
}

// anyNot reports whether a piece of set is not in held.
func anyNot(set, held *shoal.PieceSet) bool {
	for range set.AndNot(held) {
		return true
	}
	return false
}
