package exchange

import (
	"testing"

	"github.com/shoal-cdn/shoal"
)

// Of too many that lack pieces the one with the least to do is let go: not the newcomer,
// not one that is in the middle of a piece, and nobody that has everything.
func TestSpare(t *testing.T) {
	const pieces = 8
	one := func(i int) *shoal.PieceSet {
		set := shoal.NewPieceSet(pieces)
		set.Add(i)
		return set
	}
	s := newScript(t, pieces, piece, 0)
	s.on(PeerJoined{Peer: "origin", Origin: true})
	for i, id := range []shoal.NodeID{"giver", "asked", "taker", "newcomer"} {
		s.on(PeerJoined{Peer: id})
		if i < 2 {
			s.on(BitfieldReceived{id, one(i + 1)})
		}
	}
	s.on(PeerJoined{Peer: "seed"})
	s.on(BitfieldReceived{"seed", shoal.FullPieceSet(pieces)})
	if id, ok := s.s.Spare(4, "newcomer"); ok {
		t.Errorf("%s of four is let go", id)
	}
	if id, ok := s.s.Spare(3, "newcomer"); !ok || id != "taker" {
		t.Errorf("%s, %v, want the one without any requests", id, ok)
	}
	s.on(RequestReceived{"taker", 0, 0, piece})
	s.on(BlockReceived{"giver", 1, 0, block})
	if id, ok := s.s.Spare(3, "newcomer"); !ok || id != "asked" {
		t.Errorf("%s, %v, want the one that nothing has come from", id, ok)
	}
	if id, ok := s.s.Spare(3, "asked"); !ok || id != "newcomer" {
		t.Errorf("%s, %v, want the one without any requests", id, ok)
	}
}
